/*
 * getaddrinfo_a(3): look-ups in the background.
 *
 * Each call becomes a batch; a few threads of ours take one request after
 * another from a queue.  gaicb.__return is the request's state, as in glibc,
 * so gai_error() is a load.  Waiters sleep on a counter that every finished
 * request moves on: a futex, because gai_suspend() must notice EINTR, which a
 * condition variable hides.  Threads are rare here, so their functions are
 * looked up when needed: each import costs every program a little at start.
 */
#include <limits.h>
#include <linux/futex.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "preload/shim_image.h"

#define THREADS_MAX 8
#define IDLE_MS 2000		/* after which a thread ends */

struct batch {
	unsigned left;			/* requests not finished; its maker */
	bool notify;
	struct sigevent event;
};

struct request {
	struct gaicb *cb;
	struct batch *batch;
	struct request *next;
};

static struct {
	uint32_t lock;
	struct request *first, **last;
	unsigned waiting;		/* requests in the queue */
	unsigned threads, idle;
	pid_t pid;			/* a forked child has no threads */
	uint32_t posted;		/* counts; idle threads sleep on it */
	uint32_t finished;		/* counts; callers sleep on it */
} queue;

/* A detached thread of `run`; the attributes may be NULL. */
static bool
start_thread(const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
	    void *);
	int (*detach)(pthread_t);
	pthread_t thread;

	*(void **)&create = shim_libc_symbol("pthread_create");
	*(void **)&detach = shim_libc_symbol("pthread_detach");
	if (create == NULL || detach == NULL ||
	    create(&thread, attr, run, arg) != 0)
		return false;
	(void)detach(thread);
	return true;
}

static void *
run_callback(void *arg)
{
	struct sigevent *ev = arg;
	struct sigevent copy = *ev;
	uint64_t none = 0;

	free(ev);
	/* It is the program's now, and may be interrupted. */
	sys_call6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&none, 0,
	    sizeof(none), 0, 0);
	copy.sigev_notify_function(copy.sigev_value);
	return NULL;
}

static void
notify(const struct sigevent *ev)
{
	siginfo_t info;
	struct sigevent *copy;

	if (ev->sigev_notify == SIGEV_SIGNAL) {
		memset(&info, 0, sizeof(info));
		info.si_signo = ev->sigev_signo;
		info.si_code = SI_ASYNCNL;
		info.si_pid = (pid_t)sys_call3(SYS_getpid, 0, 0, 0);
		info.si_uid = (uid_t)sys_call3(SYS_getuid, 0, 0, 0);
		info.si_value = ev->sigev_value;
		sys_call3(SYS_rt_sigqueueinfo, info.si_pid, info.si_signo,
		    (long)&info);
		return;
	}
	if (ev->sigev_notify != SIGEV_THREAD ||
	    (copy = malloc(sizeof(*copy))) == NULL)
		return;
	*copy = *ev;
	if (!start_thread(ev->sigev_notify_attributes, run_callback, copy))
		free(copy);
}

/* Under the lock: one less is left of the batch, which goes with its last.
 * True when that is to be announced, after unlocking: *ev says how. */
static bool
leave(struct batch *b, struct sigevent *ev)
{
	bool last = --b->left == 0, tell = last && b->notify;

	if (tell)
		*ev = b->event;
	if (last)
		free(b);
	return tell;
}

