/*
 * The peer's bytes on their way to the program: queued as lwIP delivers them,
 * written once at the end of the turn.  The window opens for what was taken.
 */
#include <errno.h>
#include <poll.h>

#include "base/sys.h"
#include "stack/owner_priv.h"

#define DELIVER_IOV 64

void
pump_queue_rx(struct flow *f, struct pbuf *p)
{
	if (f->rx_last != NULL)
		f->rx_last->next = p;
	else
		f->rx = p;
	for (; p != NULL; p = p->next) {
		f->rx_held += p->len;
		f->rx_last = p;
	}
}

err_t
pump_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t e)
{
	struct flow *f = arg;

	(void)pcb;
	(void)e;
	if (f == NULL) {
		if (p != NULL)
			pbuf_free(p);
		return ERR_OK;
	}
	if (p == NULL)
		f->rx_fin = true;
	else
		pump_queue_rx(f, p);
	flow_touch(f);
	return ERR_OK;
}

/* `n` bytes of rx were taken. */
static void
taken(struct flow *f, size_t n)
{
	uint32_t opened = (uint32_t)n;

	f->rx_bytes += n;
	f->rx_held -= (uint32_t)n;
	n += f->rx_off;
	while (f->rx != NULL && n >= f->rx->len) {
		struct pbuf *p = f->rx;

		n -= p->len;
		f->rx = p->next;
		p->next = NULL;
		p->tot_len = p->len;
		pbuf_free(p);
	}
	f->rx_off = (uint32_t)n;
	if (f->rx == NULL)
		f->rx_last = NULL;
	while (opened > 0 && f->pcb != NULL) {
		u16_t some = (u16_t)(opened > 0xffff ? 0xffff : opened);

		tcp_recved(f->pcb, some);
		opened -= some;
	}
}

void
pump_drop_rx(struct flow *f)
{
	if (f->rx_held > 0 || f->rx != NULL)
		taken(f, f->rx_held);
}

static ssize_t
write_program(const struct flow *f)
{
	struct iovec iov[DELIVER_IOV];
	struct msghdr m = { .msg_iov = iov };
	size_t off = f->rx_off;
	size_t n = 0;

	for (struct pbuf *p = f->rx; p != NULL && n < DELIVER_IOV; p = p->next) {
		iov[n++] = (struct iovec){
			(uint8_t *)p->payload + off, p->len - off,
		};
		off = 0;
	}
	m.msg_iovlen = n;
	return sys_sendmsg(f->w.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool
has_hung_up(const struct flow *f)
{
	struct pollfd p = { .fd = f->w.fd };

	return sys_poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0;
}

void
pump_deliver(struct flow *f)
{
	ssize_t r;

	while (f->rx_held > 0 && f->w.fd >= 0 && !f->app_gone) {
		if (f->rx_discard) {
			pump_drop_rx(f);
			break;
		}
		r = write_program(f);
		if (r > 0) {
			taken(f, (size_t)r);
		} else if (r == -EAGAIN) {
			flow_watch_out(f, true);
			return;
		} else if (r == -EPIPE && !has_hung_up(f)) {
			f->rx_discard = true;	/* it shut its reading side */
		} else if (r != -EINTR) {
			f->app_done = f->app_gone = true;
		}
	}
	flow_watch_out(f, false);
	if (f->rx_fin && !f->rx_fin_done && f->rx_held == 0 && f->w.fd >= 0) {
		(void)sys_shutdown(f->w.fd, SHUT_WR);
		f->rx_fin_done = true;
	}
}
