#include "transport/forward.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "transport/junction.h"
#include "transport/list.h"
#include "transport/listener.h"

struct stream;
LIST_OF(stream_list, stream);

struct forward_local {
	struct loop *l;
	struct listener *listener;
	struct dial_target target;
	struct dialer *dialer;
	const struct dialer_ops *ops;
	struct stream_list streams;
	size_t n;
};

/* One joined connection. */
struct stream {
	LIST_LINK(stream) link;
	struct forward_local *f;
	struct junction *junction;
};

static void
stream_free(struct stream *t)
{
	LIST_DROP(&t->f->streams, t, link);
	t->f->n--;
	junction_free(t->junction);
	free(t);
}

static struct stream *
stream_new(struct forward_local *f)
{
	struct stream *t = f->n < FORWARD_STREAMS_MAX ?
	    calloc(1, sizeof(*t)) : NULL;

	if (t == NULL)
		return NULL;
	t->f = f;
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

static void
accepted(void *arg, int fd)
{
	struct forward_local *f = arg;
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

int
forward_local_open(struct forward_local **out, struct loop *l, const char *host,
    uint16_t port, const struct dial_target *target, struct dialer *d,
    const struct dialer_ops *ops, char why[static 256])
{
	struct forward_local *f = calloc(1, sizeof(*f));
	int r;

	*out = NULL;
	if (f == NULL) {
		snprintf(why, 256, "out of memory");
		return SW_ERR_NOMEM;
	}
	*f = (struct forward_local){
		.l = l, .target = *target, .dialer = d, .ops = ops,
	};
	LIST_INIT(&f->streams);
	r = listener_open(&f->listener, l, host, port, accepted, f, why);
	if (r != SW_OK) {
		forward_local_free(f);
		return r;
	}
	*out = f;
	return SW_OK;
}

int
forward_local_start(struct forward_local *f, char why[static 256])
{
	return listener_start(f->listener, why);
}

bool
forward_local_is_public(const struct forward_local *f)
{
	return listener_is_public(f->listener);
}

size_t
forward_local_streams(const struct forward_local *f)
{
	return f->n;
}

void
forward_local_free(struct forward_local *f)
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
