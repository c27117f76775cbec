#include "tests/rig/delay_relay.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/rig/loopback.h"

struct piece {
	struct piece *next;
	int64_t due_us;
	size_t len;
	uint8_t bytes[65536];
};

struct way {
	int from, to;
	int64_t delay_us;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct piece *head, **tail;
	size_t queued;
	_Atomic size_t *peak;		/* the most that either way has held */
};

static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void *
way_read(void *arg)
{
	struct way *w = arg;
	ssize_t n;

	do {
		struct piece *p = malloc(sizeof(*p));

		n = read(w->from, p->bytes, sizeof(p->bytes));
		p->len = n > 0 ? (size_t)n : 0;
		p->due_us = now_us() + w->delay_us;
		p->next = NULL;
		pthread_mutex_lock(&w->lock);
		while (w->queued > 256u << 20)
			pthread_cond_wait(&w->cond, &w->lock);
		*w->tail = p;
		w->tail = &p->next;
		w->queued += p->len;
		for (size_t most = *w->peak; w->queued > most;)
			if (atomic_compare_exchange_weak(w->peak, &most,
			    w->queued))
				break;
		pthread_cond_broadcast(&w->cond);
		pthread_mutex_unlock(&w->lock);
	} while (n > 0);
	return NULL;
}

static void *
way_write(void *arg)
{
	struct way *w = arg;
	bool more = true;

	while (more) {
		struct piece *p;
		int64_t wait;

		pthread_mutex_lock(&w->lock);
		while ((p = w->head) == NULL)
			pthread_cond_wait(&w->cond, &w->lock);
		if ((w->head = p->next) == NULL)
			w->tail = &w->head;
		w->queued -= p->len;
		pthread_cond_broadcast(&w->cond);
		pthread_mutex_unlock(&w->lock);
		if ((wait = p->due_us - now_us()) > 0)
			usleep((useconds_t)wait);
		more = p->len > 0 && send(w->to, p->bytes, p->len,
		    MSG_NOSIGNAL) == (ssize_t)p->len;
		free(p);
	}
	shutdown(w->to, SHUT_RDWR);
	shutdown(w->from, SHUT_RDWR);
	return NULL;
}

static void
way_start(int from, int to, int64_t delay_us, _Atomic size_t *peak)
{
	struct way *w = calloc(1, sizeof(*w));
	pthread_t id;

	w->from = from;
	w->to = to;
	w->delay_us = delay_us;
	w->peak = peak;
	w->tail = &w->head;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->cond, NULL);
	if (pthread_create(&id, NULL, way_read, w) != 0 ||
	    pthread_create(&id, NULL, way_write, w) != 0)
		abort();
}

pid_t
delay_relay_start(uint16_t port, int ms, uint16_t *at, _Atomic size_t *peak)
{
	int fd = loopback_listen(at), c, s;
	pid_t pid = fork();

	if (pid != 0) {
		close(fd);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while ((c = accept(fd, NULL, NULL)) >= 0) {
		if ((s = loopback_connect(port)) < 0) {
			close(c);
			continue;
		}
		way_start(c, s, (int64_t)ms * 1000, peak);
		way_start(s, c, (int64_t)ms * 1000, peak);
	}
	_exit(0);
}
