/*
 * dribble [-s SEED] LISTEN-PORT HOST PORT - a relay of TCP connections, on all
 * addresses of IPv4, that breaks what it carries into random pieces with pauses
 * between them.
 *
 * Each connection draws how large its pieces are at most (from one byte to all
 * there is) and how long the pauses (from none to some ms), so a hundred of them
 * have met every kind of short read. Ends go through one by one; a reset ends
 * both sides. Runs until it is killed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNS_MAX 64
#define PIECES_MAX 2000		/* then the rest goes as it comes */

struct way {
	uint8_t bytes[16384];
	size_t at, len;
	int64_t due_us;
	unsigned pieces;
	bool ended, told;		/* the sender; the receiver of it */
};

struct conn {
	int fd[2];			/* -1: free */
	size_t piece_max;
	unsigned pause_max_us;
	struct way way[2];		/* way[i] comes from fd[i] */
};

static struct conn conns[CONNS_MAX];
static uint32_t seed = 1;

static uint32_t
draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static int64_t
now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void
make_ready(int fd)
{
	const int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void
end(struct conn *c)
{
	(void)close(c->fd[0]);
	(void)close(c->fd[1]);
	c->fd[0] = c->fd[1] = -1;
}

static void
take(int listener, const struct sockaddr_in *to)
{
	static const size_t pieces[] = { 1, 3, 20, 200, 1500, 16384 };
	static const unsigned pauses[] = { 0, 50, 500, 5000 };
	int from = accept(listener, NULL, NULL), on;
	struct conn *c = conns;

	if (from < 0)
		return;
	while (c < conns + CONNS_MAX && c->fd[0] >= 0)
		c++;
	on = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c == conns + CONNS_MAX || on < 0 ||
	    connect(on, (const struct sockaddr *)to, sizeof(*to)) != 0) {
		(void)close(from);
		(void)close(on);
		return;
	}
	memset(c, 0, sizeof(*c));
	make_ready(c->fd[0] = from);
	make_ready(c->fd[1] = on);
	c->piece_max = pieces[draw(6)];
	/* Long pauses between single bytes would take a minute. */
	c->pause_max_us = pauses[draw(c->piece_max < 20 ? 2 : 4)];
}

static bool
fill(struct conn *c, int i)
{
	struct way *w = &c->way[i];
	ssize_t n;

	if (w->ended || w->at < w->len)
		return true;
	n = read(c->fd[i], w->bytes, sizeof(w->bytes));
	if (n < 0)
		return errno == EAGAIN;
	w->at = 0;
	w->len = (size_t)n;
	w->ended = n == 0;
	return true;
}

/* False when the connection is over. */
static bool
give(struct conn *c, int i, int64_t now)
{
	struct way *w = &c->way[i];
	size_t n = w->len - w->at;
	ssize_t sent;

	if (n == 0) {
		if (w->ended && !w->told) {
			(void)shutdown(c->fd[!i], SHUT_WR);
			w->told = true;
		}
		return !(c->way[0].told && c->way[1].told);
	}
	if (w->due_us > now)
		return true;
	if (w->pieces < PIECES_MAX && n > c->piece_max)
		n = c->piece_max;
	if (w->pieces++ < PIECES_MAX)
		n = 1 + draw((uint32_t)n);
	sent = send(c->fd[!i], w->bytes + w->at, n, MSG_NOSIGNAL);
	if (sent < 0)
		return errno == EAGAIN;
	w->at += (size_t)sent;
	if (w->pieces < PIECES_MAX && c->pause_max_us > 0)
		w->due_us = now + draw(c->pause_max_us);
	return true;
}

/* What to wait for, and until when. */
static void
ask(const struct conn *c, struct pollfd *p, int64_t *wake_us)
{
	for (int i = 0; i < 2; i++) {
		const struct way *w = &c->way[i];

		p[i].fd = c->fd[i];
		if (w->at == w->len && !w->ended)
			p[i].events |= POLLIN;
		if (w->at == w->len)
			continue;
		if (w->due_us > now_us()) {
			if (w->due_us < *wake_us)
				*wake_us = w->due_us;
		} else {
			p[!i].events |= POLLOUT;
		}
	}
}

static void
turn(int listener, const struct sockaddr_in *to)
{
	struct pollfd p[1 + 2 * CONNS_MAX] = { { listener, POLLIN, 0 } };
	int64_t wake_us = INT64_MAX, now;
	struct timespec wait;

	for (int k = 0; k < CONNS_MAX; k++) {
		p[1 + 2 * k].fd = p[2 + 2 * k].fd = -1;
		if (conns[k].fd[0] >= 0)
			ask(&conns[k], p + 1 + 2 * k, &wake_us);
	}
	now = now_us();
	wake_us = wake_us == INT64_MAX ? 1000000 :
	    wake_us > now ? wake_us - now : 0;
	wait.tv_sec = wake_us / 1000000;
	wait.tv_nsec = wake_us % 1000000 * 1000;
	(void)ppoll(p, 1 + 2 * CONNS_MAX, &wait, NULL);
	now = now_us();
	for (int k = 0; k < CONNS_MAX; k++) {
		struct conn *c = &conns[k];

		if (c->fd[0] >= 0 && (!fill(c, 0) || !fill(c, 1) ||
		    !give(c, 0, now) || !give(c, 1, now)))
			end(c);
	}
	if (p[0].revents != 0)
		take(listener, to);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET }, to = at;
	const int one = 1;
	int listener, opt;

	while ((opt = getopt(argc, argv, "s:")) != -1)
		if (opt == 's')
			seed = (uint32_t)atoi(optarg);
	if (argc - optind != 3 ||
	    inet_pton(AF_INET, argv[optind + 1], &to.sin_addr) != 1) {
		(void)fprintf(stderr, "usage: dribble [-s SEED] PORT IP PORT\n");
		return 2;
	}
	at.sin_port = htons((uint16_t)atoi(argv[optind]));
	to.sin_port = htons((uint16_t)atoi(argv[optind + 2]));
	for (int k = 0; k < CONNS_MAX; k++)
		conns[k].fd[0] = conns[k].fd[1] = -1;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(listener, 64) != 0) {
		perror("dribble");
		return 1;
	}
	for (;;)
		turn(listener, &to);
}
