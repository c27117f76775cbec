#include "mix/smolnode_view.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "mix/directory.h"
#include "mix/prim.h"
#include "mix/smolnode_fetch.h"
#include "mix/topology_api.h"
#include "transport/transport.h"

#define ROUND_MS 30000
#define ROUND_LEAST_MS 1000		/* announcements count in seconds */
#define AGAIN_MS 1000			/* when something went wrong */

enum step { EPOCH, ANNOUNCE, NODES, SET, STEPS };

struct smolnode_view {
	struct loop *loop;
	struct transport *transport;
	struct smolnode_fetch *fetch;
	const struct smolnode_view_ops *ops;
	void *arg;
	struct loop_timer timer;
	enum step step;
	int64_t round_ms;
	struct topology_api *api;
	uint8_t part[SHA256_LEN], known[SHA256_LEN];
	bool complained;
};

/* A port from 1, all of [p, end). */
static bool
read_port(const char *p, const char *end, uint16_t *port)
{
	unsigned v = 0;

	if (p == end || end - p > 5)
		return false;
	for (; p < end && *p >= '0' && *p <= '9'; p++)
		v = 10 * v + (unsigned)(*p - '0');
	*port = (uint16_t)v;
	return p == end && v > 0 && v <= UINT16_MAX;
}

struct place {
	struct transport_options o;
	char host[TRANSPORT_NAME_LEN];
	uint16_t port;
};

/* "http://HOST[:PORT]/", "https://..."; the host a name, an address or
 * [IPv6]. */
static bool
parse_url(const char *url, struct place *p)
{
	bool tls = strncmp(url, "https://", 8) == 0;
	const char *end, *colon;
	size_t n;

	if (!tls && strncmp(url, "http://", 7) != 0)
		return false;
	url += tls ? 8 : 7;
	p->o.kind = tls ? TRANSPORT_TLS : TRANSPORT_TCP;
	p->port = tls ? 443 : 80;
	if (*url == '[') {
		n = strcspn(++url, "]");
		if (url[n] != ']')
			return false;
		end = url + n + 1;
	} else {
		n = strcspn(url, ":/");
		end = url + n;
	}
	colon = *end == ':' ? end : NULL;
	end += strcspn(end, "/");
	if (n == 0 || n >= sizeof(p->host) || (*end == '/' && end[1] != '\0'))
		return false;
	memcpy(p->host, url, n);
	p->host[n] = '\0';
	if (colon == NULL)
		return end == url + n || end[-1] == ']';
	return read_port(colon + 1, end, &p->port);
}

static void step_begin(struct smolnode_view *v);

static void
on_timer(struct loop_timer *t)
{
	step_begin(CONTAINER_OF(t, struct smolnode_view, timer));
}

/* The way to the directory; said on stderr what is wrong with it. */
static int
make_fetch(struct smolnode_view *v, const char *url, const char *ca)
{
	struct place p = { .o = { .tls = { .ca = ca } } };
	char why[TRANSPORT_WHY_LEN];
	int r;

	if (!parse_url(url, &p)) {
		fprintf(stderr, "smolnode: \"%s\" is not a directory like "
		    "http://192.0.2.1:8000/ or https://host.example/\n", url);
		return SW_ERR_CONFIG;
	}
	if ((r = transport_new(&v->transport, &p.o, why)) != SW_OK) {
		fprintf(stderr, "smolnode: %s\n", why);
		return r;
	}
	return smolnode_fetch_new(&v->fetch, v->loop, v->transport, p.host,
	    p.port);
}

int
smolnode_view_new(struct smolnode_view **out, struct loop *l,
    const char *url, const char *ca, const struct smolnode_view_ops *ops,
    void *arg)
{
	struct smolnode_view *v = calloc(1, sizeof(*v));
	int r;

	*out = NULL;
	if (v == NULL)
		return SW_ERR_NOMEM;
	v->loop = l;
	v->ops = ops;
	v->arg = arg;
	v->timer.fire = on_timer;
	v->round_ms = ROUND_MS;
	if ((r = make_fetch(v, url, ca)) != SW_OK) {
		smolnode_view_free(v);
		return r;
	}
	*out = v;
	return SW_OK;
}

void
smolnode_view_start(struct smolnode_view *v)
{
	step_begin(v);
}

void
smolnode_view_free(struct smolnode_view *v)
{
	if (v == NULL)
		return;
	smolnode_fetch_free(v->fetch);
	if (v->transport != NULL)
		transport_cancel(v->transport);
	transport_unref(v->transport);
	loop_set_timer(v->loop, &v->timer, SW_NEVER);
	topology_api_free(v->api);
	free(v);
}

static bool
get_id(const json_t *o, const char *name, json_int_t *v)
{
	const json_t *i = json_object_get(o, name);

	*v = json_integer_value(i);
	return json_is_integer(i) && *v >= 0;
}

