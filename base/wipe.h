/*
 * wipe.h - secrets leave memory through here.
 */
#ifndef SW_BASE_WIPE_H
#define SW_BASE_WIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Zero `n` bytes in a way the compiler may not remove.  p may be NULL if n is 0. */
static inline void
sw_wipe(void *p, size_t n)
{
	if (n > 0)
		explicit_bzero(p, n);
}

/* Wipe, then free, heap memory of `n` bytes.  NULL is fine. */
static inline void
sw_wipe_free(void *p, size_t n)
{
	if (p == NULL)
		return;
	explicit_bzero(p, n);
	free(p);
}

/* Are the `n` bytes equal?  Time depends on n only. */
static inline bool
sw_equal_ct(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a;
	const volatile uint8_t *y = b;
	uint8_t diff = 0;

	for (size_t i = 0; i < n; i++)
		diff = (uint8_t)(diff | (x[i] ^ y[i]));
	return diff == 0;
}

#endif
