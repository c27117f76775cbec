/*
 * serve LOG - the small servers a test wants at the far side.
 *
 * TCP, on every address:
 *	   7  echo
 *	   9  discard
 *	  13  one line, then the end
 *	  19  the pattern for ever
 *	5000  reads a line "N", sends N bytes of the pattern, ends
 *	5001  reads something, then resets
 *	5002  accepts and does nothing
 *	5003  checks the pattern up to the end, answers "N good|bad"
 *	5004  says "hello", ends its direction, goes on reading
 *	5005  resets 100 ms after it was reached
 *	5006  sends 100 bytes and resets 200 ms later
 *	5007  echoes one buffer, then ends
 *	  43, 70, 79  read a line, answer "you asked for ..." (whois and such)
 * UDP: 7 echo, 9 discard, 5000 answers N datagrams for a datagram "N".
 *
 * Each end of a connection and each datagram is a line in LOG:
 *	tcp PORT BYTES eof|reset good|bad|-
 *	udp PORT BYTES TEXT
 * One thread for each connection, at most THREADS_MAX at a time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/pattern.h"

#define THREADS_MAX 3000
#define BUF_LEN 65536

static int log_fd;
static int threads;

struct conn {
	int fd;
	int port;
};

static void
note(const char *proto, int port, uint64_t bytes, const char *how,
    const char *what)
{
	char line[200];
	int n;

	n = snprintf(line, sizeof(line), "%s %d %llu %s %s\n", proto, port,
	    (unsigned long long)bytes, how, what);
	if (n > 0 && write(log_fd, line, (size_t)n) < 0)
		perror("serve: log");
}

static bool
put(int fd, const void *p, size_t len)
{
	const uint8_t *b = p;
	ssize_t n;

	while (len > 0) {
		n = send(fd, b, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		b += n;
		len -= (size_t)n;
	}
	return true;
}

static void
reset(int fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* A line without its end, at most len - 1 bytes; 0 at the end of the data. */
static size_t
get_line(int fd, char *line, size_t len)
{
	size_t n = 0;

	while (n < len - 1 && recv(fd, line + n, 1, 0) == 1) {
		if (line[n] == '\n')
			break;
		if (line[n] != '\r')
			n++;
	}
	line[n] = '\0';
	return n;
}

/* Reads to the end; echoes or checks on the way. */
static void
swallow(const struct conn *c, bool echo)
{
	uint8_t *buf = malloc(BUF_LEN);
	uint64_t total = 0;
	bool good = true;
	ssize_t n = -1;
	char answer[64];

	while (buf != NULL && (n = recv(c->fd, buf, PATTERN_LEN, 0)) > 0) {
		if (c->port == 5003 &&
		    !pattern_matches(total, buf, (size_t)n))
			good = false;
		total += (uint64_t)n;
		if (echo && !put(c->fd, buf, (size_t)n))
			break;
	}
	note("tcp", c->port, total, n < 0 ? "reset" : "eof",
	    c->port != 5003 ? "-" : good ? "good" : "bad");
	if (c->port == 5003 && n == 0) {
		(void)snprintf(answer, sizeof(answer), "%llu %s\n",
		    (unsigned long long)total, good ? "good" : "bad");
		(void)put(c->fd, answer, strlen(answer));
	}
	free(buf);
}

static void
pour(const struct conn *c, uint64_t wanted)
{
	uint64_t sent = 0;
	size_t n;

	while (sent < wanted) {
		n = PATTERN_LEN;
		if (n > wanted - sent)
			n = (size_t)(wanted - sent);
		if (!put(c->fd, pattern_at(sent), n))
			break;
		sent += n;
	}
	note("tcp", c->port, sent, sent == wanted ? "eof" : "reset", "-");
}

static void *
serve(void *arg)
{
	struct conn c = *(struct conn *)arg;
	char line[512], answer[600];

	free(arg);
	switch (c.port) {
	case 7:
		swallow(&c, true);
		break;
	case 13:
		(void)put(c.fd, "today\r\n", 7);
		break;
	case 19:
		pour(&c, UINT64_MAX);
		break;
	case 43:
	case 70:
	case 79:
		(void)get_line(c.fd, line, sizeof(line));
		(void)snprintf(answer, sizeof(answer),
		    "you asked for %s\r\n", line);
		(void)put(c.fd, answer, strlen(answer));
		note("tcp", c.port, strlen(line), "eof", "-");
		break;
	case 5000:
		(void)get_line(c.fd, line, sizeof(line));
		pour(&c, strtoull(line, NULL, 10));
		break;
	case 5001:
		(void)recv(c.fd, line, sizeof(line), 0);
		reset(c.fd);
		break;
	case 5004:
		(void)put(c.fd, "hello\n", 6);
		(void)shutdown(c.fd, SHUT_WR);
		swallow(&c, false);
		break;
	case 5005:
		/* Any sooner, and a busy machine's connect() may see it. */
		(void)usleep(100000);
		reset(c.fd);
		break;
	case 5006:
		(void)put(c.fd, pattern_at(0), 100);
		(void)usleep(200000);
		reset(c.fd);
		break;
	case 5007: {
		ssize_t n = recv(c.fd, line, sizeof(line), 0);

		if (n > 0)
			(void)put(c.fd, line, (size_t)n);
		break;
	}
	case 5002:
		/* A peer that ends is the only event; nothing is read. */
		(void)poll(&(struct pollfd){ .fd = c.fd, .events = POLLRDHUP },
		    1, 600000);
		break;
	default:
		swallow(&c, false);
		break;
	}
	(void)close(c.fd);
	(void)__atomic_sub_fetch(&threads, 1, __ATOMIC_RELAXED);
	return NULL;
}

