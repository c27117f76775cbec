/* A topology out of what a directory service answers. */
#include "tests/rig/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mix/base58.h"
#include "mix/iprmsg.h"
#include "mix/prim.h"
#include "mix/rng.h"
#include "mix/netdir.h"
#include "mix/topology_api.h"

static char text[1 << 16];

static const char *
key(uint8_t seed, bool ed25519)
{
	static char out[8][BASE58_TEXT_LEN(32)];
	static unsigned at;
	uint8_t sk[32], pk[32];

	memset(sk, seed, sizeof(sk));
	if (ed25519)
		prim_ed25519_public(pk, sk);
	else
		prim_x25519_base(pk, sk);
	at = (at + 1) % 8;
	base58_encode(out[at], pk, 32);
	return out[at];
}

/* Node `id`: a mix of `layer`, or a gateway (0). */
static size_t
put_node(size_t at, unsigned id, unsigned layer, const char *performance)
{
	char role[40] = "\"EntryGateway\"";

	if (layer > 0)
		snprintf(role, sizeof(role), "{\"Mixnode\":{\"layer\":%u}}",
		    layer);
	return at + (size_t)snprintf(text + at, sizeof(text) - at,
	    "%s{\"node_id\":%u,\"ed25519_identity_pubkey\":\"%s\","
	    "\"ip_addresses\":[\"192.0.2.%u\"],\"mix_port\":1789,"
	    "\"x25519_sphinx_pubkey\":\"%s\",\"role\":%s,"
	    "\"supported_roles\":{\"mixnode\":%s,\"entry\":%s,"
	    "\"exit_nr\":false,\"exit_ipr\":%s},\"entry\":%s,"
	    "\"performance\":\"%s\"}",
	    text[at - 1] == '[' ? "" : ",", id, key((uint8_t)id, true), id,
	    key((uint8_t)id, false), role, layer > 0 ? "true" : "false",
	    layer > 0 ? "false" : "true", layer > 0 ? "false" : "true",
	    layer > 0 ? "null" : "{\"hostname\":\"gw.example\",\"ws_port\":"
	    "9000,\"wss_port\":9001}", performance);
}

static size_t
put_head(unsigned epoch, unsigned total)
{
	return (size_t)snprintf(text, sizeof(text),
	    "{\"metadata\":{\"status\":null,\"absolute_epoch_id\":%u,"
	    "\"rotation_id\":461,\"refreshed_at\":\"x\"},\"nodes\":"
	    "{\"pagination\":{\"total\":%u,\"page\":0,\"size\":9},\"data\":[",
	    epoch, total);
}

static size_t
put_end(size_t at)
{
	return at + (size_t)snprintf(text + at, sizeof(text) - at, "]}}");
}

/* Three mixes and two gateways. */
static size_t
put_network(void)
{
	size_t at = put_head(42071, 5);

	for (unsigned i = 1; i <= 3; i++)
		at = put_node(at, i, i, "0.98");
	at = put_node(at, 4, 0, "1");
	return put_end(put_node(at, 5, 0, "0.504"));
}

static int
add(struct topology_api *a, size_t n, size_t *left)
{
	return topology_api_add_nodes(a, text, n, left);
}

static void
describe(struct topology_api *a, unsigned id, const char *version)
{
	char address[RECIPIENT_TEXT_LEN];
	size_t left;
	int n;

	snprintf(address, sizeof(address), "%s.%s@%s", key(77, true),
	    key(77, false), key((uint8_t)id, true));
	n = snprintf(text, sizeof(text), "{\"pagination\":{\"total\":2,"
	    "\"page\":0,\"size\":2},\"data\":[{\"node_id\":999},"
	    "{\"node_id\":%u,\"description\":{\"ip_packet_router\":"
	    "{\"address\":\"%s\"},\"build_information\":{\"build_version\":"
	    "\"%s\"}}}]}", id, address, version);
	assert_int_equal(topology_api_add_described(a, text, (size_t)n,
	    &left), SW_OK);
	assert_int_equal(left, 0);
}

