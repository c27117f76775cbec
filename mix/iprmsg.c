#include "mix/iprmsg_priv.h"

#include <string.h>

#include "mix/bincode.h"

#define STREAM_KIND 3
#define SERVICE_IPR 1

enum { ASK_CONNECT, ASK_DISCONNECT, ASK_PING, ASK_HEALTH };

int
iprmsg_put_stream(struct wbuf *w, const struct iprmsg_stream *s)
{
	int r;

	if (w->left < IPRMSG_STREAM_HEAD_LEN)
		return SW_ERR_TOO_LONG;
	if ((r = wire_put_u16le(w, STREAM_KIND)) != SW_OK ||
	    (r = wire_put_u64be(w, s->id)) != SW_OK ||
	    (r = wire_put_u8(w, s->open ? 0 : 1)) != SW_OK ||
	    (r = wire_put_u32be(w, s->seq)) != SW_OK)
		return r;
	return wire_put_u8(w, 0);
}

int
iprmsg_get_stream(struct rbuf *r, struct iprmsg_stream *s)
{
	struct rbuf at = *r;
	uint8_t type, reserved;
	uint16_t kind;

	*s = (struct iprmsg_stream){ 0 };
	if (wire_get_u16le(&at, &kind) != SW_OK || kind != STREAM_KIND ||
	    wire_get_u64be(&at, &s->id) != SW_OK ||
	    wire_get_u8(&at, &type) != SW_OK || type > 1 ||
	    wire_get_u32be(&at, &s->seq) != SW_OK ||
	    wire_get_u8(&at, &reserved) != SW_OK) {
		*s = (struct iprmsg_stream){ 0 };
		return SW_ERR_FORMAT;
	}
	s->open = type == 0;
	*r = at;
	return SW_OK;
}

static int
put_time(struct wbuf *w, const struct iprmsg_time *t)
{
	int r;

	if ((r = bincode_put_signed(w, t->year)) != SW_OK ||
	    (r = bincode_put_varint(w, t->day)) != SW_OK ||
	    (r = wire_put_u8(w, t->hour)) != SW_OK ||
	    (r = wire_put_u8(w, t->minute)) != SW_OK ||
	    (r = wire_put_u8(w, t->second)) != SW_OK ||
	    (r = bincode_put_varint(w, t->ns)) != SW_OK)
		return r;
	return wire_put_bytes(w, "\0\0", 3);	/* offset from UTC */
}

static int
get_time(struct rbuf *r, struct iprmsg_time *t)
{
	uint8_t offset[3];
	uint64_t day, ns;
	int err;

	if ((err = bincode_get_signed(r, &t->year)) != SW_OK ||
	    (err = bincode_get_varint(r, 366, &day)) != SW_OK ||
	    (err = wire_get_u8(r, &t->hour)) != SW_OK ||
	    (err = wire_get_u8(r, &t->minute)) != SW_OK ||
	    (err = wire_get_u8(r, &t->second)) != SW_OK ||
	    (err = bincode_get_varint(r, 999999999, &ns)) != SW_OK ||
	    (err = wire_get_bytes(r, offset, sizeof(offset))) != SW_OK)
		return err;
	t->day = (uint16_t)day;
	t->ns = (uint32_t)ns;
	return day == 0 || t->hour > 23 || t->minute > 59 || t->second > 59 ?
	    SW_ERR_FORMAT : SW_OK;
}

static bool
is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

struct iprmsg_time
iprmsg_time_of(int64_t unix_seconds, uint32_t ns)
{
	int64_t days = unix_seconds / 86400, second = unix_seconds % 86400;
	int64_t year = 1970;

	while (days >= (is_leap(year) ? 366 : 365))
		days -= is_leap(year++) ? 366 : 365;
	return (struct iprmsg_time){
		.year = (int32_t)year,
		.day = (uint16_t)(days + 1),
		.hour = (uint8_t)(second / 3600),
		.minute = (uint8_t)(second / 60 % 60),
		.second = (uint8_t)(second % 60),
		.ns = ns,
	};
}

