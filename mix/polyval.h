/* polyval.h - the universal hash of AES-GCM-SIV (RFC 8452 section 3). */
#ifndef SW_MIX_POLYVAL_H
#define SW_MIX_POLYVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLYVAL_LEN 16

/* A hash in progress; holds its key. */
struct polyval {
	uint8_t h[POLYVAL_LEN];
	uint8_t acc[POLYVAL_LEN];
};

void polyval_init(struct polyval *p, const uint8_t key[static POLYVAL_LEN]);

/* Absorb `n` bytes, the last block filled up with zeros. */
void polyval_update(struct polyval *p, const void *in, size_t n);

/* As prim_set_portable(), for the carry-less multiplication. */
void polyval_set_portable(bool portable);

#endif
