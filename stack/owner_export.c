#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/sys.h"
#include "stack/arena.h"
#include "stack/owner_image.h"

#include "lwip/priv/tcp_priv.h"

static int
send_message(int fd, uint32_t kind, const void *data, size_t len,
    const int *fds, unsigned nfds)
{
	struct image_head h = {
		.magic = IMAGE_MAGIC, .kind = kind, .len = (uint32_t)len,
	};
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(IMAGE_FDS * sizeof(int))];
	} u;
	struct iovec iov[2] = { { &h, sizeof(h) }, { .iov_len = len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	ssize_t r;

	if (len > 0)
		memcpy(&iov[1].iov_base, &data, sizeof(data));
	if (nfds > 0) {
		struct cmsghdr *c;

		memset(&u, 0, sizeof(u));
		m.msg_control = u.room;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	for (;;) {
		r = sys_sendmsg(fd, &m, MSG_NOSIGNAL);
		if (r == -EINTR)
			continue;
		if (r != -EAGAIN && r != -ETOOMANYREFS)
			return r < 0 ? SW_ERR_SYS : SW_OK;
		if (sys_poll(&p, 1, IMAGE_TIMEOUT_MS) <= 0)
			return SW_ERR_SYS;
	}
}

static int
send_owner(struct owner *o, int fd)
{
	struct image_owner im = {
		.id = o->id, .next_port = o->next_port,
		.configured = o->configured, .config = o->config,
	};
	int fds[2], r;

	link_flush(o->link);
	fds[0] = link_detach(o->link);
	o->link = NULL;
	fds[1] = o->chan.fd;
	r = send_message(fd, IMAGE_OWNER, &im, sizeof(im), fds,
	    o->chan.fd >= 0 ? 2 : 1);
	sys_close(fds[0]);
	return r;
}

static uint32_t
seq_of(const struct tcp_seg *seg)
{
	return lwip_ntohl(seg->tcphdr->seqno);
}

/* Of what TCP holds, the oldest byte's number: that is where tx begins.  An
 * acknowledgement in the middle of a segment does not free it. */
static uint32_t
base_of(const struct tcp_pcb *p)
{
	uint32_t base = p->snd_lbb;

	if (p->unsent != NULL && p->unsent->len > 0)
		base = seq_of(p->unsent);
	if (p->unacked != NULL && p->unacked->len > 0 &&
	    (p->unsent == NULL || TCP_SEQ_LT(seq_of(p->unacked), base)))
		base = seq_of(p->unacked);
	return base;
}

static void
describe_tcp(struct image_tcp *t, const struct tcp_pcb *p)
{
	*t = (struct image_tcp){
		.state = p->state,
		.base = base_of(p),
		.snd_nxt = p->snd_nxt,
		.rcv_nxt = p->rcv_nxt,
		.snd_wnd = p->snd_wnd,
		.snd_wnd_max = p->snd_wnd_max,
		.snd_wl1 = p->snd_wl1,
		.snd_wl2 = p->snd_wl2,
		.rcv_right = p->rcv_ann_right_edge,
		.cwnd = p->cwnd,
		.ssthresh = p->ssthresh,
		.ts_recent = p->ts_recent,
		.flags = p->flags & (TF_TIMESTAMP | TF_WND_SCALE),
		.mss = p->mss,
		.sa = p->sa, .sv = p->sv, .rto = p->rto,
		.snd_scale = p->snd_scale, .rcv_scale = p->rcv_scale,
	};
	if (p->state == SYN_SENT)
		t->base = p->lastack + 1;	/* the initial number */
}

static void
describe(struct image_flow *im, const struct flow *f)
{
	*im = (struct image_flow){
		.cookie = f->cookie,
		.listener = f->listener != NULL ? f->listener->cookie : 0,
		.local = f->local, .peer = f->peer,
		.tx_bytes = f->tx_bytes, .rx_bytes = f->rx_bytes,
		.error = f->error, .discard = f->discard,
		.backlog_max = f->backlog_max,
		.tx_len = f->tx_held, .rx_len = f->rx_held,
		.state = f->state, .dgram = f->dgram, .v6 = f->v6,
		.reuse = f->reuse, .bound = f->bound, .kept = f->kept,
		.app_done = f->app_done, .app_gone = f->app_gone,
		.fin_sent = f->fin_sent, .rx_fin = f->rx_fin,
		.rx_fin_done = f->rx_fin_done, .rx_discard = f->rx_discard,
		.linger_reset = f->linger_reset, .dying = f->dying,
		.has_far = f->w.fd >= 0, .has_app = f->app_fd >= 0,
	};
	if (f->pcb != NULL)
		describe_tcp(&im->tcp, f->pcb);
}

static int
send_tx(const struct flow *f, int fd)
{
	for (const struct chunk *c = f->tx; c != NULL; c = c->next)
		for (uint32_t at = c->acked; at < c->len;) {
			uint32_t n = c->len - at;

			if (n > IMAGE_DATA_MAX)
				n = IMAGE_DATA_MAX;
			if (send_message(fd, IMAGE_TX, c->data + at, n, NULL,
			    0) != SW_OK)
				return SW_ERR_SYS;
			at += n;
		}
	return SW_OK;
}

static int
send_rx(const struct flow *f, int fd)
{
	uint32_t at = f->rx_off;

	for (const struct pbuf *p = f->rx; p != NULL; p = p->next, at = 0)
		while (at < p->len) {
			uint32_t n = p->len - at;

			if (n > IMAGE_DATA_MAX)
				n = IMAGE_DATA_MAX;
			if (send_message(fd, IMAGE_RX,
			    (uint8_t *)p->payload + at, n, NULL, 0) != SW_OK)
				return SW_ERR_SYS;
			at += n;
		}
	return SW_OK;
}

static int
send_extras(const struct flow *f, int fd)
{
	struct image_option im;
	struct image_drain left;

	for (const struct option *o = f->options; o != NULL; o = o->next) {
		im = (struct image_option){ o->level, o->name, o->len, { 0 } };
		memcpy(im.value, o->value, o->len);
		if (send_message(fd, IMAGE_OPTION, &im, sizeof(im), NULL,
		    0) != SW_OK)
			return SW_ERR_SYS;
	}
	for (const struct drain *d = f->drains; d != NULL; d = d->next) {
		int64_t ms = d->timer.at_ms - f->owner->loop->now_ms;

		left.left_ms = ms > 0 ? (uint32_t)ms : 0;
		if (send_message(fd, IMAGE_DRAIN, &left, sizeof(left),
		    &d->reply_fd, 1) != SW_OK)
			return SW_ERR_SYS;
	}
	return SW_OK;
}

static int
send_flow(const struct flow *f, int fd)
{
	struct image_flow im;
	int fds[2];
	unsigned n = 0;

	describe(&im, f);
	if (f->w.fd >= 0)
		fds[n++] = f->w.fd;
	if (f->app_fd >= 0)
		fds[n++] = f->app_fd;
	if (send_message(fd, IMAGE_FLOW, &im, sizeof(im), fds, n) != SW_OK ||
	    send_tx(f, fd) != SW_OK || send_rx(f, fd) != SW_OK)
		return SW_ERR_SYS;
	return send_extras(f, fd);
}

static int
send_tombs(const struct owner *o, int fd)
{
	uint32_t n = o->tomb_at < TOMBS ? o->tomb_at : TOMBS;

	if (n == 0)
		return SW_OK;
	return send_message(fd, IMAGE_TOMBS, o->tombs,
	    n * sizeof(o->tombs[0]), NULL, 0);
}

/* Close our copies of what was handed over.  Nothing is sent. */
static void
let_go(struct owner *o)
{
	for (struct flow *f = o->flows; f != NULL; f = f->next) {
		if (f->pcb != NULL) {
			struct tcp_pcb *pcb = f->pcb;

			tcp_arg(pcb, NULL);
			tcp_err(pcb, NULL);
			f->pcb = NULL;
			tcp_abandon(pcb, 0);
		}
		while (f->drains != NULL) {
			struct drain *d = f->drains;

			f->drains = d->next;
			loop_set_timer(o->loop, &d->timer, SW_NEVER);
			sys_close(d->reply_fd);
			arena_put(d);
		}
	}
}

int
owner_export(struct owner *o, int fd)
{
	int r;

	o->freed = true;		/* the link is left alone from here on */
	r = send_owner(o, fd);
	/* Listeners first: what waits to be accepted refers to them. */
	for (int pass = 0; pass < 2; pass++)
		for (struct flow *f = o->flows; f != NULL && r == SW_OK;
		    f = f->next)
			if ((f->state == OWNER_LISTENING) == (pass == 0))
				r = send_flow(f, fd);
	if (r == SW_OK)
		r = send_tombs(o, fd);
	if (r == SW_OK)
		r = send_message(fd, IMAGE_END, NULL, 0, NULL, 0);
	if (r == SW_OK)
		let_go(o);
	owner_free(o);
	return r;
}
