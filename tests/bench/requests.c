/*
 * requests [-s SOCKS:PORT] [-n COUNT] [-w WARM] MODE HOST PORT - one process,
 * many connections; HOST is a name or an address.
 *
 *	first	one after the other: connect, send a byte, wait for its echo.
 *		Prints "MEDIAN P95 P10 connect-MEDIAN" in microseconds.
 *	get	one after the other: "GET /100" and its answer. Prints
 *		"RATE MEDIAN P95": requests a second, microseconds.
 *	par	all at once, "GET /1000" on each when all are open. Prints
 *		"OPEN_S TOTAL_S GOOD".
 *	idle	opens COUNT, one echoed byte each, prints "ready PID", and ends
 *		when its input does.
 *	bulk	"GET /COUNT" once. Prints "MB_S" from the first byte to the
 *		last, so without the time to connect.
 *
 * With -s it speaks SOCKS5 first, as curl --socks5-hostname does. Names are
 * looked up before every connection, as programs do.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char *socks;	/* "address:port" or NULL */
static const char *host, *port;
static size_t count = 300, warm = 20;

static double
now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void
die(const char *what)
{
	(void)fprintf(stderr, "requests: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* A connected (or, for `later`, connecting) socket to name:service, or -1. */
static int
dial(const char *name, const char *service, bool later)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_family = AF_INET, .ai_flags = AI_NUMERICSERV }, *ai;
	int fd, on = 1;

	if (getaddrinfo(name, service, &hints, &ai) != 0)
		return -1;
	fd = socket(AF_INET,
	    SOCK_STREAM | SOCK_CLOEXEC | (later ? SOCK_NONBLOCK : 0), 0);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (fd < 0 || (connect(fd, ai->ai_addr, ai->ai_addrlen) != 0 &&
	    !(later && errno == EINPROGRESS))) {
		if (fd >= 0)
			(void)close(fd);
		fd = -1;
	}
	freeaddrinfo(ai);
	return fd;
}

static bool
recv_all(int fd, void *buf, size_t len)
{
	return recv(fd, buf, len, MSG_WAITALL) == (ssize_t)len;
}

/* To host:port, through the SOCKS server when there is one. */
static int
open_one(void)
{
	uint8_t req[7 + 255] = { 5, 1, 0, 3 }, ans[10];
	char name[64];
	size_t len = strlen(host);
	const char *colon;
	int fd, p = atoi(port);

	if (socks == NULL)
		return dial(host, port, false);
	colon = strrchr(socks, ':');
	if (colon == NULL || len > 255)
		return -1;
	(void)snprintf(name, sizeof(name), "%.*s", (int)(colon - socks), socks);
	if ((fd = dial(name, colon + 1, false)) < 0)
		return -1;
	if (send(fd, "\5\1\0", 3, 0) != 3 || !recv_all(fd, ans, 2))
		goto bad;
	req[4] = (uint8_t)len;
	memcpy(req + 5, host, len);
	req[5 + len] = (uint8_t)(p >> 8);
	req[6 + len] = (uint8_t)p;
	if (send(fd, req, 7 + len, 0) != (ssize_t)(7 + len) ||
	    !recv_all(fd, ans, 10) || ans[1] != 0)
		goto bad;
	return fd;
bad:
	(void)close(fd);
	return -1;
}

static void
first(void)
{
	double *t = calloc(count, sizeof(*t)), *c = calloc(count, sizeof(*c));
	double start, connected;
	size_t i;
	char byte = 'x';
	int fd;

	if (t == NULL || c == NULL)
		die("memory");
	for (i = 0; i < warm + count; i++) {
		start = now_us();
		if ((fd = open_one()) < 0)
			die("connect");
		connected = now_us();
		if (send(fd, &byte, 1, 0) != 1 || recv(fd, &byte, 1, 0) != 1)
			die("echo");
		if (i >= warm) {
			t[i - warm] = now_us() - start;
			c[i - warm] = connected - start;
		}
		(void)close(fd);
	}
	qsort(t, count, sizeof(*t), by_value);
	qsort(c, count, sizeof(*c), by_value);
	(void)printf("%.1f %.1f %.1f %.1f\n", t[count / 2],
	    t[count * 95 / 100], t[count / 10], c[count / 2]);
}

/*
 * One answer, to its stated length; true when all of it came. Not to the end
 * of the connection: ssh leaves Nagle's algorithm on, and would be charged
 * 40 ms for each end that it passes on.
 */
