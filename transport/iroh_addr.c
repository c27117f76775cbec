#include "transport/iroh_addr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/wire.h"

#define TICKET_PREFIX "endpoint"
#define BODY_MAX 4096		/* bytes of a foreign ticket */
#define ADDRS_MAX 64		/* addresses in it */

/* Kinds of addresses, and of IP addresses (postcard numbers variants). */
enum { ADDR_RELAY = 0, ADDR_IP = 1, ADDR_CUSTOM = 2 };
enum { IP_V4 = 0, IP_V6 = 1 };

/* LEB128, as postcard writes numbers: at most ten bytes, no spare ones. */
static int
get_varint(struct rbuf *r, uint64_t *v)
{
	uint8_t b;

	*v = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (wire_get_u8(r, &b) != SW_OK)
			return SW_ERR_TRUNCATED;
		if (shift == 63 && b > 1)
			return SW_ERR_FORMAT;
		*v |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return SW_OK;
	}
	return SW_ERR_FORMAT;
}

static int
put_varint(struct wbuf *w, uint64_t v)
{
	int r = SW_OK;

	for (; v >= 0x80 && r == SW_OK; v >>= 7)
		r = wire_put_u8(w, (uint8_t)(v | 0x80));
	return r == SW_OK ? wire_put_u8(w, (uint8_t)v) : r;
}

static int
get_ip(struct rbuf *r, struct iroh_addr *a)
{
	struct sw_addr ip = { .port = 0 };
	uint64_t kind, port;
	int e;

	if ((e = get_varint(r, &kind)) != SW_OK)
		return e;
	if (kind == IP_V4) {
		ip.ip[10] = ip.ip[11] = 0xff;
		e = wire_get_bytes(r, ip.ip + 12, 4);
	} else if (kind == IP_V6)
		e = wire_get_bytes(r, ip.ip, 16);
	else
		return SW_ERR_FORMAT;
	if (e != SW_OK || (e = get_varint(r, &port)) != SW_OK)
		return e;
	if (port == 0 || port > UINT16_MAX)
		return SW_ERR_FORMAT;
	ip.port = (uint16_t)port;
	if (a->ndirect < IROH_DIRECT_MAX)
		a->direct[a->ndirect++] = ip;
	return SW_OK;
}

static int
get_relay(struct rbuf *r, struct iroh_addr *a)
{
	char url[IROH_URL_LEN];
	const uint8_t *p;
	uint64_t n;
	int e;

	if ((e = get_varint(r, &n)) != SW_OK ||
	    (e = wire_get_ref(r, n, &p)) != SW_OK)
		return e;
	if (n >= sizeof(url) || memchr(p, '\0', n) != NULL)
		return SW_ERR_FORMAT;
	memcpy(url, p, n);
	url[n] = '\0';
	return a->relay[0] == '\0' ? iroh_addr_set_relay(a, url) : SW_OK;
}

static int
get_custom(struct rbuf *r)
{
	uint64_t id, n;
	const uint8_t *p;
	int e;

	if ((e = get_varint(r, &id)) != SW_OK ||
	    (e = get_varint(r, &n)) != SW_OK)
		return e;
	return wire_get_ref(r, n, &p);
}

static int
get_body(struct rbuf *r, struct iroh_addr *a)
{
	uint64_t n, kind;
	uint8_t variant;
	int e;

	if ((e = wire_get_u8(r, &variant)) != SW_OK ||
	    (e = wire_get_bytes(r, a->id.key, IROH_ID_LEN)) != SW_OK ||
	    (e = get_varint(r, &n)) != SW_OK)
		return e;
	if (variant != 0 || n > ADDRS_MAX)
		return SW_ERR_FORMAT;
	for (; n > 0 && e == SW_OK; n--) {
		if ((e = get_varint(r, &kind)) != SW_OK)
			return e;
		if (kind == ADDR_RELAY)
			e = get_relay(r, a);
		else if (kind == ADDR_IP)
			e = get_ip(r, a);
		else
			e = kind == ADDR_CUSTOM ? get_custom(r) : SW_ERR_FORMAT;
	}
	return e == SW_OK && r->left > 0 ? SW_ERR_FORMAT : e;
}

int
iroh_addr_parse(struct iroh_addr *out, const char *text, size_t n)
{
	const size_t prefix = sizeof(TICKET_PREFIX) - 1;
	uint8_t body[BODY_MAX];
	struct rbuf r = { .p = body };
	int e;

	memset(out, 0, sizeof(*out));
	/* 52 letters are an id: the body of so short a ticket would lack one. */
	if (n < prefix || strncmp(text, TICKET_PREFIX, prefix) != 0 ||
	    n == IROH_ID_Z32_LEN - 1)
		return iroh_id_parse(&out->id, text, n);
	e = base32_decode(body, sizeof(body), &r.left, text + prefix,
	    n - prefix);
	if (e == SW_OK)
		e = get_body(&r, out);
	if (e == SW_OK)
		return SW_OK;
	memset(out, 0, sizeof(*out));
	return SW_ERR_FORMAT;
}

