/* A thread for each connection that is being made; it and the loop share one
 * struct, and whoever comes last frees it. */
#include "transport/reach.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "transport/detached.h"
#include "transport/shared.h"
#include "transport/tcp.h"

struct reach {
	struct shared shares;
	pthread_mutex_t lock;
	int err, fd;			/* under lock: the thread's result */
	/* Constant. */
	char host[256];
	uint16_t port;
	int cancel_fd;			/* an eventfd, for the thread */
	/* The loop's. */
	struct loop *l;
	struct loop_fd w;		/* an eventfd: there is a result */
	reach_done_fn *done;
	void *arg;
};

static void
unref(struct reach *r)
{
	if (!shared_unref(&r->shares))
		return;
	if (r->fd >= 0)
		close(r->fd);
	if (r->cancel_fd >= 0)
		close(r->cancel_fd);
	if (r->w.fd >= 0)
		close(r->w.fd);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static void *
thread_main(void *arg)
{
	struct reach *r = arg;
	const struct transport_limit until = {
		.deadline_ms = clock_now_ms() + REACH_MS,
		.cancel_fd = r->cancel_fd,
	};
	char why[TRANSPORT_WHY_LEN];
	int fd, err = tcp_reach(r->host, r->port, &until, &fd, why);

	pthread_mutex_lock(&r->lock);
	r->err = err;
	r->fd = fd;
	pthread_mutex_unlock(&r->lock);
	(void)eventfd_write(r->w.fd, 1);
	unref(r);
	return NULL;
}

static void
ready(struct loop_fd *w, uint32_t events)
{
	struct reach *r = CONTAINER_OF(w, struct reach, w);
	reach_done_fn *done = r->done;
	void *arg = r->arg;
	int err, fd;

	(void)events;
	pthread_mutex_lock(&r->lock);
	err = r->err;
	fd = r->fd;
	r->fd = -1;
	pthread_mutex_unlock(&r->lock);
	loop_del(r->l, w);
	unref(r);
	done(arg, err, fd);
}

static bool
start_thread(struct reach *r)
{
	shared_ref(&r->shares);
	if (detached_start(thread_main, r))
		return true;
	(void)shared_unref(&r->shares);	/* the caller has one, too */
	return false;
}

struct reach *
reach_start(struct loop *l, const char *host, uint16_t port,
    reach_done_fn *done, void *arg)
{
	struct reach *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	shared_init(&r->shares, 1);
	pthread_mutex_init(&r->lock, NULL);
	snprintf(r->host, sizeof(r->host), "%s", host);
	r->port = port;
	r->fd = -1;
	r->l = l;
	r->done = done;
	r->arg = arg;
	r->cancel_fd = eventfd(0, EFD_CLOEXEC);
	r->w = (struct loop_fd){
		.fd = eventfd(0, EFD_CLOEXEC), .ready = ready,
	};
	if (r->cancel_fd < 0 || r->w.fd < 0 ||
	    loop_add(l, &r->w, EPOLLIN) != SW_OK) {
		unref(r);
		return NULL;
	}
	if (!start_thread(r)) {
		loop_del(l, &r->w);
		unref(r);
		return NULL;
	}
	return r;
}

void
reach_cancel(struct reach *r)
{
	if (r == NULL)
		return;
	loop_del(r->l, &r->w);
	(void)eventfd_write(r->cancel_fd, 1);
	unref(r);
}
