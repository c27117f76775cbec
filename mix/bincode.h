/*
 * bincode.h - numbers and strings as bincode writes them: variable length, big
 * endian (github.com/bincode-org/bincode, docs/spec.md).
 *
 * A varint below 251 is its own byte; 251, 252, 253 announce 2, 4, 8 bytes.
 * What is put has SW_OK or SW_ERR_TOO_LONG; what is read SW_OK, SW_ERR_TRUNCATED
 * or SW_ERR_FORMAT.  After an error the cursor may have moved and the output
 * means nothing: callers give up the whole message.
 */
#ifndef SW_MIX_BINCODE_H
#define SW_MIX_BINCODE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/wire.h"

int bincode_put_varint(struct wbuf *w, uint64_t v) SW_MUST_CHECK;

/* SW_ERR_FORMAT for more than `max`. */
int bincode_get_varint(struct rbuf *r, uint64_t max, uint64_t *v) SW_MUST_CHECK;

/* Signed numbers are folded: 0, -1, 1, -2, ... become 0, 1, 2, 3, ... */
int bincode_put_signed(struct wbuf *w, int32_t v) SW_MUST_CHECK;
int bincode_get_signed(struct rbuf *r, int32_t *v) SW_MUST_CHECK;

/* Which of the variants 0 to `max` of an enumeration; an option is one of two. */
int bincode_get_variant(struct rbuf *r, unsigned max, unsigned *v) SW_MUST_CHECK;

/* Bytes behind their number; *p is borrowed from the message. */
int bincode_put_string(struct wbuf *w, const void *p, size_t n) SW_MUST_CHECK;
int bincode_get_string(struct rbuf *r, const uint8_t **p, size_t *n)
    SW_MUST_CHECK;

#endif
