/*
 * far - the servers that the benchmarks talk to; not a program to rely on.
 *
 * TCP 80: "GET /N" answers N bytes and ends; "PUT /" swallows a body of the
 * stated length and answers 204; one thread for each connection. TCP 7: echo.
 * As little work for each byte as a server can do, so that it is never what is
 * measured.
 */
#include <arpa/inet.h>
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
#include <unistd.h>

#define CHUNK_LEN (1 << 20)
#define HEAD_MAX 4096

static uint8_t chunk[CHUNK_LEN];

static bool
put(int fd, const void *p, size_t len)
{
	const uint8_t *b = p;
	ssize_t n;

	while (len > 0) {
		if ((n = send(fd, b, len, MSG_NOSIGNAL)) <= 0)
			return false;
		b += n;
		len -= (size_t)n;
	}
	return true;
}

/* Discards exactly `len` bytes; MSG_TRUNC spares the copy. */
static bool
swallow(int fd, uint64_t len)
{
	ssize_t n;

	while (len > 0) {
		n = recv(fd, NULL, len < CHUNK_LEN ? (size_t)len : CHUNK_LEN,
		    MSG_TRUNC);
		if (n <= 0)
			return false;
		len -= (uint64_t)n;
	}
	return true;
}

/* One request. Of the head only the length is of interest. */
static bool
http(int fd)
{
	char head[HEAD_MAX + 1], answer[128], *end = NULL, *length;
	uint64_t want, body;
	size_t have = 0;
	ssize_t n;

	while (end == NULL && have < HEAD_MAX) {
		if ((n = recv(fd, head + have, HEAD_MAX - have, 0)) <= 0)
			return false;
		have += (size_t)n;
		head[have] = '\0';
		end = strstr(head, "\r\n\r\n");
	}
	if (end == NULL)
		return false;
	if (strncmp(head, "GET /", 5) == 0) {
		want = strtoull(head + 5, NULL, 10);
		n = snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\n"
		    "Connection: close\r\nContent-Length: %llu\r\n\r\n",
		    (unsigned long long)want);
		if (want <= 8192) {	/* one segment for a short answer */
			char all[sizeof(answer) + 8192];

			memcpy(all, answer, (size_t)n);
			memcpy(all + n, chunk, (size_t)want);
			return put(fd, all, (size_t)n + (size_t)want);
		}
		if (!put(fd, answer, (size_t)n))
			return false;
		for (; want > CHUNK_LEN; want -= CHUNK_LEN)
			if (!put(fd, chunk, CHUNK_LEN))
				return false;
		return put(fd, chunk, (size_t)want);
	}
	if ((length = strcasestr(head, "content-length:")) == NULL)
		return false;
	body = strtoull(length + 15, NULL, 10);
	have -= (size_t)(end + 4 - head);
	if (have < body && !swallow(fd, body - have))
		return false;
	return put(fd, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
	    46);
}

static void *
serve(void *arg)
{
	int fd = *(int *)arg;

	free(arg);
	(void)http(fd);
	(void)close(fd);
	return NULL;
}

static int
listener(int port)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
	int on = 1, off = 0, s;

	sin6.sin6_port = htons((uint16_t)port);
	s = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	(void)setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	(void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (s < 0 || bind(s, (struct sockaddr *)&sin6, sizeof(sin6)) != 0 ||
	    listen(s, 4096) != 0) {
		perror("far");
		exit(1);
	}
	return s;
}

/* One loop for all: a thread for each would be a fifth of what is measured. */
static void *
echo(void *arg)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC), s = listener(7), fd;
	static char buf[65536];
	ssize_t n;

	(void)arg;
	ev.data.fd = s;
	(void)epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev);
	for (;;) {
		if (epoll_wait(ep, &ev, 1, -1) != 1)
			continue;
		fd = ev.data.fd;
		if (fd == s) {
			if ((fd = accept4(s, NULL, NULL, SOCK_CLOEXEC)) < 0)
				continue;
			ev.events = EPOLLIN;
			ev.data.fd = fd;
			(void)epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
		} else if ((n = recv(fd, buf, sizeof(buf), 0)) <= 0 ||
		    !put(fd, buf, (size_t)n)) {
			(void)close(fd);
		}
	}
	return NULL;
}

int
main(void)
{
	int s, fd, *arg;
	pthread_attr_t attr;
	pthread_t t;

	(void)signal(SIGPIPE, SIG_IGN);
	memset(chunk, 'x', sizeof(chunk));
	s = listener(80);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, 256 << 10);
	if (pthread_create(&t, &attr, echo, NULL) != 0)
		return 1;
	for (;;) {
		if ((fd = accept4(s, NULL, NULL, SOCK_CLOEXEC)) < 0)
			continue;
		if ((arg = malloc(sizeof(*arg))) == NULL)
			return 1;
		*arg = fd;
		if (pthread_create(&t, &attr, serve, arg) != 0) {
			(void)close(fd);
			free(arg);
		}
	}
}
