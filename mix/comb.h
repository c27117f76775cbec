/*
 * comb.h - X25519 for a point that is used often, by a table of its multiples.
 *
 * A header takes one multiplication for each hop, and the nodes of a network
 * are few: a table of 32 KB per node key makes it two to three times faster
 * than the ladder.  The result is X25519's, bit for bit.
 *
 * Constant time in the scalar; the point is public.
 */
#ifndef SW_MIX_COMB_H
#define SW_MIX_COMB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct comb;

/*
 * comb_new() - a table for the point with coordinate `u`.
 *
 * SW_OK; SW_ERR_FORMAT if u is not on the curve (its twist has another
 * group); SW_ERR_NOMEM.  *out is NULL then.
 */
int comb_new(struct comb **out, const uint8_t u[static 32]) SW_MUST_CHECK;
void comb_free(struct comb *c);		/* NULL is fine */

/* out := k times the point.  k is clamped: a multiple of 8, bit 254 set, bit
 * 255 clear.  SW_ERR_FORMAT, and out zeroed, if the point has low order. */
int comb_mul(uint8_t out[static 32], const struct comb *c,
    const uint8_t k[static 32]) SW_MUST_CHECK;

/* Several multiplications, which then cost less each.  Holds secrets; the
 * caller wipes it. */
#define COMB_BATCH 32

struct comb_job {
	const struct comb *table;
	uint8_t k[32];			/* clamped */
	uint8_t out[32];
};

/* n at most COMB_BATCH.  SW_ERR_FORMAT if any point has low order; the results
 * for the others are good, that one's is zero. */
int comb_mul_many(struct comb_job *job, size_t n) SW_MUST_CHECK;

/* Forget the processor's instructions (true) or use them again (false);
 * prim_set_portable() calls it. */
void comb_set_portable(bool portable);

#endif
