/*
 * pending.h - fragments on their way: waiting to be sent, or sent and waiting
 * for their ack.  A fixed pool; each fragment has its name for the ack and
 * the recipient it is for, so that it can be packed again with a new route.
 */
#ifndef SW_MIX_PENDING_H
#define SW_MIX_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mix/frag.h"
#include "mix/nymaddr.h"

struct pending_item {
	struct frag_id id;
	struct recipient to;
	int64_t due_ms;			/* sent: when to send again */
	unsigned tries;
	uint8_t *frag;			/* room bytes */
	/* pending.c's own */
	struct pending_item *next, *prev, *chain;
	bool sent;
};

struct pending;

/* A pool of `n` fragments of `room` bytes.  NULL: no memory. */
struct pending *pending_new(size_t n, size_t room);
void pending_free(struct pending *p);	/* wipes; NULL is fine */

/* Items that may be taken; that wait for a first sending, or another. */
size_t pending_count_free(const struct pending *p);
size_t pending_count_queued(const struct pending *p);

/* Take a free item, to be filled and queued; NULL if there is none. */
struct pending_item *pending_take(struct pending *p);

/* To the end of the queue, or (again) to its front. */
void pending_queue(struct pending *p, struct pending_item *it, bool front);

/* The head of the queue, which stays there; NULL when empty. */
struct pending_item *pending_head(const struct pending *p);

/* The head has been sent and is to be sent again at due_ms. */
void pending_sent(struct pending *p, struct pending_item *it, int64_t due_ms);

/* Give an item back, wherever it is. */
void pending_drop(struct pending *p, struct pending_item *it);

/* The item with this name, queued again or not; NULL if there is none. */
struct pending_item *pending_find(struct pending *p, const struct frag_id *id);

/* Move what is overdue to the front of the queue; the time of the next due one,
 * INT64_MAX for none. */
int64_t pending_expire(struct pending *p, int64_t now_ms);

#endif
