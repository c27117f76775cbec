/*
 * TCP's side of a joint.
 */
#include "base/log.h"
#include "stack/splice_priv.h"

#include "lwip/priv/tcp_priv.h"

void
joint_drop_pcb(struct joint *j)
{
	if (j->pcb == NULL)
		return;
	tcp_arg(j->pcb, NULL);
	tcp_recv(j->pcb, NULL);
	tcp_sent(j->pcb, NULL);
	tcp_err(j->pcb, NULL);
	j->pcb = NULL;
}

/* `n` bytes of rx were taken. */
void
joint_taken(struct joint *j, size_t n)
{
	uint32_t opened = (uint32_t)n;

	j->rx_held -= (uint32_t)n;
	n += j->rx_off;
	while (j->rx != NULL && n >= j->rx->len) {
		struct pbuf *p = j->rx;

		n -= p->len;
		j->rx = p->next;
		p->next = NULL;
		p->tot_len = p->len;
		pbuf_free(p);
	}
	j->rx_off = (uint32_t)n;
	if (j->rx == NULL)
		j->rx_last = NULL;
	while (opened > 0 && j->pcb != NULL) {
		u16_t some = (u16_t)(opened > 0xffff ? 0xffff : opened);

		tcp_recved(j->pcb, some);
		opened -= some;
	}
}

/* Where a FIN came alone, its acknowledgement may go with our own FIN, which
 * mostly follows at once: for a tenth of a second lwIP may keep it. */
static void
got_fin(struct joint *j, struct tcp_pcb *pcb)
{
	j->rx_fin = true;
	if (j->splice->far_path || j->rx != NULL ||
	    (pcb->flags & TF_ACK_DELAY) != 0)
		return;			/* it acknowledges bytes too */
	tcp_clear_flags(pcb, TF_ACK_NOW);
	tcp_set_flags(pcb, TF_ACK_DELAY);
}

static err_t
received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t e)
{
	struct joint *j = arg;

	(void)e;
	if (j == NULL) {
		if (p != NULL)
			pbuf_free(p);
		return ERR_OK;
	}
	if (p == NULL)
		got_fin(j, pcb);
	else if (j->rx_last != NULL)
		j->rx_last->next = p;
	else
		j->rx = p;
	for (; p != NULL; p = p->next) {
		j->rx_held += p->len;
		j->rx_last = p;
	}
	joint_touch(j);
	return ERR_OK;
}

static err_t
acked(void *arg, struct tcp_pcb *pcb, u16_t len)
{
	struct joint *j = arg;

	(void)pcb;
	if (j == NULL)
		return ERR_OK;
	joint_acked(j, len);
	/* Whose end waited for the last of it, too. */
	if ((j->data_full && joint_has_room(j)) ||
	    (j->fin_sent && j->lent == NULL))
		joint_touch(j);
	return ERR_OK;
}

static void
pcb_gone(void *arg, err_t e)
{
	struct joint *j = arg;

	if (j == NULL)
		return;
	j->pcb = NULL;
	joint_take_back(j);
	if (e != ERR_CLSD)
		j->reset = true;
	joint_touch(j);
}

static void
adopt(struct joint *j, struct tcp_pcb *pcb)
{
	j->pcb = pcb;
	tcp_arg(pcb, j);
	tcp_recv(pcb, received);
	tcp_sent(pcb, acked);
	tcp_err(pcb, pcb_gone);
	tcp_nagle_disable(pcb);
}

err_t
joint_accepted(void *arg, struct tcp_pcb *pcb, err_t e)
{
	struct joint *j = arg;

	if (j == NULL || pcb == NULL || e != ERR_OK)
		return ERR_MEM;
	j->state = JOINED;
	joint_touch(j);
	return ERR_OK;
}

static err_t
inbound_connected(void *arg, struct tcp_pcb *pcb, err_t e)
{
	struct joint *j = arg;

	(void)pcb;
	(void)e;
	if (j != NULL) {
		j->state = JOINED;
		joint_touch(j);
	}
	return ERR_OK;
}

