/* Slots slow down to what a network carries, and not below. */
#include "tests/rig/unit.h"

#include <math.h>
#include <stdio.h>

#include "mix/slotrate.h"
#include "tests/unit/fakenet.h"

#define PACKETS_MAX 20000

/* ---- the rate alone, with a queue for a network -------------------------- */

/* Packets leave at the rate, wait for their turn and come back. */
struct queue {
	struct slotrate rate;
	struct rng_seeded rng;
	double carries;			/* a second; 0: all */
	size_t room;			/* packets that may wait; 0: all */
	unsigned jitter_ms;		/* on top, anything up to this */
	unsigned loss_percent;
	int64_t now_ms;
	double slot_ms;			/* when the next one is due */
	double free_ms;			/* when the network is through */
	int64_t back_ms[PACKETS_MAX], sent_ms[PACKETS_MAX];
	bool dropped[PACKETS_MAX];
	size_t sent;
	uint64_t carried, lost, waited_ms;
};

static void
start(struct queue *q, uint8_t seed)
{
	memset(q, 0, sizeof(*q));
	rng_seeded_init(&q->rng, (const uint8_t[32]){ seed });
	slotrate_init(&q->rate, 4000, 20000);
	q->now_ms = 1000;
	q->slot_ms = 1000;
}

static void
leave(struct queue *q)
{
	double each = q->carries > 0 ? 1000 / q->carries : 0;
	double at = q->free_ms > q->slot_ms ? q->free_ms : q->slot_ms;
	size_t i = q->sent++;

	assert_true(i < PACKETS_MAX);
	q->sent_ms[i] = (int64_t)q->slot_ms;
	q->dropped[i] = rng_below(&q->rng.rng, 100) < q->loss_percent ||
	    (q->room > 0 && at - q->slot_ms > (double)q->room * each);
	if (!q->dropped[i])
		q->free_ms = at + each;
	q->back_ms[i] = q->dropped[i] ? q->sent_ms[i] + 1600 :
	    (int64_t)(at + each) + 60 +
	    (int64_t)rng_below(&q->rng.rng, q->jitter_ms + 1);
}

/* What left in the last ten seconds at most may be due now. */
static void
come_back(struct queue *q)
{
	size_t from = q->sent > 2500 ? q->sent - 2500 : 0;

	for (size_t i = from; i < q->sent; i++) {
		if (q->back_ms[i] != q->now_ms)
			continue;
		if (q->dropped[i]) {
			slotrate_lost(&q->rate);
			q->lost++;
			continue;
		}
		slotrate_acked(&q->rate, q->now_ms - q->sent_ms[i], q->now_ms);
		q->carried++;
		q->waited_ms += (uint64_t)(q->now_ms - q->sent_ms[i]);
	}
}

static void
pass(struct queue *q, unsigned seconds)
{
	int64_t end = q->now_ms + seconds * INT64_C(1000);

	q->carried = q->lost = q->waited_ms = 0;
	for (; q->now_ms < end; q->now_ms++) {
		while (q->slot_ms <= (double)q->now_ms) {
			leave(q);
			q->slot_ms += (double)slotrate_mean_us(&q->rate) /
			    1000 * -log(rng_unit(&q->rng.rng));
		}
		come_back(q);
		slotrate_tick(&q->rate, q->now_ms);
	}
}

static void
a_network_that_carries_all_sees_no_change(void **state)
{
	static struct queue q;

	(void)state;
	start(&q, 1);
	for (unsigned i = 0; i < 60; i++) {
		pass(&q, 1);
		assert_int_equal(slotrate_mean_us(&q.rate), 4000);
	}
	/* Neither do a machine in no hurry and a few losses. */
	start(&q, 2);
	q.jitter_ms = 300;
	q.loss_percent = 5;
	for (unsigned i = 0; i < 60; i++) {
		pass(&q, 1);
		assert_int_equal(slotrate_mean_us(&q.rate), 4000);
	}
}

