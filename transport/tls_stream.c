/*
 * Bytes between TLS and a pair.  One step() does all that can be done now, in a
 * bounded number of rounds, and then says what is to be waited for:
 *
 *   app --recv--> out --ssl_write--> socket          and its end: close_notify
 *   socket --> ahead --ssl_read--> in --send--> app  and its end: shutdown
 *
 * A side that takes no more leaves its buffer full, and then the other side is
 * not read: back-pressure by doing nothing.
 */
#include "transport/tls_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/wipe.h"

#define ROUNDS_MAX 16
#define LINGER_MS 10000

/* ---- the socket, as mbedTLS uses it ---- */

static int
net_send(void *arg, const unsigned char *buf, size_t len)
{
	struct tls_stream *s = arg;
	ssize_t n = send(s->net.fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n >= 0)
		return (int)n;
	if (errno == EAGAIN || errno == EINTR) {
		s->net_full = true;
		return MBEDTLS_ERR_SSL_WANT_WRITE;
	}
	return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

/* mbedTLS sometimes says "want read" with a message in hand that it has put off
 * (tickets): only an empty socket is a reason to wait. */
static bool
is_put_off(const struct tls_stream *s, int r)
{
	return r == MBEDTLS_ERR_SSL_WANT_READ && !s->net_empty;
}

/* mbedTLS asks for a header, then for the record: read ahead, so that this is
 * not two system calls. */
static int
net_recv(void *arg, unsigned char *buf, size_t len)
{
	struct tls_stream *s = arg;
	size_t here;

	if (s->ahead_at == s->ahead_len) {
		ssize_t n = recv(s->net.fd, s->ahead, sizeof(s->ahead),
		    MSG_DONTWAIT);

		if (n < 0) {
			s->net_empty = errno == EAGAIN || errno == EINTR;
			return s->net_empty ? MBEDTLS_ERR_SSL_WANT_READ :
			    MBEDTLS_ERR_SSL_CONN_EOF;
		}
		if (n == 0)
			return 0;
		s->ahead_at = 0;
		s->ahead_len = (size_t)n;
	}
	here = s->ahead_len - s->ahead_at;
	if (len > here)
		len = here;
	memcpy(buf, s->ahead + s->ahead_at, len);
	s->ahead_at += len;
	return (int)len;
}

/* ---- life ---- */

static void
close_fd(struct loop *l, struct loop_fd *w)
{
	if (w->fd < 0)
		return;
	if (l != NULL)
		loop_del(l, w);
	close(w->fd);
	w->fd = -1;
}

struct tls_stream *
tls_stream_new(int net, const mbedtls_ssl_config *conf)
{
	struct tls_stream *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		close(net);
		return NULL;
	}
	s->net.fd = net;
	s->app.fd = -1;
	s->again.at_ms = s->linger.at_ms = SW_NEVER;
	mbedtls_ssl_init(&s->ssl);
	if (fcntl(net, F_SETFL, fcntl(net, F_GETFL) | O_NONBLOCK) != 0 ||
	    mbedtls_ssl_setup(&s->ssl, conf) != 0) {
		tls_stream_free(s);
		return NULL;
	}
	mbedtls_ssl_set_bio(&s->ssl, s, net_send, net_recv, NULL);
	return s;
}

static void
stop(struct tls_stream *s)
{
	if (s->l != NULL) {
		loop_set_timer(s->l, &s->again, SW_NEVER);
		loop_set_timer(s->l, &s->linger, SW_NEVER);
	}
	close_fd(s->l, &s->net);
	close_fd(s->l, &s->app);
	s->l = NULL;
}

void
tls_stream_free(struct tls_stream *s)
{
	if (s == NULL)
		return;
	stop(s);
	mbedtls_ssl_free(&s->ssl);
	sw_wipe_free(s, sizeof(*s));
}

int
tls_stream_handshake(struct tls_stream *s, short *events, int *mbed_err)
{
	int r;

	do {
		s->net_empty = false;
		r = mbedtls_ssl_handshake(&s->ssl);
	} while (is_put_off(s, r));
	*mbed_err = r;
	*events = r == MBEDTLS_ERR_SSL_WANT_WRITE ? POLLOUT : POLLIN;
	s->net_full = false;
	if (r == 0)
		return SW_OK;
	if (r == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE)
		return SW_AGAIN;
	return SW_ERR_RESET;
}

int
tls_stream_open(struct tls_stream *s, int *fd)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return SW_ERR_SYS;
	s->app.fd = ends[0];
	*fd = ends[1];
	return SW_OK;
}

/* ---- one direction each: true when something moved; *err when it broke ---- */

