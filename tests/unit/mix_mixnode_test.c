/* A node's way with packets: what it passes on, and what it drops and
 * counts; and its memory of what it has seen. */
#include "tests/rig/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mix/ack.h"
#include "mix/mixnode.h"
#include "mix/nymaddr.h"
#include "mix/prim.h"
#include "mix/replay.h"

#define LEN NYMPKT_LEN(2048)

struct rig {
	struct rng_seeded rng;
	struct mixnode *m;
	uint8_t sk[3][32], pk[3][32];	/* the node's keys, by rotation */
	unsigned emitted, delivered;
	struct sw_addr to;
	size_t last_len;
	bool closed;			/* no next hop is allowed */
};

static void
on_emit(void *arg, const struct sw_addr *next, const struct nympkt_frame *f,
    const uint8_t *pkt, size_t len)
{
	struct rig *r = arg;

	(void)pkt;
	assert_int_equal(nympkt_size_of(len), f->size);
	r->emitted++;
	r->to = *next;
}

static void
on_deliver(void *arg, const uint8_t dest[SPHINX_DEST_LEN], uint8_t *data,
    size_t n)
{
	struct rig *r = arg;

	(void)dest;
	(void)data;
	r->delivered++;
	r->last_len = n;
}

static bool
is_allowed(void *arg, const struct sw_addr *next)
{
	(void)next;
	return !((struct rig *)arg)->closed;
}

static const struct mixnode_events events = { on_emit, on_deliver, is_allowed };

static struct rig *
new_rig(bool mix, size_t queue)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct mixnode_config cfg = {
		.rotation_id = 1, .mix = mix, .gateway = !mix, .queue = queue,
		.replay_limit = 1 << 20, .events = &events, .arg = r,
	};

	rng_seeded_init(&r->rng, (const uint8_t[32]){ 5 });
	for (int i = 0; i < 3; i++) {
		rng_fill(&r->rng.rng, r->sk[i], 32);
		prim_x25519_base(r->pk[i], r->sk[i]);
	}
	memcpy(cfg.sk, r->sk[0], 32);
	r->m = mixnode_new(&cfg);
	assert_non_null(r->m);
	return r;
}

static void
free_rig(struct rig *r)
{
	mixnode_free(r->m);
	free(r);
}

/* A packet for key `which`, to be passed on after delay_ms; with `hops` 1 the
 * node is the last one. */
static void
make(struct rig *r, uint8_t pkt[static LEN], int which, size_t hops,
    uint64_t delay_ms)
{
	struct sphinx_route route = { .n = hops };
	uint8_t msg[2048] = { 0 };
	struct sw_addr a;

	for (size_t i = 0; i < hops; i++) {
		a = addr_v4(0x0a000001u + (uint32_t)i, 1789);
		nymaddr_put_padded(route.hop[i].addr, SPHINX_ADDR_LEN, &a);
		memcpy(route.hop[i].key, i == 0 ? r->pk[which] : r->pk[2], 32);
		route.hop[i].delay_ns = delay_ms * 1000000;
	}
	/* As the last hop it finds a first hop and an ack packet. */
	a = addr_v4(0x0a000009, 1789);
	nymaddr_put_padded(msg, 19, &a);
	assert_int_equal(sphinx_create_packet(pkt, LEN, &route, SPHINX_V259,
	    &r->rng.rng, msg, sizeof(msg)), SW_OK);
}

static void
give(struct rig *r, const uint8_t *pkt, size_t len, uint8_t label, int64_t now)
{
	struct nympkt_frame f = { 8, nympkt_size_of(len), label };
	uint8_t copy[LEN];

	memcpy(copy, pkt, len);
	mixnode_take(r->m, &(struct mixnode_packet){ f, copy, len }, 1, now);
}

static void
a_packet_goes_on_once_and_not_before_its_time(void **state)
{
	struct rig *r = new_rig(true, 10);
	uint8_t pkt[LEN];

	(void)state;
	make(r, pkt, 0, 2, 50);
	give(r, pkt, LEN, NYMPKT_ROTATION_ODD, 1000);
	assert_int_equal(mixnode_deadline(r->m), 1050);
	mixnode_tick(r->m, 1049);
	assert_int_equal(r->emitted, 0);
	mixnode_tick(r->m, 1050);
	assert_int_equal(r->emitted, 1);
	assert_int_equal(r->to.ip[15], 2);
	give(r, pkt, LEN, NYMPKT_ROTATION_ODD, 2000);
	mixnode_tick(r->m, 9000);
	assert_int_equal(r->emitted, 1);
	assert_int_equal(mixnode_stats(r->m)->replayed, 1);
	/* A delay beyond all measure is cut. */
	make(r, pkt, 0, 2, 3600000);
	give(r, pkt, LEN, NYMPKT_ROTATION_ODD, 10000);
	assert_int_equal(mixnode_deadline(r->m), 10000 + MIXNODE_MAX_DELAY_MS);
	free_rig(r);
}

