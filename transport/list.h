/*
 * list.h - lists of structs that carry their own links: no memory, O(1) at both
 * ends and in the middle.
 *
 *	LIST_OF(sheep_list, sheep) flock;	struct sheep_list flock
 *	struct sheep { LIST_LINK(sheep) link; };
 *
 * LIST_EACH allows no removal while it runs; take LIST_NEXT first for that.
 */
#ifndef SW_TRANSPORT_LIST_H
#define SW_TRANSPORT_LIST_H

#include <assert.h>
#include <stddef.h>

#define LIST_OF(name, type) struct name { struct type *first, *last; }
#define LIST_LINK(type) struct { struct type *prev, *next; }

#define LIST_INIT(l) ((l)->first = (l)->last = NULL)
#define LIST_IS_EMPTY(l) ((l)->first == NULL)
#define LIST_FIRST(l) ((l)->first)
#define LIST_NEXT(e, link) ((e)->link.next)
#define LIST_EACH(e, l, link)						\
	for ((e) = (l)->first; (e) != NULL; (e) = (e)->link.next)

#define LIST_APPEND(l, e, link) do {					\
	(e)->link.next = NULL;						\
	(e)->link.prev = (l)->last;					\
	if ((l)->last != NULL)						\
		(l)->last->link.next = (e);				\
	else								\
		(l)->first = (e);					\
	(l)->last = (e);						\
} while (0)

/* The assertions hold for every list that is whole, and tell a static analyser
 * that a dropped element is reached no more. */
#define LIST_DROP(l, e, link) do {					\
	if ((e)->link.prev == NULL)					\
		(l)->first = (e)->link.next;				\
	else								\
		(e)->link.prev->link.next = (e)->link.next;		\
	if ((e)->link.next == NULL)					\
		(l)->last = (e)->link.prev;				\
	else								\
		(e)->link.next->link.prev = (e)->link.prev;		\
	assert((l)->first != (e) && (l)->last != (e));			\
} while (0)

/* Move everything from `from` to `to`, which must be empty. */
#define LIST_MOVE(to, from) do {					\
	(to)->first = (from)->first;					\
	(to)->last = (from)->last;					\
	LIST_INIT(from);						\
} while (0)

#endif
