/* An IPR client and an exit: how one lets the other in, and knows it again. */
#include "tests/rig/unit.h"

#include "mix/iprclient_priv.h"
#include "tests/rig/ipr_world.h"

static void
every_version_carries_packets_stays_and_says_goodbye(void **state)
{
	uint8_t pkt[1420];

	(void)state;
	for (uint8_t v = IPRMSG_V8; v <= IPRMSG_V10; v++) {
		struct world *w = world_new(v, 0, v);

		world_connect(w);
		assert_int_equal(w->asked[v], 1);
		for (unsigned i = 1; i <= 40; i++) {
			world_packet(w, pkt, sizeof(pkt), (uint8_t)i);
			while (iprclient_send(w->client, pkt, sizeof(pkt)) !=
			    SW_OK)
				world_run(w, 5);
			world_run(w, 10);
		}
		world_run(w, 1000);
		assert_int_equal(w->got, 40);
		assert_int_equal(w->last_len, sizeof(pkt));
		/* Nothing to say for longer than exits remember. */
		world_run(w, 150000);
		assert_int_equal(w->gone, 0);
		assert_int_equal(w->down, 0);
		iprclient_stop(w->client);
		world_run(w, 100);
		assert_int_equal(w->gone, 1);
		world_free(w);
	}
}

/* Answers that take longer than a try: whatever was asked meanwhile, we end up
 * on the stream that the exit serves. */
static void
a_slow_exit_lets_us_in(void **state)
{
	static const struct {
		int64_t lag_ms;
		uint8_t only;
	} cases[] = { { 2000, 0 }, { 8000, 0 }, { 8000, IPRMSG_V9 },
		{ 13000, IPRMSG_V9 }, { 20000, IPRMSG_V9 }, { 20000, 0 },
		{ 8000, IPRMSG_V8 } };
	uint8_t pkt[100];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world *w = world_new(0, 0, (uint8_t)(20 + i));

		w->lag_ms = cases[i].lag_ms;
		w->only = cases[i].only;
		iprclient_start(w->client, w->net.now_ms);
		world_run(w, 60000);
		assert_true(w->up);
		assert_int_equal(w->down, 0);
		w->lag_ms = 0;
		world_run(w, 25000);
		for (unsigned k = 0; k < 3; k++) {
			world_packet(w, pkt, sizeof(pkt), (uint8_t)k);
			assert_int_equal(iprclient_send(w->client, pkt,
			    sizeof(pkt)), SW_OK);
			world_run(w, 100);
			assert_int_equal(w->got, k + 1);
		}
		world_free(w);
	}
}

static void
a_version_that_the_exit_speaks_is_found(void **state)
{
	(void)state;
	for (uint8_t v = IPRMSG_V8; v <= IPRMSG_V10; v++) {
		struct world *w = world_new(0, 0, (uint8_t)(v + 20));

		w->only = v;
		iprclient_start(w->client, w->net.now_ms);
		world_run(w, 4 * IPRCLIENT_TRY_MS);
		assert_true(w->up);
		assert_int_equal(w->down, 0);
		assert_int_equal(w->asked[v], 1);
		assert_int_equal(w->asked[IPRMSG_V9], v == IPRMSG_V9 ? 1 : 2);
		world_free(w);
	}
}

static void
an_exit_that_forgot_us_is_asked_again(void **state)
{
	struct world *w = world_new(IPRMSG_V9, 0, 11);
	uint8_t old[4], pkt[100];

	(void)state;
	world_connect(w);
	memcpy(old, w->ip4, sizeof(old));
	/* One that says nothing to strangers, as Nym's. */
	world_restart_exit(w);
	w->forgetful = true;
	w->up = false;
	world_packet(w, pkt, sizeof(pkt), 1);
	assert_int_equal(iprclient_send(w->client, pkt, sizeof(pkt)), SW_OK);
	world_run(w, 30000);
	assert_int_equal(w->down, SW_ERR_CLOSED);
	assert_true(w->up);
	assert_memory_not_equal(w->ip4, old, 4);
	assert_int_equal(w->asked[IPRMSG_V9], 2);
	w->forgetful = false;
	/* And it stays. */
	world_run(w, 100000);
	assert_int_equal(w->gone, 0);
	assert_int_equal(w->asked[IPRMSG_V9], 2);
	world_free(w);
}

