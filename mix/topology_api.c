#include "mix/topology_api.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mix/iprmsg.h"

struct topology_api {
	struct topology *t;
	uint8_t layer[TOPOLOGY_MAX_NODES];	/* of node i, from 1; 0: none */
	bool begun;			/* epoch and rotation are known */
	uint64_t described;		/* entries read of that list */
	uint64_t listed;		/* of the list that is being read */
	unsigned skipped;
};

struct topology_api *
topology_api_new(void)
{
	struct topology_api *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	if ((a->t = calloc(1, sizeof(*a->t))) == NULL ||
	    (a->t->node = calloc(TOPOLOGY_MAX_NODES,
	    sizeof(*a->t->node))) == NULL) {
		topology_api_free(a);
		return NULL;
	}
	return a;
}

void
topology_api_free(struct topology_api *a)
{
	if (a == NULL)
		return;
	topology_free(a->t);
	free(a);
}

static bool
get_number(const json_t *o, const char *name, uint64_t max, uint64_t *v)
{
	const json_t *i = json_object_get(o, name);

	*v = 0;
	if (!json_is_integer(i) || json_integer_value(i) < 0 ||
	    (uint64_t)json_integer_value(i) > max)
		return false;
	*v = (uint64_t)json_integer_value(i);
	return true;
}

static bool
get_key(const json_t *o, const char *name, uint8_t out[static NYM_KEY_LEN])
{
	const json_t *s = json_object_get(o, name);

	return json_is_string(s) && base58_decode(out, NYM_KEY_LEN,
	    json_string_value(s), json_string_length(s)) == SW_OK;
}

/* "0.98" is 98 percent; what follows is cut off. */
static uint8_t
get_performance(const json_t *o)
{
	const char *s = json_string_value(json_object_get(o, "performance"));

	if (s == NULL)
		return 0;
	if (s[0] == '1')
		return 100;
	if (s[0] != '0' || s[1] != '.' || s[2] < '0' || s[2] > '9')
		return 0;
	return (uint8_t)((s[2] - '0') * 10 +
	    (s[3] >= '0' && s[3] <= '9' ? s[3] - '0' : 0));
}

static uint8_t
get_layer(const json_t *o)
{
	const json_t *mix = json_object_get(json_object_get(o, "role"),
	    "Mixnode");
	uint64_t layer;

	return get_number(mix, "layer", TOPOLOGY_LAYERS, &layer) ?
	    (uint8_t)layer : 0;
}

/* Where it takes clients; an entry that does not read is none. */
static void
get_entry(const json_t *o, struct topology_node *n)
{
	const json_t *e = json_object_get(o, "entry");
	const json_t *host = json_object_get(e, "hostname");
	uint64_t port;

	if (!get_number(e, "ws_port", UINT16_MAX, &port))
		return;
	n->ws = n->mix;
	n->ws.port = (uint16_t)port;
	if (!json_is_string(host) || !topology_is_host(json_string_value(host)))
		return;
	memcpy(n->host, json_string_value(host), json_string_length(host) + 1);
	if (get_number(e, "wss_port", UINT16_MAX, &port))
		n->wss_port = (uint16_t)port;
}

static bool
get_flag(const json_t *roles, const char *name)
{
	return json_is_true(json_object_get(roles, name));
}

/* The Noise key of a semi-skimmed element. */
static void
get_noise(const json_t *o, struct topology_node *n)
{
	const json_t *key = json_object_get(o, "x25519_noise_versioned_key");

	n->has_noise = get_key(key, "x25519_pubkey", n->noise);
}

