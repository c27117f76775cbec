/*
 * seen.h - a set of 64-bit names that forgets the oldest half when it is
 * full: for "did this arrive lately?".  Bounded memory, no allocation after
 * new.  Names must be hard to choose for a peer (parts of a hash or of a MAC,
 * or random numbers drawn by honest ones).
 */
#ifndef SW_MIX_SEEN_H
#define SW_MIX_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seen;

/* One that remembers at least the last `n` names.  NULL: no memory. */
struct seen *seen_new(size_t n);
void seen_free(struct seen *s);		/* NULL is fine */

/* Was `name` added before (and not forgotten)? */
bool seen_has(const struct seen *s, uint64_t name);

/* Add it; true if it was there already. */
bool seen_add(struct seen *s, uint64_t name);

#endif
