/*
 * reserve.h - room in a buffer that grows and is kept.
 *
 * buf, cap  in/out, malloced; NULL and 0 in the beginning
 * need      bytes, below a bound of the caller's
 *
 * SW_OK or SW_ERR_NOMEM: then all is as it was.  Not for secrets: what is left
 * behind when a buffer moves is not wiped.
 */
#ifndef SW_MIX_RESERVE_H
#define SW_MIX_RESERVE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"

static inline SW_MUST_CHECK int
reserve(uint8_t **buf, size_t *cap, size_t need)
{
	size_t n = *cap != 0 ? *cap : 4096;
	uint8_t *p;

	while (n < need)
		n *= 2;
	if (n == *cap)
		return SW_OK;
	if ((p = realloc(*buf, n)) == NULL)
		return SW_ERR_NOMEM;
	*buf = p;
	*cap = n;
	return SW_OK;
}

#endif