/* A connection of before may still linger under the same addresses. */
static void
forget_lingering(const struct joint *j)
{
	struct tcp_pcb *p = stack_lingers(STACK_FAR, &j->src, &j->dst);

	if (p != NULL)
		tcp_abort(p);		/* in TIME_WAIT this sends nothing */
}

/* May the SYN-ACK be lost, or be answered otherwise than by an owner? */
static bool
is_foreign(const struct joint *j)
{
	const struct splice *s = j->splice;

	return s->far_path ||
	    (s->ops->foreign != NULL && s->ops->foreign(s->arg, &j->src));
}

/*
 * The hop loses nothing and both ends are ours, so the handshake's last packet
 * says nothing new: we say it ourselves, and the first bytes of a server that
 * speaks first can leave together with the SYN-ACK.  The window it grants is
 * what every owner starts with.
 */
static void
take_as_acked(const struct joint *j, const struct link_frame *syn)
{
	const struct tcp_pcb *pcb = j->pcb;
	uint32_t window = TCP_WND >> pcb->snd_scale;
	uint8_t ack[PACKET_ACK_LEN];
	struct link_frame *f;
	struct packet head;

	if (is_foreign(j) || pcb->unacked == NULL ||	/* not sent yet */
	    packet_parse(&head, syn->data, syn->len) != SW_OK)
		return;
	f = link_frame_new(ack, packet_make_ack(ack, &head, pcb->snd_nxt,
	    (uint16_t)(window > 0xffff ? 0xffff : window)));
	if (f != NULL)
		stack_input(STACK_FAR, f, f->data, f->len);
	link_frame_unref(f);
}

/* The stream is open: let lwIP see the SYN and answer it. */
void
joint_accept_syn(struct joint *j)
{
	struct link_frame *syn = j->syn;
	struct tcp_pcb *p;

	j->syn = NULL;
	j->state = ACCEPTING;
	forget_lingering(j);
	j->splice->listener->local_port = j->dst.port;
	stack_accept(STACK_FAR, syn, syn->data, syn->len);
	p = tcp_active_pcbs;		/* a new one is the first */
	if (p == NULL || p->state != SYN_RCVD ||
	    p->local_port != j->dst.port || p->remote_port != j->src.port ||
	    p->callback_arg != NULL) {
		log_debug("splice: no memory for a connection");
		joint_free(j);
	} else {
		adopt(j, p);
		take_as_acked(j, syn);
	}
	link_frame_unref(syn);
}

int
splice_connect(struct splice *s, const struct sw_addr *src,
    const struct sw_addr *dst, struct dial *d, const struct dialer_ops *ops,
    const struct dial_events **ev, void **ev_arg)
{
	struct tcp_pcb *pcb;
	ip_addr_t ip = stack_ip(dst);
	struct joint *j;

	if (addr_is_v4(src) != addr_is_v4(dst))
		return SW_ERR_UNSUPPORTED;
	if (joint_find(s, dst, src) != NULL)
		return SW_ERR_IN_USE;
	if ((j = joint_new(s, dst, src)) == NULL)
		return SW_ERR_LIMIT;
	if ((pcb = stack_tcp_new(STACK_FAR)) == NULL) {
		joint_free(j);
		return SW_ERR_NOMEM;
	}
	j->state = CONNECTING;
	j->ops = ops;
	j->dial_opened = true;
	forget_lingering(j);
	pcb->local_ip = stack_ip(src);
	pcb->local_port = src->port;
	adopt(j, pcb);
	if (tcp_connect(pcb, &ip, dst->port, inbound_connected) != ERR_OK) {
		joint_free(j);
		return SW_ERR_NOMEM;
	}
	j->dial = d;
	*ev = &joint_dial_events;
	*ev_arg = j;
	return SW_OK;
}

