/*
 * lossy.h - a seeded liar between the two ends of a rig's link: loses, repeats
 * and delays packets, the same for the same seed.  With a clock of its own, so
 * that minutes of retransmission pass in no time.  Include once, in a test.
 */
#ifndef SW_TESTS_LOSSY_H
#define SW_TESTS_LOSSY_H

#include <time.h>

#include "tests/unit/stack_rig.h"

#define LOSSY_HELD 64

static struct {
	uint64_t seed;
	unsigned lose, twice, hold;	/* of 1000 packets */
	int64_t now_ms;
	struct lossy_packet {
		int64_t due_ms;
		bool up;		/* towards the splice */
		struct link_frame *f;
	} held[LOSSY_HELD];
	unsigned lost, repeated, delayed;
} lossy;

static uint32_t
lossy_random(void)
{
	lossy.seed += 0x9e3779b97f4a7c15u;
	uint64_t x = lossy.seed;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)(x ^ x >> 31);
}

/* In place of base/clock.c: it goes when we say so. */
int64_t
clock_now_ms(void)
{
	struct timespec ts;

	if (lossy.now_ms != 0)
		return lossy.now_ms;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
lossy_pass(bool up, struct link_frame *f)
{
	struct iovec iov = { f->data, f->len };

	if (up) {
		struct link_frame *copy = link_frame_new(f->data, f->len);

		splice_input(rig.splice, copy);
		link_frame_unref(copy);
	} else if (rig.link != NULL) {
		(void)!link_send(rig.link, &iov, 1);
	}
}

static void
lossy_packet(bool up, const uint8_t *p, size_t n)
{
	struct link_frame *f;
	uint32_t dice = lossy_random() % 1000;

	if (dice < lossy.lose) {
		lossy.lost++;
		return;
	}
	f = link_frame_new(p, n);
	dice -= lossy.lose;
	if (dice < lossy.twice) {
		lossy.repeated++;
		lossy_pass(up, f);
	} else if (dice - lossy.twice < lossy.hold) {
		for (int i = 0; i < LOSSY_HELD; i++)
			if (lossy.held[i].f == NULL) {
				lossy.held[i].f = f;
				lossy.held[i].up = up;
				lossy.held[i].due_ms = lossy.now_ms + 1 +
				    lossy_random() % 40;
				lossy.delayed++;
				return;
			}
	}
	lossy_pass(up, f);
	link_frame_unref(f);
}

static void
lossy_in(struct link_frame *f)
{
	const uint8_t *p = f->data;
	size_t left = f->len;

	while (left >= 40) {
		size_t n = p[0] >> 4 == 4 ? (size_t)p[2] << 8 | p[3] :
		    40 + ((size_t)p[4] << 8 | p[5]);

		assert_true(n > 0 && n <= left);
		lossy_packet(true, p, n);
		p += n;
		left -= n;
	}
	assert_int_equal(left, 0);
}

static int
lossy_out(const struct iovec *iov, int n)
{
	static uint8_t flat[65536];
	size_t at = 0;

	for (int i = 0; i < n; i++) {
		memcpy(flat + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	lossy_packet(false, flat, at);
	return SW_OK;
}

/* One turn; then `ms` milliseconds have passed. */
static void
lossy_turn(int64_t ms)
{
	assert_int_equal(loop_run_once(&rig.loop, 0), SW_OK);
	lossy.now_ms += ms;
	for (int i = 0; i < LOSSY_HELD; i++) {
		struct link_frame *f = lossy.held[i].f;

		if (f == NULL || lossy.held[i].due_ms > lossy.now_ms)
			continue;
		lossy.held[i].f = NULL;
		lossy_pass(lossy.held[i].up, f);
		link_frame_unref(f);
	}
}

/* path: the two ends are told that between them is no local hop. */
static void
lossy_up_as(uint64_t seed, uint16_t mtu, bool path)
{
	memset(&lossy, 0, sizeof(lossy));
	lossy.seed = seed;
	lossy.now_ms = 1000000;
	rig_up_mtu(mtu);
	if (path) {
		splice_set_path(rig.splice, mtu);
		rig.config.flags &= (uint16_t)~LINK_SPLICED;
		rig.config.flags |= LINK_CHECKSUMS;
		rig_send_config();
	}
	lossy_turn(1);
	lossy_turn(1);
	rig.meddle_in = lossy_in;
	rig.meddle_out = lossy_out;
}

static void
lossy_up(uint64_t seed, uint16_t mtu)
{
	lossy_up_as(seed, mtu, true);
}

static void
lossy_down(void)
{
	for (int i = 0; i < LOSSY_HELD; i++)
		link_frame_unref(lossy.held[i].f);
	memset(lossy.held, 0, sizeof(lossy.held));
	(void)rig_down(NULL);
	lossy.now_ms = 0;
}

#endif
