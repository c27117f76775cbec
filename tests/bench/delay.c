/*
 * delay MS PORT ADDRESS:PORT - a TCP relay that hands every byte on MS
 * milliseconds after it came, each way; so the round trip is twice that.
 *
 * The delay is constant and nothing is lost. Each direction holds RING_LEN
 * bytes: at 50 ms that lets 1.2 GB/s through, so what a protocol makes of the
 * delay is due to its own windows, not to ours or the kernel's. Only opening
 * the connection itself is not delayed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define RING_LEN (64ull << 20)	/* a power of two */
#define MARKS 65536		/* reads that may be waiting, a power of two */
#define READ_MAX (512 << 10)

/* All bytes before `end` may go at `due_ns`. */
struct mark {
	uint64_t end;
	int64_t due_ns;
};

struct way {
	int from, to;
	uint8_t *ring;
	uint64_t in, out;	/* bytes ever read and written */
	struct mark *marks;
	unsigned mark_in, mark_out;
	bool blocked;		/* to takes no more for now */
	bool ended;		/* from will say no more */
	bool closed;		/* and to was told */
};

static int64_t delay_ns;

static int64_t
now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int
ring_iov(uint8_t *ring, uint64_t at, uint64_t len, struct iovec iov[2])
{
	uint64_t first = RING_LEN - at % RING_LEN;

	if (first >= len) {
		iov[0] = (struct iovec){ ring + at % RING_LEN, (size_t)len };
		return 1;
	}
	iov[0] = (struct iovec){ ring + at % RING_LEN, (size_t)first };
	iov[1] = (struct iovec){ ring, (size_t)(len - first) };
	return 2;
}

static bool
fill(struct way *w)
{
	struct iovec iov[2];
	uint64_t room;
	ssize_t n;

	while (!w->ended && w->mark_in - w->mark_out < MARKS &&
	    (room = RING_LEN - (w->in - w->out)) > 0) {
		if (room > READ_MAX)
			room = READ_MAX;
		n = readv(w->from, iov, ring_iov(w->ring, w->in, room, iov));
		if (n < 0)
			return errno == EAGAIN;
		if (n == 0)
			w->ended = true;
		w->in += (uint64_t)n;
		w->marks[w->mark_in++ % MARKS] =
		    (struct mark){ w->in, now_ns() + delay_ns };
	}
	return true;
}

/* Writes what is due. */
static bool
drain(struct way *w)
{
	struct iovec iov[2];
	uint64_t due = w->out;
	int64_t now = now_ns();
	unsigned at;
	ssize_t n;

	for (at = w->mark_out; at != w->mark_in; at++) {
		if (w->marks[at % MARKS].due_ns > now)
			break;
		due = w->marks[at % MARKS].end;
	}
	w->blocked = false;
	while (w->out < due && !w->blocked) {
		n = writev(w->to, iov,
		    ring_iov(w->ring, w->out, due - w->out, iov));
		if (n < 0) {
			if (errno != EAGAIN)
				return false;
			w->blocked = true;
			n = 0;
		}
		w->out += (uint64_t)n;
	}
	while (w->mark_out != at &&
	    w->marks[w->mark_out % MARKS].end <= w->out)
		w->mark_out++;
	if (w->ended && w->mark_in == w->mark_out && !w->closed) {
		w->closed = true;
		(void)shutdown(w->to, SHUT_WR);
	}
	return true;
}

/* When the timer must wake us for `w`: epoll does for a blocked one. */
static int64_t
wake_ns(const struct way *w)
{
	if (w->mark_out == w->mark_in || w->blocked)
		return INT64_MAX;
	return w->marks[w->mark_out % MARKS].due_ns;
}

static bool
way_init(struct way *w, int from, int to)
{
	*w = (struct way){ .from = from, .to = to };
	w->ring = malloc(RING_LEN);
	w->marks = malloc(MARKS * sizeof(*w->marks));
	return w->ring != NULL && w->marks != NULL;
}

static void
carry(int a, int b)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
	struct itimerspec when = { 0 };
	struct way there, back;
	int64_t next;
	uint64_t ticks;
	int ep, timer;

	if (!way_init(&there, a, b) || !way_init(&back, b, a))
		return;
	ep = epoll_create1(EPOLL_CLOEXEC);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	(void)epoll_ctl(ep, EPOLL_CTL_ADD, a, &ev);
	(void)epoll_ctl(ep, EPOLL_CTL_ADD, b, &ev);
	ev.events = EPOLLIN;
	(void)epoll_ctl(ep, EPOLL_CTL_ADD, timer, &ev);
	while (!(there.closed && back.closed)) {
		/* A full ring stops the reading before EAGAIN; once drain()
		 * has made room no further edge comes for what waits. */
		if (!fill(&there) || !fill(&back) || !drain(&there) ||
		    !drain(&back) || !fill(&there) || !fill(&back))
			break;
		next = wake_ns(&there);
		if (wake_ns(&back) < next)
			next = wake_ns(&back);
		if (next == INT64_MAX)
			next = 0;	/* disarms */
		when.it_value.tv_sec = next / 1000000000;
		when.it_value.tv_nsec = next % 1000000000;
		(void)timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
		if (epoll_wait(ep, &ev, 1, -1) < 0 && errno != EINTR)
			break;
		(void)!read(timer, &ticks, sizeof(ticks));
	}
	(void)close(ep);
	(void)close(timer);
	free(there.ring);
	free(there.marks);
	free(back.ring);
	free(back.marks);
}

static struct sockaddr_in target;

static void *
serve(void *arg)
{
	int a = *(int *)arg, on = 1, b;

	free(arg);
	b = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(b, (struct sockaddr *)&target, sizeof(target)) == 0) {
		(void)setsockopt(a, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void)setsockopt(b, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void)fcntl(a, F_SETFL, O_NONBLOCK);
		(void)fcntl(b, F_SETFL, O_NONBLOCK);
		carry(a, b);
	}
	(void)close(a);
	(void)close(b);
	return NULL;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in here = { .sin_family = AF_INET };
	int *fd, on = 1, s;
	pthread_t t;
	char *colon;

	if (argc != 4 || (colon = strchr(argv[3], ':')) == NULL) {
		(void)fprintf(stderr, "usage: delay ms port address:port\n");
		return 2;
	}
	*colon = '\0';
	delay_ns = atoll(argv[1]) * 1000000;
	here.sin_port = htons((uint16_t)atoi(argv[2]));
	target.sin_family = AF_INET;
	target.sin_port = htons((uint16_t)atoi(colon + 1));
	(void)signal(SIGPIPE, SIG_IGN);
	s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (inet_pton(AF_INET, argv[3], &target.sin_addr) != 1 ||
	    bind(s, (struct sockaddr *)&here, sizeof(here)) != 0 ||
	    listen(s, 64) != 0) {
		perror("delay");
		return 1;
	}
	for (;;) {
		if ((fd = malloc(sizeof(*fd))) == NULL)
			return 1;
		*fd = accept4(s, NULL, NULL, SOCK_CLOEXEC);
		if (*fd < 0 || pthread_create(&t, NULL, serve, fd) != 0)
			free(fd);
		else
			(void)pthread_detach(t);
	}
}