static void
a_list_becomes_a_topology(void **state)
{
	struct topology_api *a = topology_api_new();
	struct netdir_avoid avoid = { .n = 1 };
	char id[BASE58_TEXT_LEN(NYM_KEY_LEN)];
	const struct topology_node *n;
	struct topology *t;
	struct recipient to;
	size_t left;

	(void)state;
	assert_int_equal(add(a, put_network(), &left), SW_OK);
	assert_int_equal(left, 0);
	describe(a, 4, "1.37.2");
	describe(a, 5, "1.30.0");
	assert_int_equal(topology_api_finish(a, &t), SW_OK);
	assert_int_equal(t->n, 5);
	assert_int_equal(t->rotation_id, 461);
	assert_int_equal(t->epoch_id, 42071);
	for (size_t l = 0; l < 3; l++) {
		assert_int_equal(t->n_layer[l], 1);
		assert_int_equal(t->node[t->layer[l][0]].id, l + 1);
	}
	assert_int_equal(t->node[0].performance, 98);
	assert_int_equal(t->node[3].performance, 100);
	assert_int_equal(t->node[4].performance, 50);
	assert_int_equal(t->node[3].ws.port, 9000);
	assert_int_equal(t->node[3].wss_port, 9001);
	assert_string_equal(t->node[3].host, "gw.example");
	assert_true(t->node[3].has_ipr && t->node[4].has_ipr);
	assert_int_equal(t->node[3].ipr_version, IPRMSG_V10);
	assert_int_equal(t->node[4].ipr_version, IPRMSG_V9);

	/* Entry and exit are never drawn alike. */
	for (int i = 0; i < 40; i++) {
		assert_int_equal(netdir_choose_exit(t, NULL, NULL,
		    &rng_system, &to), SW_OK);
		memcpy(avoid.id[0], to.gateway, sizeof(avoid.id[0]));
		assert_int_equal(netdir_choose_entry(t, NULL, i % 2 == 0,
		    &avoid, &rng_system, &n), SW_OK);
		assert_memory_not_equal(n->identity, to.gateway, 32);
	}
	/* With none left there is none; who is asked for by name counts. */
	avoid.n = 2;
	memcpy(avoid.id[0], t->node[3].identity, sizeof(avoid.id[0]));
	memcpy(avoid.id[1], t->node[4].identity, sizeof(avoid.id[1]));
	assert_int_equal(netdir_choose_entry(t, NULL, false, &avoid,
	    &rng_system, &n), SW_ERR_UNREACH_HOST);
	assert_int_equal(netdir_choose_exit(t, NULL, &avoid, &rng_system,
	    &to), SW_ERR_UNREACH_HOST);
	base58_encode(id, t->node[3].identity, sizeof(t->node[3].identity));
	assert_int_equal(netdir_choose_entry(t, id, false, &avoid,
	    &rng_system, &n), SW_OK);
	topology_free(t);
	topology_api_free(a);
}

static void
pages_of_one_list_are_joined_and_have_to_agree(void **state)
{
	struct topology_api *a = topology_api_new();
	struct topology *t;
	size_t left;

	(void)state;
	assert_int_equal(add(a, put_end(put_node(put_node(put_head(7, 3), 1,
	    1, "1"), 2, 2, "1")), &left), SW_OK);
	assert_int_equal(left, 1);
	/* Half a network leads nowhere. */
	assert_int_equal(add(a, put_end(put_node(put_head(7, 3), 3, 3, "1")),
	    &left), SW_OK);
	assert_int_equal(left, 0);
	/* The second list has nodes of the first again. */
	assert_int_equal(add(a, put_end(put_node(put_node(put_head(7, 2), 3,
	    3, "1"), 4, 0, "1")), &left), SW_OK);
	assert_int_equal(left, 0);
	assert_int_equal(add(a, put_end(put_node(put_head(8, 1), 9, 0, "1")),
	    &left), SW_ERR_FORMAT);
	assert_int_equal(topology_api_finish(a, &t), SW_OK);
	assert_int_equal(t->n, 4);
	topology_free(t);
	topology_api_free(a);
}

