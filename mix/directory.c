#include "mix/directory.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define EPOCH_SECONDS 3600
#define VALIDITY_EPOCHS 24
#define PATH_LEN 128

enum list { ALL, MIXES, ENTRIES, EXITS };

static json_t *
base58(const uint8_t *key)
{
	char text[BASE58_TEXT_LEN(NYM_KEY_LEN)];

	base58_encode(text, key, NYM_KEY_LEN);
	return json_string(text);
}

static json_t *
rfc3339(int64_t t)
{
	char text[32];
	time_t at = (time_t)t;
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

/* From an epoch id: see nympkt_rotation_of() for what a client makes of it. */
static json_t *
key_rotation(const struct directory *d)
{
	const struct topology *t = d->topology;
	json_int_t first = (json_int_t)t->rotation_id * VALIDITY_EPOCHS;

	return json_pack("{s{sisi}sIsos{sisi}s{sIsIsI}}",
	    "key_rotation_state", "validity_epochs", VALIDITY_EPOCHS,
	    "initial_epoch_id", 0, "current_absolute_epoch_id", first,
	    "current_epoch_start", rfc3339(d->started), "epoch_duration",
	    "secs", EPOCH_SECONDS, "nanos", 0, "progress",
	    "current_key_rotation_id", (json_int_t)t->rotation_id,
	    "current_rotation_starting_epoch", first,
	    "current_rotation_ending_epoch", first + VALIDITY_EPOCHS - 1);
}

/* Layer of node i, from 1; 0 if it has none. */
static int
layer_of(const struct topology *t, size_t i)
{
	for (int l = 0; l < TOPOLOGY_LAYERS; l++)
		for (size_t k = 0; k < t->n_layer[l]; k++)
			if (t->layer[l][k] == i)
				return l + 1;
	return 0;
}

static json_t *
ids_where(const struct topology *t, int layer, bool entry, bool exit)
{
	json_t *a = json_array();

	for (size_t i = 0; i < t->n; i++)
		if ((layer != 0 && layer_of(t, i) == layer) ||
		    (entry && t->node[i].entry) || (exit && t->node[i].exit))
			json_array_append_new(a, json_integer(t->node[i].id));
	return a;
}

static json_t *
rewarded_set(const struct directory *d)
{
	const struct topology *t = d->topology;

	return json_pack("{sIsososososos[]}", "epoch_id",
	    (json_int_t)t->rotation_id * VALIDITY_EPOCHS,
	    "entry_gateways", ids_where(t, 0, true, false),
	    "exit_gateways", ids_where(t, 0, false, true),
	    "layer1", ids_where(t, 1, false, false),
	    "layer2", ids_where(t, 2, false, false),
	    "layer3", ids_where(t, 3, false, false), "standby");
}

static json_t *
role(const struct topology *t, size_t i)
{
	int layer = layer_of(t, i);

	if (layer != 0)
		return json_pack("{s{si}}", "Mixnode", "layer", layer);
	return json_string(t->node[i].entry ? "EntryGateway" : "Inactive");
}

static json_t *
entry_details(const struct topology_node *n)
{
	if (n->ws.port == 0)
		return json_null();
	return json_pack("{sosiso}", "hostname", n->host[0] != '\0' ?
	    json_string(n->host) : json_null(), "ws_port", n->ws.port,
	    "wss_port", n->wss_port != 0 ? json_integer(n->wss_port) :
	    json_null());
}

static json_t *
skimmed(const struct topology *t, size_t i)
{
	const struct topology_node *n = &t->node[i];
	char ip[SW_ADDR_TEXT_LEN];

	return json_pack("{sIsos[s]sisosos{sbsbsbsb}soss}", "node_id",
	    (json_int_t)n->id, "ed25519_identity_pubkey", base58(n->identity),
	    "ip_addresses", addr_ip_text(&n->mix, ip), "mix_port",
	    n->mix.port, "x25519_sphinx_pubkey", base58(n->sphinx), "role",
	    role(t, i), "supported_roles", "mixnode", n->mixnode, "entry",
	    n->entry, "exit_nr", n->exit, "exit_ipr", n->exit, "entry",
	    entry_details(n), "performance", "1");
}

static bool
belongs(const struct topology_node *n, enum list which)
{
	return which == ALL || (which == MIXES && n->mixnode) ||
	    (which == ENTRIES && n->entry) || (which == EXITS && n->exit);
}

/* A page that holds everything, and says so. */
static json_t *
page(const struct directory *d, json_t *data)
{
	const struct topology *t = d->topology;
	json_int_t n = (json_int_t)json_array_size(data);

	return json_pack("{s{snsIsIso}s{s{sIsisI}so}}", "metadata", "status",
	    "absolute_epoch_id", (json_int_t)t->rotation_id * VALIDITY_EPOCHS,
	    "rotation_id", (json_int_t)t->rotation_id, "refreshed_at",
	    rfc3339(d->started), "nodes", "pagination", "total", n, "page", 0,
	    "size", n, "data", data);
}

static json_t *
skimmed_list(const struct directory *d, enum list which, bool semi)
{
	const struct topology *t = d->topology;
	json_t *data = json_array(), *o;

	for (size_t i = 0; i < t->n; i++) {
		if (!belongs(&t->node[i], which))
			continue;
		o = skimmed(t, i);
		/* No Noise key: links between our nodes are plain. */
		json_array_append_new(data, semi ? json_pack("{sosn}",
		    "basic", o, "x25519_noise_versioned_key") : o);
	}
	return page(d, data);
}

/* Every address is one of ours, as far as it is. */
static json_t *
existence(const struct directory *d, const char *body, size_t n)
{
	json_t *q = json_loadb(body, n, 0, NULL), *map = json_object(), *e;
	char ip[SW_ADDR_TEXT_LEN];
	size_t i;

	json_array_foreach(json_object_get(q, "addresses"), i, e) {
		const char *text = json_string_value(e);
		json_t *id = json_null();

		for (size_t k = 0; text != NULL && k < d->topology->n; k++)
			if (strcmp(addr_ip_text(&d->topology->node[k].mix,
			    ip), text) == 0) {
				id = json_integer(d->topology->node[k].id);
				break;
			}
		if (text != NULL)
			json_object_set_new(map, text, id);
	}
	json_decref(q);
	return json_pack("{so}", "existence", map);
}

static json_t *
find_answer(const struct directory *d, bool post, const char *path,
    const char *body, size_t n)
{
	static const struct {
		const char *path;
		enum list which;
		bool semi;
	} lists[] = {
		{ "/v2/unstable/nym-nodes/skimmed", ALL, false },
		{ "/v2/unstable/nym-nodes/skimmed/mixnodes/active", MIXES,
		    false },
		{ "/v2/unstable/nym-nodes/skimmed/mixnodes/all", MIXES,
		    false },
		{ "/v2/unstable/nym-nodes/skimmed/entry-gateways", ENTRIES,
		    false },
		{ "/v2/unstable/nym-nodes/skimmed/exit-gateways", EXITS,
		    false },
		{ "/v2/unstable/nym-nodes/semi-skimmed", ALL, true },
	};

	if (post) {
		if (strcmp(path, "/v1/unstable/nym-nodes/by-addresses") == 0)
			return existence(d, body, n);
		return strcmp(path, "/v1/nym-nodes/refresh-described") == 0 ?
		    json_null() : NULL;
	}
	if (strcmp(path, "/v1/epoch/key-rotation-info") == 0)
		return key_rotation(d);
	if (strcmp(path, "/v1/nym-nodes/rewarded-set") == 0)
		return rewarded_set(d);
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		if (strcmp(path, lists[i].path) == 0)
			return skimmed_list(d, lists[i].which, lists[i].semi);
	return NULL;
}

static int
write_answer(json_t *o, char **out, size_t *n)
{
	char *body = o != NULL ? json_dumps(o, JSON_COMPACT |
	    JSON_ENCODE_ANY) : NULL;
	int len;

	len = asprintf(out, "HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
	    body != NULL ? "200 OK" : "404 Not Found",
	    body != NULL ? strlen(body) : 0, body != NULL ? body : "");
	free(body);
	if (len < 0) {
		*out = NULL;
		return SW_ERR_NOMEM;
	}
	*n = (size_t)len;
	return SW_OK;
}

/* Bytes of body that the head announces; 0 without the header. */
static size_t
body_len(const char *head)
{
	const char *line = head;

	while ((line = strstr(line, "\r\n")) != NULL) {
		line += 2;
		if (strncasecmp(line, "Content-Length:", 15) == 0)
			return strtoul(line + 15, NULL, 10);
	}
	return 0;
}

int
directory_answer(const struct directory *d, const void *in, size_t len,
    char **out, size_t *n)
{
	const char *end = memmem(in, len, "\r\n\r\n", 4), *space, *body;
	char head[DIRECTORY_REQUEST_MAX + 1], path[PATH_LEN];
	size_t head_len, path_len, want;
	bool post;
	json_t *o;
	int r;

	*out = NULL;
	*n = 0;
	if (end == NULL)
		return len >= DIRECTORY_REQUEST_MAX ? SW_ERR_FORMAT : SW_AGAIN;
	head_len = (size_t)(end - (const char *)in) + 4;
	if (head_len > DIRECTORY_REQUEST_MAX)
		return SW_ERR_FORMAT;
	memcpy(head, in, head_len);
	head[head_len] = '\0';
	post = strncmp(head, "POST ", 5) == 0;
	if (!post && strncmp(head, "GET ", 4) != 0)
		return SW_ERR_FORMAT;
	want = body_len(head);
	if (want > DIRECTORY_REQUEST_MAX)
		return SW_ERR_FORMAT;
	if (len - head_len < want)
		return SW_AGAIN;
	body = (const char *)in + head_len;

	space = strchr(head, ' ') + 1;
	path_len = strcspn(space, " ?\r");
	/* Clients join base and path with two slashes now and then. */
	while (path_len > 1 && space[0] == '/' && space[1] == '/') {
		space++;
		path_len--;
	}
	if (path_len >= sizeof(path))
		path_len = 0;
	memcpy(path, space, path_len);
	path[path_len] = '\0';
	o = find_answer(d, post, path, body, want);
	r = write_answer(o, out, n);
	json_decref(o);
	return r;
}
