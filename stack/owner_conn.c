/*
 * A connection's life, as its far end tells it:
 *
 *   NEW --connect--> CONNECTING --SYN-ACK--> CONNECTED --> ENDED
 *                        |                       |
 *                        '--> FAILED             '--reset--> ENDED
 *
 * While CONNECTING the program's send queue is full of filler, so its end is
 * not writable; on success the filler is read away.  On failure the far end is
 * closed with filler unread: the program sees an error, and asks which.
 *
 * A flow is freed when its far end is closed and its pcb has nothing left to
 * do.  pcb callbacks never free or abort anything: they note what happened and
 * touch the flow, whose work is done at the end of the turn.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "base/sys.h"
#include "stack/owner_priv.h"

#include "lwip/priv/tcp_priv.h"

#define CONNECT_MS 130000	/* as Linux with its 6 retries */
#define ORPHAN_MS 60000		/* FIN_WAIT_2 without a program, as Linux */

static void
forget_pcb(struct flow *f)
{
	if (f->pcb == NULL)
		return;
	tcp_arg(f->pcb, NULL);
	tcp_recv(f->pcb, NULL);
	tcp_sent(f->pcb, NULL);
	tcp_err(f->pcb, NULL);
	tcp_poll(f->pcb, NULL, 0);
	f->pcb = NULL;
}

/* pcb is gone already: by a reset, a time-out, or a regular end. */
static void
pcb_gone(void *arg, err_t e)
{
	struct flow *f = arg;

	if (f == NULL)
		return;
	f->pcb = NULL;
	if (e == ERR_CLSD) {			/* both directions finished */
		flow_touch(f);
		return;
	}
	if (f->state == OWNER_CONNECTING)
		conn_fail(f, e == ERR_RST ? ECONNREFUSED : ETIMEDOUT);
	else
		conn_fail(f, e == ERR_RST ? ECONNRESET : ETIMEDOUT);
}

void
conn_fail(struct flow *f, int err)
{
	forget_pcb(f);
	if (!f->app_gone)
		f->error = err;
	if (f->state == OWNER_CONNECTING) {
		f->state = OWNER_FAILED;
	} else {
		f->state = OWNER_ENDED;
		f->dying = f->rx_held > 0 && !f->app_gone;
	}
	pump_drop_tx(f);
	flow_answer_drains(f, err);
	flow_touch(f);
}

void
conn_abort(struct flow *f, int err)
{
	struct tcp_pcb *pcb = f->pcb;

	forget_pcb(f);
	if (pcb != NULL)
		tcp_abort(pcb);
	conn_fail(f, err);
}

void
conn_lose(struct flow *f)
{
	struct tcp_pcb *pcb = f->pcb;

	forget_pcb(f);
	if (pcb != NULL)
		tcp_abandon(pcb, 0);
	conn_fail(f, ECONNRESET);
}

void
conn_adopt(struct flow *f, struct tcp_pcb *pcb)
{
	f->pcb = pcb;
	tcp_arg(pcb, f);
	tcp_recv(pcb, pump_received);
	tcp_sent(pcb, pump_acked);
	tcp_err(pcb, pcb_gone);
	f->unacked_since_ms = f->owner->loop->now_ms;
	flow_option_apply_all(f);
	conn_watch_time(f);
}

static err_t
connected(void *arg, struct tcp_pcb *pcb, err_t e)
{
	struct flow *f = arg;

	(void)pcb;
	(void)e;
	if (f == NULL)
		return ERR_OK;
	f->state = OWNER_CONNECTED;
	f->owner->greeted = true;
	conn_watch_time(f);
	pump_discard_filler(f);
	f->in_ready = true;		/* something may wait behind it */
	flow_touch(f);
	return ERR_OK;
}

/* Once a second, where conn_watch_time() asks for it.  lwIP would give a SYN
 * up after 12 tries, 36 seconds, knows no TCP_USER_TIMEOUT, and waits for ever
 * for the FIN of a peer whose program is gone. */
static err_t
poll_time(void *arg, struct tcp_pcb *pcb)
{
	struct flow *f = arg;
	int64_t passed;

	if (f == NULL)
		return ERR_OK;
	passed = f->owner->loop->now_ms - f->unacked_since_ms;
	if (f->state == OWNER_CONNECTING) {
		pcb->nrtx = passed < CONNECT_MS ? 0 : TCP_SYNMAXRTX;
	} else if ((f->user_timeout_ms != 0 && f->tx_held > 0 &&
	    passed > f->user_timeout_ms) ||
	    (f->app_gone && pcb->state == FIN_WAIT_2 && passed > ORPHAN_MS)) {
		forget_pcb(f);
		tcp_abort(pcb);
		conn_fail(f, ETIMEDOUT);
		return ERR_ABRT;
	}
	return ERR_OK;
}

