/*
 * rng.h - randomness as a parameter.
 *
 * Every engine that needs random bytes is handed a struct rng.  Programs give
 * rng_system; tests give a seeded one, so that a run can be repeated.
 */
#ifndef SW_MIX_RNG_H
#define SW_MIX_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
	/* Fill `n` bytes; cannot fail.  `self` is this struct: embed it to
	 * carry state.  Not shared between threads unless it says so. */
	void (*fill)(struct rng *self, void *out, size_t n);
};

static inline void
rng_fill(struct rng *r, void *out, size_t n)
{
	r->fill(r, out, n);
}

static inline uint32_t
rng_u32(struct rng *r)
{
	uint32_t v;

	r->fill(r, &v, sizeof(v));
	return v;
}

/* The kernel's randomness; any thread. */
extern struct rng rng_system;

/* A ChaCha20 keystream under `seed`: the same bytes on every run.  Holds key
 * material if the seed was one. */
struct rng_seeded {
	struct rng rng;
	uint8_t seed[32];
	uint64_t block;
};

void rng_seeded_init(struct rng_seeded *r, const uint8_t seed[static 32]);

/* Uniform in [0, bound), bound > 0. */
uint32_t rng_below(struct rng *r, uint32_t bound);

/* Uniform in (0, 1]. */
double rng_unit(struct rng *r);

/* Exponentially distributed with the given mean, rounded to an integer; 0 if
 * the mean is 0. */
uint64_t rng_exponential(struct rng *r, uint64_t mean);

#endif
