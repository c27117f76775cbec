/*
 * A connection is taken up as after a retransmission time-out: everything not
 * acknowledged is unsent again, but snd_nxt stays where it was, so that the
 * peer may acknowledge what the old owner had sent.
 */
#include "stack/owner_image.h"

#include "lwip/priv/tcp_priv.h"

static void
restore_tcp(struct tcp_pcb *p, const struct image_flow *im)
{
	const struct image_tcp *t = &im->tcp;

	p->local_ip = stack_ip(&im->local);
	p->local_port = im->local.port;
	p->remote_ip = stack_ip(&im->peer);
	p->remote_port = im->peer.port;
	tcp_set_flags(p, t->flags & (TF_TIMESTAMP | TF_WND_SCALE));
	p->snd_scale = t->snd_scale;
	p->rcv_scale = t->rcv_scale;
	p->mss = t->mss >= 256 && t->mss <= TCP_MSS ? t->mss : 536;
	p->lastack = p->snd_nxt = p->snd_lbb = t->base;
	p->snd_wl1 = t->snd_wl1;
	p->snd_wl2 = t->snd_wl2;
	p->snd_wnd = t->snd_wnd;
	p->snd_wnd_max = t->snd_wnd_max;
	p->cwnd = t->cwnd > p->mss ? t->cwnd : p->mss;
	p->ssthresh = t->ssthresh;
	p->sa = t->sa;
	p->sv = t->sv;
	p->rto = t->rto > 0 ? t->rto : p->rto;
	p->rcv_nxt = p->ts_lastacksent = t->rcv_nxt;
	p->ts_recent = t->ts_recent;
	p->rcv_wnd = im->rx_len < TCP_WND_MAX(p) ?
	    TCP_WND_MAX(p) - im->rx_len : 0;
	p->rcv_ann_right_edge = t->rcv_right;
	p->rcv_ann_wnd = t->rcv_right - t->rcv_nxt;
	if (p->rcv_ann_wnd > p->rcv_wnd)
		p->rcv_ann_wnd = p->rcv_wnd;
	p->tmr = tcp_ticks;
	p->state = ESTABLISHED;
	if (im->rx_fin)
		p->state = CLOSE_WAIT;
	TCP_REG_ACTIVE(p);
}

/* Give TCP what it had.  The FIN, if one was sent, follows the bytes. */
static void
resume_tcp(struct flow *f, const struct image_flow *im)
{
	struct tcp_pcb *p = f->pcb;

	if (im->tcp.state == FIN_WAIT_2) {
		p->lastack = p->snd_nxt = p->snd_lbb = im->tcp.snd_nxt;
		tcp_set_flags(p, TF_FIN);
		p->state = FIN_WAIT_2;
	} else {
		pump_give(f);
		if (im->fin_sent)
			(void)tcp_shutdown(p, 0, 1);
		if (TCP_SEQ_GT(im->tcp.snd_nxt, p->snd_nxt) &&
		    TCP_SEQ_LEQ(im->tcp.snd_nxt, p->snd_lbb))
			p->snd_nxt = im->tcp.snd_nxt;
	}
	tcp_ack_now(p);
	(void)tcp_output(p);
}

static int
restart_connect(struct flow *f, const struct image_flow *im)
{
	stack_force_isn(&im->tcp.base);
	conn_start(f, &im->peer, 0);
	stack_force_isn(NULL);
	f->discard = im->discard;
	return SW_OK;
}

int
resume_conn(struct flow *f, const struct image_flow *im)
{
	struct tcp_pcb *p;

	if (im->tcp.state == SYN_SENT)
		return restart_connect(f, im);
	if (im->tcp.state == CLOSED) {
		flow_touch(f);
		return SW_OK;
	}
	if ((p = stack_tcp_new(STACK_NEAR)) == NULL)
		return SW_ERR_NOMEM;
	restore_tcp(p, im);
	conn_adopt(f, p);
	resume_tcp(f, im);
	f->in_ready = true;
	flow_touch(f);
	return SW_OK;
}
