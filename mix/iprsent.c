#include "mix/iprsent.h"

#include <stdlib.h>
#include <string.h>

enum { ICMP = 1, TCP = 6, ICMP6 = 58 };
enum { V4_HEAD = 20, V6_HEAD = 40, ICMP_HEAD = 8 };
enum { SYN = 2, ACK = 16, FLAGS_AT = 13 };

static bool
same_flow(const struct ipflow *a, const struct ipflow *b)
{
	return a->proto == b->proto &&
	    memcmp(&a->src, &b->src, sizeof(a->src)) == 0 &&
	    memcmp(&a->dst, &b->dst, sizeof(a->dst)) == 0;
}

static size_t
find(const struct iprsent *s, const struct ipflow *f)
{
	size_t i = 0;

	while (i < IPRSENT_KEPT && (s->kept[i].len == 0 ||
	    !same_flow(&s->kept[i].flow, f)))
		i++;
	return i;
}

/* IPv6 extension headers before TCP are not looked through. */
static bool
begins_something(const struct ipflow *f, const uint8_t *pkt, size_t len)
{
	size_t head = pkt[0] >> 4 == 4 ? 4 * (size_t)(pkt[0] & 15) : V6_HEAD;

	if (f->proto != TCP)
		return f->proto != 0;
	return len > head + FLAGS_AT &&
	    (pkt[head + FLAGS_AT] & (SYN | ACK)) == SYN;
}

void
iprsent_note(struct iprsent *s, const uint8_t *pkt, size_t len)
{
	struct ipflow f;
	size_t i;

	if (ipflow_read(&f, pkt, len) != SW_OK ||
	    !begins_something(&f, pkt, len))
		return;
	if ((i = find(s, &f)) == IPRSENT_KEPT) {
		i = s->next;
		s->next = (s->next + 1) % IPRSENT_KEPT;
	}
	s->kept[i].flow = f;
	s->kept[i].refused = false;
	s->kept[i].len = len < IPRSENT_HEAD ? len : IPRSENT_HEAD;
	memcpy(s->kept[i].head, pkt, s->kept[i].len);
}

/* "192.0.2.1:25" or "[2001:db8::1]:25". */
static bool
read_where(struct sw_addr *a, const char *where)
{
	char ip[SW_ADDR_TEXT_LEN];
	const char *colon = strrchr(where, ':');
	bool six = where[0] == '[';
	size_t n;
	unsigned long port;
	char *end;

	if (colon == NULL || (six && (colon == where || colon[-1] != ']')))
		return false;
	n = (size_t)(colon - where) - (six ? 2 : 0);
	port = strtoul(colon + 1, &end, 10);
	if (n >= sizeof(ip) || *end != '\0' || end == colon + 1 ||
	    port > UINT16_MAX)
		return false;
	memcpy(ip, where + (six ? 1 : 0), n);
	ip[n] = '\0';
	if (addr_parse_ip(a, ip) != SW_OK || addr_is_v4(a) == six)
		return false;
	a->port = (uint16_t)port;
	return true;
}

size_t
iprsent_refuse(struct iprsent *s, const char *where,
    uint8_t out[static IPFLOW_ERROR_MAX])
{
	struct sw_addr dst;

	if (!read_where(&dst, where))
		return 0;
	/* The latest first: an earlier one may have been let through. */
	for (size_t i = 0; i < IPRSENT_KEPT; i++) {
		size_t k = (s->next + IPRSENT_KEPT - 1 - i) % IPRSENT_KEPT;

		if (s->kept[k].len == 0 || s->kept[k].refused ||
		    memcmp(&s->kept[k].flow.dst, &dst, sizeof(dst)) != 0)
			continue;
		s->kept[k].refused = true;
		return ipflow_refuse(out, &s->kept[k].flow, s->kept[k].head,
		    s->kept[k].len);
	}
	return 0;
}

/* The flow that an error of this kind quotes; quotes may be cut. */
static bool
read_quote(struct ipflow *f, const uint8_t *pkt, size_t len)
{
	bool v4 = len > 0 && pkt[0] >> 4 == 4;
	size_t head = v4 ? V4_HEAD : V6_HEAD, inner;
	const uint8_t *q = pkt + head + ICMP_HEAD, *ports;

	inner = v4 ? V4_HEAD : V6_HEAD;
	if (len < head + ICMP_HEAD + inner + 4 || pkt[0] >> 4 != (v4 ? 4 : 6) ||
	    (v4 && (pkt[0] != 0x45 || q[0] != 0x45)) ||
	    pkt[v4 ? 9 : 6] != (v4 ? ICMP : ICMP6) ||
	    pkt[head] != (v4 ? 3 : 1) || pkt[head + 1] != (v4 ? 13 : 1))
		return false;
	memset(f, 0, sizeof(*f));
	f->proto = q[v4 ? 9 : 6];
	if (v4) {
		f->src = addr_v4(0, 0);
		f->dst = addr_v4(0, 0);
		memcpy(f->src.ip + 12, q + 12, 4);
		memcpy(f->dst.ip + 12, q + 16, 4);
	} else {
		memcpy(f->src.ip, q + 8, 16);
		memcpy(f->dst.ip, q + 24, 16);
	}
	ports = q + inner;
	if (f->proto != ICMP && f->proto != ICMP6) {
		f->src.port = (uint16_t)(ports[0] << 8 | ports[1]);
		f->dst.port = (uint16_t)(ports[2] << 8 | ports[3]);
	}
	return true;
}

bool
iprsent_is_told(struct iprsent *s, const uint8_t *pkt, size_t len)
{
	struct ipflow f;
	bool told;
	size_t i;

	if (!read_quote(&f, pkt, len) || (i = find(s, &f)) == IPRSENT_KEPT)
		return false;
	told = s->kept[i].refused;
	s->kept[i].refused = true;
	return told;
}
