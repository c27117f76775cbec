/*
 * preparer.h - packets prepared ahead (prepare.h) by threads of their own.
 *
 * For each recipient there is a small stock; the threads fill what has been
 * asked for and sleep when all of it is full.  A stock that runs empty is
 * filled higher the next time, up to a bound.  Whoever finds it empty fills
 * it himself, so nothing ever waits for a thread, and none is needed.
 *
 * What is in stock is wiped when the network changes, with it the keys of a
 * rotation, and when the preparer is freed.
 */
#ifndef SW_MIX_PREPARER_H
#define SW_MIX_PREPARER_H

#include <stdint.h>

#include "mix/prepare.h"

#define PREPARER_THREADS_MAX 2
#define PREPARER_STOCKS 4		/* recipients, the least recent is left */
#define PREPARER_DEPTH 64		/* for each: some 90 KB */

struct preparer;

struct preparer_stats {
	uint64_t taken;			/* from stock */
	uint64_t missed;		/* times that it was empty */
	uint64_t made;
};

/* As many threads as can be of use besides the one that asks: 0 on a single
 * processor, where they would only be in its way. */
unsigned preparer_threads(void);

/* New, with so many sleeping threads, PREPARER_THREADS_MAX at most, or fewer
 * if there are none to be had.  NULL: no memory. */
struct preparer *preparer_new(unsigned threads);

/* Ends the threads, wipes.  NULL is fine. */
void preparer_free(struct preparer *p);

/* To be given to a mixclient. */
struct prepared_source *preparer_source(struct preparer *p);

/* As they are now. */
void preparer_stats(struct preparer *p, struct preparer_stats *out);

#endif
