/* The directory's answers.  That the real crates read them is shown by
 * tests/interop (nym_vectors check). */
#include "tests/rig/unit.h"

#include <jansson.h>

#include "mix/directory.h"
#include "mix/prim.h"
#include "tests/unit/vec.h"

static struct topology *topology;
static struct directory dir;

static int
ask(const char *request, char **answer)
{
	size_t n, took;
	bool last;
	int r = directory_answer(&dir, request, strlen(request), &took,
	    answer, &n, &last);

	if (r == SW_OK) {
		assert_int_equal(strlen(*answer), n);
		assert_int_equal(took, strlen(request));
		assert_int_equal(last, strstr(*answer,
		    "\r\nConnection: close\r\n") != NULL);
	}
	return r;
}

/* The JSON of a 200 answer. */
static json_t *
get(const char *path)
{
	char request[512], *answer, *body;
	json_t *o;

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n",
	    path);
	assert_int_equal(ask(request, &answer), SW_OK);
	assert_memory_equal(answer, "HTTP/1.1 200", 12);
	body = strstr(answer, "\r\n\r\n") + 4;
	o = json_loads(body, 0, NULL);
	assert_non_null(o);
	free(answer);
	return o;
}

static size_t
count_nodes(const char *path)
{
	json_t *o = get(path);
	json_t *nodes = json_object_get(o, "nodes");
	size_t n = json_array_size(json_object_get(nodes, "data"));

	assert_int_equal(json_integer_value(json_object_get(
	    json_object_get(nodes, "pagination"), "total")), n);
	assert_int_equal(json_integer_value(json_object_get(
	    json_object_get(o, "metadata"), "rotation_id")), 7);
	json_decref(o);
	return n;
}

static void
lists_hold_the_nodes_of_their_kind(void **state)
{
	(void)state;
	assert_int_equal(count_nodes("/v2/unstable/nym-nodes/skimmed"), 4);
	assert_int_equal(count_nodes(
	    "/v2/unstable/nym-nodes/skimmed/mixnodes/active?page=0"), 3);
	assert_int_equal(count_nodes("//v2/unstable/nym-nodes/skimmed/"
	    "entry-gateways?page=0&output=bincode"), 1);
	assert_int_equal(count_nodes("/v2/unstable/nym-nodes/semi-skimmed"),
	    4);
}

static void
the_epoch_is_that_of_the_rotation(void **state)
{
	json_t *o = get("/v1/epoch/key-rotation-info");

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(o,
	    "current_absolute_epoch_id")), 7 * 24);
	json_decref(o);
	o = get("/v1/nym-nodes/rewarded-set");
	assert_int_equal(json_array_size(json_object_get(o, "layer2")), 1);
	json_decref(o);
}

static void
addresses_are_looked_up(void **state)
{
	static const char request[] = "POST /v1/unstable/nym-nodes/"
	    "by-addresses HTTP/1.1\r\nContent-Length: 37\r\n\r\n"
	    "{\"addresses\":[\"10.0.0.2\",\"10.9.9.9\"]}";
	char *answer;

	(void)state;
	assert_int_equal(ask(request, &answer), SW_OK);
	assert_non_null(strstr(answer, "\"10.0.0.2\":2"));
	assert_non_null(strstr(answer, "\"10.9.9.9\":null"));
	free(answer);
}

static void
requests_may_come_in_pieces(void **state)
{
	static const char request[] = "POST /v1/nym-nodes/refresh-described "
	    "HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
	char *answer;
	size_t n, took;
	bool last;

	(void)state;
	for (size_t len = 0; len < sizeof(request) - 1; len++) {
		assert_int_equal(directory_answer(&dir, request, len, &took,
		    &answer, &n, &last), SW_AGAIN);
		assert_false(last);
	}
	assert_int_equal(ask(request, &answer), SW_OK);
	assert_non_null(strstr(answer, "200 OK"));
	free(answer);
}

