/*
 * socket.h - what probes of sockets do again and again; for report.h.
 */
#ifndef TESTS_PROBES_SOCKET_H
#define TESTS_PROBES_SOCKET_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "tests/probes/report.h"

#define SA(...) ((struct sockaddr *)&(__VA_ARGS__))

enum {
	REFUSED = 5999,			/* a port where nobody listens */
	WAIT_MS = 5000,
};

static inline struct sockaddr_in
at4(const char *addr, int port)
{
	struct sockaddr_in s = { .sin_family = AF_INET };

	s.sin_port = htons((uint16_t)port);
	(void)inet_pton(AF_INET, addr, &s.sin_addr);
	return s;
}

static inline struct sockaddr_in6
at6(const char *addr, int port)
{
	struct sockaddr_in6 s = { .sin6_family = AF_INET6 };

	s.sin6_port = htons((uint16_t)port);
	(void)inet_pton(AF_INET6, addr, &s.sin6_addr);
	return s;
}

static inline int
tcp(int flags)
{
	return socket(AF_INET, SOCK_STREAM | flags, 0);
}

/* A cell: SO_ERROR. */
static inline void
so_error(const char *key, int fd)
{
	int err = -1;
	socklen_t len = sizeof(err);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
		result(key, -1);
	else
		cell(key, "%s", name_of(err));
}

/* A cell: getpeername(). */
static inline void
peer(const char *key, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char text[INET6_ADDRSTRLEN] = "";
	int r = getpeername(fd, SA(ss), &len);

	if (r != 0) {
		result(key, r);
		return;
	}
	if (ss.ss_family == AF_INET)
		(void)inet_ntop(AF_INET,
		    &((struct sockaddr_in *)&ss)->sin_addr, text,
		    sizeof(text));
	else
		(void)inet_ntop(AF_INET6,
		    &((struct sockaddr_in6 *)&ss)->sin6_addr, text,
		    sizeof(text));
	cell(key, "%d,%s,%d,%u", ss.ss_family, text,
	    ntohs(((struct sockaddr_in *)&ss)->sin_port), len);
}

/* A cell: getsockname().  The address differs by host, so only: is there one,
 * and a port? */
static inline void
own(const char *key, int fd)
{
	static const uint8_t none[16];
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	int r = getsockname(fd, SA(ss), &len);
	bool any;

	if (r != 0) {
		result(key, r);
		return;
	}
	if (ss.ss_family == AF_INET)
		any = memcmp(&((struct sockaddr_in *)&ss)->sin_addr, none,
		    4) != 0;
	else
		any = memcmp(&((struct sockaddr_in6 *)&ss)->sin6_addr, none,
		    16) != 0;
	cell(key, "%d,%s,%s,%u", ss.ss_family, any ? "address" : "any",
	    ((struct sockaddr_in *)&ss)->sin_port ? "port" : "0", len);
}

#endif
