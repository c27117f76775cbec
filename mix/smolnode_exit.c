#include "mix/smolnode_exit.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "mix/iprmsg.h"
#include "mix/stream.h"
#include "stack/splice.h"

#define UDP_FLOWS 1024
#define UDP_IDLE_MS 120000
#define CONNECT_MS 30000
#define READ_MAX 65536

/* One datagram flow: inner end, outer end, and the socket connected to it. */
struct udp_flow {
	struct loop_fd w;		/* first */
	struct smolnode_exit *exit;
	struct sw_addr inner, outer;
	int64_t last_ms;
	bool used;
};

struct smolnode_exit {
	struct loop *loop;
	const struct smolnode_exit_ops *ops;
	void *arg;
	struct splice *splice;
	struct udp_flow udp[UDP_FLOWS];
};

/* Byte streams over kernel sockets. */

struct dial {
	struct loop_fd w;		/* first */
	struct loop_timer timer;	/* until it is open, or to say why not */
	struct loop *loop;
	const struct dial_events *ev;
	void *arg;
	int err;			/* known before the loop turned */
	bool open, paused, eof, shut, want;
};

static void
dial_free(struct dial *d)
{
	loop_set_timer(d->loop, &d->timer, SW_NEVER);
	if (d->w.fd >= 0) {
		loop_del(d->loop, &d->w);
		close(d->w.fd);
	}
	free(d);
}

static void
dial_watch(struct dial *d)
{
	loop_mod(d->loop, &d->w, (d->paused || d->eof ? 0 : EPOLLIN) |
	    (!d->open || d->want ? EPOLLOUT : 0));
}

static int
dial_code(int e)
{
	return e == ECONNREFUSED ? SW_ERR_REFUSED : sw_err_from_errno(e);
}

static void
dial_close(struct dial *d, int err)
{
	d->ev->closed(d->arg, err);
	dial_free(d);
}

static void
dial_connected(struct dial *d)
{
	socklen_t len = sizeof(int);
	int e = 0;

	if (getsockopt(d->w.fd, SOL_SOCKET, SO_ERROR, &e, &len) != 0)
		e = errno;
	if (e != 0) {
		d->ev->failed(d->arg, dial_code(e));
		dial_free(d);
		return;
	}
	loop_set_timer(d->loop, &d->timer, SW_NEVER);
	d->open = true;
	dial_watch(d);
	d->ev->opened(d->arg);
}

/* What the stack does not take stays in the socket: peek, then consume. */
static void
dial_readable(struct dial *d)
{
	static uint8_t buf[READ_MAX];
	ssize_t n = recv(d->w.fd, buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT);
	size_t took;

	if (n > 0) {
		took = d->ev->data(d->arg, buf, (size_t)n);
		if (took > 0)
			(void)!recv(d->w.fd, buf, took, MSG_DONTWAIT);
		d->paused = took < (size_t)n;
		dial_watch(d);
	} else if (n == 0) {
		d->eof = true;
		dial_watch(d);
		d->ev->eof(d->arg);
		if (d->shut)
			dial_close(d, SW_OK);
	} else if (errno != EAGAIN && errno != EINTR) {
		dial_close(d, dial_code(errno));
	}
}

static void
dial_ready(struct loop_fd *w, uint32_t events)
{
	struct dial *d = (struct dial *)w;

	if (!d->open) {
		if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0)
			dial_connected(d);
	} else if (d->want && (events & EPOLLOUT) != 0) {
		d->want = false;
		dial_watch(d);
		d->ev->writable(d->arg);
	} else if ((events & EPOLLERR) != 0 ||
	    (d->eof && (events & EPOLLHUP) != 0)) {
		dial_close(d, (events & EPOLLERR) != 0 ? SW_ERR_RESET : SW_OK);
	} else if (!d->paused && !d->eof) {
		dial_readable(d);
	}
}

static void
dial_late(struct loop_timer *t)
{
	struct dial *d = (struct dial *)((char *)t -
	    offsetof(struct dial, timer));

	d->ev->failed(d->arg, d->err);
	dial_free(d);
}

