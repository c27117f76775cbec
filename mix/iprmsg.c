/* The grammar is a tree of one-byte variant numbers; a varint below 251 is
 * its own byte, and 251, 252, 253 announce 2, 4, 8 bytes. */
#include "mix/iprmsg.h"

#include <string.h>

#define STREAM_KIND 3
#define SERVICE_IPR 1
#define MIN_LONG 251

enum { TOP_DATA, TOP_CONTROL };
enum { ASK_CONNECT, ASK_DISCONNECT, ASK_PING, ASK_HEALTH };
enum { SAY_CONNECT, SAY_DISCONNECT, SAY_DROPPED, SAY_PONG, SAY_HEALTH,
	SAY_INFO };
enum { REPLY_SUCCESS, REPLY_FAILURE };

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
put_varint(struct wbuf *w, uint64_t v)
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

static int
get_varint(struct rbuf *r, uint64_t max, uint64_t *v)
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

/* Signed numbers are folded: 0, -1, 1, -2, ... become 0, 1, 2, 3, ... */
static int
get_signed(struct rbuf *r, int32_t *v)
{
	uint64_t u;
	int err = get_varint(r, UINT32_MAX, &u);

	*v = (int32_t)((u >> 1) ^ (0 - (u & 1)));
	return err;
}

static int
put_signed(struct wbuf *w, int32_t v)
{
	return put_varint(w, v >= 0 ? (uint64_t)v * 2 :
	    (uint64_t)(-((int64_t)v + 1)) * 2 + 1);
}

static int
get_variant(struct rbuf *r, uint64_t max, unsigned *v)
{
	uint64_t u;
	int err = get_varint(r, max, &u);

	*v = (unsigned)u;
	return err;
}

static int
get_string(struct rbuf *r, const uint8_t **p, size_t *n)
{
	uint64_t len;
	int err;

	*p = NULL;
	*n = 0;
	if ((err = get_varint(r, r->left, &len)) != SW_OK ||
	    (err = wire_get_ref(r, (size_t)len, p)) != SW_OK)
		return err;
	*n = (size_t)len;
	return SW_OK;
}

static int
put_string(struct wbuf *w, const void *p, size_t n)
{
	int r = put_varint(w, n);

	return r == SW_OK ? wire_put_bytes(w, p, n) : r;
}

static int
put_time(struct wbuf *w, const struct iprmsg_time *t)
{
	int r;

	if ((r = put_signed(w, t->year)) != SW_OK ||
	    (r = put_varint(w, t->day)) != SW_OK ||
	    (r = wire_put_u8(w, t->hour)) != SW_OK ||
	    (r = wire_put_u8(w, t->minute)) != SW_OK ||
	    (r = wire_put_u8(w, t->second)) != SW_OK ||
	    (r = put_varint(w, t->ns)) != SW_OK)
		return r;
	return wire_put_bytes(w, "\0\0", 3);	/* offset from UTC */
}

