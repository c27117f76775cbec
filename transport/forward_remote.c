/*
 * A stream that came to the exit, and the connection that it gets here.
 *
 *   ASKING -----------> CONNECTING -> JOINED     the junction has it
 *   a proxy's: what it  a fixed target begins here; each address in turn
 *   wants comes first
 *
 * Until JOINED nothing of the stream is taken but a proxy's request; the dialer
 * keeps the rest, and the far side waits.
 */
#include "transport/forward.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/container.h"
#include "transport/forward_request.h"
#include "transport/junction.h"
#include "transport/list.h"

#define ADDRESSES_MAX 8

struct stream;
LIST_OF(stream_list, stream);

struct place {
	struct sockaddr_storage sa;
	socklen_t len;
};

struct forward_remote {
	struct loop *l;
	bool is_proxy;
	struct place to[ADDRESSES_MAX];	/* else: tried in this order */
	size_t to_n;
	struct stream_list streams;
	size_t n, reaching;
};

struct stream {
	LIST_LINK(stream) link;
	struct forward_remote *f;
	struct junction *junction;	/* JOINED */
	struct forward_request *request;	/* a proxy's, before that */
	struct dial *dial;		/* the junction's when there is one */
	const struct dialer_ops *ops;
	const struct dial_events *junction_ev;
	void *junction_arg;
	struct loop_fd w;		/* fd -1 unless it is connecting */
	size_t next;			/* address to try */
	bool eof;			/* the far side ended meanwhile */
};

/* ---- life ---- */

static void
stream_free(struct stream *t)
{
	LIST_DROP(&t->f->streams, t, link);
	t->f->n--;
	forward_request_free(t->request);
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
stream_new(struct forward_remote *f)
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
ended(void *arg, int err)
{
	(void)err;
	stream_free(arg);
}

static const struct junction_events junction_events = { .ended = ended };

/* `fd` is connected, and taken.  False: nothing has changed, but it is closed. */
static bool
join(struct stream *t, int fd)
{
	t->junction = junction_adopt(t->f->l, fd, t->dial, t->ops,
	    &junction_events, t, &t->junction_ev, &t->junction_arg);
	if (t->junction == NULL) {
		close(fd);
		return false;
	}
	if (t->eof)
		t->junction_ev->eof(t->junction_arg);
	t->ops->resume(t->dial);
	return true;
}

/* ---- one target ---- */

static int
find_path(struct forward_remote *f, const char *path, char why[static 256])
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(sa.sun_path)) {
		snprintf(why, 256, "the path of a socket is too long");
		return SW_ERR_TOO_LONG;
	}
	memcpy(sa.sun_path, path, strlen(path) + 1);
	memcpy(&f->to[0].sa, &sa, sizeof(sa));
	f->to[0].len = sizeof(sa);
	f->to_n = 1;
	return SW_OK;
}

static int
find_addresses(struct forward_remote *f, const struct dial_target *target,
    char why[static 256])
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV };
	struct addrinfo *list;
	char port[8];
	int r;

	snprintf(port, sizeof(port), "%u", target->port);
	r = getaddrinfo(target->host, port, &hints, &list);
	if (r != 0) {
		snprintf(why, 256, "could not find the address of \"%.100s\" "
		    "for -R: %s", target->host, r == EAI_SYSTEM ?
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

static void connected(struct loop_fd *w, uint32_t events);

/* Begin with the next address that can be begun with.  False: none is left. */
static bool
connect_next(struct stream *t)
{
	const struct forward_remote *f = t->f;
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
	int e = 0, fd = w->fd;
	socklen_t len = sizeof(e);

	(void)events;
	loop_del(t->f->l, w);
	w->fd = -1;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) == 0 && e == 0) {
		if (join(t, fd))
			return;
	} else {
		close(fd);
	}
	if (!connect_next(t))
		stream_free(t);
}

/* ---- a proxy ---- */

static void
request_over(void *arg, int fd)
{
	struct stream *t = arg;

	forward_request_free(t->request);
	t->request = NULL;
	if (fd < 0 || !join(t, fd))
		stream_free(t);
}

/* ---- the dial's events ---- */

static size_t
far_data(void *arg, const uint8_t *buf, size_t len)
{
	struct stream *t = arg;

	if (t->junction != NULL)
		return t->junction_ev->data(t->junction_arg, buf, len);
	if (t->request != NULL)
		return forward_request_data(t->request, buf, len);
	return 0;			/* there is nobody to take it yet */
}

static void
far_eof(void *arg)
{
	struct stream *t = arg;

	t->eof = true;
	if (t->junction != NULL)
		t->junction_ev->eof(t->junction_arg);
	else if (t->request != NULL)
		forward_request_eof(t->request);
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

/* ---- the forward ---- */

int
forward_remote_open(struct forward_remote **out, struct loop *l,
    const struct dial_target *target, char why[static 256])
{
	struct forward_remote *f = calloc(1, sizeof(*f));
	int r = SW_OK;

	*out = NULL;
	if (f == NULL) {
		snprintf(why, 256, "out of memory");
		return SW_ERR_NOMEM;
	}
	f->l = l;
	f->is_proxy = target->host[0] == '\0';
	LIST_INIT(&f->streams);
	if (!f->is_proxy)
		r = strchr(target->host, '/') != NULL ?
		    find_path(f, target->host, why) :
		    find_addresses(f, target, why);
	if (r != SW_OK) {
		forward_remote_free(f);
		return r;
	}
	*out = f;
	return SW_OK;
}

bool
forward_remote_is_proxy(const struct forward_remote *f)
{
	return f->is_proxy;
}

int
forward_remote_take(struct forward_remote *f, struct dial *d,
    const struct dialer_ops *ops, const struct dial_events **ev,
    void **ev_arg)
{
	struct stream *t = stream_new(f);
	bool fine;

	if (t == NULL)
		return SW_ERR_LIMIT;
	if (f->is_proxy) {
		t->request = forward_request_new(f->l, d, ops, &f->reaching,
		    request_over, t);
		fine = t->request != NULL;
	} else {
		fine = connect_next(t);
	}
	if (!fine) {
		stream_free(t);
		return SW_ERR_REFUSED;
	}
	t->dial = d;
	t->ops = ops;
	*ev = &far_events;
	*ev_arg = t;
	return SW_OK;
}

size_t
forward_remote_streams(const struct forward_remote *f)
{
	return f->n;
}

void
forward_remote_free(struct forward_remote *f)
{
	struct stream *t, *next;

	if (f == NULL)
		return;
	for (t = LIST_FIRST(&f->streams); t != NULL; t = next) {
		next = LIST_NEXT(t, link);
		stream_free(t);
	}
	free(f);
}
