/* Topology files, routes, and IPR messages against those of the crates. */
#include "tests/rig/unit.h"

#include "mix/iprmsg.h"
#include "mix/ipsum.h"
#include "mix/prim.h"
#include "mix/topology.h"
#include "tests/unit/vec.h"

static char *
read_file(const char *path, size_t *n)
{
	FILE *f = fopen(path, "re");
	char *text = malloc(1 << 16);

	assert_non_null(f);
	*n = fread(text, 1, 1 << 16, f);
	fclose(f);
	return text;
}

static struct topology *
crates_topology(void)
{
	struct topology *t;
	size_t n;
	char *text = read_file("tests/vectors/topology.json", &n);

	assert_int_equal(topology_parse(&t, text, n), SW_OK);
	free(text);
	return t;
}

static void
the_crates_topology_is_read(void **state)
{
	struct topology *t = crates_topology(), *again;
	uint8_t seed[32], id[32], sk[32], pk[32];
	const struct topology_node *n;
	char *text;

	(void)state;
	assert_int_equal(t->n, 4);
	assert_int_equal(t->rotation_id, 7);
	assert_true(topology_is_routable(t));
	for (uint8_t i = 1; i <= 4; i++) {
		memset(seed, 0x40 + i, sizeof(seed));
		prim_ed25519_public(id, seed);
		n = topology_find(t, id);
		assert_non_null(n);
		memset(sk, i, sizeof(sk));
		prim_x25519_base(pk, sk);
		assert_memory_equal(n->sphinx, pk, 32);
		assert_int_equal(n->id, i);
		assert_int_equal(n->mix.port, 1789);
		assert_int_equal(n->mix.ip[15], i);
		assert_int_equal(n->mixnode, i < 4);
		assert_int_equal(n->ws.port, i == 4 ? 9000 : 0);
	}
	assert_int_equal(topology_write(t, &text), SW_OK);
	assert_int_equal(topology_parse(&again, text, strlen(text)), SW_OK);
	free(text);
	assert_int_equal(again->n, 4);
	for (size_t i = 0; i < t->n; i++)
		assert_memory_equal(topology_find(again, t->node[i].identity),
		    &t->node[i], offsetof(struct topology_node, table));
	topology_free(again);
	topology_free(t);
}