/* Request, and the status it gets. */
static void
expect(const char *request, const char *status)
{
	char *answer;

	assert_int_equal(ask(request, &answer), SW_OK);
	assert_memory_equal(answer, "HTTP/1.1 ", 9);
	assert_memory_equal(answer + 9, status, 3);
	free(answer);
}

static void
everything_else_is_refused(void **state)
{
	(void)state;
	expect("GET /etc/passwd HTTP/1.1\r\n\r\n", "404");
	expect("GET /v1/health HTTP/1.1\r\n\r\n", "200");
	expect("GET http://x:1/v1/health?a=//b HTTP/1.0\r\n\r\n", "200");
	expect("POST /v1/smolnode/nodes HTTP/1.1\r\nContent-Length: 0\r\n"
	    "\r\n", "404");
	expect("PUT / HTTP/1.1\r\n\r\n", "501");
	expect("GET / HTTP/2.0\r\n\r\n", "501");
	expect("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
	    "501");
	expect("GET /\r\n\r\n", "400");
	expect("GET  / HTTP/1.1\r\n\r\n", "400");
	expect("GET x HTTP/1.1\r\n\r\n", "400");
	expect("GET /\x01 HTTP/1.1\r\n\r\n", "400");
	expect("GET / HTTP/1.1\r\nno colon\r\n\r\n", "400");
	expect("GET / HTTP/1.1\r\nA: b\r\n folded: x\r\n\r\n", "400");
	expect("GET / HTTP/1.1\r\nName : b\r\n\r\n", "400");
	expect("POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", "400");
	expect("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400");
	expect("POST / HTTP/1.1\r\nContent-Length: 1\r\n"
	    "Content-Length: 2\r\n\r\n", "400");
	expect("POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
	    "413");
}

static void
a_head_without_end_is_refused_in_time(void **state)
{
	static char request[9000] = "GET / HTTP/1.1\r\nA: ";

	(void)state;
	memset(request + strlen(request), 'x',
	    sizeof(request) - 1 - strlen(request));
	expect(request, "413");
}

static void
the_described_nodes_name_their_exit(void **state)
{
	struct topology_node *n = &topology->node[3];
	char text[RECIPIENT_TEXT_LEN];
	json_t *o, *data, *d;

	(void)state;
	n->has_ipr = true;
	memcpy(n->ipr.identity, n->identity, NYM_KEY_LEN);
	memcpy(n->ipr.encryption, n->sphinx, NYM_KEY_LEN);
	memcpy(n->ipr.gateway, n->identity, NYM_KEY_LEN);
	recipient_format(text, &n->ipr);
	o = get("/v2/nym-nodes/described?page=0");
	data = json_object_get(o, "data");
	assert_int_equal(json_array_size(data), 4);
	d = json_object_get(json_array_get(data, 3), "description");
	assert_string_equal(json_string_value(json_object_get(
	    json_object_get(d, "ip_packet_router"), "address")), text);
	d = json_object_get(json_array_get(data, 0), "description");
	assert_true(json_is_null(json_object_get(d, "ip_packet_router")));
	json_decref(o);
}

static int
setup(void **state)
{
	FILE *f = fopen("tests/vectors/topology.json", "re");
	static char text[1 << 16];
	size_t n;

	(void)state;
	if (f == NULL || prim_init() != SW_OK)
		return -1;
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	dir.epoch_start = 1750000000;
	dir.epoch = 7 * 24;
	if (topology_parse(&topology, text, n) != SW_OK)
		return -1;
	dir.topology = topology;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	topology_free(topology);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_hold_the_nodes_of_their_kind),
		cmocka_unit_test(the_epoch_is_that_of_the_rotation),
		cmocka_unit_test(addresses_are_looked_up),
		cmocka_unit_test(requests_may_come_in_pieces),
		cmocka_unit_test(everything_else_is_refused),
		cmocka_unit_test(a_head_without_end_is_refused_in_time),
		cmocka_unit_test(the_described_nodes_name_their_exit),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
