#include <string.h>

#include "base/log.h"
#include "stack/arena.h"
#include "stack/splice_priv.h"

#include "lwip/priv/tcp_priv.h"

#define RESUME_MIN (TCP_SND_BUF / 4)	/* room that makes resume() worth it */

/* ---- the table ---- */

static struct joint **
bucket(struct splice *s, const struct sw_addr *src, const struct sw_addr *dst)
{
	uint32_t h = src->port * 2654435761u ^ dst->port * 40503u;

	for (int i = 12; i < 16; i++)
		h = h * 31 + src->ip[i] + dst->ip[i] * 17u;
	return &s->by_key[(h ^ h >> 15) % SPLICE_HASH];
}

static bool
same(const struct sw_addr *a, const struct sw_addr *b)
{
	return a->port == b->port && addr_same_ip(a, b);
}

struct joint *
joint_find(const struct splice *s, const struct sw_addr *src,
    const struct sw_addr *dst)
{
	struct splice *w;
	struct joint *j;

	memcpy(&w, &s, sizeof(w));
	j = *bucket(w, src, dst);
	while (j != NULL && !(same(&j->src, src) && same(&j->dst, dst)))
		j = j->hash_next;
	return j;
}

static struct joint *
joint_new(struct splice *s, const struct sw_addr *src,
    const struct sw_addr *dst)
{
	struct joint *j, **b = bucket(s, src, dst);

	if (s->count >= SPLICE_FLOWS_MAX ||
	    (j = arena_get_zeroed(1, sizeof(*j))) == NULL)
		return NULL;
	j->splice = s;
	j->src = *src;
	j->dst = *dst;
	j->hash_next = *b;
	*b = j;
	j->next = s->joints;
	if (j->next != NULL)
		j->next->prev = j;
	s->joints = j;
	s->count++;
	return j;
}

void
joint_touch(struct joint *j)
{
	struct splice *s = j->splice;

	if (j->dirty)
		return;
	j->dirty = true;
	j->dirty_next = s->dirty;
	s->dirty = j;
	loop_set_timer(s->loop, &s->soon, s->loop->now_ms);
}

static void
drop_pcb(struct joint *j)
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
static void
taken(struct joint *j, size_t n)
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

void
joint_free(struct joint *j)
{
	struct splice *s = j->splice;
	struct joint **at = bucket(s, &j->src, &j->dst);
	struct tcp_pcb *pcb = j->pcb;
	struct dial *dial = j->dial;

	drop_pcb(j);
	if (pcb != NULL)
		tcp_abort(pcb);
	j->dial = NULL;
	if (dial != NULL)
		j->ops->abort(dial);
	if (j->rx != NULL)
		taken(j, j->rx_held);
	link_frame_unref(j->syn);
	while (*at != j)
		at = &(*at)->hash_next;
	*at = j->hash_next;
	if (j->prev != NULL)
		j->prev->next = j->next;
	else
		s->joints = j->next;
	if (j->next != NULL)
		j->next->prev = j->prev;
	if (j->dirty) {
		for (at = &s->dirty; *at != j; at = &(*at)->dirty_next)
			;
		*at = j->dirty_next;
	}
	s->count--;
	arena_put(j);
}

/* ---- what the dialer says: note it, and work soon ---- */

static void
dial_opened(void *arg)
{
	struct joint *j = arg;

	j->dial_opened = true;
	joint_touch(j);
}

static void
dial_failed(void *arg, int err)
{
	struct joint *j = arg;

	j->dial = NULL;
	j->dial_failed = true;
	j->dial_error = err == SW_OK ? SW_ERR_RESET : err;
	joint_touch(j);
}

/* Bytes are the one thing done at once: they are the caller's. */
static size_t
dial_data(void *arg, const uint8_t *buf, size_t len)
{
	struct joint *j = arg;
	size_t done = 0;

	if (j->reset)
		return len;		/* nobody is left to read them */
	while (done < len && j->pcb != NULL && !j->fin_sent) {
		size_t n = len - done, room = j->pcb->snd_buf;

		if (n > room)
			n = room;
		if (n > 0xffff)
			n = 0xffff;
		if (n == 0 || tcp_write(j->pcb, buf + done, (u16_t)n,
		    TCP_WRITE_FLAG_COPY) != ERR_OK)
			break;
		done += n;
	}
	if (done > 0)
		(void)tcp_output(j->pcb);
	if (done < len)
		j->data_full = true;
	return done;
}

static void
dial_eof(void *arg)
{
	struct joint *j = arg;

	j->dial_eof = true;
	joint_touch(j);
}

static void
dial_writable(void *arg)
{
	struct joint *j = arg;

	j->write_full = false;
	joint_touch(j);
}

static void
dial_closed(void *arg, int err)
{
	struct joint *j = arg;

	j->dial = NULL;
	j->dial_closed = true;
	j->dial_error = err;
	joint_touch(j);
}

static const struct dial_events dial_events = {
	.opened = dial_opened,
	.failed = dial_failed,
	.data = dial_data,
	.eof = dial_eof,
	.writable = dial_writable,
	.closed = dial_closed,
};

/* ---- what TCP says ---- */