/* With long queues, with short ones; and what is carried is used. */
static void
a_third_is_carried_and_used(void **state)
{
	static struct queue q;
	static const size_t rooms[] = { 0, 400, 20 };

	(void)state;
	for (size_t i = 0; i < sizeof(rooms) / sizeof(*rooms); i++) {
		start(&q, (uint8_t)(3 + i));
		q.carries = 83;
		q.room = rooms[i];
		pass(&q, 10);
		pass(&q, 30);
		print_message("room %zu: carried %.2f, lost %.2f, waited "
		    "%.0f ms\n", q.room, (double)q.carried / 30 / 83,
		    (double)q.lost / (double)(q.lost + q.carried),
		    (double)q.waited_ms / (double)q.carried);
		assert_true(q.carried >= 30 * 83 * 8 / 10);
		assert_true(q.lost <= (q.lost + q.carried) / 5);
		assert_true(q.waited_ms / q.carried < 500);
	}
}

static void
it_is_never_slower_than_the_slowest(void **state)
{
	static struct queue q;

	(void)state;
	start(&q, 6);
	q.carries = 20;
	pass(&q, 20);
	assert_int_equal(slotrate_mean_us(&q.rate), 20000);
	/* Nor forever: the queue goes, and so does the reason. */
	q.carries = 0;
	q.free_ms = 0;
	pass(&q, 60);
	assert_int_equal(slotrate_mean_us(&q.rate), 4000);
}

static void
without_slots_there_is_no_rate(void **state)
{
	struct slotrate r;

	(void)state;
	slotrate_init(&r, 0, 0);
	for (int64_t ms = 1000; ms < 20000; ms += 10) {
		slotrate_acked(&r, 400, ms);
		slotrate_tick(&r, ms);
		assert_int_equal(slotrate_mean_us(&r), 0);
	}
	assert_in_range(slotrate_wait_ms(&r), 390, 400);
}

/* ---- a client's packets through mixes that take their time --------------- */

struct receiver {
	struct fakenet *net;
	uint64_t messages;
};

static int
transmit(void *arg, const struct sw_addr *first, uint8_t rotation,
    const uint8_t *pkt, size_t len)
{
	return fakenet_transmit(((struct receiver *)arg)->net, first,
	    rotation, pkt, len);
}

static void
message(void *arg, const struct nymmsg *m)
{
	(void)m;
	((struct receiver *)arg)->messages++;
}

static const struct mixclient_events events = {
	.transmit = transmit, .message = message,
};

/* Messages of one packet each, as many as are taken; those that arrived in
 * `seconds`. */
static uint64_t
send_for(struct fakenet *n, struct receiver *to, unsigned seconds)
{
	static const uint8_t data[1000];
	int64_t end = n->now_ms + seconds * INT64_C(1000);
	uint64_t before = to->messages;

	while (n->now_ms < end) {
		while (mixclient_queued(n->client[0]) < 16 &&
		    mixclient_send(n->client[0],
		    mixclient_address(n->client[1]), 0, data,
		    sizeof(data)) == SW_OK)
			;
		fakenet_pass_ms(n);
	}
	return to->messages - before;
}

/* One mix opens a third of what fast sends it: its packets, and their acks. */
static void
a_slow_mix_is_used_and_not_drowned(void **state)
{
	const struct mixclient_stats *st;
	struct receiver a, b;
	struct fakenet n;
	uint64_t got, resent;

	(void)state;
	fakenet_init(&n, 7);
	a = b = (struct receiver){ .net = &n };
	fakenet_add(&n, 0, "fast", &events, &a);
	fakenet_add(&n, 1, "raw", &events, &b);
	st = mixclient_stats(n.client[0]);
	got = send_for(&n, &b, 5);
	assert_in_range(got, 5 * 250 * 8 / 10, 5 * 250 * 12 / 10);
	assert_int_equal(st->resent, 0);
	assert_int_equal(st->slots, 250);
	n.carries = 2 * 250. / 3;
	send_for(&n, &b, 5);
	resent = st->resent;
	got = send_for(&n, &b, 10);
	print_message("%.2f of what is carried, %llu sent again, now %u\n",
	    (double)got / 10 / (250. / 3),
	    (unsigned long long)(st->resent - resent), st->slots);
	assert_true(got >= 10 * 250 / 3 * 6 / 10);
	assert_in_range(st->slots, 50, 150);
	assert_true(st->resent - resent < got / 10);
	fakenet_wipe(&n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_network_that_carries_all_sees_no_change),
		cmocka_unit_test(a_third_is_carried_and_used),
		cmocka_unit_test(it_is_never_slower_than_the_slowest),
		cmocka_unit_test(without_slots_there_is_no_rate),
		cmocka_unit_test(a_slow_mix_is_used_and_not_drowned),
	};

	return cmocka_run_group_tests(tests, unit_prim_init, NULL);
}
