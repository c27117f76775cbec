/* wire.h - dialling the servers of tests/lib/serve, for the probes. */
#ifndef TESTS_PROBES_WIRE_H
#define TESTS_PROBES_WIRE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ECHO = 7, LINE = 13, HANG = 5002, REFUSED = 5999 };

static const char *wire_addr;

static inline struct sockaddr_in
wire_at(const char *addr, int port)
{
	struct sockaddr_in s = { .sin_family = AF_INET };

	s.sin_port = htons((uint16_t)port);
	(void)inet_pton(AF_INET, addr, &s.sin_addr);
	return s;
}

static inline int
wire_connect(int fd, int port)
{
	struct sockaddr_in s = wire_at(wire_addr, port);

	return connect(fd, (struct sockaddr *)&s, sizeof(s));
}

static inline int
wire_dial(int port)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd >= 0 && wire_connect(fd, port) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* What a whole conversation with the line server yields: 7. */
static inline long
wire_line(int fd)
{
	char buf[16];

	return fd < 0 ? -1 : recv(fd, buf, sizeof(buf), MSG_WAITALL);
}

/* One byte there and back: 1. */
static inline long
wire_echo(int fd)
{
	char c = 'e';

	if (send(fd, &c, 1, MSG_NOSIGNAL) != 1)
		return -1;
	c = 0;
	return recv(fd, &c, 1, 0) == 1 && c == 'e' ? 1 : 0;
}

#endif