static err_t
received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t e)
{
	struct joint *j = arg;

	(void)pcb;
	(void)e;
	if (j == NULL) {
		if (p != NULL)
			pbuf_free(p);
		return ERR_OK;
	}
	if (p == NULL)
		j->rx_fin = true;
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

	(void)len;
	if (j != NULL && j->data_full && pcb->snd_buf >= RESUME_MIN)
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

/* ---- beginnings ---- */

static int
choose_target(struct splice *s, struct joint *j, struct dial_target *t)
{
	int r = s->ops->target(s->arg, &j->src, &j->dst, t);

	if (r != SW_OK)
		return r;
	j->dialer = NULL;
	if (s->ops->local != NULL)
		j->dialer = s->ops->local(s->arg, &j->dst, &j->ops);
	if (j->dialer == NULL) {
		j->dialer = s->dialer;
		j->ops = s->dialer_ops;
	}
	return j->ops == NULL ? SW_ERR_UNREACH_NET : SW_OK;
}

void
joint_begin(struct splice *s, const struct packet *head, const uint8_t *p,
    size_t len)
{
	struct joint *j = joint_new(s, &head->src, &head->dst);

	if (j == NULL) {
		splice_refuse(s, head, p, len, SW_ERR_REFUSED);
		return;
	}
	j->state = DIALING;
	j->syn = link_frame_new(p, len);
	joint_touch(j);
}

static void
refuse(struct joint *j, int code)
{
	struct packet head;

	if (j->syn != NULL &&
	    packet_parse(&head, j->syn->data, j->syn->len) == SW_OK)
		splice_refuse(j->splice, &head, j->syn->data, j->syn->len,
		    code);
	joint_free(j);
}

static void
dial(struct joint *j)
{
	struct dial_target t;
	int err = choose_target(j->splice, j, &t);

	if (err == SW_OK) {
		err = SW_ERR_UNREACH_NET;
		j->dial = j->ops->open(j->dialer, &t, &dial_events, j, &err);
	}
	if (j->dial == NULL)
		refuse(j, err);
}

/* A connection of before may still linger under the same addresses. */
static void
forget_lingering(const struct joint *j)
{
	ip_addr_t local = stack_ip(&j->dst), remote = stack_ip(&j->src);
	struct tcp_pcb *p = tcp_tw_pcbs;

	while (p != NULL && !(p->local_port == j->dst.port &&
	    p->remote_port == j->src.port && ip_addr_eq(&p->local_ip, &local) &&
	    ip_addr_eq(&p->remote_ip, &remote)))
		p = p->next;
	if (p != NULL && p->netif_idx == j->splice->listener->netif_idx)
		tcp_abort(p);		/* in TIME_WAIT this sends nothing */
}

/* The stream is open: let lwIP see the SYN and answer it. */
static void
accept_syn(struct joint *j)
{
	struct link_frame *syn = j->syn;
	struct tcp_pcb *p;

	j->syn = NULL;
	j->state = ACCEPTING;
	forget_lingering(j);
	j->splice->listener->local_port = j->dst.port;
	stack_input(STACK_FAR, syn, syn->data, syn->len);
	link_frame_unref(syn);
	p = tcp_active_pcbs;		/* a new one is the first */
	if (p == NULL || p->state != SYN_RCVD ||
	    p->local_port != j->dst.port || p->remote_port != j->src.port ||
	    p->callback_arg != NULL) {
		log_debug("splice: no memory for a connection");
		joint_free(j);
		return;
	}
	adopt(j, p);
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
	*ev = &dial_events;
	*ev_arg = j;
	return SW_OK;
}

/* ---- work ---- */

static void
write_dial(struct joint *j)
{
	while (j->rx != NULL && j->dial != NULL && !j->write_full) {
		size_t len = j->rx->len - j->rx_off;
		size_t n = j->ops->write(j->dial,
		    (uint8_t *)j->rx->payload + j->rx_off, len);

		if (n < len)
			j->write_full = true;
		if (n > 0)
			taken(j, n);
	}
	if (j->rx_fin && !j->rx_fin_done && j->rx == NULL && j->dial != NULL) {
		j->rx_fin_done = true;
		j->ops->shutdown(j->dial);
	}
}

static void
send_fin(struct joint *j)
{
	bool ended = j->dial_eof ||
	    (j->dial_closed && j->dial_error == SW_OK);

	if (!ended || j->fin_sent || j->pcb == NULL)
		return;
	if (tcp_shutdown(j->pcb, 0, 1) == ERR_OK)
		j->fin_sent = true;
}

static void
work_joined(struct joint *j)
{
	write_dial(j);
	if (j->data_full && j->dial != NULL && j->pcb != NULL &&
	    j->pcb->snd_buf >= RESUME_MIN) {
		j->data_full = false;
		j->ops->resume(j->dial);
	}
	send_fin(j);
	/* Both FINs are on their way: lwIP ends the pcb by itself. */
	if (j->pcb != NULL && j->fin_sent && j->rx_fin)
		drop_pcb(j);
}

/* The stream is gone.  After an error, or with bytes of the program unread,
 * the program must see a reset; else what we have sent arrives, then a FIN. */
static void
work_closed(struct joint *j)
{
	if (j->dial_error == SW_OK && j->rx == NULL && j->fin_sent &&
	    j->pcb != NULL) {
		tcp_set_flags(j->pcb, TF_RXCLOSED);
		drop_pcb(j);
	}
	joint_free(j);
}

void
joint_work(struct joint *j)
{
	if (j->reset) {
		joint_free(j);
		return;
	}
	if (j->state == DIALING) {
		if (j->dial_failed || j->dial_closed) {
			refuse(j, j->dial_error == SW_OK ? SW_ERR_REFUSED :
			    j->dial_error);
		} else if (j->dial_opened) {
			accept_syn(j);
		} else if (j->dial == NULL) {
			dial(j);
		}
		return;
	}
	if (j->state == JOINED)
		work_joined(j);
	if (j->dial_closed && (j->state == JOINED ||
	    j->dial_error != SW_OK))
		work_closed(j);
}