static int
bound(int type, int port)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
	int on = 1, off = 0, fd;

	sin6.sin6_port = htons((uint16_t)port);
	fd = socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (type == SOCK_DGRAM)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on,
		    sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&sin6, sizeof(sin6)) != 0 ||
	    (type == SOCK_STREAM && listen(fd, 4096) != 0)) {
		(void)fprintf(stderr, "serve: port %d: %s\n", port,
		    strerror(errno));
		exit(1);
	}
	return fd;
}

static void
take_connection(int listener, int port)
{
	pthread_attr_t attr;
	struct conn *c;
	pthread_t t;
	int fd;

	if ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
		return;
	if (__atomic_load_n(&threads, __ATOMIC_RELAXED) >= THREADS_MAX ||
	    (c = malloc(sizeof(*c))) == NULL) {
		(void)close(fd);
		return;
	}
	*c = (struct conn){ .fd = fd, .port = port };
	(void)__atomic_add_fetch(&threads, 1, __ATOMIC_RELAXED);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, 65536);
	if (pthread_create(&t, &attr, serve, c) != 0) {
		(void)close(fd);
		free(c);
		(void)__atomic_sub_fetch(&threads, 1, __ATOMIC_RELAXED);
	}
	(void)pthread_attr_destroy(&attr);
}

/* Answers from the address that was asked, or connected clients drop it. */
static void
take_datagram(int fd, int port)
{
	static uint8_t buf[65536];
	union {
		char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
		struct cmsghdr align;
	} control;
	struct sockaddr_in6 from;
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) - 1 };
	struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from),
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof(control) };
	char text[64];
	unsigned long times;
	ssize_t n;
	size_t i;

	if ((n = recvmsg(fd, &m, 0)) < 0)
		return;
	buf[n] = '\0';
	for (i = 0; i < sizeof(text) - 1 && i < (size_t)n; i++)
		text[i] = buf[i] > 32 && buf[i] < 127 ? (char)buf[i] : '.';
	text[i] = '\0';
	note("udp", port, (uint64_t)n, text, "");
	iov.iov_len = (size_t)n;
	m.msg_flags = 0;
	times = port == 7 ? 1 : 0;
	if (port == 5000)
		times = strtoul((const char *)buf, NULL, 10);
	for (; times > 0 && times <= 100000; times--)
		if (sendmsg(fd, &m, 0) < 0)
			break;
}

int
main(int argc, char **argv)
{
	static const int tcp[] = { 7, 9, 13, 19, 43, 70, 79, 5000, 5001, 5002,
		5003, 5004, 5005, 5006, 5007 };
	static const int udp[] = { 7, 9, 5000 };
	enum { TCP = sizeof(tcp) / sizeof(*tcp),
		UDP = sizeof(udp) / sizeof(*udp) };
	struct pollfd pfd[TCP + UDP];
	size_t i;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: serve log\n");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	log_fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
	    0644);
	if (log_fd < 0) {
		perror(argv[1]);
		return 1;
	}
	pattern_init();
	for (i = 0; i < TCP; i++)
		pfd[i] = (struct pollfd){ .events = POLLIN,
			.fd = bound(SOCK_STREAM, tcp[i]) };
	for (i = 0; i < UDP; i++)
		pfd[TCP + i] = (struct pollfd){ .events = POLLIN,
			.fd = bound(SOCK_DGRAM, udp[i]) };
	for (;;) {
		if (poll(pfd, TCP + UDP, -1) < 0 && errno != EINTR)
			return 1;
		for (i = 0; i < TCP + UDP; i++) {
			if (!(pfd[i].revents & POLLIN))
				continue;
			if (i < TCP)
				take_connection(pfd[i].fd, tcp[i]);
			else
				take_datagram(pfd[i].fd, udp[i - TCP]);
		}
	}
}
