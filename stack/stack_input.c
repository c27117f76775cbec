#include <string.h>

#include "stack/arena.h"
#include "stack/stack_priv.h"

#include "lwip/inet_chksum.h"
#include "lwip/ip4_frag.h"
#include "lwip/ip6_frag.h"
#include "lwip/prot/udp.h"
#include "lwip/raw.h"

#define COPY_MAX (16 * 1024)	/* frames below this are copied, not kept */

struct kept {
	struct pbuf_custom custom;
	struct link_frame *frame;
};

static void
kept_free(struct pbuf *p)
{
	struct kept *k = (struct kept *)(void *)p;

	link_frame_unref(k->frame);
	arena_put(k);
}

static struct pbuf *
wrap(struct link_frame *f, const uint8_t *p, size_t len)
{
	struct kept *k;
	struct pbuf *q;
	void *at;

	if (f->len < COPY_MAX) {
		q = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM);
		if (q != NULL)
			memcpy(q->payload, p, len);
		return q;
	}
	if ((k = arena_get(sizeof(*k))) == NULL)
		return NULL;
	memcpy(&at, &p, sizeof(at));	/* the frame is ours to write in */
	k->custom.custom_free_function = kept_free;
	k->frame = f;
	link_frame_ref(f);
	return pbuf_alloced_custom(PBUF_RAW, (u16_t)len, PBUF_REF, &k->custom,
	    at, (u16_t)len);
}

/* Pretend that the interface has the address this packet is for. */
static void
become(struct netif *n, const uint8_t *p)
{
	if (p[0] >> 4 == 4) {
		IP_SET_TYPE_VAL(n->ip_addr, IPADDR_TYPE_V4);
		memcpy(&ip_2_ip4(&n->ip_addr)->addr, p + 16, 4);
	} else {
		IP_SET_TYPE_VAL(n->ip6_addr[0], IPADDR_TYPE_V6);
		memcpy(ip_2_ip6(&n->ip6_addr[0])->addr, p + 24, 16);
	}
}

static bool
is_fragment(const uint8_t *p)
{
	if (p[0] >> 4 == 4)
		return (p[6] & 0x3f) != 0 || p[7] != 0;
	return p[6] == 44;
}

/* What lwIP is to see of a packet; NULL: nothing. */
static struct pbuf *
begin(struct stack_end *s, struct link_frame *f, const uint8_t *p, size_t len)
{
	struct pbuf *q;

	if (s->ops == NULL || stack.broken || (q = wrap(f, p, len)) == NULL)
		return NULL;
	stack_catch_up();
	become(&s->netif, q->payload);
	stack.route = s;
	return q;
}

void
stack_input(enum stack_side side, struct link_frame *f, const uint8_t *p,
    size_t len)
{
	struct stack_end *s = &stack.sides[side];
	struct packet head;
	struct pbuf *q;

	if ((q = begin(s, f, p, len)) == NULL)
		return;
	if (is_fragment(p))
		stack.fragments_ms = stack.loop->now_ms + 30000;
	if (side != STACK_SELF && !is_fragment(p) &&
	    packet_parse(&head, p, len) == SW_OK && head.proto == PACKET_TCP)
		stack_find_input(q, &s->netif, &head);
	else
		(void)ip_input(q, &s->netif);
}

void
stack_accept(enum stack_side side, struct link_frame *f, const uint8_t *p,
    size_t len)
{
	struct stack_end *s = &stack.sides[side];
	struct packet head;
	struct pbuf *q;

	if (packet_parse(&head, p, len) == SW_OK &&
	    (q = begin(s, f, p, len)) != NULL)
		stack_find_accept(q, &s->netif, &head);
}

static struct packet
current_head(uint8_t proto)
{
	struct packet h = { .proto = proto };

	h.src = stack_addr(ip_current_src_addr(), 0);
	h.dst = stack_addr(ip_current_dest_addr(), 0);
	return h;
}

u8_t
stack_raw_udp(void *arg, struct raw_pcb *pcb, struct pbuf *p,
    const ip_addr_t *from)
{
	struct stack_end *s = arg;
	struct packet head = current_head(PACKET_UDP);
	struct udp_hdr udp;
	u16_t len;

	(void)pcb;
	(void)from;
	if (pbuf_remove_header(p, ip_current_header_tot_len()) != 0)
		goto out;
	if (pbuf_copy_partial(p, &udp, UDP_HLEN, 0) != UDP_HLEN)
		goto out;
	len = lwip_ntohs(udp.len);
	if (len < UDP_HLEN || len > p->tot_len)
		goto out;
	if ((s->netif.chksum_flags & NETIF_CHECKSUM_CHECK_UDP) != 0 &&
	    udp.chksum != 0 && ip_chksum_pseudo(p, IP_PROTO_UDP, p->tot_len,
	    ip_current_src_addr(), ip_current_dest_addr()) != 0)
		goto out;
	pbuf_realloc(p, len);
	/* The header may span pieces of a reassembled datagram. */
	if ((p = pbuf_free_header(p, UDP_HLEN)) == NULL && len != UDP_HLEN)
		return 1;
	head.src.port = lwip_ntohs(udp.src);
	head.dst.port = lwip_ntohs(udp.dest);
	s->ops->udp(&head, p);
out:
	if (p != NULL)
		pbuf_free(p);
	return 1;
}

u8_t
stack_raw_icmp(void *arg, struct raw_pcb *pcb, struct pbuf *p,
    const ip_addr_t *from)
{
	struct stack_end *s = arg;
	uint8_t msg[8 + PACKET_ICMP_LEN];
	struct packet quoted;
	u16_t n;
	int err;

	(void)pcb;
	n = pbuf_copy_partial(p, msg, sizeof(msg), ip_current_header_tot_len());
	if (n > 8) {
		err = packet_icmp_errno(IP_IS_V6(from), msg[0], msg[1]);
		if (err != 0 && packet_parse_quoted(&quoted, msg + 8,
		    n - 8u) == SW_OK)
			s->ops->icmp(&quoted, err);
	}
	pbuf_free(p);
	return 1;
}

void
stack_drop_fragments(void)
{
	for (int i = 0; i <= IP_REASS_MAXAGE; i++) {
		ip_reass_tmr();
		ip6_reass_tmr();
	}
}
