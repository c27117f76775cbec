#include "mix/bincode.h"

#define MIN_LONG 251			/* the first byte of a long varint */

int
bincode_put_varint(struct wbuf *w, uint64_t v)
{
	int r;

	if (v < MIN_LONG)
		return wire_put_u8(w, (uint8_t)v);
	if (v <= UINT16_MAX) {
		if ((r = wire_put_u8(w, MIN_LONG)) == SW_OK)
			r = wire_put_u16be(w, (uint16_t)v);
	} else if (v <= UINT32_MAX) {
		if ((r = wire_put_u8(w, MIN_LONG + 1)) == SW_OK)
			r = wire_put_u32be(w, (uint32_t)v);
	} else if ((r = wire_put_u8(w, MIN_LONG + 2)) == SW_OK) {
		r = wire_put_u64be(w, v);
	}
	return r;
}

int
bincode_get_varint(struct rbuf *r, uint64_t max, uint64_t *v)
{
	uint8_t first;
	uint32_t v32;
	uint16_t v16;
	int err;

	*v = 0;
	if ((err = wire_get_u8(r, &first)) != SW_OK)
		return err;
	switch (first) {
	case MIN_LONG:
		err = wire_get_u16be(r, &v16);
		*v = v16;
		break;
	case MIN_LONG + 1:
		err = wire_get_u32be(r, &v32);
		*v = v32;
		break;
	case MIN_LONG + 2:
		err = wire_get_u64be(r, v);
		break;
	case MIN_LONG + 3:
	case MIN_LONG + 4:
		return SW_ERR_FORMAT;
	default:
		*v = first;
	}
	return err == SW_OK && *v > max ? SW_ERR_FORMAT : err;
}

int
bincode_get_signed(struct rbuf *r, int32_t *v)
{
	uint64_t u;
	int err = bincode_get_varint(r, UINT32_MAX, &u);

	*v = (int32_t)((u >> 1) ^ (0 - (u & 1)));
	return err;
}

int
bincode_put_signed(struct wbuf *w, int32_t v)
{
	return bincode_put_varint(w, v >= 0 ? (uint64_t)v * 2 :
	    (uint64_t)(-((int64_t)v + 1)) * 2 + 1);
}

int
bincode_get_variant(struct rbuf *r, unsigned max, unsigned *v)
{
	uint64_t u;
	int err = bincode_get_varint(r, max, &u);

	*v = (unsigned)u;
	return err;
}

int
bincode_get_string(struct rbuf *r, const uint8_t **p, size_t *n)
{
	uint64_t len;
	int err;

	*p = NULL;
	*n = 0;
	if ((err = bincode_get_varint(r, r->left, &len)) != SW_OK ||
	    (err = wire_get_ref(r, (size_t)len, p)) != SW_OK)
		return err;
	*n = (size_t)len;
	return SW_OK;
}

int
bincode_put_string(struct wbuf *w, const void *p, size_t n)
{
	int r = bincode_put_varint(w, n);

	return r == SW_OK ? wire_put_bytes(w, p, n) : r;
}
