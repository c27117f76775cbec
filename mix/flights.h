/*
 * flights.h - packets whose acks may still come, by number.
 *
 * An ack is only for who sent the packet, and names what the sender likes: the
 * number of the packet, so that it tells which try of a fragment came through,
 * and how long that took; and cover has one as well.  The last so many are
 * remembered.  One thread.
 */
#ifndef SW_MIX_FLIGHTS_H
#define SW_MIX_FLIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mix/frag.h"
#include "mix/health.h"

struct flight {
	struct frag_id what;		/* zero: cover */
	uint32_t number;
	unsigned network;		/* of the path's nodes */
	struct health_path path;
	int64_t sent_ms, due_ms;	/* due: its ack */
	int64_t asked_ms;		/* delays asked of the mixes, both ways */
	bool over;			/* its ack came, or was too late */
};

struct flights;

/* One that remembers the last `n`.  NULL: no memory. */
struct flights *flights_new(size_t n);
void flights_free(struct flights *f);	/* NULL is fine */

/* The number of the next packet: from 1, below 2^31. */
uint32_t flights_next(const struct flights *f);

/* It left: *p, whose number is set here. */
void flights_add(struct flights *f, const struct flight *p);

/* The packet with this number, until the next flights_add(); NULL if it was
 * forgotten, or never sent. */
struct flight *flights_find(struct flights *f, uint32_t number);

/* Tell of each packet whose ack has become overdue since the last call. */
void flights_expire(struct flights *f, int64_t now_ms,
    void (*late)(void *arg, const struct flight *p), void *arg);

#endif
