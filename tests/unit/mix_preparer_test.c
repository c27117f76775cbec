/* Packets prepared ahead, by threads: right ones, for the right network, and
 * not waited for.  Waits are for a condition, with an end far away. */
#include "tests/rig/unit.h"

#include <time.h>
#include <unistd.h>

#include "mix/preparer.h"
#include "tests/lib/patience.h"
#include "tests/rig/nowhere.h"
#include "tests/unit/fakenet.h"

#define WAIT_MS patient_ms(20000)
#define FIRST 8				/* in a new stock */

static struct preparer *preparer;
static struct prepared_source *source;
static struct fakenet net;

static uint64_t
made(void)
{
	struct preparer_stats st;

	preparer_stats(preparer, &st);
	return st.made;
}

static void
wait_made(uint64_t n)
{
	for (int i = 0; made() < n && i < WAIT_MS; i++)
		usleep(1000);
	assert_true(made() >= n);
}

/* A recipient at the gateway, by number. */
static struct recipient
somebody(uint8_t number)
{
	struct recipient r = { .identity = { number } };
	uint8_t sk[32] = { number }, seed[32];

	prim_x25519_base(r.encryption, sk);
	memset(seed, 0x44, sizeof(seed));
	prim_ed25519_public(r.gateway, seed);
	return r;
}

static bool
take(const struct recipient *to, bool seal, struct prepared *out)
{
	struct prepare_job job = { .to = to, .seal = seal };

	return source->take(source, &job, out);
}

/* The header leads to its recipient, and the key is the one it will find. */
static void
check(const struct prepared *p, const struct recipient *to, uint8_t number)
{
	uint8_t pkt[SPHINX_HEADER_LEN + 64], sk[32], key[16], peer[32] = {
	    number };
	struct sphinx_hop_info info = { .final = false };
	struct sphinx_keys k;
	struct sw_addr at;
	uint64_t delay = 0;

	memcpy(pkt, p->header.bytes, SPHINX_HEADER_LEN);
	assert_int_equal(sphinx_put_payload(&p->header, pkt +
	    SPHINX_HEADER_LEN, 64, "hello", 5), SW_OK);
	assert_int_equal(nymaddr_get_padded(p->first, 32, &at), SW_OK);
	while (!info.final) {
		memset(sk, at.ip[15], sizeof(sk));
		assert_int_equal(sphinx_open(&k, pkt, sizeof(pkt), sk), SW_OK);
		assert_int_equal(sphinx_peel(&k, pkt, sizeof(pkt), &info),
		    SW_OK);
		delay += info.delay_ns;
		if (!info.final)
			assert_int_equal(nymaddr_get_padded(info.next, 32,
			    &at), SW_OK);
	}
	assert_int_equal(info.msg_len, 5);
	assert_memory_equal(info.dest, to->identity, 32);
	assert_int_equal(delay, p->delay_ns);
	assert_int_equal(nymseal_key(key, peer, p->seal.pk), SW_OK);
	assert_memory_equal(key, p->seal.key, 16);
}

static int
begin(void **state)
{
	(void)state;
	if (prim_init() != SW_OK ||
	    (preparer = preparer_new(PREPARER_THREADS_MAX)) == NULL)
		return -1;
	source = preparer_source(preparer);
	fakenet_init(&net, 1);
	source->use(source, net.topology, 1000000);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	preparer_free(preparer);
	fakenet_wipe(&net);
	return 0;
}

static void
what_was_asked_for_is_made_ahead_and_right(void **state)
{
	struct recipient to = somebody(1), other = somebody(2);
	struct prepared p;

	(void)state;
	usleep(2000);
	assert_int_equal(made(), 0);	/* nobody has asked */
	assert_false(take(&to, true, &p));
	assert_false(take(&other, true, &p));
	wait_made(2 * FIRST);
	for (int i = 0; i < FIRST; i++) {
		assert_true(take(&to, true, &p));
		check(&p, &to, 1);
		assert_true(take(&other, true, &p));
		check(&p, &other, 2);
	}
}

static void
another_network_gets_nothing_of_the_last(void **state)
{
	struct recipient to = somebody(1);
	struct prepared p;
	uint64_t before;

	(void)state;
	assert_false(take(&to, true, &p));
	wait_made(FIRST);
	source->use(source, NULL, 0);
	before = made();
	for (int i = 0; i < 100; i++)
		assert_false(take(&to, true, &p));
	usleep(5000);
	assert_int_equal(made(), before);
	assert_false(take(&to, true, &p));
	/* The same one again, with other delays: none. */
	source->use(source, net.topology, 0);
	wait_made(before + FIRST);
	assert_true(take(&to, true, &p));
	assert_int_equal(p.delay_ns, 0);
	check(&p, &to, 1);
}

