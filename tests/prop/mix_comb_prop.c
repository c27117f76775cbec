/*
 * A table's multiples are X25519's, for random points and scalars and for the
 * points with a part of small order.  SEED=n replays a run.
 */
#include "tests/rig/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mix/comb.h"
#include "mix/prim.h"
#include "mix/rng.h"

static struct rng_seeded rng;

static void
clamp(uint8_t k[32])
{
	k[0] &= 248;
	k[31] &= 127;
	k[31] |= 64;
}

static void
check(const uint8_t u[32], int rounds)
{
	uint8_t k[32], want[32], got[32];
	struct comb *c;

	assert_int_equal(comb_new(&c, u), SW_OK);
	for (int i = 0; i < rounds; i++) {
		rng_fill(&rng.rng, k, sizeof(k));
		if (i == 0)
			memset(k, 0, sizeof(k));
		if (i == 1)
			memset(k, 0xff, sizeof(k));
		if (i == 2)
			memset(k, 0x88, sizeof(k));	/* every digit is 8 */
		clamp(k);
		for (int portable = 0; portable < 2; portable++) {
			comb_set_portable(portable == 1);
			assert_int_equal(comb_mul(got, c, k),
			    prim_x25519(want, k, u));
			assert_memory_equal(got, want, 32);
		}
	}
	comb_free(c);
}

static void
multiples_are_those_of_the_ladder(void **state)
{
	uint8_t u[32], sk[32];

	(void)state;
	memset(u, 0, sizeof(u));
	u[0] = 9;
	check(u, 60);
	for (int i = 0; i < 20; i++) {
		rng_fill(&rng.rng, sk, sizeof(sk));
		prim_x25519_base(u, sk);
		u[31] |= (uint8_t)(i % 2 << 7);		/* ignored bit */
		check(u, 10);
	}
}

/* Half of all coordinates are on the curve, most of those with a part of
 * small order; the others are refused, exactly when the ladders disagree. */
static void
any_point_of_the_curve_is_right_and_the_twist_is_refused(void **state)
{
	uint8_t u[32];
	struct comb *c;
	int on = 0;

	(void)state;
	for (int i = 0; i < 60; i++) {
		rng_fill(&rng.rng, u, sizeof(u));
		if (comb_new(&c, u) == SW_OK) {
			comb_free(c);
			check(u, 4);
			on++;
		} else {
			assert_false(prim_x25519_is_on_curve(u));
		}
	}
	assert_in_range(on, 12, 48);
}

static void
points_of_low_order_give_nothing(void **state)
{
	static const uint8_t zero[32];
	uint8_t u[32] = { 0 }, k[32] = { 8 }, out[32];
	struct comb *c;

	(void)state;
	clamp(k);
	for (uint8_t i = 0; i < 2; i++) {
		u[0] = i;
		if (comb_new(&c, u) != SW_OK)
			continue;
		memset(out, 7, sizeof(out));
		assert_int_equal(comb_mul(out, c, k), SW_ERR_FORMAT);
		assert_memory_equal(out, zero, 32);
		comb_free(c);
	}
}

/* Many at once are the same as one by one, beside a point of low order, too. */
static void
a_batch_is_what_each_would_be(void **state)
{
	struct comb_job job[COMB_BATCH];
	struct comb *table[4];
	uint8_t u[32] = { 0 }, sk[32], want[32];
	bool odd;

	(void)state;
	assert_int_equal(comb_new(&table[0], u), SW_OK);	/* low order */
	for (int i = 1; i < 4; i++) {
		rng_fill(&rng.rng, sk, sizeof(sk));
		prim_x25519_base(u, sk);
		assert_int_equal(comb_new(&table[i], u), SW_OK);
	}
	for (size_t n = 0; n <= COMB_BATCH; n++) {
		comb_set_portable(n % 2 == 1);
		odd = false;
		for (size_t i = 0; i < n; i++) {
			uint32_t which = rng_below(&rng.rng, 64);

			which = which == 0 ? 0 : 1 + which % 3;
			odd |= which == 0;
			job[i].table = table[which];
			rng_fill(&rng.rng, job[i].k, 32);
			clamp(job[i].k);
		}
		assert_int_equal(comb_mul_many(job, n), odd ? SW_ERR_FORMAT :
		    SW_OK);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(comb_mul(want, job[i].table,
			    job[i].k), job[i].table == table[0] ?
			    SW_ERR_FORMAT : SW_OK);
			assert_memory_equal(job[i].out, want, 32);
		}
	}
	comb_set_portable(false);
	for (int i = 0; i < 4; i++)
		comb_free(table[i]);
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
		cmocka_unit_test(multiples_are_those_of_the_ladder),
		cmocka_unit_test(
		    any_point_of_the_curve_is_right_and_the_twist_is_refused),
		cmocka_unit_test(points_of_low_order_give_nothing),
		cmocka_unit_test(a_batch_is_what_each_would_be),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
