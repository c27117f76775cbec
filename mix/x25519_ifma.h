/*
 * x25519_ifma.h - eight X25519 at once, by the 52-bit multiplications of
 * AVX-512: some four times as fast as one by one.
 *
 * Behind prim.h and comb.h; nobody else includes it.  Constant time.
 */
#ifndef SW_MIX_X25519_IFMA_H
#define SW_MIX_X25519_IFMA_H

#include <stdbool.h>

#include "mix/prim.h"

#define X25519_IFMA_WORTH 2		/* fewer are faster one by one */

/* Has this processor what it takes?  If not, the next must not be called. */
bool x25519_ifma_works(void);

/* out[i] := k[i], clamped by the caller, times the point with coordinate u[i];
 * zero if that has low order.  Every lane is computed. */
void x25519_ifma(struct prim_lanes *l);

#endif
