/*
 * wire.h - the only door to bytes of foreign origin.
 *
 * A read cursor (struct rbuf) and a write cursor (struct wbuf) over memory
 * that somebody else owns.  Every get checks; on failure the output is zeroed
 * and nothing is consumed.  Every put checks; on failure nothing is written.
 * Both answer SW_OK or SW_ERR_TRUNCATED (get) / SW_ERR_TOO_LONG (put).
 */
#ifndef SW_BASE_WIRE_H
#define SW_BASE_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

struct rbuf {
	const uint8_t *p;	/* next byte; borrowed */
	size_t left;
};

struct wbuf {
	uint8_t *p;		/* next free byte; borrowed */
	size_t left;
};

/* Borrow `n` bytes: *out points into the cursor's memory, NULL on failure. */
static inline SW_MUST_CHECK int
wire_get_ref(struct rbuf *r, size_t n, const uint8_t **out)
{
	*out = NULL;
	if (r->left < n)
		return SW_ERR_TRUNCATED;
	*out = r->p;
	r->p += n;
	r->left -= n;
	return SW_OK;
}

/* Copy `n` bytes to `dst`. */
static inline SW_MUST_CHECK int
wire_get_bytes(struct rbuf *r, void *dst, size_t n)
{
	const uint8_t *src;

	if (wire_get_ref(r, n, &src) != SW_OK) {
		memset(dst, 0, n);
		return SW_ERR_TRUNCATED;
	}
	if (n > 0)
		memcpy(dst, src, n);
	return SW_OK;
}

static inline SW_MUST_CHECK int
wire_get_uint(struct rbuf *r, size_t n, uint64_t *v, int big)
{
	const uint8_t *b;

	*v = 0;
	if (wire_get_ref(r, n, &b) != SW_OK)
		return SW_ERR_TRUNCATED;
	for (size_t i = 0; i < n; i++)
		*v = *v << 8 | b[big ? i : n - 1 - i];
	return SW_OK;
}

static inline SW_MUST_CHECK int
wire_get_u8(struct rbuf *r, uint8_t *v)
{
	return wire_get_bytes(r, v, 1);
}

#define SW_WIRE_GET(name, type, big)					\
	static inline SW_MUST_CHECK int					\
	name(struct rbuf *r, type *v)					\
	{								\
		uint64_t x;						\
		int err = wire_get_uint(r, sizeof(*v), &x, big);	\
									\
		*v = (type)x;						\
		return err;						\
	}
SW_WIRE_GET(wire_get_u16be, uint16_t, 1)
SW_WIRE_GET(wire_get_u32be, uint32_t, 1)
SW_WIRE_GET(wire_get_u64be, uint64_t, 1)
SW_WIRE_GET(wire_get_u16le, uint16_t, 0)
SW_WIRE_GET(wire_get_u32le, uint32_t, 0)
SW_WIRE_GET(wire_get_u64le, uint64_t, 0)
#undef SW_WIRE_GET

static inline SW_MUST_CHECK int
wire_put_bytes(struct wbuf *w, const void *src, size_t n)
{
	if (w->left < n)
		return SW_ERR_TOO_LONG;
	if (n > 0)
		memcpy(w->p, src, n);
	w->p += n;
	w->left -= n;
	return SW_OK;
}

static inline SW_MUST_CHECK int
wire_put_uint(struct wbuf *w, size_t n, uint64_t v, int big)
{
	if (w->left < n)
		return SW_ERR_TOO_LONG;
	for (size_t i = 0; i < n; i++)
		w->p[big ? n - 1 - i : i] = (uint8_t)(v >> (8 * i));
	w->p += n;
	w->left -= n;
	return SW_OK;
}

static inline SW_MUST_CHECK int
wire_put_u8(struct wbuf *w, uint8_t v)
{
	return wire_put_uint(w, 1, v, 1);
}

static inline SW_MUST_CHECK int
wire_put_u16be(struct wbuf *w, uint16_t v)
{
	return wire_put_uint(w, 2, v, 1);
}

static inline SW_MUST_CHECK int
wire_put_u32be(struct wbuf *w, uint32_t v)
{
	return wire_put_uint(w, 4, v, 1);
}

static inline SW_MUST_CHECK int
wire_put_u64be(struct wbuf *w, uint64_t v)
{
	return wire_put_uint(w, 8, v, 1);
}

static inline SW_MUST_CHECK int
wire_put_u16le(struct wbuf *w, uint16_t v)
{
	return wire_put_uint(w, 2, v, 0);
}

static inline SW_MUST_CHECK int
wire_put_u32le(struct wbuf *w, uint32_t v)
{
	return wire_put_uint(w, 4, v, 0);
}

static inline SW_MUST_CHECK int
wire_put_u64le(struct wbuf *w, uint64_t v)
{
	return wire_put_uint(w, 8, v, 0);
}

#endif
