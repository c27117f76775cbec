/* script_rng.h - randomness that was recorded elsewhere: gives the bytes of
 * `p`, and stops the test when it is asked for more. */
#ifndef SW_TESTS_SCRIPT_RNG_H
#define SW_TESTS_SCRIPT_RNG_H

#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "mix/rng.h"

struct rng_script {
	struct rng rng;
	const uint8_t *p;
	size_t left;
};

static inline void
script_fill(struct rng *self, void *out, size_t n)
{
	struct rng_script *s = CONTAINER_OF(self, struct rng_script, rng);

	if (n > s->left)
		abort();
	memcpy(out, s->p, n);
	s->p += n;
	s->left -= n;
}

static inline struct rng_script
rng_script(const uint8_t *p, size_t n)
{
	return (struct rng_script){ { script_fill }, p, n };
}

#endif
