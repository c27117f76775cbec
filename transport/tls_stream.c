/*
 * Bytes between TLS and a pair.  One step() does all that can be done now, in a
 * bounded number of rounds, and then says what is to be waited for:
 *
 *   app --> out --ssl_write--> sealed --> socket     and its end: close_notify
 *   socket --> ahead --ssl_read--> in --> app        and its end: shutdown
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
#include "base/container.h"
#include "base/wipe.h"

#define ROUNDS_MAX 16
#define LINGER_MS 10000

/* ---- the socket, as mbedTLS uses it ---- */

static bool
is_empty(const struct tls_bytes *b)
{
	return b->at == b->len;
}

/* False: the socket is broken. */
static bool
flush(struct tls_stream *s)
{
	struct tls_bytes *b = &s->sealed;

	while (!is_empty(b)) {
		ssize_t n = send(s->net.fd, b->p + b->at, b->len - b->at,
		    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		s->net_full = n < 0 && errno == EAGAIN;
		if (n < 0)
			return s->net_full;
		b->at += (size_t)n;
	}
	b->at = b->len = 0;
	return true;
}

/* Records are gathered; flush() is the caller's of mbedTLS to call. */
static int
net_send(void *arg, const unsigned char *buf, size_t len)
{
	struct tls_stream *s = arg;
	struct tls_bytes *b = &s->sealed;

	if (b->len == sizeof(b->p) && !flush(s))
		return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
	if (b->len == sizeof(b->p))
		return MBEDTLS_ERR_SSL_WANT_WRITE;
	if (len > sizeof(b->p) - b->len)
		len = sizeof(b->p) - b->len;
	memcpy(b->p + b->len, buf, len);
	b->len += len;
	s->has_sent = true;
	return (int)len;
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
	struct tls_bytes *b = &s->ahead;

	if (is_empty(b)) {
		ssize_t n = recv(s->net.fd, b->p, sizeof(b->p), MSG_DONTWAIT);

		if (n < 0) {
			s->net_empty = errno == EAGAIN || errno == EINTR;
			return s->net_empty ? MBEDTLS_ERR_SSL_WANT_READ :
			    MBEDTLS_ERR_SSL_CONN_EOF;
		}
		if (n == 0)
			return 0;
		b->at = 0;
		b->len = (size_t)n;
	}
	if (len > b->len - b->at)
		len = b->len - b->at;
	memcpy(buf, b->p + b->at, len);
	b->at += len;
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
	s->net_full = false;
	(void)flush(s);			/* an alert, too; reading tells of loss */
	*events = s->net_full ? POLLOUT : POLLIN;
	if (r == 0)
		return s->net_full ? SW_AGAIN : SW_OK;
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
seal(struct tls_stream *s, int *err)
{
	struct tls_bytes *b = &s->out;
	bool moved = false;

	while (!is_empty(b)) {
		int r;

		s->net_empty = false;
		r = mbedtls_ssl_write(&s->ssl, b->p + b->at, b->len - b->at);
		if (r < 0 && (heard_ticket(s, r) || is_put_off(s, r)))
			continue;
		if (r < 0) {
			if (r != MBEDTLS_ERR_SSL_WANT_WRITE &&
			    r != MBEDTLS_ERR_SSL_WANT_READ)
				*err = SW_ERR_RESET;
			return moved;
		}
		b->at += (size_t)r;
		moved = true;
	}
	b->at = b->len = 0;
	if (s->app_eof && !s->told_net)
		s->told_net = mbedtls_ssl_close_notify(&s->ssl) !=
		    MBEDTLS_ERR_SSL_WANT_WRITE;
	return moved;
}

static bool
move_out(struct tls_stream *s, int *err)
{
	struct tls_bytes *b = &s->out;
	bool moved;

	if (is_empty(b) && !s->app_eof && is_empty(&s->sealed)) {
		ssize_t n = recv(s->app.fd, b->p, sizeof(b->p), MSG_DONTWAIT);

		if (n > 0)
			b->len = (size_t)n;
		s->app_eof = n == 0 || (n < 0 && errno != EAGAIN &&
		    errno != EINTR);
	}
	moved = seal(s, err);
	if (!flush(s))
		*err = SW_ERR_RESET;
	return moved && !s->net_full;
}

/* As many records as there are and `in` has room for. */
static void
open_records(struct tls_stream *s, int *err)
{
	struct tls_bytes *b = &s->in;

	while (!s->net_eof && sizeof(b->p) - b->len >= TLS_RECORD_MAX) {
		int r;

		s->net_empty = false;
		r = mbedtls_ssl_read(&s->ssl, b->p + b->len,
		    sizeof(b->p) - b->len);
		if (r > 0) {
			b->len += (size_t)r;
		} else if (r == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
			s->net_eof = true;
		} else if (heard_ticket(s, r) || is_put_off(s, r)) {
			continue;
		} else {
			if (r != MBEDTLS_ERR_SSL_WANT_READ &&
			    r != MBEDTLS_ERR_SSL_WANT_WRITE)
				*err = SW_ERR_RESET;	/* 0 is no clean end */
			return;
		}
	}
}

static bool
move_in(struct tls_stream *s, int *err)
{
	struct tls_bytes *b = &s->in;
	size_t left;
	ssize_t n;

	if (is_empty(b))
		open_records(s, err);
	left = b->len - b->at;
	if (left > 0) {
		n = s->app_gone ? (ssize_t)left : send(s->app.fd, b->p + b->at,
		    left, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			n = (ssize_t)left;	/* nobody reads */
		if (n <= 0)
			return false;
		b->at += (size_t)n;
		if (is_empty(b))
			b->at = b->len = 0;
		return true;
	}
	if (s->net_eof && !s->told_app) {
		(void)shutdown(s->app.fd, SHUT_WR);
		s->told_app = true;
	}
	return false;
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
	if (err != SW_OK)
		(void)flush(s);		/* an alert, perhaps */
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
	/* What came before it broke is the app's: delivered, as far as it takes
	 * it now. */
	if (err != SW_OK || (s->told_net && is_empty(&s->sealed) &&
	    (s->told_app || s->app_gone))) {
		finish(s, err);
		return;
	}
	if (more)			/* the others' turn, then ours again */
		loop_set_timer(s->l, &s->again, s->l->now_ms);
	wait_for(s->l, &s->net, &s->net_events,
	    (is_empty(&s->in) && !s->net_eof ? EPOLLIN : 0u) |
	    (s->net_full ? EPOLLOUT : 0u));
	if (!s->app_gone)
		wait_for(s->l, &s->app, &s->app_events,
		    (is_empty(&s->out) && is_empty(&s->sealed) && !s->app_eof ?
		    EPOLLIN : 0u) | (is_empty(&s->in) ? 0u : EPOLLOUT));
}

static void
on_net(struct loop_fd *w, uint32_t events)
{
	struct tls_stream *s = CONTAINER_OF(w, struct tls_stream, net);

	/* Broken while nobody reads it: there is no other way to hear. */
	if ((events & EPOLLERR) != 0 && (s->net_events & EPOLLIN) == 0)
		finish(s, SW_ERR_RESET);
	else
		step(s);
}

static void
on_app(struct loop_fd *w, uint32_t events)
{
	struct tls_stream *s = CONTAINER_OF(w, struct tls_stream, app);

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
	step(CONTAINER_OF(t, struct tls_stream, again));
}

static void
on_linger(struct loop_timer *t)
{
	finish(CONTAINER_OF(t, struct tls_stream, linger), SW_ERR_TIMEOUT);
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