int
iroh_addr_add_direct(struct iroh_addr *a, const char *text)
{
	const char *colon = strrchr(text, ':');
	char host[SW_ADDR_TEXT_LEN];
	struct sw_addr ip;
	unsigned long port;
	size_t n;
	char *end;

	if (a->ndirect == IROH_DIRECT_MAX)
		return SW_ERR_LIMIT;
	if (colon == NULL || colon[1] < '0' || colon[1] > '9')
		return SW_ERR_FORMAT;
	port = strtoul(colon + 1, &end, 10);
	if (*end != '\0' || port == 0 || port > UINT16_MAX)
		return SW_ERR_FORMAT;
	n = (size_t)(colon - text);
	if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	} else if (memchr(text, ':', n) != NULL)
		return SW_ERR_FORMAT;	/* v6 needs its brackets */
	if (n >= sizeof(host))
		return SW_ERR_FORMAT;
	memcpy(host, text, n);
	host[n] = '\0';
	if (addr_parse_ip(&ip, host) != SW_OK)
		return SW_ERR_FORMAT;
	ip.port = (uint16_t)port;
	a->direct[a->ndirect++] = ip;
	return SW_OK;
}

int
iroh_addr_set_relay(struct iroh_addr *a, const char *url)
{
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789.-_:[]";
	const char *host, *end;
	size_t n;

	if (strncmp(url, "https://", 8) == 0)
		host = url + 8;
	else if (strncmp(url, "http://", 7) == 0)
		host = url + 7;
	else
		return SW_ERR_FORMAT;
	n = strspn(host, letters);
	end = host + n;
	if (n == 0 || host[0] == ':' || (*end != '\0' && *end != '/'))
		return SW_ERR_FORMAT;
	n = (size_t)(end - url);
	if (n + 2 > sizeof(a->relay))
		return SW_ERR_TOO_LONG;
	memcpy(a->relay, url, n);
	a->relay[n] = '/';
	a->relay[n + 1] = '\0';
	return SW_OK;
}

static int
put_direct(struct wbuf *w, const struct sw_addr *ip)
{
	bool v4 = addr_is_v4(ip);
	int e;

	if ((e = wire_put_u8(w, ADDR_IP)) != SW_OK ||
	    (e = wire_put_u8(w, v4 ? IP_V4 : IP_V6)) != SW_OK ||
	    (e = wire_put_bytes(w, v4 ? ip->ip + 12 : ip->ip, v4 ? 4 : 16)) !=
	    SW_OK)
		return e;
	return put_varint(w, ip->port);
}

/* iroh keeps addresses in a sorted set: relays, then IPv4, then IPv6. */
static int
by_order(const void *x, const void *y)
{
	const struct sw_addr *a = x, *b = y;
	int c = (int)addr_is_v4(b) - (int)addr_is_v4(a);

	if (c == 0)
		c = memcmp(a->ip, b->ip, sizeof(a->ip));
	return c != 0 ? c : (int)a->port - (int)b->port;
}

const char *
iroh_addr_ticket(const struct iroh_addr *a, char buf[static IROH_TICKET_LEN])
{
	struct sw_addr sorted[IROH_DIRECT_MAX];
	uint8_t body[(IROH_TICKET_LEN - sizeof(TICKET_PREFIX) - 1) * 5 / 8];
	struct wbuf w = { .p = body, .left = sizeof(body) };
	size_t url = strlen(a->relay);
	int e;

	memcpy(sorted, a->direct, sizeof(sorted));
	qsort(sorted, a->ndirect, sizeof(*sorted), by_order);
	e = wire_put_u8(&w, 0);
	if (e == SW_OK)
		e = wire_put_bytes(&w, a->id.key, IROH_ID_LEN);
	if (e == SW_OK)
		e = put_varint(&w, a->ndirect + (url > 0));
	if (e == SW_OK && url > 0 &&
	    (e = wire_put_u8(&w, ADDR_RELAY)) == SW_OK &&
	    (e = put_varint(&w, url)) == SW_OK)
		e = wire_put_bytes(&w, a->relay, url);
	for (size_t i = 0; i < a->ndirect && e == SW_OK; i++)
		e = put_direct(&w, &sorted[i]);
	/* 16 addresses of 21 bytes and the longest URL leave room to spare. */
	_Static_assert(sizeof(body) > 1 + IROH_ID_LEN + 2 + 3 + IROH_URL_LEN +
	    IROH_DIRECT_MAX * 21, "a ticket fits");
	(void)e;
	memcpy(buf, TICKET_PREFIX, sizeof(TICKET_PREFIX));
	base32_encode(buf + sizeof(TICKET_PREFIX) - 1, body,
	    (size_t)(w.p - body));
	return buf;
}