static void
change_while_the_threads_work(void **state)
{
	struct recipient to[PREPARER_STOCKS + 2];
	struct prepared p;

	(void)state;
	for (uint8_t i = 0; i < PREPARER_STOCKS + 2; i++)
		to[i] = somebody((uint8_t)(i + 1));
	for (int round = 0; round < 150; round++) {
		uint8_t i = (uint8_t)(round % (PREPARER_STOCKS + 2));

		for (int k = 0; k < 3; k++)
			if (take(&to[i], true, &p))
				check(&p, &to[i], (uint8_t)(i + 1));
		if (round % 10 == 9)
			source->use(source, net.topology, 1000000);
		if (round % 7 == 0)
			usleep(300);
	}
}

static void
more_recipients_than_stocks_take_turns(void **state)
{
	struct recipient to;
	struct prepared p;

	(void)state;
	for (uint8_t i = 1; i <= PREPARER_STOCKS + 1; i++) {
		to = somebody(i);
		assert_false(take(&to, true, &p));
	}
	to = somebody(1);		/* its stock went to the last one */
	assert_false(take(&to, true, &p));
	wait_made(1);
	for (int i = 0; i < WAIT_MS && !take(&to, true, &p); i++)
		usleep(1000);
	check(&p, &to, 1);
}

static double
cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
full_stocks_and_dead_ends_cost_nothing(void **state)
{
	struct recipient to = somebody(1), nowhere = somebody(2);
	struct prepared p;
	double before;

	(void)state;
	memset(nowhere.gateway, 9, sizeof(nowhere.gateway));
	assert_false(take(&to, true, &p));
	assert_false(take(&nowhere, true, &p));
	wait_made(FIRST);
	assert_false(take(&nowhere, true, &p));
	usleep(20000);
	before = cpu_ms();
	usleep(100000);
	assert_true(cpu_ms() - before < 10);
	assert_false(take(&nowhere, true, &p));
}

/* With no thread at all, too: the first alone, then by batches. */
static void
whoever_finds_none_makes_a_batch(void **state)
{
	struct preparer *alone = preparer_new(0);
	struct prepared_source *before = source;
	struct recipient to = somebody(1);
	struct preparer_stats st;
	struct prepared p;

	(void)state;
	source = preparer_source(alone);
	source->use(source, net.topology, 1000000);
	assert_false(take(&to, true, &p));
	for (int i = 0; i < 3 * FIRST; i++) {
		assert_true(take(&to, true, &p));
		check(&p, &to, 1);
	}
	preparer_stats(alone, &st);
	assert_int_equal(st.made, 3 * FIRST);
	assert_int_equal(st.missed, 4);
	source->use(source, NULL, 0);
	assert_false(take(&to, true, &p));
	preparer_free(alone);
	source = before;
}

static int
transmit(void *arg, const struct sw_addr *first, uint8_t rotation,
    const uint8_t *pkt, size_t len)
{
	return fakenet_transmit(arg, first, rotation, pkt, len);
}

/* Faster than any thread, slower, and after a pause: all of it arrives. */
static void
a_client_is_never_held_up(void **state)
{
	static const struct mixclient_events events = {
		.transmit = transmit, .message = nowhere_message,
	};
	static uint8_t data[30000];
	struct mixclient *a, *b;
	struct preparer_stats st;

	(void)state;
	net.ahead = source;
	a = fakenet_add(&net, 0, "raw", &events, &net);
	net.ahead = NULL;
	b = fakenet_add(&net, 1, "raw", &events, &net);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(mixclient_send(a, mixclient_address(b), 5,
		    data, sizeof(data)), SW_OK);
		fakenet_run(&net, 20);
		if (i % 4 == 0)
			usleep(3000);
	}
	assert_int_equal(mixclient_stats(b)->received, 20);
	assert_int_equal(mixclient_stats(a)->acked, mixclient_stats(a)->sent);
	assert_int_equal(mixclient_stats(a)->bad, 0);
	preparer_stats(preparer, &st);
	assert_true(st.taken > 0 && st.missed > 0);
}

int
main(void)
{
#define EACH(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		EACH(what_was_asked_for_is_made_ahead_and_right),
		EACH(another_network_gets_nothing_of_the_last),
		EACH(change_while_the_threads_work),
		EACH(more_recipients_than_stocks_take_turns),
		EACH(full_stocks_and_dead_ends_cost_nothing),
		EACH(whoever_finds_none_makes_a_batch),
		EACH(a_client_is_never_held_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
