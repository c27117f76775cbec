#include <string.h>

#include "stack/stack_priv.h"

#include "lwip/inet_chksum.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/udp.h"

static err_t
output(struct netif *netif, struct pbuf *p)
{
	struct stack_end *s = netif->state;
	struct iovec iov[LINK_IOV_MAX];
	struct pbuf *flat = NULL, *q;
	struct packet head;
	int n = 0, r;

	if (s->ops == NULL)
		return ERR_IF;
	if (pbuf_clen(p) > LINK_IOV_MAX) {
		flat = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
		if (flat == NULL)
			return ERR_MEM;
		p = flat;
	}
	q = p;
	do
		iov[n++] = (struct iovec){ q->payload, q->len };
	while ((q = q->next) != NULL);
	/* Headers of all that we send lie in the first piece, except a
	 * datagram's later fragments, whose ports nobody needs. */
	r = packet_parse_quoted(&head, p->payload, p->len);
	if (r == SW_OK || r == SW_ERR_TRUNCATED)
		r = s->ops->output(&head, iov, n);
	if (flat != NULL)
		pbuf_free(flat);
	return r == SW_OK ? ERR_OK : ERR_MEM;
}

err_t
stack_output4(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
	(void)to;
	return output(netif, p);
}

err_t
stack_output6(struct netif *netif, struct pbuf *p, const ip6_addr_t *to)
{
	(void)to;
	return output(netif, p);
}

int
stack_send_udp(enum stack_side side, const struct sw_addr *src,
    const struct sw_addr *dst, const struct iovec *iov, int n, uint8_t tos,
    uint8_t ttl)
{
	struct stack_end *s = &stack.sides[side];
	ip_addr_t from = stack_ip(src), to = stack_ip(dst);
	size_t len = UDP_HLEN, at = UDP_HLEN;
	struct udp_hdr *udp;
	struct pbuf *p;
	err_t e;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	if (len + (addr_is_v4(dst) ? IP_HLEN : IP6_HLEN) > 65535)
		return SW_ERR_TOO_LONG;
	p = pbuf_alloc(PBUF_IP, (u16_t)len, PBUF_RAM);
	if (p == NULL)
		return SW_ERR_NOMEM;
	udp = p->payload;
	udp->src = lwip_htons(src->port);
	udp->dest = lwip_htons(dst->port);
	udp->len = lwip_htons((u16_t)len);
	udp->chksum = 0;
	for (int i = 0; i < n; at += iov[i++].iov_len)
		if (iov[i].iov_len > 0)
			memcpy((uint8_t *)p->payload + at, iov[i].iov_base,
			    iov[i].iov_len);
	if ((s->netif.chksum_flags & NETIF_CHECKSUM_GEN_UDP) != 0) {
		udp->chksum = ip_chksum_pseudo(p, IP_PROTO_UDP, (u16_t)len,
		    &from, &to);
		if (udp->chksum == 0)
			udp->chksum = 0xffff;
	}
	if (ttl == 0)
		ttl = IP_DEFAULT_TTL;
	if (IP_IS_V4(&to))
		e = ip4_output_if_src(p, ip_2_ip4(&from), ip_2_ip4(&to), ttl,
		    tos, IP_PROTO_UDP, &s->netif);
	else
		e = ip6_output_if_src(p, ip_2_ip6(&from), ip_2_ip6(&to), ttl,
		    tos, IP_PROTO_UDP, &s->netif);
	pbuf_free(p);
	return e == ERR_OK ? SW_OK : SW_AGAIN;
}

void
stack_kick(enum stack_side side, const struct sw_addr *inner)
{
	u8_t idx = netif_get_index(&stack.sides[side].netif);
	ip_addr_t ip;

	if (stack.sides[side].ops == NULL)
		return;
	if (inner != NULL)
		ip = stack_ip(inner);
	/* tcp_output() changes no list. */
	for (struct tcp_pcb *p = tcp_active_pcbs; p != NULL; p = p->next) {
		const ip_addr_t *its = side == STACK_FAR ? &p->remote_ip :
		    &p->local_ip;

		if (p->netif_idx != idx ||
		    (inner != NULL && !ip_addr_eq(its, &ip)))
			continue;
		if (p->unsent != NULL || (p->flags & TF_ACK_NOW) != 0)
			(void)tcp_output(p);
	}
}
