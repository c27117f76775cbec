#include "transport/forward.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/container.h"
#include "transport/junction.h"
#include "transport/list.h"
#include "transport/listener.h"

#define ADDRESSES_MAX 8

struct stream;
LIST_OF(stream_list, stream);

struct place {
	struct sockaddr_storage sa;
	socklen_t len;
};

struct forward {
	struct loop *l;
	struct listener *listener;	/* local */
	struct dial_target target;
	struct dialer *dialer;
	const struct dialer_ops *ops;
	struct place to[ADDRESSES_MAX];	/* remote: tried in this order */
	size_t to_n;
	struct stream_list streams;
	size_t n;
};

/* One joined connection.  Remote ones wait first for the local half. */
struct stream {
	LIST_LINK(stream) link;
	struct forward *f;
	struct junction *junction;

	/* Remote: the dial, and who hears of it once the junction is there. */
	struct dial *dial;		/* the junction's then */
	const struct dialer_ops *ops;
	const struct dial_events *junction_ev;
	void *junction_arg;
	struct loop_fd w;		/* fd -1 unless it is connecting */
	size_t next;			/* address to try */
	bool eof;			/* the far side ended meanwhile */
};

static void
stream_free(struct stream *t)
{
	LIST_DROP(&t->f->streams, t, link);
	t->f->n--;
	if (t->w.fd >= 0) {
		loop_del(t->f->l, &t->w);
		close(t->w.fd);
	}
	if (t->junction == NULL && t->dial != NULL)
		t->ops->abort(t->dial);
	junction_free(t->junction);
	free(t);
}

static struct stream *
stream_new(struct forward *f)
{
	struct stream *t = f->n < FORWARD_STREAMS_MAX ?
	    calloc(1, sizeof(*t)) : NULL;

	if (t == NULL)
		return NULL;
	t->f = f;
	t->w.fd = -1;
	LIST_APPEND(&f->streams, t, link);
	f->n++;
	return t;
}

static void
failed(void *arg, int err)
{
	(void)err;
	stream_free(arg);
}

static void
ended(void *arg, int err)
{
	(void)err;
	stream_free(arg);
}

static const struct junction_events junction_events = {
	.failed = failed, .ended = ended,
};

/* --- local ----------------------------------------------------------------- */

static void
accepted(void *arg, int fd)
{
	struct forward *f = arg;
	struct stream *t = stream_new(f);
	int err;

	if (t != NULL)
		t->junction = junction_dial(f->l, fd, f->dialer, f->ops, &f->target,
		    NULL, 0, &junction_events, t, &err);
	if (t == NULL || t->junction == NULL)
		close(fd);
	if (t != NULL && t->junction == NULL)
		stream_free(t);
}

static struct forward *
forward_new(struct loop *l, const struct dial_target *target,
    char why[static 256])
{
	struct forward *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		snprintf(why, 256, "out of memory");
		return NULL;
	}
	f->l = l;
	f->target = *target;
	LIST_INIT(&f->streams);
	return f;
}

int
forward_local_open(struct forward **out, struct loop *l, const char *host,
    uint16_t port, const struct dial_target *target, struct dialer *d,
    const struct dialer_ops *ops, char why[static 256])
{
	struct forward *f = forward_new(l, target, why);
	int r;

	*out = NULL;
	if (f == NULL)
		return SW_ERR_NOMEM;
	f->dialer = d;
	f->ops = ops;
	r = listener_open(&f->listener, l, host, port, accepted, f, why);
	if (r != SW_OK) {
		forward_free(f);
		return r;
	}
	*out = f;
	return SW_OK;
}

int
forward_local_start(struct forward *f, char why[static 256])
{
	return listener_start(f->listener, why);
}

bool
forward_is_public(const struct forward *f)
{
	return f->listener != NULL && listener_is_public(f->listener);
}

/* --- remote ---------------------------------------------------------------- */

static int
find_path(struct forward *f, char why[static 256])
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (strlen(f->target.host) >= sizeof(sa.sun_path)) {
		snprintf(why, 256, "the path of a socket is too long");
		return SW_ERR_TOO_LONG;
	}
	memcpy(sa.sun_path, f->target.host, strlen(f->target.host) + 1);
	memcpy(&f->to[0].sa, &sa, sizeof(sa));
	f->to[0].len = sizeof(sa);
	f->to_n = 1;
	return SW_OK;
}

