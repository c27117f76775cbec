#include "mix/topology.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mix/comb.h"
#include "mix/prim.h"

/* The numeric member `name`, from 0 to max. */
static int
get_number(const json_t *o, const char *name, uint64_t max, uint64_t *v)
{
	const json_t *i = json_object_get(o, name);
	json_int_t x = json_integer_value(i);

	*v = 0;
	if (!json_is_integer(i) || x < 0 || (uint64_t)x > max)
		return SW_ERR_FORMAT;
	*v = (uint64_t)x;
	return SW_OK;
}

static int
get_key(const json_t *o, const char *name, uint8_t out[static NYM_KEY_LEN])
{
	const json_t *a = json_object_get(o, name), *e;

	if (!json_is_array(a) || json_array_size(a) != NYM_KEY_LEN)
		return SW_ERR_FORMAT;
	for (size_t i = 0; i < NYM_KEY_LEN; i++) {
		e = json_array_get(a, i);
		if (!json_is_integer(e) || json_integer_value(e) < 0 ||
		    json_integer_value(e) > 255)
			return SW_ERR_FORMAT;
		out[i] = (uint8_t)json_integer_value(e);
	}
	return SW_OK;
}

/* "1.2.3.4:5" or "[v6]:5". */
static int
parse_endpoint(struct sw_addr *a, const char *s)
{
	char ip[INET6_ADDRSTRLEN + 1];
	const char *colon = s != NULL ? strrchr(s, ':') : NULL;
	unsigned long port;
	size_t n;
	char *end;

	if (colon == NULL)
		return SW_ERR_FORMAT;
	n = (size_t)(colon - s);
	if (n >= 2 && s[0] == '[' && s[n - 1] == ']') {
		s++;
		n -= 2;
	}
	if (n == 0 || n >= sizeof(ip) || colon[1] < '0' || colon[1] > '9')
		return SW_ERR_FORMAT;
	memcpy(ip, s, n);
	ip[n] = '\0';
	port = strtoul(colon + 1, &end, 10);
	if (*end != '\0' || port == 0 || port > UINT16_MAX)
		return SW_ERR_FORMAT;
	if (addr_parse_ip(a, ip) != SW_OK)
		return SW_ERR_FORMAT;
	a->port = (uint16_t)port;
	return SW_OK;
}

static bool
get_flag(const json_t *o, const char *name)
{
	return json_is_true(json_object_get(o, name));
}

bool
topology_is_host(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");

	return n > 0 && n <= TOPOLOGY_HOST_MAX && s[n] == '\0' && s[0] != '-';
}

/* The entry part of a node; json null when it takes no clients. */
static int
get_entry(const json_t *o, struct topology_node *node)
{
	const json_t *e = json_object_get(o, "entry"), *ips, *w;
	const char *ip, *host;
	uint64_t port;

	if (e == NULL || json_is_null(e))
		return SW_OK;
	ips = json_object_get(e, "ip_addresses");
	ip = json_string_value(json_array_get(ips, 0));
	if (ip == NULL || addr_parse_ip(&node->ws, ip) != SW_OK ||
	    get_number(e, "clients_ws_port", UINT16_MAX, &port) != SW_OK)
		return SW_ERR_FORMAT;
	node->ws.port = (uint16_t)port;
	host = json_string_value(json_object_get(e, "hostname"));
	if (host != NULL && topology_is_host(host))
		memcpy(node->host, host, strlen(host) + 1);
	w = json_object_get(e, "clients_wss_port");
	if (w != NULL && !json_is_null(w)) {
		if (get_number(e, "clients_wss_port", UINT16_MAX, &port) !=
		    SW_OK)
			return SW_ERR_FORMAT;
		node->wss_port = (uint16_t)port;
	}
	return SW_OK;
}

