/*
 * virtual_time.h - a clock that goes on only when nothing else can happen, for
 * programs of one thread and one loop.
 */
#ifndef SW_TESTS_VIRTUAL_TIME_H
#define SW_TESTS_VIRTUAL_TIME_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/loop.h"

static int64_t virtual_ns = 1000000000;

/* In place of base/clock.c. */
int64_t
clock_now_ms(void)
{
	return virtual_ns / 1000000;
}

/* One turn of the loop; if nothing is ready, time goes on to the next timer
 * first.  (To ask epoll itself would take the edges away from the loop.) */
static inline int
virtual_turn(struct loop *l)
{
	struct pollfd ready = { .fd = l->epfd, .events = POLLIN };

	if (poll(&ready, 1, 0) == 0 && l->timers != NULL &&
	    l->timers->at_ms * 1000000 > virtual_ns)
		virtual_ns = l->timers->at_ms * 1000000;
	return loop_run_once(l, 0);
}

#endif