int
smolnode_read_epoch(struct smolnode_epoch *e, int64_t *epoch_s,
    const char *text, size_t n)
{
	json_t *o = json_loadb(text, n, 0, NULL);
	const json_t *state = json_object_get(o, "key_rotation_state");
	json_int_t each, initial, now, secs;
	bool good = get_id(state, "validity_epochs", &each) && each > 0 &&
	    get_id(state, "initial_epoch_id", &initial) &&
	    get_id(o, "current_absolute_epoch_id", &now) && now >= initial &&
	    get_id(json_object_get(o, "epoch_duration"), "secs", &secs) &&
	    secs > 0 && (now - initial) / each <= UINT32_MAX;

	memset(e, 0, sizeof(*e));
	json_decref(o);
	if (!good)
		return SW_ERR_FORMAT;
	e->epoch = (uint64_t)now;
	e->rotation_id = (uint32_t)((now - initial) / each);
	e->first = (now - initial) % each == 0;
	e->last = (now - initial) % each == each - 1;
	*epoch_s = secs;
	return SW_OK;
}

static int
take_epoch(struct smolnode_view *v, const char *body, size_t n)
{
	struct smolnode_epoch e;
	int64_t epoch_s;
	int r;

	if ((r = smolnode_read_epoch(&e, &epoch_s, body, n)) != SW_OK)
		return r;
	/* Four looks an epoch, so that none of its ends is missed. */
	v->round_ms = epoch_s < 4 * ROUND_MS / 1000 ? epoch_s * 250 :
	    ROUND_MS;
	if (v->round_ms < ROUND_LEAST_MS)
		v->round_ms = ROUND_LEAST_MS;
	v->ops->epoch(v->arg, &e);
	return SW_OK;
}

static int
take_nodes(struct smolnode_view *v, const char *body, size_t n)
{
	size_t left;
	int r;

	topology_api_free(v->api);
	if ((v->api = topology_api_new()) == NULL)
		return SW_ERR_NOMEM;
	prim_sha256(v->part, body, n);
	if ((r = topology_api_add_nodes(v->api, body, n, &left)) != SW_OK)
		return r;
	return left == 0 ? SW_OK : SW_ERR_UNSUPPORTED;
}

static int
take_set(struct smolnode_view *v, const char *body, size_t n)
{
	uint8_t both[SHA256_LEN];
	struct topology *t;
	int r;

	prim_sha256_pair(both, v->part, sizeof(v->part), body, n);
	if (memcmp(both, v->known, sizeof(both)) == 0)
		return SW_OK;
	if ((r = topology_api_add_set(v->api, body, n)) != SW_OK ||
	    (r = topology_api_finish(v->api, &t)) != SW_OK)
		return r;
	memcpy(v->known, both, sizeof(both));
	v->ops->topology(v->arg, t);
	return SW_OK;
}

/* One warning for each time that it breaks. */
static void
complain(struct smolnode_view *v, const char *why, int status)
{
	char number[24] = "";

	if (status != 0)
		snprintf(number, sizeof(number), ", HTTP %d", status);
	if (!v->complained)
		log_warn("node: the directory does not serve us: %s%s", why,
		    number);
	v->complained = true;
}

static void
step_end(void *arg, int err, int status, const char *body, size_t n)
{
	static int (*const take[STEPS])(struct smolnode_view *, const char *,
	    size_t) = { take_epoch, NULL, take_nodes, take_set };
	struct smolnode_view *v = arg;
	const char *why = err != SW_OK ? body : NULL;
	int64_t wait = 0;

	if (err == SW_OK && status != 200)
		err = SW_ERR_REFUSED;
	if (err == SW_OK && take[v->step] != NULL)
		err = take[v->step](v, body, n);
	if (err != SW_OK) {
		complain(v, why != NULL ? why : sw_strerror(err), status);
		v->step = EPOCH;
		wait = AGAIN_MS;
	} else if (++v->step == STEPS) {
		v->complained = false;
		v->step = EPOCH;
		wait = v->round_ms;
	}
	loop_set_timer(v->loop, &v->timer, v->loop->now_ms + wait);
}

static void
step_begin(struct smolnode_view *v)
{
	static const char *const path[STEPS] = {
		"/v1/epoch/key-rotation-info", DIRECTORY_ANNOUNCE_PATH,
		"/v2/unstable/nym-nodes/semi-skimmed?page=0",
		"/v1/nym-nodes/rewarded-set",
	};
	char *body = NULL;
	int r = SW_OK;

	if (v->step == ANNOUNCE &&
	    (body = v->ops->describe(v->arg)) == NULL)
		r = SW_ERR_NOMEM;
	if (r == SW_OK)
		r = smolnode_fetch(v->fetch, path[v->step], body, step_end, v);
	free(body);
	if (r != SW_OK)
		loop_set_timer(v->loop, &v->timer, v->loop->now_ms +
		    AGAIN_MS);
}