static void
routes_lead_through_the_layers_to_the_gateway(void **state)
{
	struct topology *t = crates_topology();
	struct recipient to = { .identity = { 9 } };
	struct sphinx_route route;
	struct rng_seeded rng;
	uint8_t seed[32];

	(void)state;
	rng_seeded_init(&rng, (const uint8_t[32]){ 1 });
	assert_int_equal(topology_route(t, &to, 0, &rng.rng, &route),
	    SW_ERR_UNREACH_HOST);
	memset(seed, 0x44, sizeof(seed));
	prim_ed25519_public(to.gateway, seed);
	assert_int_equal(topology_route(t, &to, 15000000, &rng.rng, &route),
	    SW_OK);
	assert_int_equal(route.n, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(route.hop[i].addr[6], i + 1);
	assert_memory_equal(route.dest, to.identity, 32);
	assert_true(route.hop[0].delay_ns > 0);
	t->n_layer[1] = 0;
	assert_int_equal(topology_route(t, &to, 0, &rng.rng, &route),
	    SW_ERR_UNREACH_NET);
	topology_free(t);
}

/* Each single byte of the file replaced: refused, or read, never worse. */
static void
a_damaged_topology_does_no_harm(void **state)
{
	struct topology *t;
	size_t n;
	char *text = read_file("tests/vectors/topology.json", &n);

	(void)state;
	for (size_t i = 0; i < n; i += 3) {
		char was = text[i];

		text[i] = (char)(was + 1 + (char)(i % 5));
		if (topology_parse(&t, text, n) == SW_OK)
			topology_free(t);
		else
			assert_null(t);
		text[i] = was;
	}
	assert_int_equal(topology_parse(&t, text, n / 2), SW_ERR_FORMAT);
	free(text);
}

static void
hosts_are_names(void **state)
{
	static const char *const bad[] = {
		"", "-x", "a b", "a\r\nb", "a/b", "[::1]", "a:1", "\x1b[31m",
		"\xc3\xa4",
	};
	char longest[TOPOLOGY_HOST_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(topology_is_host(bad[i]));
	assert_true(topology_is_host("gw-1.Example.test."));
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_false(topology_is_host(longest));
	assert_true(topology_is_host(longest + 1));
}

static void
check_request(const struct vec *v, enum iprmsg_kind kind, bool timeout)
{
	uint8_t bytes[2000], again[2000];
	struct iprmsg_request q;
	struct wbuf w = { again, sizeof(again) };
	size_t n = vec_bytes(v, "bytes", bytes, sizeof(bytes));

	assert_int_equal(iprmsg_get_request(&q, bytes, n), SW_OK);
	assert_int_equal(q.kind, kind);
	assert_int_equal(q.has_timeout, timeout);
	if (vec_text(v, "id") != NULL)
		assert_true(q.id == vec_num(v, "id"));
	if (timeout)
		assert_int_equal(q.timeout_ms, 1000);
	assert_int_equal(iprmsg_put_request(&w, &q), SW_OK);
	assert_int_equal(sizeof(again) - w.left, n);
	assert_memory_equal(again, bytes, n);
	for (size_t cut = 0; cut < n; cut++)
		assert_int_not_equal(iprmsg_get_request(&q, bytes, cut),
		    SW_OK);
	bytes[n] = 0;
	assert_int_equal(iprmsg_get_request(&q, bytes, n + 1), SW_ERR_FORMAT);
}

static void
the_crates_requests_are_read_and_rewritten(void **state)
{
	static const struct {
		const char *name;
		enum iprmsg_kind kind;
	} kinds[] = {
		{ "connect", IPRMSG_CONNECT },
		{ "connect_timeout", IPRMSG_CONNECT },
		{ "data", IPRMSG_DATA },
		{ "disconnect", IPRMSG_DISCONNECT },
		{ "ping", IPRMSG_PING },
		{ "health", IPRMSG_HEALTH },
	};
	struct vec v;
	size_t count = 0;

	(void)state;
	vec_open(&v, "ipr.txt");
	while (vec_next(&v))
		for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
			if (strcmp(vec_text(&v, "kind"), kinds[i].name) == 0) {
				check_request(&v, kinds[i].kind, i == 1);
				count++;
			}
	vec_close(&v);
	assert_int_equal(count, 6);
}

static void
bundles_hold_their_packets(void **state)
{
	uint8_t bytes[2000], pkt[1400];
	struct iprmsg_response a;
	struct rbuf bundle;
	const uint8_t *p;
	struct vec v;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(pkt); i++)
		pkt[i] = (uint8_t)(31 * i + 7);
	vec_open(&v, "ipr.txt");
	while (vec_next(&v))
		if (strcmp(vec_text(&v, "kind"), "data_response") == 0)
			break;
	n = vec_bytes(&v, "bytes", bytes, sizeof(bytes));
	assert_int_equal(iprmsg_get_response(&a, bytes, n), SW_OK);
	assert_int_equal(a.kind, IPRMSG_DATA);
	bundle = (struct rbuf){ a.bundle, a.bundle_len };
	assert_int_equal(iprmsg_get_packet(&bundle, &p, &n), SW_OK);
	assert_int_equal(n, 100);
	assert_memory_equal(p, pkt, 100);
	assert_int_equal(iprmsg_get_packet(&bundle, &p, &n), SW_AGAIN);
	bundle = (struct rbuf){ a.bundle, a.bundle_len - 1 };
	assert_int_equal(iprmsg_get_packet(&bundle, &p, &n),
	    SW_ERR_TRUNCATED);
	vec_close(&v);
}

static const struct answer {
	const char *name;
	enum iprmsg_kind kind;
	enum iprmsg_reason reason;
} answers[] = {
	{ "connected", IPRMSG_CONNECT, IPRMSG_SUCCESS },
	{ "connected_mtu", IPRMSG_CONNECT, IPRMSG_SUCCESS },
	{ "already", IPRMSG_CONNECT, IPRMSG_ALREADY_CONNECTED },
	{ "no_address", IPRMSG_CONNECT, IPRMSG_NO_ADDRESS },
	{ "other", IPRMSG_CONNECT, IPRMSG_OTHER },
	{ "disconnected", IPRMSG_DISCONNECT, IPRMSG_SUCCESS },
	{ "not_connected", IPRMSG_DISCONNECT, IPRMSG_NOT_CONNECTED },
	{ "dropped", IPRMSG_DROPPED, IPRMSG_MIX_TIMEOUT },
	{ "pong", IPRMSG_PING, IPRMSG_SUCCESS },
	{ "policy", IPRMSG_INFO, IPRMSG_POLICY },
};

static void
check_answer(const struct vec *v, const struct answer *want)
{
	static const uint8_t ip4[4] = { 10, 0, 18, 52 };
	uint8_t bytes[100], again[100];
	size_t n = vec_bytes(v, "bytes", bytes, sizeof(bytes));
	struct wbuf w = { again, sizeof(again) };
	struct iprmsg_response a;

	assert_int_equal(iprmsg_get_response(&a, bytes, n), SW_OK);
	assert_int_equal(a.version, bytes[0]);
	assert_int_equal(a.kind, want->kind);
	assert_int_equal(a.reason, want->reason);
	if (a.kind == IPRMSG_CONNECT && a.reason == IPRMSG_SUCCESS)
		assert_memory_equal(a.ip4, ip4, sizeof(ip4));
	if (a.version == IPRMSG_V10)
		assert_int_equal(a.mtu, 1420);
	assert_int_equal(iprmsg_put_response(&w, &a), SW_OK);
	assert_int_equal(sizeof(again) - w.left, n);
	assert_memory_equal(again, bytes, n);
	for (size_t cut = 0; cut < n; cut++)
		assert_int_not_equal(iprmsg_get_response(&a, bytes, cut),
		    SW_OK);
	bytes[0] = 7;
	assert_int_equal(iprmsg_get_response(&a, bytes, n),
	    SW_ERR_UNSUPPORTED);
}

/* All in versions 8 and 9, one in 10. */
static void
the_crates_answers_are_read_and_rewritten(void **state)
{
	struct vec v;
	size_t count = 0;

	(void)state;
	vec_open(&v, "answers.txt");
	while (vec_next(&v))
		for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++)
			if (strcmp(vec_text(&v, "kind"), answers[i].name) ==
			    0) {
				check_answer(&v, &answers[i]);
				count++;
			}
	vec_close(&v);
	assert_int_equal(count, 19);
}

