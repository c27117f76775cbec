/* Sphinx packets and SURBs against those of sphinx-packet 0.6.0. */
#include "tests/rig/unit.h"

#include "base/wipe.h"
#include "mix/lioness.h"
#include "mix/surb.h"
#include "tests/unit/script_rng.h"
#include "tests/unit/vec.h"

#define MAX_PACKET 9000

static void
hop_secret(uint8_t sk[32], size_t hop)
{
	memset(sk, (int)hop, 32);
}

/* The inputs that the vector file's comment states. */
static void
vector_route(struct sphinx_route *route, size_t hops)
{
	uint8_t sk[32];

	memset(route, 0, sizeof(*route));
	route->n = hops;
	for (size_t i = 0; i < hops; i++) {
		struct sphinx_hop *h = &route->hop[i];

		hop_secret(sk, i + 1);
		prim_x25519_base(h->key, sk);
		vec_hex("0406fd0a000001", h->addr, 7);
		h->addr[6] = (uint8_t)(i + 1);
		h->delay_ns = 1000000 * (i + 1);
	}
	memset(route->dest, 0xd0, sizeof(route->dest));
	route->ident[15] = 0x77;
}

static void
vector_message(uint8_t *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		m[i] = (uint8_t)(31 * i + 7);
}

static void
check_digest(const struct vec *v, const char *name, const void *p, size_t n)
{
	uint8_t want[32], got[32];

	vec_bytes(v, name, want, sizeof(want));
	prim_sha256(got, p, n);
	assert_memory_equal(got, want, 32);
}

/* Unwrap pkt at each hop and compare with the record; the padding of the last
 * block goes to `padding`. */
static void
follow(const struct vec *v, uint8_t *pkt, size_t len, size_t hops,
    uint8_t padding[256], size_t *padding_len)
{
	uint8_t sk[32], want[MAX_PACKET], zero[16] = { 0 }, stream[300];
	struct sphinx_hop_info info;
	struct sphinx_keys k;
	char name[32];

	for (size_t hop = 1; hop <= hops; hop++) {
		hop_secret(sk, hop);
		assert_int_equal(sphinx_open(&k, pkt, len, sk), SW_OK);
		snprintf(name, sizeof(name), "tag%zu", hop);
		vec_bytes(v, name, want, sizeof(want));
		assert_memory_equal(k.tag, want, 32);
		if (hop == hops) {
			*padding_len = 248 - 60 * (hops - 1);
			memset(stream, 0, sizeof(stream));
			prim_aes128_ctr(stream, stream, sizeof(stream), k.rho,
			    zero);
			for (size_t i = 0; i < *padding_len; i++)
				padding[i] = pkt[48 + 52 + i] ^ stream[52 + i];
		}
		assert_int_equal(sphinx_peel(&k, pkt, len, &info), SW_OK);
		snprintf(name, sizeof(name), "version%zu", hop);
		assert_int_equal(info.version, vec_num(v, name));
		assert_int_equal(info.final, hop == hops);
		if (info.final)
			break;
		snprintf(name, sizeof(name), "next%zu", hop);
		vec_bytes(v, name, want, sizeof(want));
		assert_memory_equal(info.next, want, 32);
		snprintf(name, sizeof(name), "delay%zu", hop);
		assert_int_equal(info.delay_ns, vec_num(v, name));
		snprintf(name, sizeof(name), "packet%zu", hop);
		if (vec_text(v, name) != NULL) {
			vec_bytes(v, name, want, sizeof(want));
			assert_memory_equal(pkt, want, len);
		} else {
			snprintf(name, sizeof(name), "packet%zu_sha256", hop);
			check_digest(v, name, pkt, len);
		}
	}
	vec_bytes(v, "destination", want, sizeof(want));
	assert_memory_equal(info.dest, want, 32);
	vec_bytes(v, "identifier", want, sizeof(want));
	assert_memory_equal(info.ident, want, 16);
	check_digest(v, "payload_sha256", pkt + 348, len - 348);
	assert_int_equal(info.msg_len, vec_num(v, "plain_len"));
	check_digest(v, "plain_sha256", info.msg, info.msg_len);
}