static void
a_tampered_header_is_dropped(void **state)
{
	struct rig *r = new_rig(true, 1000);
	uint8_t pkt[LEN];

	(void)state;
	make(r, pkt, 0, 2, 0);
	for (size_t i = 0; i < SPHINX_HEADER_LEN; i += 7) {
		pkt[i] ^= 0x10;
		give(r, pkt, LEN, NYMPKT_ROTATION_ODD, 0);
		pkt[i] ^= 0x10;
	}
	assert_int_equal(r->emitted, 0);
	assert_int_equal(mixnode_stats(r->m)->bad_mac,
	    (SPHINX_HEADER_LEN + 6) / 7);
	give(r, pkt, LEN, NYMPKT_ROTATION_ODD, 0);
	assert_int_equal(r->emitted, 1);
	free_rig(r);
}

static void
a_tampered_payload_does_not_reach_anybody(void **state)
{
	struct rig *r = new_rig(false, 10);
	uint8_t pkt[LEN];

	(void)state;
	for (size_t i = SPHINX_HEADER_LEN; i < LEN; i += 100) {
		make(r, pkt, 0, 1, 0);
		pkt[i] ^= 1;
		give(r, pkt, LEN, NYMPKT_ROTATION_ODD, 0);
	}
	assert_int_equal(r->delivered, 0);
	assert_int_equal(mixnode_stats(r->m)->malformed,
	    (LEN - SPHINX_HEADER_LEN + 99) / 100);
	make(r, pkt, 0, 1, 0);
	give(r, pkt, LEN, NYMPKT_ROTATION_ODD, 0);
	assert_int_equal(r->delivered, 1);
	assert_int_equal(r->last_len, 2048 - ACK_LEN);
	assert_int_equal(r->emitted, 1);	/* the ack */
	assert_int_equal(r->to.ip[15], 9);
	free_rig(r);
}

/* What comes together is judged each for itself: good, the same again, cut
 * short, tampered with, for the other key, low order, payload tampered with. */
static void
a_batch_is_what_each_would_be(void **state)
{
	struct rig *r = new_rig(true, 10);
	const struct mixnode_stats *st = mixnode_stats(r->m);
	struct nympkt_frame odd = { 8, NYMPKT_REGULAR, NYMPKT_ROTATION_ODD };
	struct nympkt_frame even = { 8, NYMPKT_REGULAR,
	    NYMPKT_ROTATION_EVEN };
	uint8_t pkt[MIXNODE_BATCH][LEN];
	struct mixnode_packet p[MIXNODE_BATCH];

	(void)state;
	assert_int_equal(mixnode_rotate(r->m, r->sk[1], 2), SW_OK);
	for (size_t i = 0; i < MIXNODE_BATCH; i++) {
		make(r, pkt[i], i % 2 == 0 ? 0 : 1, 2, 0);
		p[i] = (struct mixnode_packet){ i % 2 == 0 ? odd : even,
		    pkt[i], LEN };
	}
	memcpy(pkt[2], pkt[0], LEN);
	pkt[3][100] ^= 1;
	p[4].frame = even;		/* but it is for the odd key */
	memset(pkt[5], 0, 32);
	p[6].len = 100;
	mixnode_take(r->m, p, MIXNODE_BATCH, 0);
	assert_int_equal(r->emitted, 3);	/* 0, 1, 7 */
	assert_int_equal(st->taken, 8);
	assert_int_equal(st->replayed, 1);
	assert_int_equal(st->bad_mac, 4);
	/* The last hop, for comparison, with a bad one in the middle. */
	free_rig(r);
	r = new_rig(false, 10);
	st = mixnode_stats(r->m);
	for (size_t i = 0; i < 3; i++) {
		make(r, pkt[i], 0, 1, 0);
		p[i] = (struct mixnode_packet){ odd, pkt[i], LEN };
	}
	pkt[1][SPHINX_HEADER_LEN] ^= 1;
	mixnode_take(r->m, p, 3, 0);
	assert_int_equal(r->delivered, 2);
	assert_int_equal(st->malformed, 1);
	mixnode_take(r->m, p, 0, 0);
	assert_int_equal(st->taken, 3);
	free_rig(r);
}

/* Rotations 1 (odd), 2 (even), 3 (odd) in turn. */
static void
both_keys_are_taken_while_they_overlap(void **state)
{
	struct rig *r = new_rig(true, 10);
	const struct mixnode_stats *st = mixnode_stats(r->m);
	uint8_t pkt[LEN];

	(void)state;
	make(r, pkt, 1, 2, 0);
	give(r, pkt, LEN, NYMPKT_ROTATION_EVEN, 0);
	assert_int_equal(st->wrong_rotation, 1);	/* not announced yet */
	assert_int_equal(mixnode_rotate(r->m, r->sk[1], 2), SW_OK);
	give(r, pkt, LEN, NYMPKT_ROTATION_EVEN, 0);
	assert_int_equal(r->emitted, 1);
	make(r, pkt, 0, 2, 0);
	give(r, pkt, LEN, NYMPKT_ROTATION_ODD, 0);
	assert_int_equal(r->emitted, 2);
	make(r, pkt, 0, 2, 0);
	give(r, pkt, LEN, NYMPKT_ROTATION_EVEN, 0);
	assert_int_equal(r->emitted, 2);	/* the label of the other */
	give(r, pkt, LEN, NYMPKT_ROTATION_UNKNOWN, 0);
	assert_int_equal(r->emitted, 3);	/* none: each is tried */
	mixnode_retire(r->m);
	make(r, pkt, 0, 2, 0);
	give(r, pkt, LEN, NYMPKT_ROTATION_ODD, 0);
	give(r, pkt, LEN, NYMPKT_ROTATION_UNKNOWN, 0);
	assert_int_equal(r->emitted, 3);
	assert_int_equal(st->bad_mac, 2);
	assert_int_equal(st->wrong_rotation, 2);
	free_rig(r);
}

