#include "preload/shim_dnsmsg.h"

#include <string.h>

#include "base/wire.h"
#include "preload/shim_hosts.h"

#define NAME_WIRE_MAX 255
#define JUMPS_MAX 64
#define CNAMES_MAX 16

/* One byte of presentation form; moves *s past it. */
static int
get_escaped(const char **s, uint8_t *c)
{
	const char *p = *s;

	if (*p != '\\') {
		*c = (uint8_t)*p;
		*s = p + 1;
		return SW_OK;
	}
	p++;
	if (p[0] >= '0' && p[0] <= '9') {
		int v = 0;

		for (int i = 0; i < 3; i++) {
			if (p[i] < '0' || p[i] > '9')
				return SW_ERR_FORMAT;
			v = v * 10 + (p[i] - '0');
		}
		if (v > 255)
			return SW_ERR_FORMAT;
		*c = (uint8_t)v;
		*s = p + 3;
		return SW_OK;
	}
	if (*p == '\0')
		return SW_ERR_FORMAT;
	*c = (uint8_t)*p;
	*s = p + 1;
	return SW_OK;
}

static int
put_name(struct wbuf *w, const char *s)
{
	size_t all = 1;

	if (strcmp(s, ".") == 0)
		s++;
	while (*s != '\0') {
		uint8_t label[63];
		uint8_t n = 0;

		while (*s != '\0' && *s != '.') {
			if (n == sizeof(label) ||
			    get_escaped(&s, &label[n]) != SW_OK)
				return SW_ERR_FORMAT;
			n++;
		}
		if (n == 0)
			return SW_ERR_FORMAT;
		if (*s == '.')
			s++;
		all += 1u + n;
		if (all > NAME_WIRE_MAX)
			return SW_ERR_FORMAT;
		if (wire_put_u8(w, n) != SW_OK ||
		    wire_put_bytes(w, label, n) != SW_OK)
			return SW_ERR_TOO_LONG;
	}
	return wire_put_u8(w, 0);
}

int
dnsmsg_put_query(uint8_t *msg, size_t *len, uint16_t id, const char *name,
    int class, int type)
{
	struct wbuf w = { .p = msg, .left = *len };
	int r;

	if ((r = wire_put_u16be(&w, id)) != SW_OK ||
	    (r = wire_put_u16be(&w, 0x0100)) != SW_OK ||	/* RD */
	    (r = wire_put_u16be(&w, 1)) != SW_OK ||
	    (r = wire_put_u16be(&w, 0)) != SW_OK ||
	    (r = wire_put_u16be(&w, 0)) != SW_OK ||
	    (r = wire_put_u16be(&w, 0)) != SW_OK ||
	    (r = put_name(&w, name)) != SW_OK ||
	    (r = wire_put_u16be(&w, (uint16_t)type)) != SW_OK ||
	    (r = wire_put_u16be(&w, (uint16_t)class)) != SW_OK)
		return r;
	*len -= w.left;
	return SW_OK;
}

int
dnsmsg_get_result(const uint8_t *msg, size_t len, int *rcode,
    unsigned *answers)
{
	*rcode = 0;
	*answers = 0;
	if (len < DNSMSG_HEADER_LEN)
		return SW_ERR_TRUNCATED;
	*rcode = msg[3] & 0x0f;
	*answers = (unsigned)(msg[6] << 8 | msg[7]);
	return SW_OK;
}

static int
put_label(struct wbuf *w, const uint8_t *label, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t c = label[i];
		uint8_t text[4] = { '\\', (uint8_t)('0' + c / 100),
		    (uint8_t)('0' + c / 10 % 10), (uint8_t)('0' + c % 10) };
		int r;

		if (c <= ' ' || c >= 0x7f)
			r = wire_put_bytes(w, text, 4);
		else if (c == '.' || c == '\\') {
			text[1] = c;
			r = wire_put_bytes(w, text, 2);
		} else
			r = wire_put_u8(w, c);
		if (r != SW_OK)
			return r;
	}
	return SW_OK;
}

