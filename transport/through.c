/*
 * The door between threads that ask for a stream and the loop that dials.
 *
 *   thread                          loop
 *   ask(): into the queue, wake  ->  take_asks(): dial
 *   waits on its own eventfd     <-  answer(): error, or a descriptor
 *   gives up: `left`, wake       ->  aborts what it still dials
 *
 * An ask is shared (shared.h); `lock` guards all that both sides touch.  The
 * streams that exist are the loop's alone; a junction moves their bytes.
 */
#include "transport/through.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/container.h"
#include "transport/junction.h"
#include "transport/list.h"
#include "transport/shared.h"

#define STREAMS_MAX 256

struct through_ask {
	LIST_LINK(through_ask) link;	/* in the queue */
	struct shared shares;		/* the asker's and the loop's */
	struct dial_target to;
	int done_fd;			/* an eventfd: it has been answered */
	bool left;			/* nobody waits any more; these under
					 * the door's lock */
	int err, fd;
};

/* A stream that is dialed, or is there: `far` is the asker's end of the pair. */
struct through_stream {
	LIST_LINK(through_stream) link;
	struct through *t;
	struct through_ask *ask;	/* while it is dialed */
	struct junction *j;
	int far;			/* -1: handed out */
};

struct through {
	struct shared shares;
	pthread_mutex_t lock;
	bool closed;
	LIST_OF(asks, through_ask) asks;	/* not looked at yet */
	/* The loop's thread only. */
	struct loop *l;
	struct loop_fd wake;
	struct dialer *dialer;
	const struct dialer_ops *ops;	/* NULL once closed */
	LIST_OF(streams, through_stream) streams;
	size_t nstreams;
};

static void
wake_loop(struct through *t)
{
	const uint64_t one = 1;

	(void)!write(t->wake.fd, &one, sizeof(one));
}

static void
ask_unref(struct through_ask *a)
{
	if (!shared_unref(&a->shares))
		return;
	if (a->fd >= 0)
		close(a->fd);
	if (a->done_fd >= 0)
		close(a->done_fd);
	free(a);
}

/* ---- answers ---- */

/* Tell the one who waits; our share of `a` goes with it, and so does fd. */
static void
answer(struct through *t, struct through_ask *a, int err, int fd)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&t->lock);
	a->err = err;
	a->fd = fd;
	pthread_mutex_unlock(&t->lock);
	(void)!write(a->done_fd, &one, sizeof(one));
	ask_unref(a);
}

static bool
has_left(struct through *t, const struct through_ask *a)
{
	bool left;

	pthread_mutex_lock(&t->lock);
	left = a->left;
	pthread_mutex_unlock(&t->lock);
	return left;
}

/* ---- streams ---- */

static void
stream_free(struct through_stream *s)
{
	junction_free(s->j);
	if (s->far >= 0)
		close(s->far);
	LIST_DROP(&s->t->streams, s, link);
	s->t->nstreams--;
	free(s);
}

static void
on_opened(void *arg)
{
	struct through_stream *s = arg;

	answer(s->t, s->ask, SW_OK, s->far);
	s->ask = NULL;
	s->far = -1;
}

static void
on_failed(void *arg, int err)
{
	struct through_stream *s = arg;

	answer(s->t, s->ask, err, -1);
	stream_free(s);
}

static void
on_ended(void *arg, int err)
{
	(void)err;
	stream_free(arg);
}

static const struct junction_events stream_events = {
	.opened = on_opened, .failed = on_failed, .ended = on_ended,
};

static int
dial(struct through *t, struct through_ask *a)
{
	struct through_stream *s = calloc(1, sizeof(*s));
	int ends[2], err = SW_ERR_NOMEM;

	if (s == NULL)
		return err;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
		free(s);
		return err;
	}
	s->t = t;
	s->ask = a;
	s->far = ends[1];
	s->j = junction_dial(t->l, ends[0], t->dialer, t->ops, &a->to, NULL, 0,
	    &stream_events, s, &err);
	if (s->j == NULL) {
		close(ends[0]);
		close(ends[1]);
		free(s);
		return err;
	}
	LIST_APPEND(&t->streams, s, link);
	t->nstreams++;
	return SW_OK;
}

/* Dials that nobody waits for any more; or all, and every stream. */
static void
drop(struct through *t, bool all)
{
	struct through_stream *s, *next;

	for (s = LIST_FIRST(&t->streams); s != NULL; s = next) {
		next = LIST_NEXT(s, link);
		if (!all && (s->ask == NULL || !has_left(t, s->ask)))
			continue;
		if (s->ask != NULL)
			answer(t, s->ask, all ? SW_ERR_DOWN : SW_ERR_CLOSED, -1);
		stream_free(s);
	}
}

