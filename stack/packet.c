#include "stack/packet.h"

#include <errno.h>
#include <string.h>

#include "base/wire.h"

enum { V4_HLEN = 20, V6_HLEN = 40, TCP_HLEN_MIN = 20, V6_FRAGMENT = 44 };

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static uint16_t
be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static void
put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

size_t
packet_len(const uint8_t *p, size_t left)
{
	size_t n;

	if (left < V4_HLEN)
		return 0;
	if (p[0] >> 4 == 4) {
		n = be16(p + 2);
		if (n < V4_HLEN)
			return 0;
	} else if (p[0] >> 4 == 6) {
		if (left < V6_HLEN)
			return 0;
		n = V6_HLEN + (size_t)be16(p + 4);
	} else {
		return 0;
	}
	return n <= left ? n : 0;
}

static struct sw_addr
from_v4(const uint8_t *ip)
{
	struct sw_addr a = { .port = 0 };

	memcpy(a.ip, mapped, sizeof(mapped));
	memcpy(a.ip + 12, ip, 4);
	return a;
}

static struct sw_addr
from_v6(const uint8_t *ip)
{
	struct sw_addr a = { .port = 0 };

	memcpy(a.ip, ip, 16);
	return a;
}

/* The IP header of a packet of which `len` bytes are at hand. */
static int
parse_ip(struct packet *out, const uint8_t *p, size_t len)
{
	size_t hlen;

	memset(out, 0, sizeof(*out));
	if (len < V4_HLEN)
		return SW_ERR_TRUNCATED;
	if (p[0] >> 4 == 4) {
		hlen = (size_t)(p[0] & 15) * 4;
		if (hlen < V4_HLEN)
			return SW_ERR_FORMAT;
		if (hlen > len)
			return SW_ERR_TRUNCATED;
		out->src = from_v4(p + 12);
		out->dst = from_v4(p + 16);
		out->fragment = (be16(p + 6) & 0x3fff) != 0;
		if ((be16(p + 6) & 0x1fff) == 0)
			out->proto = p[9];
	} else if (p[0] >> 4 == 6) {
		hlen = V6_HLEN;
		if (hlen > len)
			return SW_ERR_TRUNCATED;
		out->src = from_v6(p + 8);
		out->dst = from_v6(p + 24);
		out->fragment = p[6] == V6_FRAGMENT;
		if (p[6] == PACKET_TCP || p[6] == PACKET_UDP ||
		    p[6] == PACKET_ICMP6)
			out->proto = p[6];
	} else {
		return SW_ERR_FORMAT;
	}
	out->body = p + hlen;
	out->body_len = len - hlen;
	return SW_OK;
}

static void
parse_ports(struct packet *out)
{
	if (out->proto != PACKET_TCP && out->proto != PACKET_UDP)
		return;
	out->src.port = be16(out->body);
	out->dst.port = be16(out->body + 2);
}

int
packet_parse(struct packet *out, const uint8_t *p, size_t len)
{
	int r = parse_ip(out, p, len);

	if (r != SW_OK)
		return r;
	if (out->proto == PACKET_TCP && !out->fragment) {
		if (out->body_len < TCP_HLEN_MIN)
			return SW_ERR_TRUNCATED;
		out->tcp_flags = out->body[13];
		out->seq = be32(out->body + 4);
		out->ack = be32(out->body + 8);
	}
	if (out->body_len < 8 &&
	    (out->proto == PACKET_TCP || out->proto == PACKET_UDP))
		return SW_ERR_TRUNCATED;
	parse_ports(out);
	return SW_OK;
}

int
packet_parse_quoted(struct packet *out, const uint8_t *p, size_t len)
{
	int r = parse_ip(out, p, len);

	if (r != SW_OK)
		return r;
	if (out->body_len < 8)
		return SW_ERR_TRUNCATED;
	parse_ports(out);
	return SW_OK;
}

