#include "mix/ipflow.h"

#include <stdbool.h>
#include <string.h>

#include "mix/ipsum.h"

enum { ICMP = 1, TCP = 6, UDP = 17, ICMP6 = 58, FRAGMENT = 44 };
enum { V4_HEAD = 20, V6_HEAD = 40, ICMP_HEAD = 8, QUOTE_MAX = 512 };
#define EXTENSIONS_MAX 8

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void
put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
get_ports(struct ipflow *f, const uint8_t *p, size_t left)
{
	if ((f->proto != TCP && f->proto != UDP) || left < 4)
		return;
	f->src.port = get16(p);
	f->dst.port = get16(p + 2);
}

static int
read_v4(struct ipflow *f, const uint8_t *p, size_t n)
{
	size_t head = 4 * (size_t)(p[0] & 15);

	if (head < V4_HEAD || head > n || get16(p + 2) != n)
		return SW_ERR_FORMAT;
	f->src = addr_v4(0, 0);
	f->dst = addr_v4(0, 0);
	memcpy(f->src.ip + 12, p + 12, 4);
	memcpy(f->dst.ip + 12, p + 16, 4);
	if ((get16(p + 6) & 0x1fff) != 0)
		return SW_OK;		/* not the first piece */
	f->proto = p[9];
	get_ports(f, p + head, n - head);
	return SW_OK;
}

static int
read_v6(struct ipflow *f, const uint8_t *p, size_t n)
{
	size_t at = V6_HEAD, len;
	uint8_t next = p[6];

	if ((size_t)get16(p + 4) + V6_HEAD != n)
		return SW_ERR_FORMAT;
	memcpy(f->src.ip, p + 8, 16);
	memcpy(f->dst.ip, p + 24, 16);
	if (addr_is_v4(&f->src) || addr_is_v4(&f->dst))
		return SW_ERR_FORMAT;	/* mapped: never on the wire */
	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		if (next != 0 && next != 43 && next != 60 && next != FRAGMENT) {
			f->proto = next;
			get_ports(f, p + at, n - at);
			return SW_OK;
		}
		if (n - at < 8)
			return SW_ERR_FORMAT;
		if (next == FRAGMENT && (get16(p + at + 2) & 0xfff8) != 0)
			return SW_OK;	/* not the first piece */
		len = next == FRAGMENT ? 8 : 8 * (1 + (size_t)p[at + 1]);
		if (len > n - at)
			return SW_ERR_FORMAT;
		next = p[at];
		at += len;
	}
	return SW_ERR_FORMAT;
}

int
ipflow_read(struct ipflow *f, const uint8_t *pkt, size_t n)
{
	int r = SW_ERR_FORMAT;

	memset(f, 0, sizeof(*f));
	if (n >= V4_HEAD && pkt[0] >> 4 == 4)
		r = read_v4(f, pkt, n);
	else if (n >= V6_HEAD && pkt[0] >> 4 == 6)
		r = read_v6(f, pkt, n);
	if (r != SW_OK)
		memset(f, 0, sizeof(*f));
	return r;
}

/* Errors are never answered with errors (RFC 1122 3.2.2, RFC 4443 2.4). */
static bool
may_be_answered(const struct ipflow *f, const uint8_t *pkt, size_t n)
{
	size_t head = pkt[0] >> 4 == 4 ? 4 * (size_t)(pkt[0] & 15) : V6_HEAD;

	if (f->proto == 0 || addr_is_multicast(&f->dst) ||
	    addr_is_any(&f->src) || addr_is_multicast(&f->src))
		return false;
	if (f->proto == ICMP)		/* only echo and its kin */
		return n > head && (pkt[head] == 8 || pkt[head] == 13);
	if (f->proto == ICMP6)
		return n > head && pkt[6] == ICMP6 && pkt[head] >= 128;
	return true;
}

size_t
ipflow_refuse(uint8_t out[static IPFLOW_ERROR_MAX], const struct ipflow *f,
    const uint8_t *pkt, size_t n)
{
	bool v4 = addr_is_v4(&f->src);
	size_t head = v4 ? V4_HEAD : V6_HEAD, len;

	if (!may_be_answered(f, pkt, n))
		return 0;
	if (n > QUOTE_MAX)
		n = QUOTE_MAX;
	len = head + ICMP_HEAD + n;
	memset(out, 0, head + ICMP_HEAD);
	if (v4) {
		out[0] = 0x45;
		put16(out + 2, len);
		out[8] = 64;
		out[9] = ICMP;
		memcpy(out + 12, f->dst.ip + 12, 4);
		memcpy(out + 16, f->src.ip + 12, 4);
	} else {
		out[0] = 0x60;
		put16(out + 4, len - head);
		out[6] = ICMP6;
		out[7] = 64;
		memcpy(out + 8, f->dst.ip, 16);
		memcpy(out + 24, f->src.ip, 16);
	}
	out[head] = v4 ? 3 : 1;
	out[head + 1] = v4 ? 13 : 1;
	memcpy(out + head + ICMP_HEAD, pkt, n);
	ipsum_fill(out, len);
	return len;
}
