/*
 * many - clients of tests/lib/serve in bulk and in number.
 *
 *	many parallel ADDRESS N BYTES	N connections at once, all open before
 *					the first asks for its BYTES
 *	many serial ADDRESS N		one after the other; what they leave
 *	many down ADDRESS BYTES		one download, checked
 *	many up ADDRESS BYTES		one upload, checked by the other side
 *
 * Prints one line: what was good, then the seconds, then other figures. The
 * exit status is 0 only if everything was good.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/pattern.h"

static struct sockaddr_in
at(const char *address, int port)
{
	struct sockaddr_in s = { .sin_family = AF_INET };

	s.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, address, &s.sin_addr) != 1) {
		(void)fprintf(stderr, "many: bad address\n");
		exit(2);
	}
	return s;
}

static double
seconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int
dial(const char *address, int port)
{
	struct sockaddr_in s = at(address, port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&s, sizeof(s)) != 0) {
		if (fd >= 0)
			(void)close(fd);
		return -1;
	}
	return fd;
}

struct flow {
	int fd;
	uint64_t got;
	int bad;
};

static void
add(int ep, struct flow *f, uint32_t events, int op)
{
	struct epoll_event ev = { .events = events, .data.ptr = f };

	(void)epoll_ctl(ep, op, f->fd, &ev);
}

/* Dials all; returns how many were connected within the time. */
static int
dial_all(int ep, struct flow *flows, int n, const char *address)
{
	struct sockaddr_in s = at(address, 5000);
	struct epoll_event ev[64];
	int i, k, up = 0, failed = 0, err;
	socklen_t len;

	for (i = 0; i < n; i++) {
		flows[i].fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (flows[i].fd < 0 || (connect(flows[i].fd,
		    (struct sockaddr *)&s, sizeof(s)) != 0 &&
		    errno != EINPROGRESS)) {
			if (failed++ == 0)
				perror("many: connect");
			continue;
		}
		add(ep, &flows[i], EPOLLOUT, EPOLL_CTL_ADD);
	}
	while (up + failed < n) {
		if ((k = epoll_wait(ep, ev, 64, 60000)) <= 0)
			break;
		for (i = 0; i < k; i++) {
			struct flow *f = ev[i].data.ptr;

			err = 0;
			len = sizeof(err);
			(void)getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &err,
			    &len);
			if (err == 0) {
				up++;
			} else {
				if (failed++ == 0)
					(void)fprintf(stderr, "many: %s\n",
					    strerror(err));
				f->bad = 1;
			}
			add(ep, f, 0, EPOLL_CTL_DEL);
		}
	}
	return up;
}

static int
parallel(const char *address, int n, uint64_t bytes)
{
	static uint8_t buf[65536];
	struct flow *flows = calloc((size_t)n, sizeof(*flows));
	struct epoll_event ev[64];
	struct rlimit rl;
	int ep = epoll_create1(0), i, k, good = 0, open_now, ended = 0;
	double start = seconds(), connected;
	char ask[32];
	ssize_t r;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
	if (flows == NULL || ep < 0)
		return 1;
	open_now = dial_all(ep, flows, n, address);
	connected = seconds() - start;
	(void)snprintf(ask, sizeof(ask), "%llu\n", (unsigned long long)bytes);
	for (i = 0; i < n; i++) {
		if (flows[i].fd < 0 || flows[i].bad ||
		    send(flows[i].fd, ask, strlen(ask), MSG_NOSIGNAL) < 0)
			continue;
		add(ep, &flows[i], EPOLLIN, EPOLL_CTL_ADD);
	}
	while (ended < open_now && (k = epoll_wait(ep, ev, 64, 60000)) > 0) {
		for (i = 0; i < k; i++) {
			struct flow *f = ev[i].data.ptr;

			r = recv(f->fd, buf, PATTERN_LEN, 0);
			if (r > 0) {
				if (!pattern_matches(f->got, buf, (size_t)r))
					f->bad = 1;
				f->got += (uint64_t)r;
				continue;
			}
			if (r < 0 && errno == EAGAIN)
				continue;
			good += r == 0 && f->got == bytes && !f->bad;
			ended++;
			(void)close(f->fd);
		}
	}
	(void)printf("good %d of %d, %.2f s, connected %d in %.2f s\n", good,
	    n, seconds() - start, open_now, connected);
	free(flows);
	return good == n ? 0 : 1;
}