static bool
get_node(const json_t *o, struct topology_node *n)
{
	const json_t *basic = json_object_get(o, "basic"), *roles;
	const char *ip;
	uint64_t id, port;

	memset(n, 0, sizeof(*n));
	if (basic != NULL) {
		get_noise(o, n);
		o = basic;
	}
	ip = json_string_value(json_array_get(json_object_get(o,
	    "ip_addresses"), 0));
	if (!get_number(o, "node_id", UINT32_MAX, &id) ||
	    !get_key(o, "ed25519_identity_pubkey", n->identity) ||
	    !get_key(o, "x25519_sphinx_pubkey", n->sphinx) || ip == NULL ||
	    addr_parse_ip(&n->mix, ip) != SW_OK ||
	    !get_number(o, "mix_port", UINT16_MAX, &port) || port == 0)
		return false;
	n->id = (uint32_t)id;
	n->mix.port = (uint16_t)port;
	n->performance = get_performance(o);
	roles = json_object_get(o, "supported_roles");
	n->mixnode = get_flag(roles, "mixnode");
	n->entry = get_flag(roles, "entry");
	n->exit = get_flag(roles, "exit_nr") || get_flag(roles, "exit_ipr");
	if (n->entry)
		get_entry(o, n);
	return true;
}

static size_t
find_id(const struct topology *t, uint64_t id)
{
	size_t i = 0;

	while (i < t->n && t->node[i].id != id)
		i++;
	return i;
}

static int
add_node(struct topology_api *a, const json_t *o)
{
	struct topology *t = a->t;
	struct topology_node n;
	const json_t *basic = json_object_get(o, "basic");

	if (!get_node(o, &n)) {
		a->skipped++;
		return SW_OK;
	}
	if (find_id(t, n.id) < t->n || topology_find(t, n.identity) != NULL)
		return SW_OK;
	if (t->n == TOPOLOGY_MAX_NODES)
		return SW_ERR_TOO_LONG;
	a->layer[t->n] = get_layer(basic != NULL ? basic : o);
	t->node[t->n++] = n;
	return SW_OK;
}

/* Every page has to be of one epoch. */
static bool
check_epoch(struct topology_api *a, const json_t *o)
{
	const json_t *meta = json_object_get(o, "metadata");
	uint64_t epoch, rotation;

	if (!get_number(meta, "absolute_epoch_id", UINT32_MAX, &epoch) ||
	    !get_number(meta, "rotation_id", UINT32_MAX, &rotation))
		return false;
	if (!a->begun) {
		a->begun = true;
		a->t->epoch_id = epoch;
		a->t->rotation_id = (uint32_t)rotation;
	}
	return a->t->epoch_id == epoch && a->t->rotation_id == rotation;
}

/* How many of a list's elements are still to come, after `have` of before and
 * those of this page. */
static bool
count_left(const json_t *list, uint64_t *have, size_t *left)
{
	size_t n = json_array_size(json_object_get(list, "data"));
	uint64_t total;

	if (!json_is_array(json_object_get(list, "data")) ||
	    !get_number(json_object_get(list, "pagination"), "total",
	    UINT32_MAX, &total))
		return false;
	*have += n;
	*left = total > *have && n > 0 ? (size_t)(total - *have) : 0;
	if (*left == 0)
		*have = 0;
	return true;
}

int
topology_api_add_nodes(struct topology_api *a, const char *text, size_t n,
    size_t *left)
{
	json_t *o = json_loadb(text, n, 0, NULL), *element;
	const json_t *list = json_object_get(o, "nodes");
	int r = SW_ERR_FORMAT;
	size_t i;

	*left = 0;
	if (check_epoch(a, o) && count_left(list, &a->listed, left)) {
		r = SW_OK;
		json_array_foreach(json_object_get(list, "data"), i, element) {
			if ((r = add_node(a, element)) != SW_OK)
				break;
		}
	}
	json_decref(o);
	return r;
}

/* "1.37.0" and later speak version 10, 1.30 and later 9. */
static uint8_t
router_version(const json_t *described)
{
	const char *v = json_string_value(json_object_get(json_object_get(
	    described, "build_information"), "build_version"));
	char *end;
	unsigned long minor;

	if (v == NULL || strncmp(v, "1.", 2) != 0)
		return 0;
	minor = strtoul(v + 2, &end, 10);
	if (end == v + 2)
		return 0;
	return minor >= 37 ? IPRMSG_V10 : minor >= 30 ? IPRMSG_V9 : IPRMSG_V8;
}