int
iprmsg_put_request(struct wbuf *w, const struct iprmsg_request *q)
{
	struct wbuf at = *w;
	int r;

	if ((r = wire_put_u8(&at, q->version)) != SW_OK ||
	    (r = wire_put_u8(&at, SERVICE_IPR)) != SW_OK ||
	    (r = wire_put_u8(&at, q->kind == IPRMSG_DATA ? IPRMSG_TOP_DATA :
	    IPRMSG_TOP_CONTROL)) != SW_OK)
		return r;
	if (q->kind == IPRMSG_DATA) {
		r = bincode_put_string(&at, q->bundle, q->bundle_len);
		goto out;
	}
	if ((r = wire_put_u8(&at, (uint8_t)(q->kind - IPRMSG_CONNECT))) !=
	    SW_OK || (r = bincode_put_varint(&at, q->id)) != SW_OK)
		return r;
	if (q->kind == IPRMSG_CONNECT &&
	    ((r = wire_put_u8(&at, q->has_timeout)) != SW_OK ||
	    (q->has_timeout && (r = bincode_put_varint(&at, q->timeout_ms)) !=
	    SW_OK)))
		return r;
	r = put_time(&at, &q->time);
out:
	if (r == SW_OK)
		*w = at;
	return r;
}

static int
get_request(struct iprmsg_request *q, struct rbuf *r)
{
	unsigned service, top, ask, option;
	int err;

	if ((err = wire_get_u8(r, &q->version)) != SW_OK)
		return err;
	if (!iprmsg_is_version(q->version))
		return SW_ERR_UNSUPPORTED;
	if ((err = bincode_get_variant(r, 2, &service)) != SW_OK ||
	    (err = bincode_get_variant(r, IPRMSG_TOP_CONTROL, &top)) != SW_OK)
		return err;
	if (service != SERVICE_IPR)
		return SW_ERR_UNSUPPORTED;
	if (top == IPRMSG_TOP_DATA) {
		q->kind = IPRMSG_DATA;
		return bincode_get_string(r, &q->bundle, &q->bundle_len);
	}
	if ((err = bincode_get_variant(r, ASK_HEALTH, &ask)) != SW_OK ||
	    (err = bincode_get_varint(r, UINT64_MAX, &q->id)) != SW_OK)
		return err;
	q->kind = (enum iprmsg_kind)(IPRMSG_CONNECT + ask);
	if (ask == ASK_CONNECT) {
		if ((err = bincode_get_variant(r, 1, &option)) != SW_OK)
			return err;
		q->has_timeout = option == 1;
		if (q->has_timeout && (err = bincode_get_varint(r, UINT64_MAX,
		    &q->timeout_ms)) != SW_OK)
			return err;
	}
	return get_time(r, &q->time);
}

int
iprmsg_get_request(struct iprmsg_request *q, const uint8_t *in, size_t n)
{
	struct rbuf r = { in, n };
	int err;

	memset(q, 0, sizeof(*q));
	if ((err = get_request(q, &r)) == SW_OK && r.left == 0)
		return SW_OK;
	memset(q, 0, sizeof(*q));
	return err == SW_ERR_UNSUPPORTED ? err : SW_ERR_FORMAT;
}

int
iprmsg_put_packet(struct wbuf *w, const uint8_t *pkt, size_t n)
{
	int r;

	if (n > UINT16_MAX || w->left < 2 || n > w->left - 2)
		return SW_ERR_TOO_LONG;
	if ((r = wire_put_u16be(w, (uint16_t)n)) == SW_OK)
		r = wire_put_bytes(w, pkt, n);
	return r;
}

int
iprmsg_get_packet(struct rbuf *bundle, const uint8_t **pkt, size_t *n)
{
	struct rbuf at = *bundle;
	uint16_t len;

	*pkt = NULL;
	*n = 0;
	if (at.left == 0)
		return SW_AGAIN;
	if (wire_get_u16be(&at, &len) != SW_OK ||
	    wire_get_ref(&at, len, pkt) != SW_OK)
		return SW_ERR_TRUNCATED;
	*n = len;
	*bundle = at;
	return SW_OK;
}
