/*
 * Streams of the origin: a dial is one lwIP connection.
 */
#include <string.h>

#include "base/container.h"
#include "stack/arena.h"
#include "stack/origin_priv.h"

#include "lwip/priv/tcp_priv.h"

static void
touch(struct dial *d)
{
	struct origin *o = d->o;

	if (d->dirty)
		return;
	d->dirty = true;
	d->dirty_next = o->dirty;
	o->dirty = d;
	loop_set_timer(o->loop, &o->soon, o->loop->now_ms);
}

/* lwIP goes on with it by itself, if there is anything left to do. */
static void
drop_pcb(struct dial *d)
{
	if (d->pcb == NULL)
		return;
	tcp_arg(d->pcb, NULL);
	tcp_recv(d->pcb, NULL);
	tcp_sent(d->pcb, NULL);
	tcp_err(d->pcb, NULL);
	d->pcb = NULL;
}

/* Bytes of rx were delivered, the first pieces whole. */
static void
taken(struct dial *d, size_t n)
{
	size_t opened = n;

	n += d->rx_off;
	while (d->rx != NULL && n >= d->rx->len) {
		struct pbuf *p = d->rx;

		n -= p->len;
		d->rx = p->next;
		p->next = NULL;
		p->tot_len = p->len;
		pbuf_free(p);
	}
	d->rx_off = (uint32_t)n;
	if (d->rx == NULL)
		d->rx_last = NULL;
	while (opened > 0 && d->pcb != NULL) {
		u16_t some = (u16_t)(opened > 0xffff ? 0xffff : opened);

		tcp_recved(d->pcb, some);
		opened -= some;
	}
}

static void
forget(struct dial *d)
{
	struct origin *o = d->o;
	struct dial **at = &o->dirty;

	drop_pcb(d);
	while (d->rx != NULL)
		taken(d, d->rx->len - d->rx_off);
	if (d->dirty) {
		while (*at != d)
			at = &(*at)->dirty_next;
		*at = d->dirty_next;
	}
	if (d->prev != NULL)
		d->prev->next = d->next;
	else
		o->dials = d->next;
	if (d->next != NULL)
		d->next->prev = d->prev;
	if (o->working == d)
		o->working = NULL;
	o->dial_n--;
	arena_put(d);
}

void
dial_free(struct dial *d)
{
	struct tcp_pcb *pcb = d->pcb;

	drop_pcb(d);
	if (pcb != NULL && !stack_is_broken())
		tcp_abort(pcb);
	forget(d);
}

/* ---- what lwIP tells ---- */

static err_t
received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t e)
{
	struct dial *d = arg;

	(void)pcb;
	(void)e;
	if (d == NULL) {
		if (p != NULL)
			pbuf_free(p);
		return ERR_OK;
	}
	if (p == NULL)
		d->fin = true;
	else if (d->rx_last != NULL)
		d->rx_last->next = p;
	else
		d->rx = p;
	for (; p != NULL; p = p->next)
		d->rx_last = p;
	touch(d);
	return ERR_OK;
}

static size_t
room(const struct dial *d)
{
	return d->pcb != NULL && !d->shut ? tcp_sndbuf(d->pcb) : 0;
}

static err_t
acked(void *arg, struct tcp_pcb *pcb, u16_t len)
{
	struct dial *d = arg;

	(void)pcb;
	(void)len;
	if (d != NULL && d->want && room(d) >= TCP_SND_BUF / 4)
		touch(d);
	return ERR_OK;
}

static void
pcb_gone(void *arg, err_t e)
{
	struct dial *d = arg;

	if (d == NULL)
		return;
	d->pcb = NULL;
	d->over = true;
	if (e == ERR_CLSD)
		d->err = SW_OK;
	else if (e == ERR_RST)
		d->err = d->open ? SW_ERR_RESET : SW_ERR_REFUSED;
	else
		d->err = SW_ERR_TIMEOUT;
	touch(d);
}

static err_t
connected(void *arg, struct tcp_pcb *pcb, err_t e)
{
	struct dial *d = arg;

	(void)pcb;
	(void)e;
	if (d != NULL) {
		d->open = true;
		touch(d);
	}
	return ERR_OK;
}

/* Before it is open, an ICMP error is the answer; later, retransmission
 * decides (RFC 5461). */
void
dial_icmp(struct origin *o, const struct packet *quoted, int err)
{
	struct dial *d = o->dials;
	struct tcp_pcb *pcb;

	while (d != NULL && !(d->local.port == quoted->src.port &&
	    d->peer.port == quoted->dst.port &&
	    addr_same_ip(&d->peer, &quoted->dst)))
		d = d->next;
	if (d == NULL || d->open || d->over)
		return;
	pcb = d->pcb;
	drop_pcb(d);
	if (pcb != NULL)
		tcp_abort(pcb);
	d->over = true;
	d->err = origin_code(err);
	touch(d);
}

void
dial_end_all(struct origin *o, int err)
{
	for (struct dial *d = o->dials; d != NULL; d = d->next) {
		struct tcp_pcb *pcb = d->pcb;

		drop_pcb(d);
		if (pcb != NULL)
			tcp_abandon(pcb, 0);	/* not our address any more */
		if (!d->over)
			d->err = d->open ? err : SW_ERR_DOWN;
		d->over = true;
		touch(d);
	}
}

