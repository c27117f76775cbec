#include "preload/session_route.h"

#include <stdlib.h>
#include <string.h>

#include "stack/packet.h"

enum { V6_FRAGMENT = 44, V6_HLEN = 40, V6_FRAGMENT_HLEN = 8 };
enum { ECHO_REPLY = 0, ECHO_REPLY6 = 129 };

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

/* What a fragment's headers say. */
struct piece {
	bool first;
	uint32_t id;
	uint8_t proto;
	const uint8_t *body;		/* after the IP headers */
	size_t body_len;
};

/* p is a fragment by packet_parse().  False: too short to be one. */
static bool
look(struct piece *f, const struct packet *head, const uint8_t *p)
{
	f->body = head->body;
	f->body_len = head->body_len;
	if (addr_is_v4(&head->src)) {
		f->first = (be16(p + 6) & 0x1fff) == 0;
		f->id = be16(p + 4);
		f->proto = p[9];
		return true;
	}
	if (head->body_len < V6_FRAGMENT_HLEN)
		return false;
	f->proto = head->body[0];
	f->first = (be16(head->body + 2) & 0xfff8) == 0;
	f->id = be32(head->body + 4);
	f->body += V6_FRAGMENT_HLEN;
	f->body_len -= V6_FRAGMENT_HLEN;
	return true;
}

/* --- from owners --------------------------------------------------------- */

static void
put_id(uint8_t *p, uint32_t id)
{
	uint32_t sum = 0;

	if (p[0] >> 4 == 6) {
		for (int i = 0; i < 4; i++)
			p[V6_HLEN + 4 + i] = (uint8_t)(id >> (24 - 8 * i));
		return;
	}
	p[4] = (uint8_t)(id >> 8);
	p[5] = (uint8_t)id;
	p[10] = p[11] = 0;
	for (size_t i = 0; i < (size_t)(p[0] & 15) * 4; i += 2)
		sum += be16(p + i);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	p[10] = (uint8_t)(sum >> 8);
	p[11] = (uint8_t)sum;
}

static int
fragment_source(struct route_source *s, const struct packet *head, uint8_t *p,
    uint32_t *next_id, uint16_t *port)
{
	struct piece f;

	if (!look(&f, head, p))
		return SW_ERR_FORMAT;
	if (f.proto != PACKET_UDP && f.proto != PACKET_TCP)
		return SW_ERR_UNSUPPORTED;
	if (f.first) {
		if (f.body_len < 8)
			return SW_ERR_FORMAT;
		*s = (struct route_source){ .old_id = f.id,
		    .new_id = (*next_id)++, .port = be16(f.body),
		    .valid = true };
	} else if (!s->valid || s->old_id != f.id) {
		return SW_ERR_FORMAT;
	}
	put_id(p, s->new_id);
	*port = s->port;
	return SW_OK;
}

int
route_source(struct route_source *s, uint8_t *p, size_t len,
    uint32_t *next_id, uint16_t *port)
{
	struct packet head;

	if (packet_parse(&head, p, len) != SW_OK)
		return SW_ERR_FORMAT;
	if (head.fragment)
		return fragment_source(s, &head, p, next_id, port);
	if (head.proto != PACKET_TCP && head.proto != PACKET_UDP)
		return SW_ERR_UNSUPPORTED;
	*port = head.src.port;
	return SW_OK;
}

/* --- from the exit ------------------------------------------------------- */

struct route_held {
	struct route_held *next;
	size_t len;
	uint8_t p[];
};

static void
drop_held(struct route *r, struct route_datagram *d)
{
	struct route_held *h;

	while ((h = d->held) != NULL) {
		d->held = h->next;
		r->held_bytes -= h->len;
		free(h);
	}
}

void
route_wipe(struct route *r)
{
	for (size_t i = 0; i < ROUTE_DATAGRAMS; i++)
		drop_held(r, &r->datagram[i]);
	memset(r, 0, sizeof(*r));
}

/* The datagram of this piece; a new one takes the place of the oldest. */
static struct route_datagram *
find(struct route *r, const struct packet *head, const struct piece *f,
    int64_t now_ms)
{
	struct route_datagram *oldest = &r->datagram[0];

	for (size_t i = 0; i < ROUTE_DATAGRAMS; i++) {
		struct route_datagram *d = &r->datagram[i];

		if (d->used && now_ms - d->since_ms < ROUTE_FRAGMENTS_MS &&
		    d->id == f->id && d->proto == f->proto &&
		    addr_same_ip(&d->src, &head->src) &&
		    addr_same_ip(&d->dst, &head->dst))
			return d;
		if (!d->used || (oldest->used && d->since_ms <
		    oldest->since_ms))
			oldest = d;
	}
	drop_held(r, oldest);
	*oldest = (struct route_datagram){ .used = true, .id = f->id,
	    .proto = f->proto, .src = head->src, .dst = head->dst,
	    .since_ms = now_ms };
	return oldest;
}

static void
hold(struct route *r, struct route_datagram *d, const uint8_t *p, size_t len)
{
	struct route_held *h;

	if (len > ROUTE_HELD_MAX - r->held_bytes ||
	    (h = malloc(sizeof(*h) + len)) == NULL)
		return;
	h->len = len;
	memcpy(h->p, p, len);
	h->next = d->held;
	d->held = h;
	r->held_bytes += len;
}

/* Where does a packet with this beginning of its body go?  False: nowhere. */
static bool
port_of(const struct packet *head, uint8_t proto, const uint8_t *body,
    size_t len, uint16_t *port)
{
	struct packet quoted;
	bool v6 = !addr_is_v4(&head->src);

	if (len < 8)
		return false;
	if (proto == PACKET_TCP || proto == PACKET_UDP) {
		*port = be16(body + 2);
		return true;
	}
	if (proto != (v6 ? PACKET_ICMP6 : PACKET_ICMP))
		return false;
	if (body[0] == (v6 ? ECHO_REPLY6 : ECHO_REPLY)) {
		*port = be16(body + 4);
		return true;
	}
	if (packet_icmp_errno(v6, body[0], body[1]) == 0 ||
	    packet_parse_quoted(&quoted, body + 8, len - 8) != SW_OK ||
	    !addr_same_ip(&quoted.src, &head->dst))
		return false;
	*port = quoted.src.port;
	return true;
}

void
route_input(struct route *r, const uint8_t *p, size_t len, int64_t now_ms,
    route_deliver_fn *deliver, void *arg)
{
	struct route_datagram *d;
	struct packet head;
	struct piece f;
	uint16_t port;

	if (packet_parse(&head, p, len) != SW_OK)
		return;
	if (!head.fragment) {
		if (port_of(&head, head.proto, head.body, head.body_len, &port))
			deliver(arg, port, p, len);
		return;
	}
	if (!look(&f, &head, p))
		return;
	d = find(r, &head, &f, now_ms);
	if (f.first && !d->known) {
		if (!port_of(&head, f.proto, f.body, f.body_len, &d->port))
			return;
		d->known = true;
		deliver(arg, d->port, p, len);
		for (struct route_held *h = d->held; h != NULL; h = h->next)
			deliver(arg, d->port, h->p, h->len);
		drop_held(r, d);
	} else if (d->known) {
		deliver(arg, d->port, p, len);
	} else {
		hold(r, d, p, len);
	}
}
