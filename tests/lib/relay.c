/*
 * relay -d MS -l PERMILLE -r KBIT PID:DEVICE PID:DEVICE - a link between two
 * network namespaces that delays and loses frames.
 *
 * Makes a TAP device in the namespace of each process and carries frames
 * between them, each MS later (so the round trip is twice that), dropping
 * PERMILLE of them by a fixed seed, at no more than KBIT per second if not 0.
 * SIGUSR1 cuts the link (every frame is dropped), SIGUSR2 mends it. In place
 * of netem, which not every kernel has.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX 1600
#define QUEUE_MAX 16384		/* a power of two; about 24 MB each way */

struct frame {
	int64_t due_us;
	size_t len;
	uint8_t bytes[FRAME_MAX];
};

struct way {
	int from;
	int to;
	unsigned head;		/* next to send */
	unsigned tail;		/* next to fill */
	int64_t free_us;	/* when the wire has sent the last one */
	struct frame *q;
};

static volatile sig_atomic_t cut;

static void
on_signal(int sig)
{
	cut = sig == SIGUSR1;
}

static int64_t
now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int
tap(const char *where)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	const char *colon = strchr(where, ':');
	char path[64];
	int ns, fd;

	if (colon == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", atoi(where));
	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", colon + 1);
	if ((ns = open(path, O_RDONLY | O_CLOEXEC)) < 0 ||
	    setns(ns, CLONE_NEWNET) != 0)
		return -1;
	(void)close(ns);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) != 0)
		return -1;
	return fd;
}

static void
take(struct way *w, int64_t delay_us, unsigned loss_permille, int64_t kbit)
{
	static uint32_t x = 12345;
	struct frame *f;
	int64_t now = now_us();
	uint8_t spill[FRAME_MAX];
	ssize_t n;

	for (;;) {
		if (w->tail - w->head == QUEUE_MAX) {
			if (read(w->from, spill, sizeof(spill)) < 0)
				return;
			continue;
		}
		f = &w->q[w->tail % QUEUE_MAX];
		if ((n = read(w->from, f->bytes, sizeof(f->bytes))) < 0)
			return;
		x = x * 1664525 + 1013904223;
		if (cut || (x >> 8) % 1000 < loss_permille)
			continue;
		if (w->free_us < now)
			w->free_us = now;
		if (kbit > 0)
			w->free_us += n * 8000 / kbit;
		f->len = (size_t)n;
		f->due_us = w->free_us + delay_us;
		w->tail++;
	}
}

/* Returns when the next frame is due, or INT64_MAX. */
static int64_t
give(struct way *w)
{
	int64_t now = now_us();
	const struct frame *f;

	while (w->head != w->tail) {
		f = &w->q[w->head % QUEUE_MAX];
		if (f->due_us > now)
			return f->due_us;
		if (write(w->to, f->bytes, f->len) < 0 && errno == EAGAIN)
			return now + 1000;
		w->head++;
	}
	return INT64_MAX;
}

int
main(int argc, char **argv)
{
	struct way there = { 0 }, back = { 0 };
	struct pollfd pfd[2];
	struct timespec wait;
	int64_t delay_ms = 0, kbit = 0, next, other;
	unsigned loss = 0;
	int opt;

	while ((opt = getopt(argc, argv, "d:l:r:")) != -1) {
		switch (opt) {
		case 'd':
			delay_ms = atoi(optarg);
			break;
		case 'l':
			loss = (unsigned)atoi(optarg);
			break;
		case 'r':
			kbit = atoi(optarg);
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 2)
		return 2;
	there.from = back.to = tap(argv[optind]);
	there.to = back.from = tap(argv[optind + 1]);
	there.q = malloc(QUEUE_MAX * sizeof(*there.q));
	back.q = malloc(QUEUE_MAX * sizeof(*back.q));
	if (there.from < 0 || there.to < 0 || !there.q || !back.q) {
		perror("relay");
		return 1;
	}
	(void)signal(SIGUSR1, on_signal);
	(void)signal(SIGUSR2, on_signal);
	pfd[0] = (struct pollfd){ .fd = there.from, .events = POLLIN };
	pfd[1] = (struct pollfd){ .fd = back.from, .events = POLLIN };
	for (;;) {
		next = give(&there);
		other = give(&back);
		if (other < next)
			next = other;
		if (next != INT64_MAX) {
			next -= now_us();
			if (next < 0)
				next = 0;
			wait.tv_sec = next / 1000000;
			wait.tv_nsec = next % 1000000 * 1000;
		}
		if (ppoll(pfd, 2, next == INT64_MAX ? NULL : &wait, NULL) < 0
		    && errno != EINTR)
			return 1;
		take(&there, delay_ms * 1000, loss, kbit);
		take(&back, delay_ms * 1000, loss, kbit);
	}
}