/* ---- the loop's side ---- */

static void
take_asks(struct through *t)
{
	struct through_ask *a;
	int r;

	for (;;) {
		pthread_mutex_lock(&t->lock);
		if ((a = LIST_FIRST(&t->asks)) != NULL)
			LIST_DROP(&t->asks, a, link);
		pthread_mutex_unlock(&t->lock);
		if (a == NULL)
			return;
		r = t->ops == NULL ? SW_ERR_DOWN :
		    t->nstreams >= STREAMS_MAX ? SW_ERR_LIMIT : dial(t, a);
		if (r != SW_OK)
			answer(t, a, r, -1);
	}
}

static void
on_wake(struct loop_fd *w, uint32_t events)
{
	struct through *t = CONTAINER_OF(w, struct through, wake);
	uint64_t count;

	(void)events;
	if (read(w->fd, &count, sizeof(count)) < 0)
		return;
	take_asks(t);
	drop(t, false);
}

struct through *
through_new(struct loop *l, struct dialer *d, const struct dialer_ops *ops)
{
	struct through *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	*t = (struct through){ .l = l, .dialer = d, .ops = ops };
	shared_init(&t->shares, 1);
	pthread_mutex_init(&t->lock, NULL);
	LIST_INIT(&t->asks);
	LIST_INIT(&t->streams);
	t->wake = (struct loop_fd){
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = on_wake,
	};
	if (t->wake.fd < 0 || loop_add(l, &t->wake, EPOLLIN) != SW_OK) {
		through_unref(t);
		return NULL;
	}
	return t;
}

void
through_close(struct through *t)
{
	if (t == NULL)
		return;
	drop(t, true);
	loop_del(t->l, &t->wake);
	pthread_mutex_lock(&t->lock);
	t->closed = true;
	pthread_mutex_unlock(&t->lock);
	t->ops = NULL;
	take_asks(t);
	through_unref(t);
}

/* ---- anybody's ---- */

struct through *
through_ref(struct through *t)
{
	shared_ref(&t->shares);
	return t;
}

void
through_unref(struct through *t)
{
	if (t == NULL || !shared_unref(&t->shares))
		return;
	if (t->wake.fd >= 0)
		close(t->wake.fd);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

/* ---- the thread's side ---- */

/* NULL: *err says why not. */
static struct through_ask *
ask(struct through *t, const char *host, uint16_t port, int *err)
{
	struct through_ask *a = calloc(1, sizeof(*a));
	bool closed;

	*err = SW_ERR_NOMEM;
	if (a == NULL)
		return NULL;
	shared_init(&a->shares, 2);
	a->fd = -1;
	a->to.port = port;
	snprintf(a->to.host, sizeof(a->to.host), "%s", host);
	if ((a->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
		free(a);
		return NULL;
	}
	pthread_mutex_lock(&t->lock);
	closed = t->closed;
	if (!closed)
		LIST_APPEND(&t->asks, a, link);
	pthread_mutex_unlock(&t->lock);
	if (closed) {
		close(a->done_fd);
		free(a);
		*err = SW_ERR_DOWN;
		return NULL;
	}
	wake_loop(t);
	return a;
}

static void
explain(int err, const char *host, uint16_t port,
    char why[static TRANSPORT_WHY_LEN])
{
	if (err == SW_OK)
		return;
	if (err == SW_ERR_DOWN)
		snprintf(why, TRANSPORT_WHY_LEN, "the tunnel before this one "
		    "is not up");
	else
		snprintf(why, TRANSPORT_WHY_LEN, "could not connect to "
		    "\"%.100s\" port %u through the tunnel before this one: %s",
		    host, port, sw_strerror(err));
}

int
through_connect(struct through *t, const char *host, uint16_t port,
    const struct transport_limit *until, int *fd,
    char why[static TRANSPORT_WHY_LEN])
{
	struct through_ask *a;
	int r;

	*fd = -1;
	if (strlen(host) > DIAL_HOST_MAX) {
		snprintf(why, TRANSPORT_WHY_LEN, "the host's name is too long");
		return SW_ERR_NO_NAME;
	}
	if ((a = ask(t, host, port, &r)) == NULL) {
		explain(r, host, port, why);
		return r;
	}
	r = transport_wait(a->done_fd, POLLIN, until);
	pthread_mutex_lock(&t->lock);
	if (r == SW_OK) {
		r = a->err;
		*fd = a->fd;
		a->fd = -1;
	} else {
		a->left = true;		/* a late answer is closed with it */
	}
	pthread_mutex_unlock(&t->lock);
	if (r != SW_OK)
		wake_loop(t);
	ask_unref(a);
	explain(r, host, port, why);
	return r;
}