static long
resident_kb(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f != NULL) {
		if (fscanf(f, "%*s %ld", &pages) != 1)
			pages = 0;
		(void)fclose(f);
	}
	return pages * sysconf(_SC_PAGESIZE) / 1024;
}

static int
highest_descriptor(void)
{
	int i, n = 0;

	for (i = 0; i < 4096; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

static int
serial(const char *address, int n)
{
	double start = seconds();
	int i, fd, good = 0, fds = 0;
	long kb = 0;
	char buf[16];

	for (i = 0; i < n; i++) {
		/* The first few may start what stays. */
		if (i == n / 10) {
			fds = highest_descriptor();
			kb = resident_kb();
		}
		if ((fd = dial(address, 13)) < 0) {
			if (i - good < 3)
				perror("many: connect");
			continue;
		}
		good += recv(fd, buf, sizeof(buf), MSG_WAITALL) == 7;
		(void)close(fd);
	}
	(void)printf("good %d of %d, %.2f s, descriptors %+d, memory %+ld KB\n",
	    good, n, seconds() - start, highest_descriptor() - fds,
	    resident_kb() - kb);
	return good == n ? 0 : 1;
}

static int
down(const char *address, uint64_t bytes)
{
	static uint8_t buf[1 << 18];
	double start = seconds();
	uint64_t got = 0;
	char ask[32];
	int fd = dial(address, 5000), good = 1;
	ssize_t n = -1;

	(void)snprintf(ask, sizeof(ask), "%llu\n", (unsigned long long)bytes);
	if (fd < 0 || send(fd, ask, strlen(ask), 0) < 0) {
		perror("many: connect");
		return 1;
	}
	while ((n = recv(fd, buf, PATTERN_LEN, 0)) > 0) {
		if (!pattern_matches(got, buf, (size_t)n))
			good = 0;
		got += (uint64_t)n;
	}
	start = seconds() - start;
	(void)printf("%s %llu bytes, %.2f s, %.1f MB/s, end %s\n",
	    good && got == bytes && n == 0 ? "good" : "bad",
	    (unsigned long long)got, start, (double)got / 1e6 / start,
	    n == 0 ? "clean" : strerror(errno));
	return good && got == bytes && n == 0 ? 0 : 1;
}

static int
up(const char *address, uint64_t bytes)
{
	double start = seconds();
	uint64_t sent = 0;
	size_t len;
	char want[64], got[64];
	int fd = dial(address, 5003);
	ssize_t n;

	while (fd >= 0 && sent < bytes) {
		len = PATTERN_LEN;
		if (len > bytes - sent)
			len = (size_t)(bytes - sent);
		n = send(fd, pattern_at(sent), len, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		sent += (uint64_t)n;
	}
	if (fd < 0 || sent < bytes) {
		perror("many: send");
		(void)printf("bad %llu bytes sent\n",
		    (unsigned long long)sent);
		return 1;
	}
	(void)shutdown(fd, SHUT_WR);
	n = recv(fd, got, sizeof(got) - 1, MSG_WAITALL);
	got[n > 0 ? n : 0] = '\0';
	start = seconds() - start;
	(void)snprintf(want, sizeof(want), "%llu good\n",
	    (unsigned long long)bytes);
	(void)printf("%s %llu bytes, %.2f s, %.1f MB/s\n",
	    strcmp(got, want) == 0 ? "good" : "bad",
	    (unsigned long long)sent, start, (double)sent / 1e6 / start);
	return strcmp(got, want) == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	pattern_init();
	if (argc == 5 && strcmp(argv[1], "parallel") == 0)
		return parallel(argv[2], atoi(argv[3]),
		    strtoull(argv[4], NULL, 10));
	if (argc == 4 && strcmp(argv[1], "serial") == 0)
		return serial(argv[2], atoi(argv[3]));
	if (argc == 4 && strcmp(argv[1], "down") == 0)
		return down(argv[2], strtoull(argv[3], NULL, 10));
	if (argc == 4 && strcmp(argv[1], "up") == 0)
		return up(argv[2], strtoull(argv[3], NULL, 10));
	(void)fprintf(stderr, "usage: many parallel|serial|down|up ...\n");
	return 2;
}
