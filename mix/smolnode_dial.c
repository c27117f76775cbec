#include "mix/smolnode_exit_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "mix/stream.h"

#define CONNECT_MS 30000
#define READ_MAX 65536

/* Byte streams over kernel sockets. */

struct dial {
	struct loop_fd w;
	struct loop_timer timer;	/* until it is open, or to say why not */
	struct smolnode_exit *exit;
	uint16_t client;
	const struct dial_events *ev;
	void *arg;
	int err;			/* known before the loop turned */
	bool open, paused, eof, shut, want;
};

static void
dial_free(struct dial *d)
{
	loop_set_timer(d->exit->loop, &d->timer, SW_NEVER);
	if (d->w.fd >= 0) {
		loop_del(d->exit->loop, &d->w);
		close(d->w.fd);
	}
	d->exit->streams[d->client]--;
	d->exit->streams_all--;
	free(d);
}

static void
dial_watch(struct dial *d)
{
	loop_mod(d->exit->loop, &d->w, (d->paused || d->eof ? 0 : EPOLLIN) |
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
	loop_set_timer(d->exit->loop, &d->timer, SW_NEVER);
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
	struct dial *d = CONTAINER_OF(w, struct dial, w);

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
	struct dial *d = CONTAINER_OF(t, struct dial, timer);

	d->ev->failed(d->arg, d->err);
	dial_free(d);
}

/* A client may have as many as are left for others: so whoever comes later
 * still finds some, however greedy those before were. */
static bool
may_open(const struct smolnode_exit *x, uint16_t client)
{
	return x->streams[client] < EXIT_TCP_EACH &&
	    x->streams[client] < x->streams_max - x->streams_all;
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
	if (!may_open(x, exit_client_of(&x->opening))) {
		*err = SW_ERR_LIMIT;
		free(d);
		return NULL;
	}
	d->exit = x;
	d->client = exit_client_of(&x->opening);
	x->streams[d->client]++;
	x->streams_all++;
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

const struct dialer_ops exit_dialer_ops = {
	dial_open, dial_write, dial_shutdown, dial_resume, dial_abort,
};