/* Members that only our own files have. */
static int
get_own(const json_t *o, struct topology_node *node)
{
	const json_t *p = json_object_get(o, "performance");
	const json_t *ipr = json_object_get(o, "ip_packet_router");
	uint64_t percent = 100, version;

	if (p != NULL && get_number(o, "performance", 100, &percent) != SW_OK)
		return SW_ERR_FORMAT;
	node->performance = (uint8_t)percent;
	node->has_ipr = ipr != NULL;
	if (ipr == NULL)
		return SW_OK;
	if (json_object_get(o, "ip_packet_router_version") != NULL) {
		if (get_number(o, "ip_packet_router_version", UINT8_MAX,
		    &version) != SW_OK)
			return SW_ERR_FORMAT;
		node->ipr_version = (uint8_t)version;
	}
	return json_is_string(ipr) ? recipient_parse(&node->ipr,
	    json_string_value(ipr)) : SW_ERR_FORMAT;
}

static int
get_node(const json_t *o, struct topology_node *node)
{
	const json_t *roles = json_object_get(o, "supported_roles");
	uint64_t id;
	int r;

	memset(node, 0, sizeof(*node));
	if ((r = get_number(o, "node_id", UINT32_MAX, &id)) != SW_OK ||
	    (r = get_key(o, "identity_key", node->identity)) != SW_OK ||
	    (r = get_key(o, "sphinx_key", node->sphinx)) != SW_OK ||
	    (r = parse_endpoint(&node->mix, json_string_value(
	    json_object_get(o, "mix_host")))) != SW_OK ||
	    (r = get_entry(o, node)) != SW_OK ||
	    (r = get_own(o, node)) != SW_OK)
		return r;
	node->id = (uint32_t)id;
	node->mixnode = get_flag(roles, "mixnode");
	node->entry = get_flag(roles, "mixnet_entry");
	node->exit = get_flag(roles, "mixnet_exit");
	return SW_OK;
}

int
topology_prepare(struct topology *t, size_t i)
{
	const uint8_t *key = t->node[i].sphinx;

	if (i < TOPOLOGY_TABLES)
		return comb_new(&t->node[i].table, key);
	return prim_x25519_is_on_curve(key) ? SW_OK : SW_ERR_FORMAT;
}

static int
get_nodes(const json_t *o, struct topology *t)
{
	const json_t *nodes = json_object_get(o, "node_details");
	const char *key;
	json_t *value;
	int r;

	if (!json_is_object(nodes))
		return SW_ERR_FORMAT;
	if (json_object_size(nodes) > TOPOLOGY_MAX_NODES)
		return SW_ERR_TOO_LONG;
	t->node = calloc(json_object_size(nodes) + 1, sizeof(*t->node));
	if (t->node == NULL)
		return SW_ERR_NOMEM;
	json_object_foreach((json_t *)(uintptr_t)nodes, key, value) {
		if ((r = get_node(value, &t->node[t->n])) != SW_OK) {
			log_debug("topology: node \"%.16s\" is malformed", key);
			return r;
		}
		if (topology_prepare(t, t->n) == SW_OK)
			t->n++;
		else
			log_debug("topology: node \"%.16s\" has a bad key",
			    key);
	}
	return SW_OK;
}

/* A layer lists node ids; those without details are left out. */
static int
get_layer(const json_t *set, const char *name, struct topology *t, size_t l)
{
	const json_t *ids = json_object_get(set, name);
	size_t n = json_array_size(ids);

	if (!json_is_array(ids) || n > TOPOLOGY_MAX_NODES)
		return SW_ERR_FORMAT;
	if ((t->layer[l] = calloc(n + 1, sizeof(size_t))) == NULL)
		return SW_ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		const json_t *id = json_array_get(ids, i);

		if (!json_is_integer(id))
			return SW_ERR_FORMAT;
		for (size_t j = 0; j < t->n; j++)
			if (t->node[j].id == json_integer_value(id)) {
				t->layer[l][t->n_layer[l]++] = j;
				break;
			}
	}
	return SW_OK;
}