/* ---- the work ---- */

/* False when a callback ended the dial. */
static bool
deliver(struct dial *d)
{
	struct origin *o = d->o;

	while (d->rx != NULL && !d->paused) {
		size_t len = d->rx->len - d->rx_off;
		size_t n = d->ev->data(d->arg,
		    (const uint8_t *)d->rx->payload + d->rx_off, len);

		if (o->working != d)
			return false;
		d->paused = n < len;
		taken(d, n);
	}
	if (d->fin && !d->fin_told && d->rx == NULL) {
		d->fin_told = true;
		d->ev->eof(d->arg);
	}
	return o->working == d;
}

/* The last callback. */
static void
end(struct dial *d, int err)
{
	const struct dial_events *ev = d->ev;
	bool told = d->open_told;
	void *arg = d->arg;

	forget(d);
	if (told)
		ev->closed(arg, err);
	else
		ev->failed(arg, err == SW_OK ? SW_ERR_REFUSED : err);
}

static void
work(struct dial *d)
{
	struct origin *o = d->o;

	if (d->open && !d->open_told && !(d->over && d->err != SW_OK)) {
		d->open_told = true;
		d->ev->opened(d->arg);
		if (o->working != d)
			return;
	}
	if (d->over && d->err != SW_OK) {
		end(d, d->err);
		return;
	}
	if (!d->open_told) {
		if (d->over)
			end(d, d->err);
		return;
	}
	if (!deliver(d))
		return;
	if (d->want && room(d) >= TCP_SND_BUF / 4) {
		d->want = false;
		d->ev->writable(d->arg);
		if (o->working != d)
			return;
	}
	if (d->fin_told && d->rx == NULL && (d->shut || d->over))
		end(d, SW_OK);
}

void
dial_work_soon(struct loop_timer *t)
{
	struct origin *o = CONTAINER_OF(t, struct origin, soon);
	struct dial *d;

	while ((d = o->dirty) != NULL) {
		o->dirty = d->dirty_next;
		d->dirty = false;
		o->working = d;
		work(d);
		o->working = NULL;
	}
}

/* ---- what the user asks ---- */

static struct dial *
dial_open(struct dialer *me, const struct dial_target *to,
    const struct dial_events *ev, void *arg, int *err)
{
	struct origin *o = (struct origin *)(void *)me;
	struct sw_addr peer, local;
	struct tcp_pcb *pcb = NULL;
	struct dial *d = NULL;
	ip_addr_t ip;

	*err = SW_ERR_NO_NAME;
	if (addr_parse_ip(&peer, to->host) != SW_OK)
		return NULL;
	peer.port = to->port;
	*err = SW_ERR_DOWN;
	if (!origin_address(o, &peer, &local) || stack_is_broken())
		return NULL;
	*err = SW_ERR_LIMIT;
	if (o->dial_n >= ORIGIN_STREAMS_MAX ||
	    (local.port = origin_take_port(o)) == 0)
		return NULL;
	*err = SW_ERR_NOMEM;
	if ((d = arena_get_zeroed(1, sizeof(*d))) == NULL)
		return NULL;
	if ((pcb = stack_tcp_new(STACK_SELF)) == NULL)
		goto fail;
	pcb->local_ip = stack_ip(&local);
	pcb->local_port = local.port;
	tcp_arg(pcb, d);
	tcp_recv(pcb, received);
	tcp_sent(pcb, acked);
	tcp_err(pcb, pcb_gone);
	tcp_nagle_disable(pcb);
	ip = stack_ip(&peer);
	d->pcb = pcb;
	if (tcp_connect(pcb, &ip, peer.port, connected) != ERR_OK) {
		drop_pcb(d);
		tcp_abort(pcb);
		goto fail;
	}
	d->o = o;
	d->ev = ev;
	d->arg = arg;
	d->local = local;
	d->peer = peer;
	d->next = o->dials;
	if (d->next != NULL)
		d->next->prev = d;
	o->dials = d;
	o->dial_n++;
	*err = SW_OK;
	return d;
fail:
	arena_put(d);
	return NULL;
}

static size_t
dial_write(struct dial *d, const uint8_t *buf, size_t len)
{
	size_t done = 0;

	while (done < len && room(d) > 0) {
		size_t n = len - done;

		if (n > room(d))
			n = room(d);
		if (n > 0xffff)
			n = 0xffff;
		if (tcp_write(d->pcb, buf + done, (u16_t)n,
		    TCP_WRITE_FLAG_COPY) != ERR_OK)
			break;
		done += n;
	}
	if (done > 0)
		(void)tcp_output(d->pcb);
	d->want |= done < len;
	return done;
}

static void
dial_shutdown(struct dial *d)
{
	if (d->shut)
		return;
	d->shut = true;
	if (d->pcb != NULL)
		(void)tcp_shutdown(d->pcb, 0, 1);
	touch(d);			/* it may be over now */
}

static void
dial_resume(struct dial *d)
{
	d->paused = false;
	touch(d);
}

const struct dialer_ops origin_dialer_ops = {
	.open = dial_open, .write = dial_write, .shutdown = dial_shutdown,
	.resume = dial_resume, .abort = dial_free,
};
