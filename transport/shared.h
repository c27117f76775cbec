/*
 * shared.h - how many hold an object that several threads share.
 *
 * The count is atomic, so no lock is needed to take or to give back a share;
 * who may see what inside the object is the object's own affair.
 */
#ifndef SW_TRANSPORT_SHARED_H
#define SW_TRANSPORT_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>

struct shared {
	atomic_uint holders;
};

/* `holders`: how many shares there are from the beginning. */
static inline void
shared_init(struct shared *s, unsigned holders)
{
	atomic_init(&s->holders, holders);
}

/* One more.  Only for who has a share, or is lent one. */
static inline void
shared_ref(struct shared *s)
{
	(void)atomic_fetch_add_explicit(&s->holders, 1, memory_order_relaxed);
}

/* Give one back.  True: it was the last one, and the object is the caller's to
 * destroy; what others did to it before they gave theirs back is seen. */
static inline bool
shared_unref(struct shared *s)
{
	return atomic_fetch_sub_explicit(&s->holders, 1,
	    memory_order_acq_rel) == 1;
}

/* How many there are just now, for who has one. */
static inline unsigned
shared_count(const struct shared *s)
{
	return atomic_load_explicit(&s->holders, memory_order_relaxed);
}

#endif