static int
get_time(struct rbuf *r, struct iprmsg_time *t)
{
	uint8_t offset[3];
	uint64_t day, ns;
	int err;

	if ((err = get_signed(r, &t->year)) != SW_OK ||
	    (err = get_varint(r, 366, &day)) != SW_OK ||
	    (err = wire_get_u8(r, &t->hour)) != SW_OK ||
	    (err = wire_get_u8(r, &t->minute)) != SW_OK ||
	    (err = wire_get_u8(r, &t->second)) != SW_OK ||
	    (err = get_varint(r, 999999999, &ns)) != SW_OK ||
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

static bool
is_version(uint8_t v)
{
	return v >= IPRMSG_V8 && v <= IPRMSG_V10;
}

int
iprmsg_put_request(struct wbuf *w, const struct iprmsg_request *q)
{
	struct wbuf at = *w;
	int r;

	if ((r = wire_put_u8(&at, q->version)) != SW_OK ||
	    (r = wire_put_u8(&at, SERVICE_IPR)) != SW_OK ||
	    (r = wire_put_u8(&at, q->kind == IPRMSG_DATA ? TOP_DATA :
	    TOP_CONTROL)) != SW_OK)
		return r;
	if (q->kind == IPRMSG_DATA) {
		r = put_string(&at, q->bundle, q->bundle_len);
		goto out;
	}
	if ((r = wire_put_u8(&at, (uint8_t)(q->kind - IPRMSG_CONNECT))) !=
	    SW_OK || (r = put_varint(&at, q->id)) != SW_OK)
		return r;
	if (q->kind == IPRMSG_CONNECT &&
	    ((r = wire_put_u8(&at, q->has_timeout)) != SW_OK ||
	    (q->has_timeout && (r = put_varint(&at, q->timeout_ms)) !=
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
	if (!is_version(q->version))
		return SW_ERR_UNSUPPORTED;
	if ((err = get_variant(r, 2, &service)) != SW_OK ||
	    (err = get_variant(r, TOP_CONTROL, &top)) != SW_OK)
		return err;
	if (service != SERVICE_IPR)
		return SW_ERR_UNSUPPORTED;
	if (top == TOP_DATA) {
		q->kind = IPRMSG_DATA;
		return get_string(r, &q->bundle, &q->bundle_len);
	}
	if ((err = get_variant(r, ASK_HEALTH, &ask)) != SW_OK ||
	    (err = get_varint(r, UINT64_MAX, &q->id)) != SW_OK)
		return err;
	q->kind = (enum iprmsg_kind)(IPRMSG_CONNECT + ask);
	if (ask == ASK_CONNECT) {
		if ((err = get_variant(r, 1, &option)) != SW_OK)
			return err;
		q->has_timeout = option == 1;
		if (q->has_timeout && (err = get_varint(r, UINT64_MAX,
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

static int
put_connected(struct wbuf *w, const struct iprmsg_response *a)
{
	int r;

	if (a->reason != IPRMSG_SUCCESS) {
		if ((r = wire_put_u8(w, REPLY_FAILURE)) != SW_OK)
			return r;
		if (a->reason == IPRMSG_ALREADY_CONNECTED)
			return wire_put_u8(w, 0);
		if (a->reason == IPRMSG_NO_ADDRESS)
			return wire_put_u8(w, 1);
		if ((r = wire_put_u8(w, 2)) != SW_OK)
			return r;
		return put_string(w, a->text, strlen(a->text));
	}
	if ((r = wire_put_u8(w, REPLY_SUCCESS)) != SW_OK ||
	    (r = wire_put_bytes(w, a->ip4, sizeof(a->ip4))) != SW_OK ||
	    (r = wire_put_bytes(w, a->ip6, sizeof(a->ip6))) != SW_OK)
		return r;
	return a->version >= IPRMSG_V10 ? put_varint(w, a->mtu) : SW_OK;
}

static int
put_disconnected(struct wbuf *w, const struct iprmsg_response *a)
{
	int r;

	if (a->reason == IPRMSG_SUCCESS)
		return wire_put_u8(w, REPLY_SUCCESS);
	if ((r = wire_put_u8(w, REPLY_FAILURE)) != SW_OK)
		return r;
	if (a->reason == IPRMSG_NOT_CONNECTED)
		return wire_put_u8(w, 0);
	if ((r = wire_put_u8(w, 1)) != SW_OK)
		return r;
	return put_string(w, a->text, strlen(a->text));
}

/* Ten strings about the build, of which we tell the first only, and whether
 * the exit can route, which nobody fills in. */
static int
put_health(struct wbuf *w)
{
	int r = put_string(w, "smolnode", sizeof("smolnode") - 1);

	for (int i = 0; r == SW_OK && i < 9; i++)
		r = put_string(w, "", 0);
	return r == SW_OK ? wire_put_u8(w, 0) : r;
}

static int
put_response(struct wbuf *w, const struct iprmsg_response *a)
{
	static const uint8_t tag[] = {
		[IPRMSG_CONNECT] = SAY_CONNECT,
		[IPRMSG_DISCONNECT] = SAY_DISCONNECT,
		[IPRMSG_DROPPED] = SAY_DROPPED,
		[IPRMSG_PING] = SAY_PONG,
		[IPRMSG_HEALTH] = SAY_HEALTH,
		[IPRMSG_INFO] = SAY_INFO,
	};
	int r;

	if ((r = wire_put_u8(w, a->version)) != SW_OK ||
	    (r = wire_put_u8(w, a->kind == IPRMSG_DATA ? TOP_DATA :
	    TOP_CONTROL)) != SW_OK)
		return r;
	if (a->kind == IPRMSG_DATA)
		return put_string(w, a->bundle, a->bundle_len);
	if ((r = wire_put_u8(w, tag[a->kind])) != SW_OK)
		return r;
	if (a->kind == IPRMSG_DROPPED)
		return wire_put_u8(w, a->reason == IPRMSG_TUN_TIMEOUT);
	if ((r = put_varint(w, a->id)) != SW_OK)
		return r;
	switch (a->kind) {
	case IPRMSG_CONNECT:
		return put_connected(w, a);
	case IPRMSG_DISCONNECT:
		return put_disconnected(w, a);
	case IPRMSG_HEALTH:
		return put_health(w);
	case IPRMSG_INFO:		/* refused by policy, a warning */
		if ((r = wire_put_u8(w, 2)) != SW_OK ||
		    (r = put_string(w, a->text, strlen(a->text))) != SW_OK)
			return r;
		return wire_put_u8(w, 1);
	default:
		return SW_OK;
	}
}

int
iprmsg_put_response(struct wbuf *w, const struct iprmsg_response *a)
{
	struct wbuf at = *w;
	int r = put_response(&at, a);

	if (r == SW_OK)
		*w = at;
	return r;
}

static int
get_text(struct rbuf *r, struct iprmsg_response *a)
{
	const uint8_t *p;
	size_t n;
	int err;

	if ((err = get_string(r, &p, &n)) != SW_OK)
		return err;
	if (n >= sizeof(a->text))
		n = sizeof(a->text) - 1;
	memcpy(a->text, p, n);
	a->text[n] = '\0';
	return SW_OK;
}

static int
get_connected(struct rbuf *r, struct iprmsg_response *a)
{
	unsigned reply, reason;
	uint64_t mtu = 0;
	int err;

	if ((err = get_variant(r, REPLY_FAILURE, &reply)) != SW_OK)
		return err;
	if (reply == REPLY_SUCCESS) {
		if ((err = wire_get_bytes(r, a->ip4, sizeof(a->ip4))) !=
		    SW_OK ||
		    (err = wire_get_bytes(r, a->ip6, sizeof(a->ip6))) !=
		    SW_OK ||
		    (a->version >= IPRMSG_V10 && (err = get_varint(r,
		    UINT16_MAX, &mtu)) != SW_OK))
			return err;
		a->mtu = (uint16_t)mtu;
		return SW_OK;
	}
	if ((err = get_variant(r, 2, &reason)) != SW_OK)
		return err;
	a->reason = reason == 0 ? IPRMSG_ALREADY_CONNECTED :
	    reason == 1 ? IPRMSG_NO_ADDRESS : IPRMSG_OTHER;
	return reason == 2 ? get_text(r, a) : SW_OK;
}

static int
get_disconnected(struct rbuf *r, struct iprmsg_response *a)
{
	unsigned reply, reason;
	int err;

	if ((err = get_variant(r, REPLY_FAILURE, &reply)) != SW_OK ||
	    reply == REPLY_SUCCESS)
		return err;
	if ((err = get_variant(r, 1, &reason)) != SW_OK)
		return err;
	a->reason = reason == 0 ? IPRMSG_NOT_CONNECTED : IPRMSG_OTHER;
	return reason == 1 ? get_text(r, a) : SW_OK;
}

static int
get_dropped(struct rbuf *r, struct iprmsg_response *a)
{
	unsigned reason;
	int err;

	if ((err = get_variant(r, 2, &reason)) != SW_OK)
		return err;
	a->reason = reason == 0 ? IPRMSG_MIX_TIMEOUT :
	    reason == 1 ? IPRMSG_TUN_TIMEOUT : IPRMSG_OTHER;
	return reason == 2 ? get_text(r, a) : SW_OK;
}

static int
get_health(struct rbuf *r, struct iprmsg_response *a)
{
	const uint8_t *p;
	unsigned option, yes;
	size_t n;
	int err = get_text(r, a);

	for (int i = 0; err == SW_OK && i < 9; i++)
		err = get_string(r, &p, &n);
	if (err != SW_OK || (err = get_variant(r, 1, &option)) != SW_OK ||
	    option == 0)
		return err;
	return get_variant(r, 1, &yes);
}

static int
get_info(struct rbuf *r, struct iprmsg_response *a)
{
	unsigned what, level;
	uint8_t versions[2];
	int err;

	if ((err = get_variant(r, 2, &what)) != SW_OK)
		return err;
	err = what == 1 ? wire_get_bytes(r, versions, sizeof(versions)) :
	    get_text(r, a);
	a->reason = what == 2 ? IPRMSG_POLICY : IPRMSG_OTHER;
	return err == SW_OK ? get_variant(r, 2, &level) : err;
}

static const struct {
	enum iprmsg_kind kind;
	int (*get)(struct rbuf *, struct iprmsg_response *);
} says[] = {
	[SAY_CONNECT] = { IPRMSG_CONNECT, get_connected },
	[SAY_DISCONNECT] = { IPRMSG_DISCONNECT, get_disconnected },
	[SAY_DROPPED] = { IPRMSG_DROPPED, get_dropped },
	[SAY_PONG] = { IPRMSG_PING, NULL },
	[SAY_HEALTH] = { IPRMSG_HEALTH, get_health },
	[SAY_INFO] = { IPRMSG_INFO, get_info },
};

static int
get_response(struct iprmsg_response *a, struct rbuf *r)
{
	unsigned top, say;
	int err;

	if ((err = wire_get_u8(r, &a->version)) != SW_OK)
		return err;
	if (!is_version(a->version))
		return SW_ERR_UNSUPPORTED;
	if ((err = get_variant(r, TOP_CONTROL, &top)) != SW_OK)
		return err;
	if (top == TOP_DATA) {
		a->kind = IPRMSG_DATA;
		return get_string(r, &a->bundle, &a->bundle_len);
	}
	if ((err = get_variant(r, SAY_INFO, &say)) != SW_OK)
		return err;
	a->kind = says[say].kind;
	if (say != SAY_DROPPED &&
	    (err = get_varint(r, UINT64_MAX, &a->id)) != SW_OK)
		return err;
	return says[say].get != NULL ? says[say].get(r, a) : SW_OK;
}

int
iprmsg_get_response(struct iprmsg_response *a, const uint8_t *in, size_t n)
{
	struct rbuf r = { in, n };
	int err;

	memset(a, 0, sizeof(*a));
	if ((err = get_response(a, &r)) == SW_OK && r.left == 0)
		return SW_OK;
	memset(a, 0, sizeof(*a));
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