static struct dial *
dial_open(struct dialer *me, const struct dial_target *to,
    const struct dial_events *ev, void *arg, int *err)
{
	struct smolnode_exit *x = (struct smolnode_exit *)me;
	struct dial *d = calloc(1, sizeof(*d));
	struct sw_addr a;

	*err = SW_ERR_NOMEM;
	if (d == NULL)
		return NULL;
	d->loop = x->loop;
	d->ev = ev;
	d->arg = arg;
	d->w.ready = dial_ready;
	d->timer.fire = dial_late;
	d->w.fd = -1;
	d->err = SW_ERR_TIMEOUT;
	if (addr_parse_ip(&a, to->host) == SW_OK) {
		a.port = to->port;
		d->w.fd = stream_connect_fd(&a);
	}
	if (d->w.fd >= 0 && loop_add(x->loop, &d->w, EPOLLOUT) != SW_OK) {
		close(d->w.fd);
		d->w.fd = -1;
	}
	if (d->w.fd < 0)
		d->err = SW_ERR_UNREACH_NET;
	loop_set_timer(x->loop, &d->timer, x->loop->now_ms +
	    (d->w.fd < 0 ? 0 : CONNECT_MS));
	*err = SW_OK;
	return d;
}

static size_t
dial_write(struct dial *d, const uint8_t *buf, size_t len)
{
	ssize_t n = send(d->w.fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN)
		return len;		/* reported by the next event */
	if (n < 0)
		n = 0;
	if ((size_t)n < len) {
		d->want = true;
		dial_watch(d);
	}
	return (size_t)n;
}

static void
dial_shutdown(struct dial *d)
{
	d->shut = true;
	(void)!shutdown(d->w.fd, SHUT_WR);
}

static void
dial_resume(struct dial *d)
{
	d->paused = false;
	dial_watch(d);
}

static void
dial_abort(struct dial *d)
{
	struct linger now = { 1, 0 };

	if (d->w.fd >= 0)
		setsockopt(d->w.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	dial_free(d);
}

static const struct dialer_ops dialer_ops = {
	dial_open, dial_write, dial_shutdown, dial_resume, dial_abort,
};

/* Datagrams. */

static void
udp_close(struct udp_flow *f)
{
	if (!f->used)
		return;
	loop_del(f->exit->loop, &f->w);
	close(f->w.fd);
	f->used = false;
}

static void
udp_ready(struct loop_fd *w, uint32_t events)
{
	struct udp_flow *f = (struct udp_flow *)w;
	uint8_t buf[READ_MAX];
	ssize_t n;

	(void)events;
	while ((n = recv(w->fd, buf, sizeof(buf), MSG_DONTWAIT)) >= 0) {
		f->last_ms = f->exit->loop->now_ms;
		splice_send_udp(f->exit->splice, &f->outer, &f->inner, buf,
		    (size_t)n);
	}
	if (errno != EAGAIN && errno != EINTR)
		udp_close(f);
}

/* The flow of these two ends; a new one takes the place of the idlest. */
static struct udp_flow *
udp_find(struct smolnode_exit *x, const struct sw_addr *inner,
    const struct sw_addr *outer)
{
	struct udp_flow *free_one = NULL, *idlest = &x->udp[0];

	for (size_t i = 0; i < UDP_FLOWS; i++) {
		struct udp_flow *f = &x->udp[i];

		if (!f->used) {
			free_one = free_one != NULL ? free_one : f;
			continue;
		}
		if (memcmp(&f->inner, inner, sizeof(*inner)) == 0 &&
		    memcmp(&f->outer, outer, sizeof(*outer)) == 0)
			return f;
		if (x->loop->now_ms - f->last_ms > UDP_IDLE_MS) {
			udp_close(f);
			free_one = f;
		} else if (f->last_ms < idlest->last_ms) {
			idlest = f;
		}
	}
	if (free_one == NULL) {
		udp_close(idlest);
		free_one = idlest;
	}
	return free_one;
}

static int
udp_open(struct smolnode_exit *x, struct udp_flow *f,
    const struct sw_addr *inner, const struct sw_addr *outer)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int family = addr_is_v4(outer) ? AF_INET : AF_INET6;

	memset(f, 0, sizeof(*f));
	addr_to_sockaddr(outer, family, (struct sockaddr *)&ss, &len);
	f->w.fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (f->w.fd < 0)
		return SW_ERR_LIMIT;
	f->w.ready = udp_ready;
	f->exit = x;
	f->inner = *inner;
	f->outer = *outer;
	if (connect(f->w.fd, (struct sockaddr *)&ss, len) != 0 ||
	    loop_add(x->loop, &f->w, EPOLLIN) != SW_OK) {
		close(f->w.fd);
		return SW_ERR_UNREACH_NET;
	}
	f->used = true;
	return SW_OK;
}

