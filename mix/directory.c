#include "mix/directory.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mix/httpreq.h"

#define EPOCH_SECONDS 3600
#define ROTATION_EPOCHS 24
/* Of Nym's release whose protocols we speak: clients choose by it which
 * version of the exit's protocol they ask for. */
#define RELEASE "1.37.0"

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

static json_int_t
rotation_epochs(const struct directory *d)
{
	return d->rotation_epochs != 0 ? d->rotation_epochs : ROTATION_EPOCHS;
}

/* A client computes the rotation from the epoch; the first epoch is chosen so
 * that both agree. */
static json_t *
key_rotation(const struct directory *d)
{
	json_int_t id = d->topology->rotation_id, each = rotation_epochs(d);
	json_int_t now = (json_int_t)d->epoch, begin = now - now % each;

	return json_pack("{s{sIsI}sIsos{sIsi}s{sIsIsI}}",
	    "key_rotation_state", "validity_epochs", each,
	    "initial_epoch_id", begin - id * each > 0 ? begin - id * each :
	    (json_int_t)0, "current_absolute_epoch_id", now,
	    "current_epoch_start", rfc3339(d->epoch_start), "epoch_duration",
	    "secs", (json_int_t)(d->epoch_s != 0 ? d->epoch_s :
	    EPOCH_SECONDS), "nanos", 0, "progress",
	    "current_key_rotation_id", id,
	    "current_rotation_starting_epoch", begin,
	    "current_rotation_ending_epoch", begin + each - 1);
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
	    (json_int_t)d->epoch,
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
	    n->entry, "exit_nr", false, "exit_ipr", n->has_ipr, "entry",
	    entry_details(n), "performance", "1");
}

/* Null: links to and from this node are plain. */
static json_t *
noise_key(const struct topology_node *n)
{
	return n->has_noise ? json_pack("{siso}", "supported_version", 1,
	    "x25519_pubkey", base58(n->noise)) : json_null();
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
	    "absolute_epoch_id", (json_int_t)d->epoch,
	    "rotation_id", (json_int_t)t->rotation_id, "refreshed_at",
	    rfc3339(d->epoch_start), "nodes", "pagination", "total", n, "page", 0,
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
		json_array_append_new(data, semi ? json_pack("{soso}",
		    "basic", o, "x25519_noise_versioned_key",
		    noise_key(&t->node[i])) : o);
	}
	return page(d, data);
}

static json_t *
described_keys(const struct topology *t, const struct topology_node *n)
{
	return json_pack("{sosos{sIso}snso}", "ed25519", base58(n->identity),
	    "x25519", base58(n->sphinx), "current_x25519_sphinx_key",
	    "rotation_id", (json_int_t)t->rotation_id, "public_key",
	    base58(n->sphinx), "pre_announced_x25519_sphinx_key",
	    "x25519_versioned_noise", noise_key(n));
}

static json_t *
described_router(const struct topology_node *n)
{
	char text[RECIPIENT_TEXT_LEN];

	if (!n->has_ipr)
		return json_null();
	recipient_format(text, &n->ipr);
	return json_pack("{ss}", "address", text);
}

static json_t *
described_one(const struct topology *t, const struct topology_node *n)
{
	char ip[SW_ADDR_TEXT_LEN];

	return json_pack("{sIsss{s{s[s]soso}s{sbsbsbsb}s{sns{snsi}sb}"
	    "s{ssssssssssssssssssss}sos{siso}}}",
	    "node_id", (json_int_t)n->id, "contract_node_type", "nym_node",
	    "description", "host_information", "ip_address",
	    addr_ip_text(&n->mix, ip), "hostname", n->host[0] != '\0' ?
	    json_string(n->host) : json_null(), "keys", described_keys(t, n),
	    "declared_role", "mixnode", n->mixnode, "entry", n->entry,
	    "exit_nr", false, "exit_ipr", n->has_ipr, "auxiliary_details",
	    "location", "announce_ports", "verloc_port", "mix_port",
	    n->mix.port, "accepted_operator_terms_and_conditions", false,
	    "build_information", "binary_name", "smolnode",
	    "build_timestamp", "", "build_version", RELEASE, "commit_sha", "",
	    "commit_timestamp", "", "commit_branch", "", "rustc_version", "",
	    "rustc_channel", "", "cargo_profile", "", "cargo_triple", "",
	    "ip_packet_router", described_router(n), "mixnet_websockets",
	    "ws_port", n->ws.port, "wss_port", n->wss_port != 0 ?
	    json_integer(n->wss_port) : json_null());
}

