/*
 * Round trips with seeded random routes, sizes and contents: what a sender
 * makes, each hop peels, and the last one reads.  SEED=n replays a run.
 */
#include "tests/rig/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mix/comb.h"
#include "mix/nympkt.h"
#include "mix/surb.h"

#define ROUNDS 60

static struct rng_seeded rng;

struct secrets {
	uint8_t sk[SPHINX_MAX_HOPS][32];
	struct comb *table[SPHINX_MAX_HOPS];
};

static void
random_route(struct sphinx_route *r, struct secrets *s)
{
	memset(r, 0, sizeof(*r));
	r->n = 1 + rng_below(&rng.rng, SPHINX_MAX_HOPS);
	for (size_t i = 0; i < r->n; i++) {
		rng_fill(&rng.rng, s->sk[i], 32);
		prim_x25519_base(r->hop[i].key, s->sk[i]);
		comb_free(s->table[i]);		/* every other hop has one */
		s->table[i] = NULL;
		if (rng_below(&rng.rng, 2) == 0)
			assert_int_equal(comb_new(&s->table[i],
			    r->hop[i].key), SW_OK);
		r->hop[i].table = s->table[i];
		rng_fill(&rng.rng, r->hop[i].addr, SPHINX_ADDR_LEN);
		rng_fill(&rng.rng, &r->hop[i].delay_ns, 8);
	}
	rng_fill(&rng.rng, r->dest, sizeof(r->dest));
	rng_fill(&rng.rng, r->ident, sizeof(r->ident));
}

static void
drop_tables(struct secrets *s)
{
	for (size_t i = 0; i < SPHINX_MAX_HOPS; i++)
		comb_free(s->table[i]);
}

static uint8_t
random_size(void)
{
	return (uint8_t)(NYMPKT_REGULAR + rng_below(&rng.rng, 5));
}

static void
travel(uint8_t *pkt, size_t len, const struct sphinx_route *r,
    const struct secrets *s, uint16_t version, const uint8_t *msg,
    size_t msg_len)
{
	uint8_t before[SPHINX_HEADER_LEN];
	struct sphinx_hop_info info;
	struct sphinx_keys k;

	for (size_t i = 0; i < r->n; i++) {
		memcpy(before, pkt, sizeof(before));
		assert_int_equal(sphinx_open(&k, pkt, len, s->sk[i]), SW_OK);
		assert_int_equal(sphinx_peel(&k, pkt, len, &info), SW_OK);
		assert_int_equal(info.version, version);
		assert_int_equal(info.final, i + 1 == r->n);
		if (info.final)
			break;
		assert_memory_equal(info.next, r->hop[i + 1].addr, 32);
		assert_true(info.delay_ns == r->hop[i].delay_ns);
		assert_memory_not_equal(pkt, before, 32);
		assert_memory_not_equal(pkt + 32, before + 32, 16);
		assert_memory_not_equal(pkt + 48, before + 48, 300);
	}
	assert_memory_equal(info.dest, r->dest, 32);
	assert_memory_equal(info.ident, r->ident, 16);
	assert_int_equal(info.msg_len, msg_len);
	assert_memory_equal(info.msg, msg, msg_len);
}

static void
packets_travel(void **state)
{
	uint8_t *pkt = malloc(NYMPKT_MAX_LEN), *msg = malloc(NYMPKT_MAX_LEN);
	struct sphinx_route r;
	struct secrets s = { .table = { NULL } };

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		size_t plain = nympkt_plain_len(random_size());
		size_t n = rng_below(&rng.rng, (uint32_t)plain + 1);
		uint16_t version = i % 2 ? SPHINX_V258 : SPHINX_V259;

		random_route(&r, &s);
		rng_fill(&rng.rng, msg, n);
		if (n > 0 && i % 3 == 0)	/* padding must not confuse */
			msg[n - 1] = (uint8_t)(i % 2);
		assert_int_equal(sphinx_create_packet(pkt, NYMPKT_LEN(plain),
		    &r, version, &rng.rng, msg, n), SW_OK);
		travel(pkt, NYMPKT_LEN(plain), &r, &s, version, msg, n);
	}
	drop_tables(&s);
	free(pkt);
	free(msg);
}

static void
surbs_travel_in_any_packet_size(void **state)
{
	uint8_t *pkt = malloc(NYMPKT_MAX_LEN), *msg = malloc(NYMPKT_MAX_LEN);
	uint8_t bytes[SURB_MAX_LEN];
	struct surb made, got;
	struct sphinx_route r;
	struct secrets s = { .table = { NULL } };
	size_t n;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		size_t plain = nympkt_plain_len(random_size());
		uint16_t version = i % 2 ? SPHINX_V258 : SPHINX_V259;

		random_route(&r, &s);
		rng_fill(&rng.rng, msg, plain);
		assert_int_equal(surb_create(&made, &r, version, &rng.rng),
		    SW_OK);
		assert_int_equal(surb_put(&made, bytes, sizeof(bytes), &n),
		    SW_OK);
		assert_int_equal(surb_get(&got, bytes, n), SW_OK);
		assert_memory_equal(&got, &made, sizeof(got));
		assert_int_equal(surb_use(&got, pkt, NYMPKT_LEN(plain), msg,
		    plain), SW_OK);
		travel(pkt, NYMPKT_LEN(plain), &r, &s, version, msg, plain);
	}
	drop_tables(&s);
	free(pkt);
	free(msg);
}

/* The sender's one multiplication per hop against one per earlier hop. */
static void
headers_equal_those_of_the_long_way(void **state)
{
	struct sphinx_route r;
	struct sphinx_header h;
	struct sphinx_keys k;
	struct rng_seeded again;
	struct secrets s = { .table = { NULL } };
	uint8_t scalar[SPHINX_MAX_HOPS + 1][32], u[32];

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		random_route(&r, &s);
		again = rng;
		assert_int_equal(sphinx_create_header(&h, &r, SPHINX_V259,
		    &rng.rng), SW_OK);
		rng_fill(&again.rng, scalar[0], 32);
		for (size_t hop = 0; hop < r.n; hop++) {
			memcpy(u, r.hop[hop].key, 32);
			for (size_t j = 0; j <= hop; j++)
				assert_int_equal(prim_x25519(u, scalar[j], u),
				    SW_OK);
			sphinx_expand_keys(&k, u);
			memcpy(scalar[hop + 1], k.blinding, 32);
			assert_memory_equal(h.pi[hop], k.pi, SPHINX_SEED_LEN);
		}
	}
	drop_tables(&s);
}

static int
setup(void **state)
{
	const char *env = getenv("SEED");
	unsigned seed = env ? (unsigned)strtoul(env, NULL, 10) :
	    rng_u32(&rng_system);
	uint8_t bytes[32] = { 0 };

	(void)state;
	printf("# SEED=%u\n", seed);
	memcpy(bytes, &seed, sizeof(seed));
	rng_seeded_init(&rng, bytes);
	return prim_init();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_travel),
		cmocka_unit_test(surbs_travel_in_any_packet_size),
		cmocka_unit_test(headers_equal_those_of_the_long_way),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
