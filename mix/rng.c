#include "mix/rng.h"

#include <assert.h>
#include <math.h>

/* Refuse the part of the range that would make small results likelier. */
uint32_t
rng_below(struct rng *r, uint32_t bound)
{
	uint32_t skip, v;

	assert(bound > 0);
	skip = (0 - bound) % bound;
	do {
		v = rng_u32(r);
	} while (v < skip);
	return v % bound;
}

double
rng_unit(struct rng *r)
{
	uint64_t v;

	rng_fill(r, &v, sizeof(v));
	return ((double)(v >> 11) + 1.0) * 0x1p-53;
}

uint64_t
rng_exponential(struct rng *r, uint64_t mean)
{
	if (mean == 0)
		return 0;
	return (uint64_t)llround(-log(rng_unit(r)) * (double)mean);
}