static int
find_addresses(struct forward *f, char why[static 256])
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV };
	struct addrinfo *list;
	char port[8];
	int r;

	snprintf(port, sizeof(port), "%u", f->target.port);
	r = getaddrinfo(f->target.host, port, &hints, &list);
	if (r != 0) {
		snprintf(why, 256, "could not find the address of \"%.100s\" "
		    "for -R: %s", f->target.host, r == EAI_SYSTEM ?
		    strerror(errno) : gai_strerror(r));
		return SW_ERR_NO_NAME;
	}
	for (struct addrinfo *a = list; a != NULL && f->to_n < ADDRESSES_MAX;
	    a = a->ai_next) {
		struct place *p = &f->to[f->to_n++];

		memcpy(&p->sa, a->ai_addr, a->ai_addrlen);
		p->len = a->ai_addrlen;
	}
	freeaddrinfo(list);
	return SW_OK;
}

int
forward_remote_open(struct forward **out, struct loop *l,
    const struct dial_target *target, char why[static 256])
{
	struct forward *f = forward_new(l, target, why);
	int r;

	*out = NULL;
	if (f == NULL)
		return SW_ERR_NOMEM;
	r = strchr(target->host, '/') != NULL ? find_path(f, why) :
	    find_addresses(f, why);
	if (r != SW_OK) {
		forward_free(f);
		return r;
	}
	*out = f;
	return SW_OK;
}

static void connected(struct loop_fd *w, uint32_t events);

/* Begin with the next address that can be begun with.  False: none is left. */
static bool
connect_next(struct stream *t)
{
	const struct forward *f = t->f;
	const int one = 1;

	while (t->next < f->to_n) {
		const struct place *p = &f->to[t->next++];
		const struct sockaddr *sa = (const struct sockaddr *)&p->sa;
		int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC |
		    SOCK_NONBLOCK, 0);

		if (fd < 0)
			continue;
		t->w = (struct loop_fd){ .fd = fd, .ready = connected };
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
		    sizeof(one));
		if ((connect(fd, sa, p->len) == 0 || errno == EINPROGRESS) &&
		    loop_add(f->l, &t->w, EPOLLOUT) == SW_OK)
			return true;
		close(fd);
		t->w.fd = -1;
	}
	return false;
}

static void
connected(struct loop_fd *w, uint32_t events)
{
	struct stream *t = CONTAINER_OF(w, struct stream, w);
	struct forward *f = t->f;
	int e = 0, fd = w->fd;
	socklen_t len = sizeof(e);

	(void)events;
	loop_del(f->l, w);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) == 0 && e == 0)
		t->junction = junction_adopt(f->l, fd, t->dial, t->ops, &junction_events,
		    t, &t->junction_ev, &t->junction_arg);
	if (t->junction != NULL) {
		w->fd = -1;
		if (t->eof)
			t->junction_ev->eof(t->junction_arg);
		t->ops->resume(t->dial);
		return;
	}
	close(fd);
	w->fd = -1;
	if (!connect_next(t))
		stream_free(t);
}

/* The dial's events: nothing is taken before there is somebody to take it. */
static size_t
far_data(void *arg, const uint8_t *buf, size_t len)
{
	struct stream *t = arg;

	return t->junction == NULL ? 0 : t->junction_ev->data(t->junction_arg, buf, len);
}

static void
far_eof(void *arg)
{
	struct stream *t = arg;

	t->eof = true;
	if (t->junction != NULL)
		t->junction_ev->eof(t->junction_arg);
}

static void
far_writable(void *arg)
{
	struct stream *t = arg;

	if (t->junction != NULL)
		t->junction_ev->writable(t->junction_arg);
}

static void
far_closed(void *arg, int err)
{
	struct stream *t = arg;

	t->dial = NULL;
	if (t->junction != NULL)
		t->junction_ev->closed(t->junction_arg, err);
	else
		stream_free(t);
}

static const struct dial_events far_events = {
	.data = far_data, .eof = far_eof, .writable = far_writable,
	.closed = far_closed,
};

int
forward_remote_take(struct forward *f, struct dial *d,
    const struct dialer_ops *ops, const struct dial_events **ev,
    void **ev_arg)
{
	struct stream *t = stream_new(f);

	if (t == NULL)
		return SW_ERR_LIMIT;
	if (!connect_next(t)) {
		stream_free(t);
		return SW_ERR_REFUSED;
	}
	t->dial = d;
	t->ops = ops;
	*ev = &far_events;
	*ev_arg = t;
	return SW_OK;
}

/* --- both ------------------------------------------------------------------ */

size_t
forward_streams(const struct forward *f)
{
	return f->n;
}

void
forward_free(struct forward *f)
{
	struct stream *t, *next;

	if (f == NULL)
		return;
	listener_free(f->listener);
	for (t = LIST_FIRST(&f->streams); t != NULL; t = next) {
		next = LIST_NEXT(t, link);
		stream_free(t);
	}
	free(f);
}