static void
an_exit_that_restarts_says_so(void **state)
{
	struct world *w = world_new(IPRMSG_V9, 0, 13);
	uint8_t old[4], pkt[100];

	(void)state;
	world_connect(w);
	memcpy(old, w->ip4, sizeof(old));
	world_restart_exit(w);
	w->up = false;
	for (uint8_t i = 0; i < 100; i++) {
		world_packet(w, pkt, sizeof(pkt), i);
		(void)!iprclient_send(w->client, pkt, sizeof(pkt));
		world_run(w, 70);
	}
	assert_int_equal(w->down, SW_ERR_CLOSED);
	assert_true(w->up);
	assert_memory_not_equal(w->ip4, old, 4);
	assert_int_equal(w->asked[IPRMSG_V9], 2);
	assert_int_equal(iprexit_stats(w->exit)->clients, 1);
	assert_in_range(iprexit_stats(w->exit)->strangers, 1, 100);
	world_free(w);
}

static void
without_a_way_to_the_exit_nobody_is_asked_again(void **state)
{
	struct world *w = world_new(IPRMSG_V9, 0, 14);
	uint8_t pkt[100];

	(void)state;
	world_connect(w);
	w->net.loss_percent = 100;
	for (uint8_t i = 0; i < 35; i++) {
		world_packet(w, pkt, sizeof(pkt), i);
		(void)!iprclient_send(w->client, pkt, sizeof(pkt));
		world_run(w, 1000);
	}
	w->net.loss_percent = 0;
	world_run(w, 10000);
	assert_int_equal(w->asked[IPRMSG_V9], 1);
	assert_int_equal(w->down, 0);
	assert_true(w->got > 0);
	world_free(w);
}

static void
an_exit_that_was_only_silent_still_knows_us(void **state)
{
	struct world *w = world_new(IPRMSG_V9, 0, 12);

	(void)state;
	world_connect(w);
	w->up = false;
	w->mute = true;			/* its answers are lost */
	world_run(w, 80000);
	w->mute = false;
	world_run(w, 10000);
	assert_int_equal(w->gone, 0);
	assert_int_equal(w->down, 0);
	assert_false(w->up);
	assert_in_range(w->asked[IPRMSG_V9], 2,
	    IPRCLIENT_TRIES + 1);
	assert_int_equal(iprclient_send(w->client, w->last, 40), SW_OK);
	world_free(w);
}

static void
version_10_brings_the_mtu(void **state)
{
	struct world *w = world_new(IPRMSG_V10, 0, 2);

	(void)state;
	world_connect(w);
	assert_int_equal(w->mtu, IPRMSG_MTU);
	world_free(w);
}

static void
a_silent_client_is_forgotten_and_a_quiet_one_is_kept(void **state)
{
	struct world *w = world_new(IPRMSG_V9, 0, 7);

	(void)state;
	world_connect(w);
	w->deaf = true;
	world_run(w, 200000);
	assert_int_equal(w->gone, 0);		/* it kept itself alive */
	assert_int_equal(iprexit_stats(w->exit)->clients, 1);
	iprclient_stop(w->client);
	world_run(w, 100);
	assert_int_equal(w->gone, 1);
	assert_int_equal(iprexit_stats(w->exit)->clients, 0);
	world_free(w);
}

static void
an_exit_that_is_not_there_is_told(void **state)
{
	struct world *w = world_new(IPRMSG_V9, 0, 8);

	(void)state;
	iprexit_free(w->exit);
	w->exit = NULL;
	iprclient_start(w->client, w->net.now_ms);
	world_run(w, (IPRCLIENT_TRIES + 1) * IPRCLIENT_TRY_MS);
	assert_false(w->up);
	assert_int_equal(w->down, SW_ERR_TIMEOUT);
	assert_int_equal(iprclient_send(w->client, w->last, 40), SW_ERR_DOWN);
	/* What arrives later is looked for among the tries, and no further. */
	assert_false(iprclient_is_ours(w->client, 0));
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_version_carries_packets_stays_and_says_goodbye),
		cmocka_unit_test(a_slow_exit_lets_us_in),
		cmocka_unit_test(a_version_that_the_exit_speaks_is_found),
		cmocka_unit_test(an_exit_that_forgot_us_is_asked_again),
		cmocka_unit_test(an_exit_that_restarts_says_so),
		cmocka_unit_test(
		    without_a_way_to_the_exit_nobody_is_asked_again),
		cmocka_unit_test(an_exit_that_was_only_silent_still_knows_us),
		cmocka_unit_test(version_10_brings_the_mtu),
		cmocka_unit_test(
		    a_silent_client_is_forgotten_and_a_quiet_one_is_kept),
		cmocka_unit_test(an_exit_that_is_not_there_is_told),
	};

	return cmocka_run_group_tests(tests, unit_prim_init, NULL);
}