static void
check_frame(const struct vec *v, bool open)
{
	uint8_t bytes[IPRMSG_STREAM_HEAD_LEN], again[sizeof(bytes)];
	struct wbuf w = { again, sizeof(again) };
	struct rbuf r = { bytes, sizeof(bytes) };
	struct iprmsg_stream s;

	assert_int_equal(vec_bytes(v, "bytes", bytes, sizeof(bytes)),
	    sizeof(bytes));
	assert_int_equal(iprmsg_get_stream(&r, &s), SW_OK);
	assert_true(s.open == open);
	assert_true(s.id == 0x0011223344556677);
	assert_true(open ? s.seq == 0 : s.seq == 5 || s.seq == UINT32_MAX);
	assert_int_equal(iprmsg_put_stream(&w, &s), SW_OK);
	assert_memory_equal(again, bytes, sizeof(bytes));
	r = (struct rbuf){ bytes, sizeof(bytes) - 1 };
	assert_int_equal(iprmsg_get_stream(&r, &s), SW_ERR_FORMAT);
	bytes[10] = 2;
	r = (struct rbuf){ bytes, sizeof(bytes) };
	assert_int_equal(iprmsg_get_stream(&r, &s), SW_ERR_FORMAT);
}

static void
the_crates_stream_frames_are_read_and_rewritten(void **state)
{
	struct vec v;
	size_t count = 0;

	(void)state;
	vec_open(&v, "answers.txt");
	while (vec_next(&v)) {
		bool open = strcmp(vec_text(&v, "kind"), "open") == 0;

		if (open || strcmp(vec_text(&v, "kind"), "data") == 0) {
			check_frame(&v, open);
			count++;
		}
	}
	vec_close(&v);
	assert_int_equal(count, 3);
}

static void
times_are_in_utc(void **state)
{
	struct iprmsg_time t = iprmsg_time_of(1778912872, 123456789);

	(void)state;
	assert_int_equal(t.year, 2026);
	assert_int_equal(t.day, 136);
	assert_int_equal(t.hour, 6);
	assert_int_equal(t.minute, 27);
	assert_int_equal(t.second, 52);
	t = iprmsg_time_of(1735603200, 0);	/* 31 December of a leap year */
	assert_int_equal(t.year, 2024);
	assert_int_equal(t.day, 366);
}

/* Packets with their checksums as a kernel sent them. */
static void
checksums_are_filled_and_checked(void **state)
{
	static const char *const sent[] = {
		/* UDP "hi", the sample of the protocol notes */
		"4500001e1234400040110a660a0012340101""0101"
		"9c400035000adcc56869",
		/* ICMP echo */
		"4500001c00010000400166de7f0000017f0000010800f7fe00000001",
		/* UDP over IPv6, ::1 to ::1, "hi" */
		"600000000""00a11400000000000000000000000000000000100000000000"
		"0000000000000000000019c400035000af2d86869",
	};
	uint8_t pkt[100], filled[100];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(sent) / sizeof(*sent); i++) {
		n = vec_hex(sent[i], pkt, sizeof(pkt));
		memcpy(filled, pkt, n);
		ipsum_fill(filled, n);
		assert_true(ipsum_is_right(filled, n));
		if (i == 0)
			assert_memory_equal(filled, pkt, n);
		for (size_t b = i == 2 ? 4 : 0; b < n; b++) {
			memcpy(pkt, filled, n);
			pkt[b] ^= 0x10;
			/* The hop limit of IPv6, and its flow, are not
			 * covered; the rest is. */
			if (i == 2 && b == 7)
				continue;
			if (ipsum_is_right(pkt, n))
				assert_true(i == 2 && b == 6);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_are_names),
		cmocka_unit_test(the_crates_topology_is_read),
		cmocka_unit_test(routes_lead_through_the_layers_to_the_gateway),
		cmocka_unit_test(a_damaged_topology_does_no_harm),
		cmocka_unit_test(the_crates_requests_are_read_and_rewritten),
		cmocka_unit_test(bundles_hold_their_packets),
		cmocka_unit_test(the_crates_answers_are_read_and_rewritten),
		cmocka_unit_test(
		    the_crates_stream_frames_are_read_and_rewritten),
		cmocka_unit_test(times_are_in_utc),
		cmocka_unit_test(checksums_are_filled_and_checked),
	};

	return cmocka_run_group_tests(tests, unit_prim_init, NULL);
}
