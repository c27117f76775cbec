/* Client-gateway handshake, authentication, messages and frames against those
 * of nym-gateway-requests. */
#include "tests/rig/unit.h"

#include "base/wipe.h"
#include "mix/gwlink.h"
#include "mix/gwmsg.h"
#include "mix/nympkt.h"
#include "tests/unit/script_rng.h"
#include "tests/unit/vec.h"

/* What the crates' generator, ChaCha20 of the given seed, gives out. */
static void
keystream(uint8_t out[256], int seed)
{
	struct rng_seeded r;
	uint8_t bytes[32];

	memset(bytes, seed, sizeof(bytes));
	rng_seeded_init(&r, bytes);
	rng_fill(&r.rng, out, 256);
}

static void
read_text(struct vec *v, size_t field, struct gwmsg *m)
{
	assert_int_equal(gwmsg_read(m, v->value[field],
	    strlen(v->value[field])), SW_OK);
}

static void
the_crates_registration_is_reproduced_on_both_sides(void **state)
{
	uint8_t seed_c[32], seed_g[32], id_g[32], script[256], rest[256];
	uint8_t one[GWLINK_INIT_LEN], two[GWLINK_GATEWAY_LEN];
	uint8_t three[GWLINK_CLIENT_LEN], want[32];
	struct gwlink client, gateway;
	struct gwmsg m[4];
	struct rng_script rng;
	struct vec v;

	(void)state;
	memset(seed_c, 1, 32);
	memset(seed_g, 2, 32);
	prim_ed25519_public(id_g, seed_g);
	vec_open(&v, "handshake.txt");
	assert_true(vec_next(&v));
	assert_int_equal(v.n, 5);
	for (size_t i = 0; i < 4; i++) {
		read_text(&v, i, &m[i]);
		assert_int_equal(m[i].type, GWMSG_HANDSHAKE);
		assert_int_equal(m[i].version, GWMSG_VERSION);
	}

	/* Client: its secret, salt; then the nonce, which is in message 3. */
	keystream(script, 0x2a);
	memcpy(script + 48, m[2].data + 80, 12);
	rng = rng_script(script, 60);
	gwlink_start(&client, seed_c, id_g, &rng.rng, one);
	assert_int_equal(m[0].data_len, sizeof(one));
	assert_memory_equal(one, m[0].data, sizeof(one));

	keystream(rest, 0x2b);
	memcpy(rest + 32, m[1].data + 112, 12);
	struct rng_script grng = rng_script(rest, 44);

	assert_int_equal(gwlink_answer(&gateway, seed_g, m[0].data,
	    m[0].data_len, &grng.rng, two), SW_OK);
	assert_int_equal(m[1].data_len, sizeof(two));
	assert_memory_equal(two, m[1].data, sizeof(two));

	assert_int_equal(gwlink_finish(&client, two, sizeof(two), &rng.rng,
	    three), SW_OK);
	assert_int_equal(m[2].data_len, sizeof(three));
	assert_memory_equal(three, m[2].data, sizeof(three));
	assert_int_equal(gwlink_verify(&gateway, three, sizeof(three)),
	    SW_OK);
	assert_int_equal(m[3].data_len, 1);
	assert_int_equal(m[3].data[0], GWLINK_FINAL);
	vec_bytes(&v, "key", want, sizeof(want));
	assert_memory_equal(client.key, want, 32);
	assert_memory_equal(gateway.key, want, 32);
	vec_close(&v);
}

