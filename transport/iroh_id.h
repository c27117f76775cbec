/*
 * iroh_id.h - an endpoint's name: its Ed25519 public key, and its text forms.
 */
#ifndef SW_TRANSPORT_IROH_ID_H
#define SW_TRANSPORT_IROH_ID_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define IROH_ID_LEN 32
#define IROH_ID_TEXT_LEN 65	/* 64 hex digits and NUL */
#define IROH_ID_Z32_LEN 53	/* 52 letters and NUL */

struct iroh_id {
	uint8_t key[IROH_ID_LEN];
};

/* 64 lower-case hex digits, as iroh 1.x prints ids; returns buf. */
const char *iroh_id_text(const struct iroh_id *id,
    char buf[static IROH_ID_TEXT_LEN]);

/* z-base-32, as DNS and pkarr names have it; returns buf. */
const char *iroh_id_z32(const struct iroh_id *id,
    char buf[static IROH_ID_Z32_LEN]);

/*
 * Parse `n` bytes of text: 64 hex digits, 52 letters of base32 (RFC 4648, no
 * padding) or 52 of z-base-32, in any case.  A text that is both base32s is
 * taken as RFC 4648, which is what iroh's own parser does.
 *
 * SW_OK, or SW_ERR_FORMAT and zeros.  That it is a point of the curve is not
 * checked: nobody can prove an identity that is none.
 */
int iroh_id_parse(struct iroh_id *out, const char *text, size_t n)
    SW_MUST_CHECK;

/*
 * RFC 4648 base32, no padding: lower case out, any case in; the bits that are
 * left over must be zero.  Encode needs (n * 8 + 4) / 5 + 1 bytes at `out`,
 * NUL included, and returns the length.  Decode answers SW_OK and *n,
 * SW_ERR_FORMAT, or SW_ERR_TOO_LONG for more than `cap` bytes.
 */
size_t base32_encode(char *out, const uint8_t *in, size_t n);
int base32_decode(uint8_t *out, size_t cap, size_t *n, const char *text,
    size_t len) SW_MUST_CHECK;

#endif
