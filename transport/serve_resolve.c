/*
 * Each query is in one of three lists: waiting, running (a thread has it), done.
 * One lock guards the lists and the counts; an eventfd tells the loop.  A
 * cancelled query that a thread has is freed when the thread brings it back.
 *
 * The shared part outlives the resolver for as long as a thread is still inside
 * getaddrinfo(): it counts its holders.
 */
#include "transport/serve_resolve.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/container.h"
#include "transport/list.h"

#define THREADS 12
#define SHARE 4				/* of the threads, for one owner */
#define WAITING_MAX 4096
#define STACK_BYTES ((size_t)256 * 1024)
#define NAME_MAX_LEN 256

struct serve_query {
	LIST_LINK(serve_query) link;
	const void *owner;
	serve_resolved *done;		/* NULL: cancelled */
	void *arg;
	struct serve_shared *s;
	bool running;
	int err;
	size_t n;
	struct sw_addr addrs[SERVE_ADDRS_MAX];
	char name[NAME_MAX_LEN];
};

LIST_OF(query_list, serve_query);

struct serve_shared {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct query_list waiting, running, done;
	size_t nwaiting;
	unsigned holders;
	bool stop;
	int fd;				/* eventfd */
};

struct serve_resolver {
	struct serve_shared *s;
	struct loop *l;
	struct loop_fd w;
};

static void
drop_list(struct query_list *list)
{
	struct serve_query *q;

	while ((q = LIST_FIRST(list)) != NULL) {
		LIST_DROP(list, q, link);
		free(q);
	}
}

/* With the lock held; releases it. */
static void
let_go(struct serve_shared *s)
{
	bool last = --s->holders == 0;

	pthread_mutex_unlock(&s->lock);
	if (!last)
		return;
	drop_list(&s->waiting);
	drop_list(&s->done);
	close(s->fd);
	pthread_cond_destroy(&s->more);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* ---- threads ---- */

static int
error_of(int gai)
{
	switch (gai) {
	case 0:
		return SW_OK;
	case EAI_AGAIN:
	case EAI_FAIL:
	case EAI_SYSTEM:
		return SW_ERR_TIMEOUT;
	case EAI_MEMORY:
		return SW_ERR_NOMEM;
	default:
		return SW_ERR_NO_NAME;
	}
}

static void
look_up(struct serve_query *q)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL, *ai;

	q->err = error_of(getaddrinfo(q->name, NULL, &hints, &list));
	for (ai = q->err == SW_OK ? list : NULL; ai != NULL &&
	    q->n < SERVE_ADDRS_MAX; ai = ai->ai_next)
		if (addr_from_sockaddr(&q->addrs[q->n], ai->ai_addr,
		    ai->ai_addrlen) == SW_OK)
			q->n++;
	if (list != NULL)
		freeaddrinfo(list);
	if (q->err == SW_OK && q->n == 0)
		q->err = SW_ERR_NO_NAME;
}

/* The first that waits and whose owner has not got its share. */
static struct serve_query *
next_query(struct serve_shared *s)
{
	struct serve_query *q, *other;

	LIST_EACH(q, &s->waiting, link) {
		unsigned n = 0;

		LIST_EACH(other, &s->running, link)
			n += other->owner == q->owner;
		if (n < SHARE)
			return q;
	}
	return NULL;
}

static void
bring_back(struct serve_shared *s, struct serve_query *q)
{
	const uint64_t one = 1;

	LIST_DROP(&s->running, q, link);
	q->running = false;
	LIST_APPEND(&s->done, q, link);
	/* A full counter wakes the loop all the same. */
	(void)!write(s->fd, &one, sizeof(one));
	/* Its owner has a share free again. */
	pthread_cond_signal(&s->more);
}

