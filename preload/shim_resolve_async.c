/*
 * getaddrinfo_a(3): look-ups in the background.
 *
 * Each call becomes a batch; a few threads of ours take one request after
 * another from a queue.  gaicb.__return is the request's state, as in glibc,
 * so gai_error() is a load.  Waiters sleep on a counter that every finished
 * request moves on: a futex, because gai_suspend() must notice EINTR, which a
 * condition variable hides.
 */
#include <limits.h>
#include <linux/futex.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "preload/shim.h"

#define THREADS_MAX 8

struct batch {
	unsigned left;			/* requests not finished */
	bool notify;
	struct sigevent event;
};

struct request {
	struct gaicb *cb;
	struct batch *batch;
	struct request *next;
};

static struct {
	pthread_mutex_t lock;
	struct request *first, **last;
	unsigned waiting;		/* requests in the queue */
	unsigned threads, idle;
	pid_t pid;			/* a forked child has no threads */
	pthread_cond_t work;
	_Atomic uint32_t finished;	/* counts; waiters sleep on it */
} queue = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.work = PTHREAD_COND_INITIALIZER,
};

static void *
run_callback(void *arg)
{
	struct sigevent *ev = arg;
	struct sigevent copy = *ev;

	free(ev);
	copy.sigev_notify_function(copy.sigev_value);
	return NULL;
}

static void
notify(const struct sigevent *ev)
{
	siginfo_t info;
	struct sigevent *copy;
	pthread_attr_t attr;
	pthread_t thread;

	if (ev->sigev_notify == SIGEV_SIGNAL) {
		memset(&info, 0, sizeof(info));
		info.si_signo = ev->sigev_signo;
		info.si_code = SI_ASYNCNL;
		info.si_pid = getpid();
		info.si_uid = getuid();
		info.si_value = ev->sigev_value;
		sys_call3(SYS_rt_sigqueueinfo, info.si_pid, info.si_signo,
		    (long)&info);
		return;
	}
	if (ev->sigev_notify != SIGEV_THREAD ||
	    (copy = malloc(sizeof(*copy))) == NULL)
		return;
	*copy = *ev;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, ev->sigev_notify_attributes != NULL ?
	    ev->sigev_notify_attributes : &attr, run_callback, copy) != 0)
		free(copy);
	pthread_attr_destroy(&attr);
}

/* Under the lock.  The batch's end may be announced after unlocking: then
 * *ev is filled in and true returned. */
static bool
finish(struct request *r, int result, struct sigevent *ev)
{
	struct batch *b = r->batch;
	bool last = --b->left == 0, tell = last && b->notify;

	__atomic_store_n(&r->cb->__return, result, __ATOMIC_RELEASE);
	if (tell)
		*ev = b->event;
	if (last)
		free(b);
	free(r);
	atomic_fetch_add(&queue.finished, 1);
	sys_call6(SYS_futex, (long)&queue.finished, FUTEX_WAKE_PRIVATE,
	    INT_MAX, 0, 0, 0);
	return tell;
}

/* Under the lock: unlink the request at *at. */
static struct request *
take(struct request **at)
{
	struct request *r = *at;

	if (r == NULL)
		return NULL;
	if ((*at = r->next) == NULL)
		queue.last = at;
	queue.waiting--;
	return r;
}

/* Under the lock: where the waiting request for `cb` hangs; a pointer to NULL
 * for none. */
static struct request **
find(const struct gaicb *cb)
{
	struct request **at = &queue.first;

	while (*at != NULL && (*at)->cb != cb)
		at = &(*at)->next;
	return at;
}

static void *
work(void *arg)
{
	struct timespec until;
	struct sigevent ev;
	struct request *r;
	int result;

	(void)arg;
	pthread_mutex_lock(&queue.lock);
	for (;;) {
		while ((r = take(&queue.first)) == NULL) {
			clock_gettime(CLOCK_REALTIME, &until);
			until.tv_sec += 2;
			queue.idle++;
			result = pthread_cond_timedwait(&queue.work,
			    &queue.lock, &until);
			queue.idle--;
			if (result != 0 && queue.first == NULL) {
				queue.threads--;
				pthread_mutex_unlock(&queue.lock);
				return NULL;
			}
		}
		/* From here gai_cancel() does not find it. */
		pthread_mutex_unlock(&queue.lock);
		result = getaddrinfo(r->cb->ar_name, r->cb->ar_service,
		    r->cb->ar_request, &r->cb->ar_result);
		pthread_mutex_lock(&queue.lock);
		if (finish(r, result, &ev)) {
			pthread_mutex_unlock(&queue.lock);
			notify(&ev);
			pthread_mutex_lock(&queue.lock);
		}
	}
}

/* Under the lock: one more thread, unless there are enough. */
static bool
start_thread(void)
{
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	pthread_cond_signal(&queue.work);
	if (queue.idle >= queue.waiting || queue.threads == THREADS_MAX)
		return true;
	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	/* The program's handlers must not run on a thread it does not know. */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&thread, &attr, work, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (r == 0)
		queue.threads++;
	return queue.threads > 0;
}

