#include "mix/ipsum.h"

#include <string.h>

enum { ICMP = 1, TCP = 6, UDP = 17, ICMP6 = 58 };

#define V4_MIN 20
#define V6_LEN 40

/* Where the transport part lies and where its checksum is. */
struct parts {
	size_t head;			/* length of the IP header */
	size_t body;			/* length of what follows */
	size_t sum_at;			/* in the body; 0: none to fill */
	uint8_t proto;
	bool v4;
};

static uint64_t
add(uint64_t sum, const uint8_t *p, size_t n)
{
	for (; n >= 2; p += 2, n -= 2)
		sum += (uint64_t)p[0] << 8 | p[1];
	return n > 0 ? sum + ((uint64_t)p[0] << 8) : sum;
}

static uint16_t
fold(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static size_t
sum_offset(uint8_t proto, size_t body, bool v4)
{
	if (proto == TCP)
		return body >= 20 ? 16 : 0;
	if (proto == UDP)
		return body >= 8 ? 6 : 0;
	if (proto == (v4 ? ICMP : ICMP6))
		return body >= 4 ? 2 : 0;
	return 0;
}

static bool
parse(const uint8_t *pkt, size_t len, struct parts *p)
{
	size_t total;
	bool fragment = false;

	memset(p, 0, sizeof(*p));
	if (len >= V4_MIN && pkt[0] >> 4 == 4) {
		p->v4 = true;
		p->head = (size_t)(pkt[0] & 15) * 4;
		total = (size_t)pkt[2] << 8 | pkt[3];
		p->proto = pkt[9];
		fragment = ((pkt[6] & 0x3f) | pkt[7]) != 0;
	} else if (len >= V6_LEN && pkt[0] >> 4 == 6) {
		p->head = V6_LEN;
		total = V6_LEN + ((size_t)pkt[4] << 8 | pkt[5]);
		p->proto = pkt[6];
	} else {
		return false;
	}
	if (p->head < V4_MIN || total > len || total < p->head)
		return false;
	p->body = total - p->head;
	if (!fragment)
		p->sum_at = sum_offset(p->proto, p->body, p->v4);
	return true;
}

/* Pseudo header and body; ICMP over IPv4 has no pseudo header. */
static uint64_t
body_sum(const uint8_t *pkt, const struct parts *p)
{
	uint64_t sum = 0;

	if (p->v4 && p->proto != ICMP)
		sum = add(0, pkt + 12, 8) + p->proto + p->body;
	else if (!p->v4)
		sum = add(0, pkt + 8, 32) + p->proto + p->body;
	return add(sum, pkt + p->head, p->body);
}

static void
put(uint8_t *at, uint16_t sum)
{
	at[0] = (uint8_t)(sum >> 8);
	at[1] = (uint8_t)sum;
}

void
ipsum_fill(uint8_t *pkt, size_t len)
{
	struct parts p;
	uint16_t sum;

	if (!parse(pkt, len, &p))
		return;
	if (p.v4) {
		put(pkt + 10, 0);
		put(pkt + 10, fold(add(0, pkt, p.head)));
	}
	if (p.sum_at == 0)
		return;
	put(pkt + p.head + p.sum_at, 0);
	sum = fold(body_sum(pkt, &p));
	if (sum == 0 && p.proto == UDP)
		sum = 0xffff;		/* zero would mean "none" */
	put(pkt + p.head + p.sum_at, sum);
}

bool
ipsum_is_right(const uint8_t *pkt, size_t len)
{
	struct parts p;

	if (!parse(pkt, len, &p))
		return false;
	if (p.v4 && fold(add(0, pkt, p.head)) != 0)
		return false;
	if (p.sum_at == 0)
		return true;
	if (p.v4 && p.proto == UDP && pkt[p.head + 6] == 0 &&
	    pkt[p.head + 7] == 0)
		return true;		/* IPv4 may go without */
	return fold(body_sum(pkt, &p)) == 0;
}