/* TLS 1.3 gives its tickets after the handshake, whatever we do just then. */
static bool
heard_ticket(struct tls_stream *s, int r)
{
	if (r != MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
		return false;
	if (s->ev->ticket != NULL)
		s->ev->ticket(s->arg, &s->ssl);
	return true;
}

static bool
move_out(struct tls_stream *s, int *err)
{
	bool moved = false;
	ssize_t n;
	int r;

	if (s->out_len == 0 && !s->app_eof) {
		n = recv(s->app.fd, s->out, sizeof(s->out), MSG_DONTWAIT);
		if (n > 0)
			s->out_len = (size_t)n;
		s->app_eof = n == 0 || (n < 0 && errno != EAGAIN &&
		    errno != EINTR);
	}
	while (s->out_at < s->out_len) {
		s->net_empty = false;
		r = mbedtls_ssl_write(&s->ssl, s->out + s->out_at,
		    s->out_len - s->out_at);
		if (r < 0 && (heard_ticket(s, r) || is_put_off(s, r)))
			continue;
		if (r < 0) {
			if (r != MBEDTLS_ERR_SSL_WANT_WRITE &&
			    r != MBEDTLS_ERR_SSL_WANT_READ)
				*err = SW_ERR_RESET;
			return moved;
		}
		s->out_at += (size_t)r;
		moved = true;
	}
	s->out_at = s->out_len = 0;
	if (s->app_eof && !s->told_net) {
		r = mbedtls_ssl_close_notify(&s->ssl);
		s->told_net = r != MBEDTLS_ERR_SSL_WANT_WRITE;
	}
	return moved;
}

static void
open_record(struct tls_stream *s, bool *again, int *err)
{
	int r;

	s->net_empty = false;
	r = mbedtls_ssl_read(&s->ssl, s->in, sizeof(s->in));
	if (r > 0) {
		s->in_len = (size_t)r;
	} else if (heard_ticket(s, r) || is_put_off(s, r)) {
		*again = true;
	} else if (r == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
		s->net_eof = true;
	} else if (r == 0 || (r != MBEDTLS_ERR_SSL_WANT_READ &&
	    r != MBEDTLS_ERR_SSL_WANT_WRITE)) {
		*err = SW_ERR_RESET;	/* an end without close_notify, too */
	}
}

static bool
move_in(struct tls_stream *s, int *err)
{
	bool again = false;
	size_t left;
	ssize_t n;

	if (s->in_len == 0 && !s->net_eof)
		open_record(s, &again, err);
	if (s->in_at < s->in_len) {
		left = s->in_len - s->in_at;
		n = s->app_gone ? (ssize_t)left : send(s->app.fd,
		    s->in + s->in_at, left, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			n = (ssize_t)left;	/* nobody reads */
		if (n <= 0)
			return false;
		s->in_at += (size_t)n;
		if (s->in_at == s->in_len)
			s->in_at = s->in_len = 0;
		return true;
	}
	if (s->net_eof && !s->told_app) {
		(void)shutdown(s->app.fd, SHUT_WR);
		s->told_app = true;
	}
	return again;
}

/* ---- on a loop ---- */

static void
wait_for(struct loop *l, struct loop_fd *w, uint32_t *now, uint32_t want)
{
	if (*now == want)
		return;
	*now = want;
	loop_mod(l, w, want);
}

static void
finish(struct tls_stream *s, int err)
{
	stop(s);
	s->ev->over(s->arg, err);
}

static void
step(struct tls_stream *s)
{
	bool more = true;
	int err = SW_OK;

	s->net_full = false;
	for (int i = 0; more && i < ROUNDS_MAX && err == SW_OK; i++) {
		more = move_out(s, &err);
		if (err == SW_OK)
			more |= move_in(s, &err);
	}
	if (err != SW_OK || (s->told_net && (s->told_app || s->app_gone))) {
		finish(s, err);
		return;
	}
	if (more)			/* the others' turn, then ours again */
		loop_set_timer(s->l, &s->again, s->l->now_ms);
	wait_for(s->l, &s->net, &s->net_events,
	    (s->in_len == 0 && !s->net_eof ? EPOLLIN : 0u) |
	    (s->net_full ? EPOLLOUT : 0u));
	if (!s->app_gone)
		wait_for(s->l, &s->app, &s->app_events,
		    (s->out_len == 0 && !s->app_eof ? EPOLLIN : 0u) |
		    (s->in_len > 0 ? EPOLLOUT : 0u));
}

static void
on_net(struct loop_fd *w, uint32_t events)
{
	struct tls_stream *s = (struct tls_stream *)(void *)((char *)w -
	    offsetof(struct tls_stream, net));

	/* Broken while nobody reads it: there is no other way to hear. */
	if ((events & EPOLLERR) != 0 && (s->net_events & EPOLLIN) == 0)
		finish(s, SW_ERR_RESET);
	else
		step(s);
}

static void
on_app(struct loop_fd *w, uint32_t events)
{
	struct tls_stream *s = (struct tls_stream *)(void *)((char *)w -
	    offsetof(struct tls_stream, app));

	/* Closed: what it wrote still goes, for a while. */
	if ((events & (EPOLLHUP | EPOLLERR)) != 0 && !s->app_gone) {
		s->app_gone = true;
		loop_del(s->l, &s->app);
		loop_set_timer(s->l, &s->linger, s->l->now_ms + LINGER_MS);
	}
	step(s);
}

static void
on_again(struct loop_timer *t)
{
	step((struct tls_stream *)(void *)((char *)t -
	    offsetof(struct tls_stream, again)));
}

static void
on_linger(struct loop_timer *t)
{
	finish((struct tls_stream *)(void *)((char *)t -
	    offsetof(struct tls_stream, linger)), SW_ERR_TIMEOUT);
}

int
tls_stream_run(struct tls_stream *s, struct loop *l,
    const struct tls_stream_events *ev, void *arg)
{
	s->ev = ev;
	s->arg = arg;
	s->net.ready = on_net;
	s->app.ready = on_app;
	s->again.fire = on_again;
	s->linger.fire = on_linger;
	s->net_events = s->app_events = EPOLLIN;
	if (loop_add(l, &s->net, EPOLLIN) != SW_OK)
		return SW_ERR_SYS;
	if (loop_add(l, &s->app, EPOLLIN) != SW_OK) {
		loop_del(l, &s->net);
		return SW_ERR_SYS;
	}
	s->l = l;
	/* What came together with the handshake's end waits for no event. */
	loop_set_timer(l, &s->again, 0);
	return SW_OK;
}
