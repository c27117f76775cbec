/* The thread and the loop hold a reference each; who drops the last one closes
 * what nobody has taken. */
#include "transport/dialing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/container.h"
#include "transport/detached.h"
#include "transport/shared.h"

struct dialing {
	struct shared shared;
	struct transport *t;
	char host[TRANSPORT_NAME_LEN];
	uint16_t port;
	int64_t deadline_ms;
	/* The loop's. */
	struct loop *l;
	struct loop_fd w;		/* an eventfd: it is over */
	dialing_done *done;
	void *arg;
	/* The thread's until it has written to w.fd. */
	int err, fd;
	char why[TRANSPORT_WHY_LEN];
};

static void
unref(struct dialing *d)
{
	if (!shared_unref(&d->shared))
		return;
	if (d->fd >= 0)
		close(d->fd);
	if (d->w.fd >= 0)
		close(d->w.fd);
	transport_unref(d->t);
	free(d);
}

static void *
run(void *arg)
{
	const uint64_t one = 1;
	struct dialing *d = arg;

	d->err = transport_connect(d->t, d->host, d->port, d->deadline_ms,
	    &d->fd, d->why);
	(void)!write(d->w.fd, &one, sizeof(one));
	unref(d);
	return NULL;
}

static void
on_over(struct loop_fd *w, uint32_t events)
{
	struct dialing *d = CONTAINER_OF(w, struct dialing, w);
	char why[TRANSPORT_WHY_LEN];
	dialing_done *done = d->done;
	void *arg = d->arg;
	uint64_t count;
	int err, fd;

	(void)events;
	if (read(w->fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
		return;
	err = d->err;
	fd = d->fd;
	d->fd = -1;
	memcpy(why, d->why, sizeof(why));
	dialing_cancel(d);
	done(arg, err, fd, why);
}

static bool
start_thread(struct dialing *d)
{
	shared_ref(&d->shared);
	if (detached_start_deaf(run, d))
		return true;
	(void)shared_unref(&d->shared);
	return false;
}

struct dialing *
dialing_start(struct loop *l, struct transport *t, const char *host,
    uint16_t port, int64_t deadline_ms, dialing_done *done, void *arg)
{
	struct dialing *d;

	if (strlen(host) >= sizeof(d->host) ||
	    (d = calloc(1, sizeof(*d))) == NULL)
		return NULL;
	shared_init(&d->shared, 1);
	d->t = transport_ref(t);
	snprintf(d->host, sizeof(d->host), "%s", host);
	d->port = port;
	d->deadline_ms = deadline_ms;
	d->l = l;
	d->done = done;
	d->arg = arg;
	d->fd = -1;
	d->w = (struct loop_fd){
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = on_over,
	};
	if (d->w.fd >= 0 && loop_add(l, &d->w, EPOLLIN) == SW_OK &&
	    start_thread(d))
		return d;
	dialing_cancel(d);
	return NULL;
}

void
dialing_cancel(struct dialing *d)
{
	if (d == NULL)
		return;
	loop_del(d->l, &d->w);
	unref(d);
}
