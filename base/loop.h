/*
 * loop.h - one epoll loop, owned and run by one thread.
 *
 * Watchers and timers are structs that the caller embeds; the loop allocates
 * nothing, so it also runs inside other people's programs.  A callback may
 * remove or free any watcher or timer, its own included.
 *
 * Order within a turn: ready descriptors, due timers, then every `turn` hook
 * once.  Hooks are where batches are flushed: read until EAGAIN during the
 * turn, write once at its end.
 */
#ifndef SW_BASE_LOOP_H
#define SW_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/err.h"

struct loop_fd {
	int fd;
	/* `events` are EPOLL* bits.  Set before loop_add(); borrowed. */
	void (*ready)(struct loop_fd *w, uint32_t events);
	bool added;			/* the loop's */
};

struct loop_timer {
	/* Set before loop_set_timer().  Cleared from the loop before it runs. */
	void (*fire)(struct loop_timer *t);
	int64_t at_ms;			/* the loop's; SW_NEVER when not set */
	struct loop_timer *prev, *next;	/* the loop's */
};

struct loop_turn {
	void (*run)(struct loop_turn *h);
	bool late;			/* after those that are not */
	struct loop_turn *next;		/* the loop's */
};

#define LOOP_BATCH 64

struct loop {
	int epfd;
	int64_t now_ms;			/* read once per turn */
	bool stop;
	struct loop_timer *timers;	/* sorted by at_ms */
	struct loop_turn *turns, *turn_next;
	struct epoll_event ready[LOOP_BATCH];
	int ready_at, ready_n;
};

/* Make the epoll descriptor (CLOEXEC).  SW_OK or SW_ERR_SYS. */
int loop_init(struct loop *l) SW_MUST_CHECK;

/* Close it.  Watchers and timers are forgotten, not called. */
void loop_wipe(struct loop *l);

/* Watch w->fd for `events` (EPOLLIN, EPOLLOUT, EPOLLET...; 0 is allowed).
 * SW_OK or SW_ERR_SYS. */
int loop_add(struct loop *l, struct loop_fd *w, uint32_t events) SW_MUST_CHECK;
void loop_mod(struct loop *l, struct loop_fd *w, uint32_t events);

/* Stop watching; no callback for w follows.  Fine if it was not added.  Must
 * come before w->fd is closed. */
void loop_del(struct loop *l, struct loop_fd *w);

/* (Re)arm: fire once at the absolute time `at_ms`.  SW_NEVER cancels.
 * A zeroed struct loop_timer counts as not set. */
void loop_set_timer(struct loop *l, struct loop_timer *t, int64_t at_ms);

/* Run `h` at the end of each turn from now on, after those added before. */
void loop_add_turn(struct loop *l, struct loop_turn *h);

/* No longer run `h`.  Fine from within a hook, its own included, and when it
 * was not added. */
void loop_del_turn(struct loop *l, struct loop_turn *h);

/* One turn: wait for at most `max_wait_ms` (-1: as long as the timers allow),
 * dispatch, flush.  SW_OK, or SW_ERR_SYS when epoll itself fails. */
int loop_run_once(struct loop *l, int max_wait_ms) SW_MUST_CHECK;

/* Turns until loop->stop is set.  SW_OK or SW_ERR_SYS. */
int loop_run(struct loop *l) SW_MUST_CHECK;

#endif