static bool
read_answer(int fd)
{
	char buf[8192], *body, *length;
	size_t have = 0;
	ssize_t n;

	for (;;) {
		n = recv(fd, buf + have, sizeof(buf) - 1 - have, 0);
		if (n <= 0)
			return false;
		have += (size_t)n;
		buf[have] = '\0';
		if ((body = strstr(buf, "\r\n\r\n")) != NULL &&
		    (length = strstr(buf, "Content-Length: ")) != NULL &&
		    have >= (size_t)(body + 4 - buf) +
		    strtoul(length + 16, NULL, 10))
			return true;
	}
}

static bool
ask(int fd, const char *path)
{
	char req[128];
	int n = snprintf(req, sizeof(req),
	    "GET /%s HTTP/1.1\r\nHost: far\r\n\r\n", path);

	return send(fd, req, (size_t)n, MSG_NOSIGNAL) == n;
}

static void
get(void)
{
	double *t = calloc(count, sizeof(*t)), begin = 0, start;
	size_t i;
	int fd;

	if (t == NULL)
		die("memory");
	for (i = 0; i < warm + count; i++) {
		start = now_us();
		if (i == warm)
			begin = start;
		if ((fd = open_one()) < 0)
			die("connect");
		if (!ask(fd, "100") || !read_answer(fd))
			die("get");
		(void)close(fd);
		if (i >= warm)
			t[i - warm] = now_us() - start;
	}
	start = (double)count * 1e6 / (now_us() - begin);
	qsort(t, count, sizeof(*t), by_value);
	(void)printf("%.1f %.1f %.1f\n", start, t[count / 2],
	    t[count * 95 / 100]);
}

static void
par(void)
{
	struct pollfd *p = calloc(count, sizeof(*p));
	double start = now_us(), opened;
	size_t i, good = 0, left = count;
	int err;
	socklen_t len;

	if (p == NULL)
		die("memory");
	for (i = 0; i < count; i++) {
		p[i].fd = socks == NULL ? dial(host, port, true) : open_one();
		if (p[i].fd < 0)
			die("connect");
		p[i].events = POLLOUT;
	}
	while (left > 0) {
		if (poll(p, count, 60000) <= 0)
			die("connecting");
		for (i = 0; i < count; i++) {
			if (p[i].revents == 0)
				continue;
			len = sizeof(err);
			if (getsockopt(p[i].fd, SOL_SOCKET, SO_ERROR, &err,
			    &len) != 0 || (errno = err) != 0)
				die("connecting");
			p[i].events = 0;
			p[i].fd = ~p[i].fd;	/* poll skips it */
			left--;
		}
	}
	opened = now_us();
	for (i = 0; i < count; i++) {
		p[i].fd = ~p[i].fd;
		(void)fcntl(p[i].fd, F_SETFL, 0);
		if (!ask(p[i].fd, "1000"))
			die("ask");
	}
	for (i = 0; i < count; i++) {
		if (read_answer(p[i].fd))
			good++;
		(void)close(p[i].fd);
	}
	(void)printf("%.4f %.4f %zu\n", (opened - start) / 1e6,
	    (now_us() - start) / 1e6, good);
}

static void
idle(void)
{
	char byte = 'x';
	size_t i;
	int fd;

	for (i = 0; i < count; i++) {
		if ((fd = open_one()) < 0)
			die("connect");
		if (send(fd, &byte, 1, 0) != 1 || recv(fd, &byte, 1, 0) != 1)
			die("echo");
	}
	(void)printf("ready %d\n", (int)getpid());
	(void)fflush(stdout);
	while (read(0, &byte, 1) > 0)
		continue;
}

static void
bulk(void)
{
	static char buf[256 << 10];
	char path[32];
	double begin = 0;
	size_t all = 0;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "%zu", count);
	if ((fd = open_one()) < 0 || !ask(fd, path))
		die("connect");
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		if (all == 0)
			begin = now_us();
		all += (size_t)n;
	}
	if (n < 0 || all < count)
		die("bulk");
	(void)printf("%.1f\n", (double)all / (now_us() - begin));
	(void)close(fd);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} modes[] = { { "first", first }, { "get", get }, { "par", par },
		{ "idle", idle }, { "bulk", bulk } };
	size_t i;
	int opt;

	while ((opt = getopt(argc, argv, "s:n:w:")) != -1) {
		if (opt == 's')
			socks = optarg;
		else if (opt == 'n')
			count = strtoul(optarg, NULL, 10);
		else if (opt == 'w')
			warm = strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	if (argc - optind != 3)
		return 2;
	host = argv[optind + 1];
	port = argv[optind + 2];
	(void)signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		if (strcmp(argv[optind], modes[i].name) == 0) {
			modes[i].run();
			return 0;
		}
	return 2;
}
