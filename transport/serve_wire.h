/*
 * serve_wire.h - SSH's strings (RFC 4251 section 5) on top of base/wire.h.
 */
#ifndef SW_TRANSPORT_SERVE_WIRE_H
#define SW_TRANSPORT_SERVE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/wire.h"

struct serve_bytes {
	const uint8_t *p;		/* borrowed */
	size_t len;
};

/* SW_OK; or SW_ERR_FORMAT, nothing consumed, *out empty. */
static inline SW_MUST_CHECK int
serve_get_string(struct rbuf *r, struct serve_bytes *out)
{
	struct rbuf at = *r;
	uint32_t n;

	*out = (struct serve_bytes){ NULL, 0 };
	if (wire_get_u32be(&at, &n) != SW_OK ||
	    wire_get_ref(&at, n, &out->p) != SW_OK)
		return SW_ERR_FORMAT;
	out->len = n;
	*r = at;
	return SW_OK;
}

/* A string that is to be text: without NUL, fitting `cap` with one. */
static inline SW_MUST_CHECK int
serve_get_text(struct rbuf *r, char *out, size_t cap)
{
	struct serve_bytes b;
	struct rbuf at = *r;

	out[0] = '\0';
	if (serve_get_string(&at, &b) != SW_OK || b.len >= cap ||
	    (b.len > 0 && memchr(b.p, 0, b.len) != NULL))
		return SW_ERR_FORMAT;
	if (b.len > 0)
		memcpy(out, b.p, b.len);
	out[b.len] = '\0';
	*r = at;
	return SW_OK;
}

static inline SW_MUST_CHECK int
serve_put_string(struct wbuf *w, const void *p, size_t n)
{
	struct wbuf at = *w;

	if (wire_put_u32be(&at, (uint32_t)n) != SW_OK ||
	    wire_put_bytes(&at, p, n) != SW_OK)
		return SW_ERR_TOO_LONG;
	*w = at;
	return SW_OK;
}

static inline SW_MUST_CHECK int
serve_put_text(struct wbuf *w, const char *text)
{
	return serve_put_string(w, text, strlen(text));
}

static inline bool
serve_is_text(struct serve_bytes b, const char *text)
{
	return b.len == strlen(text) && memcmp(b.p, text, b.len) == 0;
}

#endif
