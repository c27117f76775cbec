/*
 * pattern.h - bytes that both ends of a bulk test can make and check alone.
 *
 * A block of prime length repeats, so that a shifted, dropped or doubled
 * stretch shows, wherever the stream was cut.
 */
#ifndef TESTS_LIB_PATTERN_H
#define TESTS_LIB_PATTERN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PATTERN_LEN 65521

/* Two periods, so that one pointer serves any offset and up to a period. */
static uint8_t pattern_bytes[2 * PATTERN_LEN];

static inline void
pattern_init(void)
{
	uint32_t x = 1;
	size_t i;

	for (i = 0; i < PATTERN_LEN; i++) {
		x = x * 1664525 + 1013904223;
		pattern_bytes[i] = (uint8_t)(x >> 24);
	}
	memcpy(pattern_bytes + PATTERN_LEN, pattern_bytes, PATTERN_LEN);
}

/* PATTERN_LEN bytes of the stream, from `offset` on. */
static inline const uint8_t *
pattern_at(uint64_t offset)
{
	return pattern_bytes + offset % PATTERN_LEN;
}

/* `len` is at most PATTERN_LEN. */
static inline bool
pattern_matches(uint64_t offset, const void *p, size_t len)
{
	return memcmp(pattern_at(offset), p, len) == 0;
}

#endif