static void
roles_queues_and_neighbours_have_their_limits(void **state)
{
	struct rig *r = new_rig(true, 2);
	const struct mixnode_stats *st = mixnode_stats(r->m);
	uint8_t pkt[LEN];

	(void)state;
	make(r, pkt, 0, 1, 0);
	give(r, pkt, LEN, NYMPKT_ROTATION_ODD, 0);
	assert_int_equal(st->wrong_role, 1);	/* a mix is never the last */
	for (int i = 0; i < 3; i++) {
		make(r, pkt, 0, 2, 100);
		give(r, pkt, LEN, NYMPKT_ROTATION_ODD, 0);
	}
	assert_int_equal(st->full, 1);
	r->closed = true;
	mixnode_tick(r->m, 100);
	assert_int_equal(st->refused, 2);
	assert_int_equal(r->emitted, 0);
	/* Sizes that are none of Nym's. */
	mixnode_forward(r->m, &r->to, 0, pkt, LEN - 1);
	mixnode_forward(r->m, &r->to, 0, pkt, 0);
	assert_int_equal(st->malformed, 2);
	free_rig(r);
	r = new_rig(false, 2);
	make(r, pkt, 0, 2, 0);
	give(r, pkt, LEN, NYMPKT_ROTATION_ODD, 0);
	assert_int_equal(mixnode_stats(r->m)->wrong_role, 1);
	free_rig(r);
}

static void
frames_of_no_size_break_the_stream(void **state)
{
	static const uint8_t bad[][4] = {
		{ 6, 1, 0, 0 }, { 9, 1, 0, 0 }, { 8, 0, 0, 0 },
		{ 8, 6, 0, 0 }, { 8, 1, 2, 0 }, { 8, 1, 0, 3 },
		{ 7, 255, 0, 0 },
	};
	struct nympkt_frame f;
	const uint8_t *pkt;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct rbuf r = { bad[i], sizeof(bad[i]) };

		assert_int_equal(nympkt_get_frame(&r, &f, &pkt, &len),
		    SW_ERR_FORMAT);
	}
}

static void
every_tag_is_taken_once(void **state)
{
	enum { TAGS = 200000 };
	struct replay *r = replay_new(64 << 20);
	struct rng_seeded rng;
	uint8_t tag[SPHINX_TAG_LEN];

	(void)state;
	for (int round = 0; round < 2; round++) {
		rng_seeded_init(&rng, (const uint8_t[32]){ 8 });
		for (int i = 0; i < TAGS; i++) {
			rng_fill(&rng.rng, tag, sizeof(tag));
			assert_int_equal(replay_add(r, tag), round == 0 ?
			    SW_OK : SW_ERR_REPLAY);
		}
	}
	assert_int_equal(replay_count(r), TAGS);
	assert_in_range(replay_bytes(r), 5 * TAGS, 11 * TAGS);
	replay_free(r);
}

static void
a_full_filter_lets_nothing_through(void **state)
{
	struct replay *r = replay_new(1 << 16);
	struct rng_seeded rng;
	uint8_t tag[SPHINX_TAG_LEN];
	int err = SW_OK;

	(void)state;
	assert_null(replay_new(100));
	rng_seeded_init(&rng, (const uint8_t[32]){ 9 });
	for (int i = 0; i < 100000 && err == SW_OK; i++) {
		rng_fill(&rng.rng, tag, sizeof(tag));
		err = replay_add(r, tag);
	}
	assert_int_equal(err, SW_ERR_LIMIT);
	assert_true(replay_bytes(r) <= 1 << 16);
	assert_int_equal(replay_add(r, tag), SW_ERR_LIMIT);
	replay_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_packet_goes_on_once_and_not_before_its_time),
		cmocka_unit_test(a_tampered_header_is_dropped),
		cmocka_unit_test(a_tampered_payload_does_not_reach_anybody),
		cmocka_unit_test(a_batch_is_what_each_would_be),
		cmocka_unit_test(both_keys_are_taken_while_they_overlap),
		cmocka_unit_test(
		    roles_queues_and_neighbours_have_their_limits),
		cmocka_unit_test(frames_of_no_size_break_the_stream),
		cmocka_unit_test(every_tag_is_taken_once),
		cmocka_unit_test(a_full_filter_lets_nothing_through),
	};

	return prim_init() == SW_OK ?
	    cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