static int
take_udp(void *arg, const struct sw_addr *src, const struct sw_addr *dst,
    const uint8_t *data, size_t len)
{
	struct smolnode_exit *x = arg;
	struct udp_flow *f = udp_find(x, src, dst);
	int r;

	if (!f->used && (r = udp_open(x, f, src, dst)) != SW_OK)
		return r;
	f->last_ms = x->loop->now_ms;
	if (send(f->w.fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
	    errno == ECONNREFUSED)
		return SW_ERR_REFUSED;
	return SW_OK;
}

/* The splice. */

static int
output(void *arg, const struct sw_addr *dst, const struct iovec *iov, int n)
{
	struct smolnode_exit *x = arg;
	uint8_t pkt[IPRMSG_BUNDLE_MAX];
	size_t len = 0;

	for (int i = 0; i < n; i++) {
		if (iov[i].iov_len > sizeof(pkt) - len)
			return SW_OK;	/* larger than the MTU: dropped */
		memcpy(pkt + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	return x->ops->packet(x->arg, dst, pkt, len) == SW_AGAIN ? SW_AGAIN :
	    SW_OK;
}

static int
target(void *arg, const struct sw_addr *src, const struct sw_addr *dst,
    struct dial_target *out)
{
	char text[SW_ADDR_TEXT_LEN];

	(void)arg;
	(void)src;
	snprintf(out->host, sizeof(out->host), "%s", addr_ip_text(dst, text));
	out->port = dst->port;
	return SW_OK;
}

static struct dialer *
local(void *arg, const struct sw_addr *dst, const struct dialer_ops **ops)
{
	(void)arg;
	(void)dst;
	(void)ops;
	return NULL;
}

static const struct splice_ops splice_ops = {
	output, target, local, take_udp,
};

struct smolnode_exit *
smolnode_exit_new(struct loop *l, const struct smolnode_exit_ops *ops,
    void *arg)
{
	struct smolnode_exit *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
	x->loop = l;
	x->ops = ops;
	x->arg = arg;
	if ((x->splice = splice_new(l, &splice_ops, x)) == NULL) {
		free(x);
		return NULL;
	}
	splice_set_dialer(x->splice, (struct dialer *)x, &dialer_ops);
	splice_set_path(x->splice, IPRMSG_MTU);
	return x;
}

void
smolnode_exit_free(struct smolnode_exit *x)
{
	if (x == NULL)
		return;
	splice_free(x->splice);
	for (size_t i = 0; i < UDP_FLOWS; i++)
		udp_close(&x->udp[i]);
	free(x);
}

void
smolnode_exit_take(struct smolnode_exit *x, const uint8_t *pkt, size_t len)
{
	struct link_frame *f = link_frame_new(pkt, len);

	if (f == NULL)
		return;
	splice_input(x->splice, f);
	link_frame_unref(f);
}

void
smolnode_exit_writable(struct smolnode_exit *x, const struct sw_addr *inner)
{
	splice_writable(x->splice, inner);
}

void
smolnode_exit_forget(struct smolnode_exit *x, const struct sw_addr *inner)
{
	splice_forget(x->splice, inner);
}