/* A possibly compressed name at *at, in presentation form; *at moves past. */
static int
get_name(const uint8_t *msg, size_t len, size_t *at, char *name, size_t room)
{
	struct wbuf w = { .p = (uint8_t *)name, .left = room };
	size_t p = *at;
	int jumps = 0;

	for (;;) {
		uint8_t n;

		if (p >= len)
			return SW_ERR_TRUNCATED;
		n = msg[p];
		if (n >= 0xc0) {
			if (len - p < 2)
				return SW_ERR_TRUNCATED;
			if (jumps++ == 0)
				*at = p + 2;
			if (jumps > JUMPS_MAX)
				return SW_ERR_FORMAT;
			p = (size_t)(n & 0x3f) << 8 | msg[p + 1];
			continue;
		}
		if (n > 63)
			return SW_ERR_FORMAT;
		p++;
		if (n == 0)
			break;
		if (len - p < n)
			return SW_ERR_TRUNCATED;
		if ((w.left != room && wire_put_u8(&w, '.') != SW_OK) ||
		    put_label(&w, msg + p, n) != SW_OK)
			return SW_ERR_TOO_LONG;
		p += n;
	}
	if (jumps == 0)
		*at = p;
	return wire_put_u8(&w, 0);
}

int
dnsmsg_get_question(const uint8_t *msg, size_t len, char *name, size_t room)
{
	size_t at = DNSMSG_HEADER_LEN;

	if (len < DNSMSG_HEADER_LEN || (msg[4] == 0 && msg[5] == 0))
		return SW_ERR_TRUNCATED;
	return get_name(msg, len, &at, name, room);
}

/* The CNAME of `owner` in the answer section, into `target`. */
static int
find_cname(const uint8_t *msg, size_t len, const char *owner, char *target,
    size_t room)
{
	char name[1025];
	size_t at = DNSMSG_HEADER_LEN;
	unsigned answers;
	int rcode, r;

	if ((r = dnsmsg_get_result(msg, len, &rcode, &answers)) != SW_OK ||
	    (r = get_name(msg, len, &at, name, sizeof(name))) != SW_OK)
		return r;
	at += 4;
	for (unsigned i = 0; i < answers; i++) {
		struct rbuf rr;
		uint16_t type, class, rdlen;
		uint32_t ttl;
		size_t data;

		if ((r = get_name(msg, len, &at, name, sizeof(name))) != SW_OK)
			return r;
		if (at > len)
			return SW_ERR_TRUNCATED;
		rr = (struct rbuf){ .p = msg + at, .left = len - at };
		if ((r = wire_get_u16be(&rr, &type)) != SW_OK ||
		    (r = wire_get_u16be(&rr, &class)) != SW_OK ||
		    (r = wire_get_u32be(&rr, &ttl)) != SW_OK ||
		    (r = wire_get_u16be(&rr, &rdlen)) != SW_OK)
			return r;
		data = len - rr.left;
		if (rr.left < rdlen)
			return SW_ERR_TRUNCATED;
		if (type == DNSMSG_CNAME && hosts_same_name(name, owner))
			return get_name(msg, len, &data, target, room);
		at = data + rdlen;
	}
	return SW_ERR_NO_NAME;
}

int
dnsmsg_get_canon(const uint8_t *msg, size_t len, char *name, size_t room)
{
	char owner[1025], target[1025];
	size_t n;
	int r;

	r = dnsmsg_get_question(msg, len, owner, sizeof(owner));
	if (r != SW_OK)
		return r;
	for (int i = 0; i < CNAMES_MAX; i++) {
		r = find_cname(msg, len, owner, target, sizeof(target));
		if (r == SW_ERR_NO_NAME)
			break;
		if (r != SW_OK)
			return r;
		memcpy(owner, target, sizeof(owner));
	}
	n = strlen(owner) + 1;
	if (n > room)
		return SW_ERR_TOO_LONG;
	memcpy(name, owner, n);
	return SW_OK;
}