static json_t *
described(const struct directory *d)
{
	const struct topology *t = d->topology;
	json_t *data = json_array();

	for (size_t i = 0; i < t->n; i++)
		json_array_append_new(data, described_one(t, &t->node[i]));
	return json_pack("{s{sIsisI}so}", "pagination", "total",
	    (json_int_t)t->n, "page", 0, "size", (json_int_t)t->n, "data",
	    data);
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
find_list(const struct directory *d, const char *path)
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

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		if (strcmp(path, lists[i].path) == 0)
			return skimmed_list(d, lists[i].which, lists[i].semi);
	return NULL;
}

static json_t *
topology_file(const struct directory *d)
{
	char *text;
	json_t *o;

	if (topology_write(d->topology, &text) != SW_OK)
		return NULL;
	o = json_loads(text, 0, NULL);
	free(text);
	return o;
}

static json_t *
get(const struct directory *d, const char *path)
{
	if (strcmp(path, DIRECTORY_TOPOLOGY_PATH) == 0)
		return topology_file(d);
	if (strcmp(path, "/v1/epoch/key-rotation-info") == 0)
		return key_rotation(d);
	if (strcmp(path, "/v1/nym-nodes/rewarded-set") == 0)
		return rewarded_set(d);
	if (strcmp(path, "/v2/nym-nodes/described") == 0)
		return described(d);
	if (strcmp(path, "/v1/health") == 0)
		return json_pack("{sssi}", "status", "up", "uptime", 0);
	return find_list(d, path);
}

static json_t *
post(const struct directory *d, const struct httpreq *q, const char **status)
{
	int r;

	if (strcmp(q->path, "/v1/unstable/nym-nodes/by-addresses") == 0)
		return existence(d, q->body, q->body_len);
	if (strcmp(q->path, "/v1/nym-nodes/refresh-described") == 0)
		return json_null();
	if (d->announce == NULL ||
	    strcmp(q->path, DIRECTORY_ANNOUNCE_PATH) != 0)
		return NULL;
	if ((r = d->announce(d->arg, q->body, q->body_len)) == SW_OK)
		return json_null();
	*status = r == SW_ERR_DENIED ? "403 Forbidden" : "400 Bad Request";
	return json_string(sw_strerror(r));
}

static int
write_answer(json_t *o, const char *status, bool head, bool last, char **out,
    size_t *n)
{
	char *body = o != NULL ? json_dumps(o, JSON_COMPACT |
	    JSON_ENCODE_ANY) : NULL;
	int len;

	len = asprintf(out, "HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\n%s\r\n%s", status,
	    body != NULL ? strlen(body) : 0,
	    last ? "Connection: close\r\n" : "",
	    body != NULL && !head ? body : "");
	free(body);
	json_decref(o);
	if (len < 0) {
		*out = NULL;
		return SW_ERR_NOMEM;
	}
	*n = (size_t)len;
	return SW_OK;
}

static const char *
status_of(int err)
{
	return err == SW_ERR_TOO_LONG ? "413 Content Too Large" :
	    err == SW_ERR_UNSUPPORTED ? "501 Not Implemented" :
	    "400 Bad Request";
}

int
directory_answer(const struct directory *d, const void *in, size_t len,
    size_t *took, char **out, size_t *n, bool *last)
{
	const char *status = "200 OK";
	struct httpreq q;
	json_t *o;
	int r;

	*out = NULL;
	*took = *n = 0;
	*last = false;
	if ((r = httpreq_read(&q, in, len)) == SW_AGAIN)
		return r;
	*last = true;
	if (r != SW_OK) {
		*took = len;
		*last = true;
		return write_answer(NULL, status_of(r), false, true, out, n);
	}
	*took = q.len;
	*last = q.close;
	o = q.method == HTTPREQ_POST ? post(d, &q, &status) : get(d, q.path);
	if (o == NULL)
		status = "404 Not Found";
	return write_answer(o, status, q.method == HTTPREQ_HEAD, q.close, out,
	    n);
}