static void *
work(void *arg)
{
	struct serve_shared *s = arg;

	pthread_mutex_lock(&s->lock);
	while (!s->stop) {
		struct serve_query *q = next_query(s);

		if (q == NULL) {
			pthread_cond_wait(&s->more, &s->lock);
			continue;
		}
		LIST_DROP(&s->waiting, q, link);
		s->nwaiting--;
		q->running = true;
		LIST_APPEND(&s->running, q, link);
		pthread_mutex_unlock(&s->lock);
		look_up(q);
		pthread_mutex_lock(&s->lock);
		bring_back(s, q);
	}
	let_go(s);
	return NULL;
}

/* ---- the loop's side ---- */

static void
on_done(struct loop_fd *w, uint32_t events)
{
	struct serve_resolver *r = CONTAINER_OF(w, struct serve_resolver, w);
	struct serve_shared *s = r->s;
	struct serve_query *q;
	uint64_t count;

	(void)events;
	(void)!read(w->fd, &count, sizeof(count));
	pthread_mutex_lock(&s->lock);
	while ((q = LIST_FIRST(&s->done)) != NULL) {
		serve_resolved *done;

		LIST_DROP(&s->done, q, link);
		pthread_mutex_unlock(&s->lock);
		done = q->done;
		if (done != NULL)
			done(q->arg, q->err, q->addrs, q->n);
		free(q);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
}

struct serve_query *
serve_resolve(struct serve_resolver *r, const void *owner, const char *name,
    serve_resolved *done, void *arg)
{
	struct serve_shared *s = r->s;
	struct serve_query *q;
	size_t n = strlen(name);

	if (n >= NAME_MAX_LEN || (q = calloc(1, sizeof(*q))) == NULL)
		return NULL;
	memcpy(q->name, name, n + 1);
	q->owner = owner;
	q->done = done;
	q->arg = arg;
	q->s = s;
	pthread_mutex_lock(&s->lock);
	if (s->nwaiting >= WAITING_MAX) {
		pthread_mutex_unlock(&s->lock);
		free(q);
		return NULL;
	}
	LIST_APPEND(&s->waiting, q, link);
	s->nwaiting++;
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
	return q;
}

void
serve_resolve_cancel(struct serve_query *q)
{
	struct serve_shared *s = q->s;
	struct serve_query *e;

	pthread_mutex_lock(&s->lock);
	q->done = NULL;
	LIST_EACH(e, &s->waiting, link)
		if (e == q)
			break;
	if (e != NULL) {
		LIST_DROP(&s->waiting, q, link);
		s->nwaiting--;
	}
	pthread_mutex_unlock(&s->lock);
	free(e);			/* else whoever has it frees it */
}

/* A thread of its own, deaf to signals. */
static bool
start_thread(struct serve_shared *s)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t t;
	bool ok;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_mutex_lock(&s->lock);
	ok = pthread_create(&t, &attr, work, s) == 0;
	s->holders += ok;
	pthread_mutex_unlock(&s->lock);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return ok;
}

struct serve_resolver *
serve_resolver_new(struct loop *l)
{
	struct serve_resolver *r = calloc(1, sizeof(*r));
	struct serve_shared *s = calloc(1, sizeof(*s));

	if (r == NULL || s == NULL)
		goto bad;
	if ((s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
		goto bad;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->more, NULL);
	s->holders = 1;
	r->s = s;
	r->l = l;
	r->w = (struct loop_fd){ .fd = s->fd, .ready = on_done };
	for (int i = 0; i < THREADS; i++)
		if (!start_thread(s) && i == 0)
			goto fail;
	if (loop_add(l, &r->w, EPOLLIN) != SW_OK)
		goto fail;
	return r;
fail:
	serve_resolver_free(r);
	return NULL;
bad:
	free(r);
	free(s);
	return NULL;
}

void
serve_resolver_free(struct serve_resolver *r)
{
	if (r == NULL)
		return;
	loop_del(r->l, &r->w);
	pthread_mutex_lock(&r->s->lock);
	r->s->stop = true;
	pthread_cond_broadcast(&r->s->more);
	let_go(r->s);
	free(r);
}