/* Under the lock.  As leave(), for r's batch. */
static bool
finish(struct request *r, int result, struct sigevent *ev)
{
	bool tell = leave(r->batch, ev);

	__atomic_store_n(&r->cb->__return, result, __ATOMIC_RELEASE);
	free(r);
	__atomic_fetch_add(&queue.finished, 1, __ATOMIC_SEQ_CST);
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

/* Under the lock, which is given up meanwhile: false when there was nothing
 * to do for a while. */
static bool
wait_for_work(struct shim_guard *g)
{
	uint32_t seen = queue.posted;

	queue.idle++;
	shim_unlock(g, &queue.lock);
	shim_futex_wait(&queue.posted, seen, IDLE_MS);
	shim_lock(g, &queue.lock);
	queue.idle--;
	return queue.posted != seen || queue.first != NULL;
}

static void *
work(void *arg)
{
	struct shim_guard g;
	struct sigevent ev;
	struct request *r;
	int result;

	(void)arg;
	shim_lock(&g, &queue.lock);
	for (;;) {
		while ((r = take(&queue.first)) == NULL)
			if (!wait_for_work(&g)) {
				queue.threads--;
				shim_unlock(&g, &queue.lock);
				return NULL;
			}
		/* From here gai_cancel() does not find it. */
		shim_unlock(&g, &queue.lock);
		result = getaddrinfo(r->cb->ar_name, r->cb->ar_service,
		    r->cb->ar_request, &r->cb->ar_result);
		shim_lock(&g, &queue.lock);
		if (finish(r, result, &ev)) {
			shim_unlock(&g, &queue.lock);
			notify(&ev);
			shim_lock(&g, &queue.lock);
		}
	}
}

/* Under the lock: one more thread, unless there are enough.  It inherits the
 * mask of shim_lock(): the program's handlers must not run on a thread that
 * the program does not know. */
static bool
post(void)
{
	queue.posted++;
	shim_futex_wake(&queue.posted);
	if (queue.idle < queue.waiting && queue.threads < THREADS_MAX &&
	    start_thread(NULL, work, NULL))
		queue.threads++;
	return queue.threads > 0;
}

static void
forget_parent(void)
{
	pid_t pid = (pid_t)sys_call3(SYS_getpid, 0, 0, 0);

	if (queue.pid == pid)
		return;
	queue.pid = pid;
	queue.threads = queue.idle = queue.waiting = 0;
	queue.first = NULL;
	queue.last = &queue.first;
}

/* Under the lock.  0, EAI_MEMORY or EAI_AGAIN (no thread to be had). */
static int
enqueue(struct gaicb *cb, struct batch *b)
{
	struct request *r, **at = queue.last;

	if ((r = malloc(sizeof(*r))) == NULL)
		return EAI_MEMORY;
	*r = (struct request){ .cb = cb, .batch = b };
	__atomic_store_n(&cb->__return, EAI_INPROGRESS, __ATOMIC_RELEASE);
	cb->ar_result = NULL;
	*at = r;
	queue.last = &r->next;
	queue.waiting++;
	b->left++;
	if (post())
		return 0;
	free(take(at));
	b->left--;
	return EAI_AGAIN;
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

/* Under the lock: the requests of `list` that are no NULL become batch b's.
 * 0, or EAI_AGAIN: some could not, and their __return says why. */
static int
enqueue_all(struct gaicb *list[], int n, struct batch *b)
{
	int error, result = 0;

	for (int i = 0; i < n; i++)
		if (list[i] != NULL && (error = enqueue(list[i], b)) != 0) {
			list[i]->__return = error;
			result = EAI_AGAIN;
		}
	return result;
}

static void
wait_for_all(struct gaicb *list[], int n)
{
	for (;;) {
		uint32_t seen = __atomic_load_n(&queue.finished,
		    __ATOMIC_ACQUIRE);

		if (count_unfinished((const struct gaicb *const *)list,
		    n) == 0)
			return;
		(void)wait_for_one(seen, NULL);
	}
}

SW_EXPORT int
getaddrinfo_a(int mode, struct gaicb *list[], int n, struct sigevent *event)
{
	struct shim_guard g;
	struct sigevent ev;
	struct batch *b;
	int saved = errno, result;
	bool tell;

	if (mode != GAI_WAIT && mode != GAI_NOWAIT) {
		errno = EINVAL;
		return EAI_SYSTEM;
	}
	if ((b = calloc(1, sizeof(*b))) == NULL)
		return EAI_MEMORY;
	b->left = 1;			/* until it has all its requests */
	if (event != NULL && mode == GAI_NOWAIT) {
		b->notify = event->sigev_notify != SIGEV_NONE;
		b->event = *event;
	}
	shim_lock(&g, &queue.lock);
	forget_parent();
	result = enqueue_all(list, n, b);
	tell = leave(b, &ev);
	shim_unlock(&g, &queue.lock);
	if (tell)
		notify(&ev);
	if (mode == GAI_WAIT)
		wait_for_all(list, n);
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
		uint32_t seen = __atomic_load_n(&queue.finished,
		    __ATOMIC_ACQUIRE);
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
	struct shim_guard g;
	struct sigevent ev;
	struct request *r;
	bool tell = false;
	int result = EAI_ALLDONE;

	shim_lock(&g, &queue.lock);
	forget_parent();
	if ((r = take(find(cb))) != NULL) {
		tell = finish(r, EAI_CANCELED, &ev);
		result = EAI_CANCELED;
	} else if (cb != NULL && gai_error(cb) == EAI_INPROGRESS)
		result = EAI_NOTCANCELED;
	shim_unlock(&g, &queue.lock);
	if (tell)
		notify(&ev);
	return result;
}