static void
forget_parent(void)
{
	if (queue.pid == getpid())
		return;
	queue.pid = getpid();
	queue.threads = queue.idle = queue.waiting = 0;
	queue.first = NULL;
	queue.last = &queue.first;
	queue.work = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
}

/* Under the lock.  0, EAI_MEMORY or EAI_AGAIN (no thread to be had). */
static int
enqueue(struct gaicb *cb, struct batch *b)
{
	struct request *r;

	if ((r = malloc(sizeof(*r))) == NULL)
		return EAI_MEMORY;
	*r = (struct request){ .cb = cb, .batch = b };
	__atomic_store_n(&cb->__return, EAI_INPROGRESS, __ATOMIC_RELEASE);
	cb->ar_result = NULL;
	*queue.last = r;
	queue.last = &r->next;
	queue.waiting++;
	b->left++;
	return start_thread() ? 0 : EAI_AGAIN;
}

static int
count_unfinished(const struct gaicb *const list[], int n)
{
	int unfinished = 0;

	for (int i = 0; i < n; i++)
		if (list[i] != NULL && __atomic_load_n(&list[i]->__return,
		    __ATOMIC_ACQUIRE) == EAI_INPROGRESS)
			unfinished++;
	return unfinished;
}

/* Sleep until a request ends.  0, -EINTR, -ETIMEDOUT. */
static int
wait_for_one(uint32_t seen, const struct timespec *until)
{
	long r;

	r = sys_call6(SYS_futex, (long)&queue.finished,
	    FUTEX_WAIT_BITSET_PRIVATE, (long)seen, (long)until, 0,
	    FUTEX_BITSET_MATCH_ANY);
	return r == -EINTR || r == -ETIMEDOUT ? (int)r : 0;
}

SW_EXPORT int
getaddrinfo_a(int mode, struct gaicb *list[], int n, struct sigevent *event)
{
	struct batch *b;
	unsigned queued = 0;
	int saved = errno, result = 0;

	if (mode != GAI_WAIT && mode != GAI_NOWAIT) {
		errno = EINVAL;
		return EAI_SYSTEM;
	}
	if ((b = calloc(1, sizeof(*b))) == NULL)
		return EAI_MEMORY;
	if (event != NULL && mode == GAI_NOWAIT) {
		b->notify = event->sigev_notify != SIGEV_NONE;
		b->event = *event;
	}
	pthread_mutex_lock(&queue.lock);
	forget_parent();
	for (int i = 0; i < n; i++) {
		struct request *r;
		int error;

		if (list[i] == NULL)
			continue;
		if ((error = enqueue(list[i], b)) == 0) {
			queued++;
			continue;
		}
		if ((r = take(find(list[i]))) != NULL) {
			b->left--;
			free(r);
		}
		list[i]->__return = error;
		result = EAI_AGAIN;
	}
	if (queued == 0) {
		struct sigevent ev = b->event;
		bool tell = b->notify;

		pthread_mutex_unlock(&queue.lock);
		free(b);
		if (tell)
			notify(&ev);
		errno = saved;
		return result;
	}
	pthread_mutex_unlock(&queue.lock);
	while (mode == GAI_WAIT) {
		uint32_t seen = atomic_load(&queue.finished);

		if (count_unfinished((const struct gaicb *const *)list,
		    n) == 0)
			break;
		(void)wait_for_one(seen, NULL);
	}
	errno = saved;
	return result;
}

SW_EXPORT int
gai_error(struct gaicb *cb)
{
	return __atomic_load_n(&cb->__return, __ATOMIC_ACQUIRE);
}

SW_EXPORT int
gai_suspend(const struct gaicb *const list[], int n,
    const struct timespec *timeout)
{
	struct timespec until;
	int unfinished = -1;

	if (timeout != NULL) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += timeout->tv_sec;
		until.tv_nsec += timeout->tv_nsec;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
	}
	for (;;) {
		uint32_t seen = atomic_load(&queue.finished);
		int now = count_unfinished(list, n), r;

		if (now < unfinished)
			return 0;
		if (now == 0)
			return EAI_ALLDONE;
		unfinished = now;
		r = wait_for_one(seen, timeout != NULL ? &until : NULL);
		if (r == -EINTR)
			return EAI_INTR;
		if (r == -ETIMEDOUT)
			return EAI_AGAIN;
	}
}

SW_EXPORT int
gai_cancel(struct gaicb *cb)
{
	struct sigevent ev;
	struct request *r;
	bool tell = false;
	int result = EAI_ALLDONE;

	pthread_mutex_lock(&queue.lock);
	forget_parent();
	if ((r = take(find(cb))) != NULL) {
		tell = finish(r, EAI_CANCELED, &ev);
		result = EAI_CANCELED;
	} else if (gai_error(cb) == EAI_INPROGRESS)
		result = EAI_NOTCANCELED;
	pthread_mutex_unlock(&queue.lock);
	if (tell)
		notify(&ev);
	return result;
}