static int
get_topology(const json_t *o, struct topology *t)
{
	const json_t *meta = json_object_get(o, "metadata");
	const json_t *set = json_object_get(o, "rewarded_set");
	uint64_t id = UINT32_MAX;
	int r;

	if (meta != NULL &&
	    (get_number(meta, "key_rotation_id", UINT32_MAX, &id) != SW_OK ||
	    get_number(meta, "absolute_epoch_id", INT64_MAX, &t->epoch_id) !=
	    SW_OK))
		return SW_ERR_FORMAT;
	t->rotation_id = (uint32_t)id;
	if ((r = get_nodes(o, t)) != SW_OK ||
	    (r = get_layer(set, "layer1", t, 0)) != SW_OK ||
	    (r = get_layer(set, "layer2", t, 1)) != SW_OK)
		return r;
	return get_layer(set, "layer3", t, 2);
}

int
topology_parse(struct topology **out, const char *text, size_t n)
{
	struct topology *t = calloc(1, sizeof(*t));
	json_error_t where;
	json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &where);
	int r = SW_ERR_FORMAT;

	*out = NULL;
	if (t == NULL)
		r = SW_ERR_NOMEM;
	else if (o != NULL)
		r = get_topology(o, t);
	else
		log_debug("topology: line %d is not JSON", where.line);
	json_decref(o);
	if (r != SW_OK) {
		topology_free(t);
		return r;
	}
	*out = t;
	return SW_OK;
}

void
topology_free(struct topology *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < TOPOLOGY_LAYERS; i++)
		free(t->layer[i]);
	for (size_t i = 0; i < t->n; i++)
		comb_free(t->node[i].table);
	free(t->node);
	free(t);
}

static json_t *
key_json(const uint8_t key[static NYM_KEY_LEN])
{
	json_t *a = json_array();

	for (size_t i = 0; i < NYM_KEY_LEN; i++)
		json_array_append_new(a, json_integer(key[i]));
	return a;
}

static json_t *
node_json(const struct topology_node *n)
{
	char ip[SW_ADDR_TEXT_LEN], mix[SW_ADDR_TEXT_LEN + 16];
	char ipr[RECIPIENT_TEXT_LEN];
	json_t *entry = json_null(), *o;

	snprintf(mix, sizeof(mix), addr_is_v4(&n->mix) ? "%s:%u" : "[%s]:%u",
	    addr_ip_text(&n->mix, ip), n->mix.port);
	if (n->ws.port != 0)
		entry = json_pack("{s[s]sisoso}", "ip_addresses",
		    addr_ip_text(&n->ws, ip), "clients_ws_port", n->ws.port,
		    "hostname", n->host[0] != '\0' ? json_string(n->host) :
		    json_null(), "clients_wss_port", n->wss_port != 0 ?
		    json_integer(n->wss_port) : json_null());
	o = json_pack("{sIsssosososo}", "node_id", (json_int_t)n->id,
	    "mix_host", mix, "entry", entry, "identity_key",
	    key_json(n->identity), "sphinx_key", key_json(n->sphinx),
	    "supported_roles", json_pack("{sbsbsb}", "mixnode", n->mixnode,
	    "mixnet_entry", n->entry, "mixnet_exit", n->exit));
	json_object_set_new(o, "performance", json_integer(n->performance));
	if (n->has_ipr) {
		recipient_format(ipr, &n->ipr);
		json_object_set_new(o, "ip_packet_router", json_string(ipr));
		json_object_set_new(o, "ip_packet_router_version",
		    json_integer(n->ipr_version));
	}
	return o;
}

static json_t *
layer_json(const struct topology *t, size_t l)
{
	json_t *a = json_array();

	for (size_t i = 0; i < t->n_layer[l]; i++)
		json_array_append_new(a, json_integer(
		    t->node[t->layer[l][i]].id));
	return a;
}