static void
a_changed_handshake_is_refused_and_its_keys_are_gone(void **state)
{
	static const struct gwlink none;
	uint8_t seed_c[32] = { 1 }, seed_g[32] = { 2 }, id_g[32], other[32];
	uint8_t one[80], two[124], three[92], bad[124];
	struct gwlink client, gateway, c, g;
	struct rng_seeded rng;

	(void)state;
	rng_seeded_init(&rng, (const uint8_t[32]){ 7 });
	prim_ed25519_public(id_g, seed_g);
	gwlink_start(&client, seed_c, id_g, &rng.rng, one);
	assert_int_equal(gwlink_answer(&gateway, seed_g, one, 79, &rng.rng,
	    two), SW_ERR_FORMAT);
	assert_int_equal(gwlink_answer(&gateway, seed_g, one, 80, &rng.rng,
	    two), SW_OK);
	for (size_t i = 0; i < sizeof(two); i++) {
		c = client;
		memcpy(bad, two, sizeof(bad));
		bad[i] ^= 4;
		assert_int_not_equal(gwlink_finish(&c, bad, 124, &rng.rng,
		    three), SW_OK);
		assert_memory_equal(&c, &none, sizeof(c));
	}
	/* A gateway that is not the one we meant. */
	c = client;
	prim_ed25519_public(other, seed_c);
	memcpy(c.peer, other, 32);
	assert_int_equal(gwlink_finish(&c, two, 124, &rng.rng, three),
	    SW_ERR_AUTH);

	assert_int_equal(gwlink_finish(&client, two, 124, &rng.rng, three),
	    SW_OK);
	for (size_t i = 0; i < sizeof(three); i++) {
		g = gateway;
		memcpy(bad, three, sizeof(three));
		bad[i] ^= 4;
		assert_int_equal(gwlink_verify(&g, bad, sizeof(three)),
		    SW_ERR_AUTH);
		assert_memory_equal(&g, &none, sizeof(g));
	}
	assert_int_equal(gwlink_verify(&gateway, three, sizeof(three)),
	    SW_OK);
	assert_memory_equal(gateway.key, client.key, 32);
}

static void
the_crates_authentication_is_accepted_and_rewritten(void **state)
{
	char text[GWMSG_TEXT_MAX];
	uint8_t key[32], seed[32];
	struct gwmsg m, again = { 0 };
	struct rng_script rng;
	struct vec v;
	size_t n;

	(void)state;
	memset(key, 0x4b, sizeof(key));
	memset(seed, 1, sizeof(seed));
	vec_open(&v, "gateway.txt");
	assert_true(vec_next_kind(&v, "authenticate"));
	assert_int_equal(gwmsg_read(&m, vec_text(&v, "json"),
	    strlen(vec_text(&v, "json"))), SW_OK);
	assert_int_equal(m.type, GWMSG_AUTHENTICATE);
	assert_int_equal(gwlink_check(&m.auth, m.version, key), SW_OK);
	assert_int_equal(gwlink_check(&m.auth, 5, key), SW_ERR_AUTH);
	key[0] ^= 1;
	assert_int_equal(gwlink_check(&m.auth, m.version, key), SW_ERR_AUTH);
	key[0] ^= 1;

	rng = rng_script(m.auth.nonce, 12);
	again.type = GWMSG_AUTHENTICATE;
	again.version = 6;
	gwlink_prove(&again.auth, 6, seed, key, m.auth.timestamp, &rng.rng);
	assert_int_equal(gwmsg_write(&again, text, sizeof(text), &n), SW_OK);
	assert_int_equal(n, strlen(vec_text(&v, "json")));
	assert_memory_equal(text, vec_text(&v, "json"), n);
	vec_close(&v);
}

static void
the_crates_messages_are_read_and_rewritten(void **state)
{
	char text[GWMSG_TEXT_MAX];
	struct gwmsg m;
	struct vec v;
	size_t n, count = 0;

	(void)state;
	vec_open(&v, "gateway.txt");
	while (vec_next(&v)) {
		const char *json = vec_text(&v, "json");

		if (json == NULL)
			continue;
		assert_int_equal(gwmsg_read(&m, json, strlen(json)), SW_OK);
		assert_int_not_equal(m.type, GWMSG_OTHER);
		assert_int_equal(gwmsg_write(&m, text, sizeof(text), &n),
		    SW_OK);
		assert_int_equal(n, strlen(json));
		assert_memory_equal(text, json, n);
		assert_int_equal(gwmsg_write(&m, text, n - 1, &n),
		    SW_ERR_TOO_LONG);
		count++;
	}
	vec_close(&v);
	assert_int_equal(count, 10);
}

