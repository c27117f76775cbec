/*
 * base58.h - Bitcoin's alphabet, no checksum: how Nym writes keys as text.
 * For public values only: not constant time.
 */
#ifndef SW_MIX_BASE58_H
#define SW_MIX_BASE58_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define BASE58_MAX_BYTES 96

/* Room for the text of n bytes and its NUL. */
#define BASE58_TEXT_LEN(n) ((n) * 138 / 100 + 2)

/* Write the text of `n` <= BASE58_MAX_BYTES bytes, NUL-terminated, into out
 * of at least BASE58_TEXT_LEN(n); its length. */
size_t base58_encode(char *out, const uint8_t *in, size_t n);

/* Read `len` characters that stand for exactly `n` <= BASE58_MAX_BYTES bytes;
 * out is zeroed unless SW_OK.  SW_ERR_FORMAT. */
int base58_decode(uint8_t *out, size_t n, const char *text, size_t len)
    SW_MUST_CHECK;

#endif