static void
make_script(struct rng_script *s, uint8_t *bytes, const uint8_t *padding,
    size_t padding_len)
{
	for (int i = 0; i < 32; i++)
		bytes[i] = (uint8_t)(0x10 + i);
	memcpy(bytes + 32, padding, padding_len);
	*s = rng_script(bytes, 32 + padding_len);
}

static void
packets_of_the_crate_unwrap_and_are_rebuilt(void **state)
{
	uint8_t pkt[MAX_PACKET], want[MAX_PACKET], msg[MAX_PACKET];
	uint8_t padding[256], script[512];
	struct sphinx_route route;
	struct rng_script rng;
	size_t count = 0, padding_len, len;
	struct vec v;

	(void)state;
	vec_open(&v, "sphinx.txt");
	while (vec_next(&v)) {
		size_t hops = vec_num(&v, "hops");
		size_t n = vec_num(&v, "message_len");

		if (strcmp(vec_text(&v, "kind"), "packet") != 0)
			continue;
		len = vec_bytes(&v, "packet0", pkt, sizeof(pkt));
		assert_int_equal(len, 348 + vec_num(&v, "payload_len"));
		memcpy(want, pkt, len);
		follow(&v, pkt, len, hops, padding, &padding_len);

		vector_route(&route, hops);
		vector_message(msg, n);
		make_script(&rng, script, padding, padding_len);
		assert_int_equal(sphinx_create_packet(pkt, len, &route,
		    (uint16_t)vec_num(&v, "version"), &rng.rng, msg, n),
		    SW_OK);
		assert_int_equal(rng.left, 0);
		assert_memory_equal(pkt, want, len);
		count++;
	}
	vec_close(&v);
	assert_int_equal(count, 23);
}

static void
surbs_of_the_crate_are_used_and_rebuilt(void **state)
{
	uint8_t pkt[MAX_PACKET], want[MAX_PACKET], msg[MAX_PACKET];
	uint8_t bytes[SURB_MAX_LEN], again[SURB_MAX_LEN], padding[256];
	uint8_t script[512];
	struct sphinx_route route;
	struct rng_script rng;
	size_t count = 0, padding_len, len, n;
	struct surb surb;
	struct vec v;

	(void)state;
	vec_open(&v, "sphinx.txt");
	while (vec_next(&v)) {
		size_t hops = vec_num(&v, "hops");
		size_t msg_len = vec_num(&v, "message_len");

		if (strcmp(vec_text(&v, "kind"), "surb") != 0)
			continue;
		n = vec_bytes(&v, "surb", bytes, sizeof(bytes));
		assert_int_equal(surb_get(&surb, bytes, n), SW_OK);
		assert_int_equal(surb.header.n, hops);
		assert_int_equal(surb.header.version, vec_num(&v, "version"));
		vec_bytes(&v, "first", want, sizeof(want));
		assert_memory_equal(surb.first, want, 32);
		assert_int_equal(surb_put(&surb, again, sizeof(again), &n),
		    SW_OK);
		assert_memory_equal(again, bytes, n);

		len = vec_bytes(&v, "packet0", want, sizeof(want));
		vector_message(msg, msg_len);
		assert_int_equal(surb_use(&surb, pkt, len, msg, msg_len),
		    SW_OK);
		assert_memory_equal(pkt, want, len);
		follow(&v, pkt, len, hops, padding, &padding_len);

		vector_route(&route, hops);
		make_script(&rng, script, padding, padding_len);
		assert_int_equal(surb_create(&surb, &route,
		    (uint16_t)vec_num(&v, "version"), &rng.rng), SW_OK);
		assert_int_equal(surb_put(&surb, again, sizeof(again), &n),
		    SW_OK);
		assert_memory_equal(again, bytes, n);
		count++;
	}
	vec_close(&v);
	assert_int_equal(count, 7);
}