static void
messages_of_the_wrong_form_are_refused(void **state)
{
	static const char *const bad[] = {
		"", "{", "[]", "{}", "{\"type\":3}", "{\"type\":\"send\"}",
		"{\"type\":\"send\",\"remaining_bandwidth\":\"1\"}",
		"{\"type\":\"handshakePayload\",\"data\":[256]}",
		"{\"type\":\"handshakePayload\",\"data\":[-1]}",
		"{\"type\":\"handshakePayload\",\"data\":[1.5]}",
		"{\"type\":\"handshakePayload\",\"protocol_version\":256,"
		"\"data\":[1]}",
		"{\"type\":\"register\",\"status\":1}",
		"{\"type\":\"error\"}",
		"{\"type\":\"authenticateV2\",\"protocolVersion\":6}",
		"{\"type\":\"send\",\"type\":\"send\","
		"\"remaining_bandwidth\":1}",
	};
	struct gwmsg m;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(gwmsg_read(&m, bad[i], strlen(bad[i])),
		    SW_ERR_FORMAT);
	assert_int_equal(gwmsg_read(&m, "{\"type\":\"news\"}", 15), SW_OK);
	assert_int_equal(m.type, GWMSG_OTHER);
}

static void
the_crates_frames_open_and_are_rebuilt(void **state)
{
	uint8_t frame[3000], want[3000], key[32], pkt[2413], *plain, kind;
	const uint8_t *inside;
	struct rng_script rng;
	struct sw_addr first;
	uint8_t rotation;
	struct vec v;
	size_t len, n, pkt_len;

	(void)state;
	memset(key, 0x4b, sizeof(key));
	vec_pattern(pkt, sizeof(pkt));
	vec_open(&v, "gateway.txt");
	assert_true(vec_next_kind(&v, "forward"));
	len = vec_bytes(&v, "frame", frame, sizeof(frame));
	assert_int_equal(len, 2452);
	memcpy(want, frame, len);
	assert_int_equal(gwlink_open(frame, len, &kind, key, &plain, &n),
	    SW_OK);
	assert_int_equal(kind, GWLINK_FORWARD_LABELLED);
	assert_int_equal(nympkt_get_mix(plain, n, true, &rotation, &first,
	    &inside, &pkt_len), SW_OK);
	assert_int_equal(rotation, NYMPKT_ROTATION_ODD);
	assert_memory_equal(inside, pkt, sizeof(pkt));
	rng = rng_script(want + 2, 12);
	gwlink_seal(frame, n, kind, key, &rng.rng);
	assert_memory_equal(frame, want, len);

	assert_true(vec_next_kind(&v, "push"));
	len = vec_bytes(&v, "frame", frame, sizeof(frame));
	assert_int_equal(len, 1673);
	assert_int_equal(gwlink_open(frame, len, &kind, key, &plain, &n),
	    SW_OK);
	assert_int_equal(kind, GWLINK_PUSH);
	assert_int_equal(n, 1643);
	assert_memory_equal(plain, pkt, n);

	assert_int_equal(gwlink_open(frame, 29, &kind, key, &plain, &n),
	    SW_ERR_FORMAT);
	frame[1] = 0;
	assert_int_equal(gwlink_open(frame, len, &kind, key, &plain, &n),
	    SW_ERR_FORMAT);
	vec_close(&v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_crates_registration_is_reproduced_on_both_sides),
		cmocka_unit_test(
		    a_changed_handshake_is_refused_and_its_keys_are_gone),
		cmocka_unit_test(
		    the_crates_authentication_is_accepted_and_rewritten),
		cmocka_unit_test(the_crates_messages_are_read_and_rewritten),
		cmocka_unit_test(messages_of_the_wrong_form_are_refused),
		cmocka_unit_test(the_crates_frames_open_and_are_rebuilt),
	};

	return cmocka_run_group_tests(tests, unit_prim_init, NULL);
}