static uint32_t
sum16(const uint8_t *p, size_t n, uint32_t sum)
{
	for (; n > 1; p += 2, n -= 2)
		sum += be16(p);
	if (n == 1)
		sum += (uint32_t)p[0] << 8;
	return sum;
}

static uint16_t
fold(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* IP header for `n` bytes of `proto`; returns the header's length. */
static size_t
make_ip(uint8_t *out, const struct sw_addr *src, const struct sw_addr *dst,
    uint8_t proto, size_t n)
{
	if (addr_is_v4(src)) {
		memset(out, 0, V4_HLEN);
		out[0] = 0x45;
		put16(out + 2, V4_HLEN + n);
		put16(out + 6, 0x4000);		/* do not fragment */
		out[8] = 64;
		out[9] = proto;
		memcpy(out + 12, src->ip + 12, 4);
		memcpy(out + 16, dst->ip + 12, 4);
		put16(out + 10, fold(sum16(out, V4_HLEN, 0)));
		return V4_HLEN;
	}
	memset(out, 0, V6_HLEN);
	out[0] = 0x60;
	put16(out + 4, n);
	out[6] = proto;
	out[7] = 64;
	memcpy(out + 8, src->ip, 16);
	memcpy(out + 24, dst->ip, 16);
	return V6_HLEN;
}

/* Sum of the pseudo header that TCP, UDP and ICMPv6 checksums cover. */
static uint32_t
pseudo_sum(const struct sw_addr *src, const struct sw_addr *dst,
    uint8_t proto, size_t n)
{
	size_t skip = addr_is_v4(src) ? 12 : 0;

	return sum16(src->ip + skip, 16 - skip,
	    sum16(dst->ip + skip, 16 - skip, (uint32_t)(proto + n)));
}

/* IP and TCP headers from a to b: ports set, the rest of TCP's zero; *tcp is
 * where it begins.  Returns the length of both. */
static size_t
make_tcp(uint8_t *out, const struct sw_addr *a, const struct sw_addr *b,
    uint8_t **tcp)
{
	size_t hlen = make_ip(out, a, b, PACKET_TCP, TCP_HLEN_MIN);

	*tcp = out + hlen;
	memset(*tcp, 0, TCP_HLEN_MIN);
	put16(*tcp, a->port);
	put16(*tcp + 2, b->port);
	(*tcp)[12] = 5 << 4;
	return hlen + TCP_HLEN_MIN;
}

static void
sum_tcp(uint8_t *tcp, const struct sw_addr *a, const struct sw_addr *b)
{
	put16(tcp + 16, fold(sum16(tcp, TCP_HLEN_MIN, pseudo_sum(a, b,
	    PACKET_TCP, TCP_HLEN_MIN))));
}

size_t
packet_make_ack(uint8_t out[static PACKET_ACK_LEN], const struct packet *syn,
    uint32_t ack, uint16_t window)
{
	uint8_t *tcp;
	size_t len = make_tcp(out, &syn->src, &syn->dst, &tcp);

	put32(tcp + 4, syn->seq + 1);
	put32(tcp + 8, ack);
	tcp[13] = PACKET_ACK;
	put16(tcp + 14, window);
	sum_tcp(tcp, &syn->src, &syn->dst);
	return len;
}

size_t
packet_make_rst(uint8_t out[static PACKET_RST_LEN], const struct packet *in)
{
	size_t len, n;
	uint8_t *tcp;

	if (in->proto != PACKET_TCP || in->fragment ||
	    (in->tcp_flags & PACKET_RST) != 0)
		return 0;
	len = make_tcp(out, &in->dst, &in->src, &tcp);
	if ((in->tcp_flags & PACKET_ACK) != 0) {
		put32(tcp + 4, in->ack);
		tcp[13] = PACKET_RST;
	} else {
		n = in->body_len - (size_t)(in->body[12] >> 4) * 4;
		if (n > in->body_len)
			n = 0;			/* header length is a lie */
		n += (in->tcp_flags & PACKET_SYN) != 0;
		n += (in->tcp_flags & PACKET_FIN) != 0;
		put32(tcp + 8, in->seq + (uint32_t)n);
		tcp[13] = PACKET_RST | PACKET_ACK;
	}
	sum_tcp(tcp, &in->dst, &in->src);
	return len;
}

/* One row for each thing we can say, in both dialects. */
static const struct {
	int code;
	uint8_t type4, code4, type6, code6;
} errors[] = {
	{ SW_ERR_REFUSED, 3, 3, 1, 4 },
	{ SW_ERR_UNREACH_HOST, 3, 1, 1, 3 },
	{ SW_ERR_NO_NAME, 3, 1, 1, 3 },
	{ SW_ERR_DENIED, 3, 13, 1, 1 },
	{ SW_ERR_TIMEOUT, 11, 1, 3, 1 },
	{ SW_ERR_UNREACH_NET, 3, 0, 1, 0 },	/* last: the default */
};
#define ERRORS (sizeof(errors) / sizeof(errors[0]))

static bool
is_icmp_error(const struct packet *in)
{
	if (in->body_len < 1)
		return false;
	return (in->proto == PACKET_ICMP && in->body[0] != 8) ||
	    (in->proto == PACKET_ICMP6 && in->body[0] < 128);
}

size_t
packet_make_error(uint8_t out[static PACKET_ICMP_LEN], const uint8_t *p,
    size_t len, int code)
{
	struct packet in;
	size_t row = 0, hlen, quoted;
	uint8_t *icmp;
	bool v4;

	if (packet_parse(&in, p, len) != SW_OK || in.proto == 0 ||
	    is_icmp_error(&in) || addr_is_multicast(&in.dst))
		return 0;
	while (row < ERRORS - 1 && errors[row].code != code)
		row++;
	v4 = addr_is_v4(&in.src);
	quoted = (size_t)(in.body - p) + 8;
	if (quoted > len)
		quoted = len;
	if (quoted > PACKET_ICMP_LEN - V6_HLEN - 8)
		quoted = PACKET_ICMP_LEN - V6_HLEN - 8;
	hlen = make_ip(out, &in.dst, &in.src, v4 ? PACKET_ICMP : PACKET_ICMP6,
	    8 + quoted);
	icmp = out + hlen;
	memset(icmp, 0, 8);
	icmp[0] = v4 ? errors[row].type4 : errors[row].type6;
	icmp[1] = v4 ? errors[row].code4 : errors[row].code6;
	memcpy(icmp + 8, p, quoted);
	put16(icmp + 2, fold(sum16(icmp, 8 + quoted, v4 ? 0 :
	    pseudo_sum(&in.dst, &in.src, PACKET_ICMP6, 8 + quoted))));
	return hlen + 8 + quoted;
}

size_t
packet_make_udp_error(uint8_t out[static PACKET_ICMP_LEN],
    const struct sw_addr *src, const struct sw_addr *dst, int code)
{
	uint8_t head[V6_HLEN + 8] = { 0 };
	size_t hlen = make_ip(head, src, dst, PACKET_UDP, 8);

	put16(head + hlen, src->port);
	put16(head + hlen + 2, dst->port);
	put16(head + hlen + 4, 8);
	return packet_make_error(out, head, hlen + 8, code);
}

int
packet_icmp_errno(bool v6, uint8_t type, uint8_t code)
{
	if (v6 ? type == 3 : type == 11)
		return code == 1 ? ETIMEDOUT : EHOSTUNREACH;
	if (v6 ? type != 1 : type != 3)
		return 0;
	if (v6) {
		switch (code) {
		case 0: return ENETUNREACH;
		case 1: case 5: case 6: return EACCES;
		case 4: return ECONNREFUSED;
		default: return EHOSTUNREACH;
		}
	}
	switch (code) {
	case 0: case 6: case 11: return ENETUNREACH;
	case 2: case 3: return ECONNREFUSED;
	case 4: return 0;		/* "fragment": not for us to solve */
	case 9: case 10: case 13: return EACCES;
	default: return EHOSTUNREACH;
	}
}