/* Vectors of the crates' own tests, and of lioness 0.1.2's construction. */
static void
keys_expand_as_in_the_crates_own_tests(void **state)
{
	uint8_t shared[32], want[192], key[192], block[2065] = { 0 }, d[32];
	struct sphinx_keys k;

	(void)state;
	vec_hex("499a6ab6e6c50f92a5f15d4a93bf90c0b7d8b0e9577f31907c8e01152b752"
	    "747", shared, 32);
	sphinx_expand_keys(&k, shared);
	vec_hex("baea9871ca7cbfe4ad595b087ffbd6c8", want, 16);
	assert_memory_equal(k.rho, want, 16);
	vec_hex("1cde11e32eb4aa072234b18e96898ede", want, 16);
	assert_memory_equal(k.mu, want, 16);
	vec_hex("847fcb5e0d8fa2f72992a9bb6f1309643ab0cd68a74ba97204a9736adc6df"
	    "b51", want, 32);
	prim_sha256(d, k.pi, sizeof(k.pi));
	assert_memory_equal(d, want, 32);
	vec_hex("e340b8eb8c3ee8aceb2a3aa9f1fdf50288954a3006a59185be69dedaf8ac3"
	    "1bc", want, 32);
	assert_memory_equal(k.blinding, want, 32);

	for (int i = 0; i < 192; i++)
		key[i] = (uint8_t)i;
	lioness_encrypt(block, sizeof(block), key);
	vec_hex("4fd024e6237a4e2a44379bf1b6c6a8abac3fc0653a8b3ba696d8940f07763"
	    "059", want, 32);
	prim_sha256(d, block, sizeof(block));
	assert_memory_equal(d, want, 32);
}

static size_t
small_packet(uint8_t pkt[386], struct rng *rng)
{
	struct sphinx_route route;

	vector_route(&route, 3);
	assert_int_equal(sphinx_create_packet(pkt, 386, &route, SPHINX_V259,
	    rng, "hello", 5), SW_OK);
	return 386;
}

static void
every_flipped_byte_is_refused_and_nothing_is_left(void **state)
{
	static const uint8_t zero[386];
	static const struct sphinx_keys no_keys;
	uint8_t good[386], pkt[386], sk[32];
	struct sphinx_hop_info info;
	struct rng_seeded rng;
	struct sphinx_keys k;

	(void)state;
	rng_seeded_init(&rng, (const uint8_t[32]){ 1 });
	small_packet(good, &rng.rng);
	for (size_t i = 0; i < sizeof(good); i++) {
		memcpy(pkt, good, sizeof(pkt));
		pkt[i] ^= 1;
		hop_secret(sk, 1);
		if (i < 348) {
			int r = sphinx_open(&k, pkt, sizeof(pkt), sk);

			assert_int_equal(r, SW_ERR_MAC);
			assert_memory_equal(&k, &no_keys, sizeof(k));
			continue;
		}
		/* The header is still good; the last hop sees noise. */
		for (size_t hop = 1; hop <= 3; hop++) {
			hop_secret(sk, hop);
			assert_int_equal(sphinx_open(&k, pkt, sizeof(pkt), sk),
			    SW_OK);
			assert_int_equal(sphinx_peel(&k, pkt, sizeof(pkt),
			    &info), hop < 3 ? SW_OK : SW_ERR_FORMAT);
		}
		assert_memory_equal(pkt, zero, sizeof(pkt));
		assert_null(info.msg);
	}
}

static void
another_node_cannot_open_a_packet(void **state)
{
	uint8_t pkt[386], sk[32];
	struct rng_seeded rng;
	struct sphinx_keys k;

	(void)state;
	rng_seeded_init(&rng, (const uint8_t[32]){ 1 });
	small_packet(pkt, &rng.rng);
	hop_secret(sk, 2);
	assert_int_equal(sphinx_open(&k, pkt, sizeof(pkt), sk), SW_ERR_MAC);
	hop_secret(sk, 1);
	assert_int_equal(sphinx_open(&k, pkt, sizeof(pkt), sk), SW_OK);
	assert_int_equal(sphinx_open(&k, pkt, 380, sk), SW_ERR_TRUNCATED);
	memset(pkt, 0, 32);
	assert_int_equal(sphinx_open(&k, pkt, sizeof(pkt), sk), SW_ERR_FORMAT);
}

static void
tags_name_packets(void **state)
{
	uint8_t one[386], two[386], sk[32];
	struct sphinx_keys k, again, other;
	struct rng_seeded rng;

	(void)state;
	rng_seeded_init(&rng, (const uint8_t[32]){ 2 });
	small_packet(one, &rng.rng);
	small_packet(two, &rng.rng);
	hop_secret(sk, 1);
	assert_int_equal(sphinx_open(&k, one, 386, sk), SW_OK);
	assert_int_equal(sphinx_open(&again, one, 386, sk), SW_OK);
	assert_int_equal(sphinx_open(&other, two, 386, sk), SW_OK);
	assert_memory_equal(k.tag, again.tag, 32);
	assert_memory_not_equal(k.tag, other.tag, 32);
}