void
conn_watch_time(struct flow *f)
{
	bool on = f->state == OWNER_CONNECTING || f->app_gone ||
	    f->user_timeout_ms != 0;

	if (f->pcb != NULL)
		tcp_poll(f->pcb, on ? poll_time : NULL,
		    1000 / TCP_SLOW_INTERVAL);
}

static int
may_connect(const struct flow *f, const struct sw_addr *to)
{
	const struct owner *o = f->owner;

	if ((o->config.flags & LINK_UP) == 0 || o->link_dead ||
	    stack_is_broken())
		return ENETUNREACH;
	if (addr_is_multicast(to) || addr_is_any(to) || !owner_carries(o, to))
		return ENETUNREACH;
	if (to->port == 0)
		return ECONNREFUSED;
	return 0;
}

static int
start(struct flow *f, const struct sw_addr *to)
{
	struct tcp_pcb *pcb;
	ip_addr_t ip;
	int err = may_connect(f, to);

	if (err != 0)
		return err;
	if (f->local.port == 0 && (err = port_take(f, 0)) != 0)
		return err;
	if ((pcb = stack_tcp_new(STACK_NEAR)) == NULL)
		return ENOBUFS;
	f->peer = *to;
	err = f->local.port;
	f->local = owner_inner(f->owner, to);
	f->local.port = (uint16_t)err;
	pcb->local_ip = stack_ip(&f->local);
	pcb->local_port = f->local.port;
	conn_adopt(f, pcb);
	ip = stack_ip(to);
	if (tcp_connect(pcb, &ip, to->port, connected) != ERR_OK) {
		forget_pcb(f);
		tcp_abort(pcb);
		return ENOBUFS;
	}
	return 0;
}

void
conn_start(struct flow *f, const struct sw_addr *to, uint32_t filler)
{
	int queued = 0;
	int err;

	f->state = OWNER_CONNECTING;
	f->error = 0;
	/* With filler the queue is full, so nothing can have come after it;
	 * what a program wrote natively before is thrown away with it. */
	f->discard = filler;
	if (filler > 0 && sys_ioctl(f->w.fd, FIONREAD, &queued) == 0 &&
	    queued > 0)
		f->discard = (uint32_t)queued;
	err = start(f, to);
	if (err != 0)
		conn_fail(f, err);
}

void
conn_icmp(struct owner *o, const struct packet *quoted, int err)
{
	for (struct flow *f = o->flows; f != NULL; f = f->next) {
		if (f->dgram || f->pcb == NULL ||
		    f->local.port != quoted->src.port ||
		    f->peer.port != quoted->dst.port ||
		    !addr_same_ip(&f->peer, &quoted->dst) ||
		    !addr_same_ip(&f->local, &quoted->src))
			continue;
		/* Once established, such news is soft: retransmission decides
		 * (RFC 5461). */
		if (f->state == OWNER_CONNECTING) {
			struct tcp_pcb *pcb = f->pcb;

			forget_pcb(f);
			tcp_abort(pcb);
			conn_fail(f, err);
		}
		return;
	}
}

/* The pcb has nothing left that needs us, and lwIP will not tell us when it has
 * ended.  (From LAST_ACK it does tell.)  It refers to our memory until the peer
 * has all our bytes. */
static bool
is_over(const struct flow *f)
{
	switch (f->pcb->state) {
	case TIME_WAIT:
	case CLOSED:
		return true;
	case CLOSING:
		return f->tx_held == 0;
	default:
		return false;
	}
}

void
conn_settle(struct flow *f)
{
	if (f->pcb != NULL && is_over(f)) {
		forget_pcb(f);
		flow_answer_drains(f, 0);
	}
	if (f->pcb != NULL || f->listener != NULL)
		return;
	if (f->dying)
		return;			/* the program still reads */
	switch (f->state) {
	case OWNER_NEW:
	case OWNER_LISTENING:
		if (!f->app_gone)
			return;
		break;
	case OWNER_CONNECTED:
		/* A regular end, unless there is something to deliver yet. */
		if (f->rx_held > 0 && !f->app_gone && f->w.fd >= 0)
			return;
		if (f->rx_fin && !f->rx_fin_done && f->w.fd >= 0)
			return;
		f->state = OWNER_ENDED;
		break;
	default:
		break;
	}
	flow_free(f);
}