static void
an_empty_page_ends_a_list_that_claims_more(void **state)
{
	struct topology_api *a = topology_api_new();
	size_t left;

	(void)state;
	assert_int_equal(add(a, put_end(put_head(7, 4000000)), &left), SW_OK);
	assert_int_equal(left, 0);
	topology_api_free(a);
}

static void
strange_nodes_are_left_out_and_bad_mixes_do_not_mix(void **state)
{
	struct topology_api *a = topology_api_new();
	struct topology *t;
	size_t at, left;

	(void)state;
	at = put_head(7, 9);
	for (unsigned i = 1; i <= 3; i++)
		at = put_node(at, i, i, "1");
	at = put_node(at, 4, 2, "0.49");
	at = put_node(at, 5, 3, "nan");
	at += (size_t)snprintf(text + at, sizeof(text) - at,
	    ",7,null,{},{\"node_id\":-1},{\"basic\":[]},{\"node_id\":8,"
	    "\"ed25519_identity_pubkey\":\"short\"}");
	assert_int_equal(add(a, put_end(at), &left), SW_OK);
	assert_int_equal(topology_api_finish(a, &t), SW_OK);
	assert_int_equal(t->n, 5);
	assert_int_equal(t->n_layer[1], 1);
	assert_int_equal(t->n_layer[2], 1);
	topology_free(t);
	topology_api_free(a);
}

static void
the_rewarded_set_decides_about_layers(void **state)
{
	static const char set[] = "{\"layer1\":[3],\"layer2\":[1,99],"
	    "\"layer3\":[2,\"x\"]}";
	struct topology_api *a = topology_api_new();
	struct topology *t;
	size_t left;

	(void)state;
	assert_int_equal(add(a, put_network(), &left), SW_OK);
	assert_int_equal(topology_api_add_set(a, set, strlen(set)), SW_OK);
	assert_int_equal(topology_api_add_set(a, "{}", 2), SW_ERR_FORMAT);
	assert_int_equal(topology_api_finish(a, &t), SW_OK);
	assert_int_equal(t->node[t->layer[0][0]].id, 3);
	assert_int_equal(t->node[t->layer[2][0]].id, 2);
	topology_free(t);
	topology_api_free(a);
}

static void
what_leads_nowhere_is_refused(void **state)
{
	struct topology_api *a = topology_api_new();
	struct topology *t;
	size_t n = put_network(), left;

	(void)state;
	assert_int_equal(topology_api_finish(a, &t), SW_ERR_FORMAT);
	assert_null(t);
	for (size_t cut = 0; cut < n; cut += 97)
		assert_int_equal(add(a, cut, &left), SW_ERR_FORMAT);
	assert_int_equal(topology_api_finish(a, &t), SW_ERR_FORMAT);
	topology_api_free(a);
}

/* It would be a line of a request, and of what a person reads. */
static void
a_host_that_is_no_name_is_left_out(void **state)
{
	struct topology_api *a = topology_api_new();
	struct topology *t;
	size_t left, n = put_network();

	(void)state;
	memcpy(strstr(text, "gw.example"), "gw\\r\\nX::y", 10);
	assert_int_equal(add(a, n, &left), SW_OK);
	assert_int_equal(topology_api_finish(a, &t), SW_OK);
	assert_string_equal(t->node[3].host, "");
	assert_int_equal(t->node[3].wss_port, 0);
	assert_int_equal(t->node[3].ws.port, 9000);
	assert_string_equal(t->node[4].host, "gw.example");
	topology_free(t);
	topology_api_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_that_is_no_name_is_left_out),
		cmocka_unit_test(a_list_becomes_a_topology),
		cmocka_unit_test(pages_of_one_list_are_joined_and_have_to_agree),
		cmocka_unit_test(an_empty_page_ends_a_list_that_claims_more),
		cmocka_unit_test(
		    strange_nodes_are_left_out_and_bad_mixes_do_not_mix),
		cmocka_unit_test(the_rewarded_set_decides_about_layers),
		cmocka_unit_test(what_leads_nowhere_is_refused),
	};

	return cmocka_run_group_tests(tests, unit_prim_init, NULL);
}