static void
old_versions_are_refused(void **state)
{
	static const uint8_t refused[] = { 1, 1 };
	uint8_t pkt[386], sk[32], stream[300] = { 0 }, zero[16] = { 0 };
	uint8_t mac[32];
	struct sphinx_hop_info info;
	struct rng_seeded rng;
	struct sphinx_keys k;

	(void)state;
	rng_seeded_init(&rng, (const uint8_t[32]){ 3 });
	small_packet(pkt, &rng.rng);
	hop_secret(sk, 1);
	assert_int_equal(sphinx_open(&k, pkt, 386, sk), SW_OK);
	/* The holder of the keys may write what it likes: version 257. */
	prim_aes128_ctr(stream, stream, sizeof(stream), k.rho, zero);
	pkt[48 + 2] = refused[0] ^ stream[2];
	pkt[48 + 3] = refused[1] ^ stream[3];
	prim_hmac_sha256(mac, k.mu, 16, pkt + 48, 300);
	memcpy(pkt + 32, mac, 16);
	assert_int_equal(sphinx_open(&k, pkt, 386, sk), SW_OK);
	assert_int_equal(sphinx_peel(&k, pkt, 386, &info), SW_ERR_UNSUPPORTED);
}

static void
a_message_that_does_not_fit_is_refused(void **state)
{
	static const uint8_t zero[386];
	uint8_t pkt[386], msg[22] = { 0 };
	struct sphinx_route route;
	struct rng_seeded rng;

	(void)state;
	rng_seeded_init(&rng, (const uint8_t[32]){ 4 });
	vector_route(&route, 4);
	memset(pkt, 9, sizeof(pkt));
	assert_int_equal(sphinx_create_packet(pkt, 386, &route, SPHINX_V259,
	    &rng.rng, msg, 22), SW_ERR_TOO_LONG);
	assert_memory_equal(pkt, zero, sizeof(pkt));
	assert_int_equal(sphinx_create_packet(pkt, 386, &route, SPHINX_V259,
	    &rng.rng, msg, 21), SW_OK);
}

static void
damaged_surbs_are_refused_and_wiped(void **state)
{
	static const struct surb zero;
	uint8_t bytes[SURB_MAX_LEN];
	struct sphinx_route route;
	struct rng_seeded rng;
	struct surb s;
	size_t n;

	(void)state;
	rng_seeded_init(&rng, (const uint8_t[32]){ 5 });
	vector_route(&route, 4);
	assert_int_equal(surb_create(&s, &route, SPHINX_V259, &rng.rng),
	    SW_OK);
	assert_int_equal(surb_put(&s, bytes, sizeof(bytes), &n), SW_OK);
	assert_int_equal(n, 444);
	assert_int_equal(surb_put(&s, bytes, n - 1, &n), SW_ERR_TOO_LONG);
	for (n = 0; n < 444; n++) {
		int want = n >= 396 && (n - 380) % 16 == 0 ? SW_OK :
		    SW_ERR_FORMAT;

		assert_int_equal(surb_get(&s, bytes, n), want);
		if (want != SW_OK)
			assert_memory_equal(&s, &zero, sizeof(s));
	}
	assert_int_equal(surb_get(&s, bytes, 380 + 96), SW_ERR_FORMAT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_of_the_crate_unwrap_and_are_rebuilt),
		cmocka_unit_test(surbs_of_the_crate_are_used_and_rebuilt),
		cmocka_unit_test(keys_expand_as_in_the_crates_own_tests),
		cmocka_unit_test(
		    every_flipped_byte_is_refused_and_nothing_is_left),
		cmocka_unit_test(another_node_cannot_open_a_packet),
		cmocka_unit_test(tags_name_packets),
		cmocka_unit_test(old_versions_are_refused),
		cmocka_unit_test(a_message_that_does_not_fit_is_refused),
		cmocka_unit_test(damaged_surbs_are_refused_and_wiped),
	};

	return cmocka_run_group_tests(tests, unit_prim_init, NULL);
}