int
topology_write(const struct topology *t, char **text)
{
	json_t *nodes = json_object(), *in = json_array(), *exits, *o;
	char id[16];

	exits = json_array();
	for (size_t i = 0; i < t->n; i++) {
		const struct topology_node *n = &t->node[i];

		snprintf(id, sizeof(id), "%u", n->id);
		json_object_set_new(nodes, id, node_json(n));
		if (n->entry)
			json_array_append_new(in, json_integer(n->id));
		if (n->exit)
			json_array_append_new(exits, json_integer(n->id));
	}
	o = json_pack("{s{sIsIss}s{sIsososososos[]}so}",
	    "metadata", "key_rotation_id", (json_int_t)t->rotation_id,
	    "absolute_epoch_id", (json_int_t)t->epoch_id, "refreshed_at",
	    "2026-01-01T00:00:00Z",
	    "rewarded_set", "epoch_id", (json_int_t)t->epoch_id,
	    "entry_gateways", in, "exit_gateways", exits,
	    "layer1", layer_json(t, 0), "layer2", layer_json(t, 1),
	    "layer3", layer_json(t, 2), "standby", "node_details", nodes);
	*text = o != NULL ? json_dumps(o, JSON_INDENT(1)) : NULL;
	json_decref(o);
	return *text != NULL ? SW_OK : SW_ERR_NOMEM;
}

const struct topology_node *
topology_find(const struct topology *t,
    const uint8_t identity[static NYM_KEY_LEN])
{
	for (size_t i = 0; i < t->n; i++)
		if (memcmp(t->node[i].identity, identity, NYM_KEY_LEN) == 0)
			return &t->node[i];
	return NULL;
}

bool
topology_is_routable(const struct topology *t)
{
	for (size_t l = 0; l < TOPOLOGY_LAYERS; l++)
		if (t->n_layer[l] == 0)
			return false;
	return true;
}

static void
set_hop(struct sphinx_hop *h, const struct topology_node *n, uint64_t mean,
    struct rng *rng)
{
	nymaddr_put_padded(h->addr, sizeof(h->addr), &n->mix);
	memcpy(h->key, n->sphinx, sizeof(h->key));
	h->table = n->table;
	h->delay_ns = rng_exponential(rng, mean);
}

int
topology_route(const struct topology *t, const struct recipient *to,
    uint64_t mean_delay_ns, struct rng *rng, struct sphinx_route *route)
{
	uint16_t node[TOPOLOGY_LAYERS];
	int r;

	memset(route, 0, sizeof(*route));
	if ((r = topology_draw(t, rng, node)) != SW_OK)
		return r;
	return topology_route_by(t, to, node, mean_delay_ns, rng, route);
}

int
topology_draw(const struct topology *t, struct rng *rng,
    uint16_t node[static TOPOLOGY_LAYERS])
{
	if (!topology_is_routable(t))
		return SW_ERR_UNREACH_NET;
	for (size_t l = 0; l < TOPOLOGY_LAYERS; l++)
		node[l] = (uint16_t)t->layer[l][rng_below(rng,
		    (uint32_t)t->n_layer[l])];
	return SW_OK;
}

int
topology_route_by(const struct topology *t, const struct recipient *to,
    const uint16_t node[static TOPOLOGY_LAYERS], uint64_t mean_delay_ns,
    struct rng *rng, struct sphinx_route *route)
{
	const struct topology_node *last = topology_find(t, to->gateway);

	memset(route, 0, sizeof(*route));
	if (last == NULL)
		return SW_ERR_UNREACH_HOST;
	for (size_t l = 0; l < TOPOLOGY_LAYERS; l++)
		set_hop(&route->hop[l], &t->node[node[l]], mean_delay_ns, rng);
	set_hop(&route->hop[TOPOLOGY_LAYERS], last, 0, rng);
	route->n = TOPOLOGY_LAYERS + 1;
	memcpy(route->dest, to->identity, sizeof(route->dest));
	return SW_OK;
}