static void
describe(struct topology *t, const json_t *o)
{
	const json_t *d = json_object_get(o, "description");
	const char *address = json_string_value(json_object_get(
	    json_object_get(d, "ip_packet_router"), "address"));
	uint64_t id;
	size_t i;

	if (address == NULL || !get_number(o, "node_id", UINT32_MAX, &id) ||
	    (i = find_id(t, id)) == t->n)
		return;
	t->node[i].has_ipr = recipient_parse(&t->node[i].ipr, address) ==
	    SW_OK;
	t->node[i].ipr_version = router_version(d);
}

int
topology_api_add_described(struct topology_api *a, const char *text,
    size_t n, size_t *left)
{
	json_t *o = json_loadb(text, n, 0, NULL), *element;
	size_t i;
	int r = SW_ERR_FORMAT;

	*left = 0;
	if (count_left(o, &a->described, left)) {
		r = SW_OK;
		json_array_foreach(json_object_get(o, "data"), i, element) {
			describe(a->t, element);
		}
	}
	json_decref(o);
	return r;
}

int
topology_api_add_set(struct topology_api *a, const char *text, size_t n)
{
	static const char *const name[] = { "layer1", "layer2", "layer3" };
	json_t *o = json_loadb(text, n, 0, NULL), *id;
	uint8_t layer[TOPOLOGY_MAX_NODES] = { 0 };
	int r = o != NULL ? SW_OK : SW_ERR_FORMAT;
	size_t i, k;

	for (size_t l = 0; l < TOPOLOGY_LAYERS && r == SW_OK; l++) {
		const json_t *ids = json_object_get(o, name[l]);

		if (!json_is_array(ids))
			r = SW_ERR_FORMAT;
		json_array_foreach(ids, i, id) {
			k = json_is_integer(id) ? find_id(a->t,
			    (uint64_t)json_integer_value(id)) : a->t->n;
			if (k < a->t->n)
				layer[k] = (uint8_t)(l + 1);
		}
	}
	if (r == SW_OK)
		memcpy(a->layer, layer, sizeof(layer));
	json_decref(o);
	return r;
}

static int
add_to_layer(struct topology *t, size_t l, size_t node)
{
	if (t->layer[l] == NULL &&
	    (t->layer[l] = calloc(t->n, sizeof(size_t))) == NULL)
		return SW_ERR_NOMEM;
	t->layer[l][t->n_layer[l]++] = node;
	return SW_OK;
}

/* Keep the nodes whose keys are fit for use. */
static int
prepare(struct topology_api *a)
{
	struct topology *t = a->t;
	size_t n = t->n;
	int r;

	t->n = 0;
	for (size_t i = 0; i < n; i++) {
		t->node[t->n] = t->node[i];
		a->layer[t->n] = a->layer[i];
		if ((r = topology_prepare(t, t->n)) == SW_OK)
			t->n++;
		else if (r == SW_ERR_NOMEM)
			return r;
		else
			a->skipped++;
	}
	return SW_OK;
}

int
topology_api_finish(struct topology_api *a, struct topology **out)
{
	struct topology *t = a->t;
	int r;

	*out = NULL;
	if ((r = prepare(a)) != SW_OK)
		return r;
	for (size_t i = 0; i < t->n; i++)
		if (a->layer[i] > 0 && t->node[i].performance >=
		    TOPOLOGY_API_MIN_PERFORMANCE &&
		    (r = add_to_layer(t, a->layer[i] - 1u, i)) != SW_OK)
			return r;
	if (!topology_is_routable(t))
		return SW_ERR_FORMAT;
	if (a->skipped > 0)
		log_debug("topology: %u nodes do not read", a->skipped);
	a->t = NULL;
	*out = t;
	return SW_OK;
}
