/*
 * options OPEN4 OPEN6 - what getsockopt and setsockopt answer to every option
 * number on every level, for each kind of socket (interposer.md 8 and 17.5).
 *
 *	KIND/get-LEVEL-NUMBER	the length, and the value where it is an int
 *	KIND/set-LEVEL-NUMBER	of the int 1, on a socket of its own, and then
 *				what getsockopt says
 *	KIND/short-LEVEL-NUMBER	the length answered for a buffer of one byte
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/probes/report.h"

enum { NUMBER_MAX = 105 };

static const struct {
	const char *name;
	int number;
} levels[] = {
	{ "SOCKET", SOL_SOCKET }, { "IP", IPPROTO_IP },
	{ "TCP", IPPROTO_TCP }, { "UDP", IPPROTO_UDP },
	{ "IPV6", IPPROTO_IPV6 }, { "RAW", 255 }, { "TLS", 282 },
	{ "MPTCP", 284 }, { "UNKNOWN", 999 },
};

static const struct kind {
	const char *name;
	int family, type;
	int state;		/* 0 new, 1 connected, 2 listening */
} kinds[] = {
	{ "tcp4-new", AF_INET, SOCK_STREAM, 0 },
	{ "tcp6-new", AF_INET6, SOCK_STREAM, 0 },
	{ "udp4-new", AF_INET, SOCK_DGRAM, 0 },
	{ "udp6-new", AF_INET6, SOCK_DGRAM, 0 },
	{ "tcp4-connected", AF_INET, SOCK_STREAM, 1 },
	{ "tcp6-connected", AF_INET6, SOCK_STREAM, 1 },
	{ "tcp4-listening", AF_INET, SOCK_STREAM, 2 },
};

static const char *open4, *open6;

static int
make(const struct kind *k)
{
	struct sockaddr_in s4 = { .sin_family = AF_INET,
		.sin_port = htons(5002) };
	struct sockaddr_in6 s6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(5002) };
	int fd = socket(k->family, k->type, 0), r = 0;

	(void)inet_pton(AF_INET, open4, &s4.sin_addr);
	(void)inet_pton(AF_INET6, open6, &s6.sin6_addr);
	if (k->state == 1 && k->family == AF_INET)
		r = connect(fd, (struct sockaddr *)&s4, sizeof(s4));
	if (k->state == 1 && k->family == AF_INET6)
		r = connect(fd, (struct sockaddr *)&s6, sizeof(s6));
	if (k->state == 2) {
		s4.sin_port = 0;
		s4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		r = bind(fd, (struct sockaddr *)&s4, sizeof(s4));
		r |= listen(fd, 3);
	}
	section = k->name;
	if (fd < 0 || r != 0)
		result("make", -1);
	return fd;
}

/* These change by run or by machine: the length alone is compared. */
static bool
is_volatile(int level, int n)
{
	if (level == SOL_SOCKET)
		return n == 49 /* INCOMING_CPU */ || n == 7 || n == 8;
	if (level == IPPROTO_TCP)
		return n == TCP_MAXSEG || n == TCP_WINDOW_CLAMP ||
		    n == TCP_TIMESTAMP || n == TCP_QUEUE_SEQ;
	if (level == IPPROTO_IP)
		return n == IP_MTU || n == 52 /* IP_PROTOCOL */;
	if (level == IPPROTO_IPV6)
		return n == IPV6_MTU;
	return false;
}

static void
describe(char *out, size_t cap, int fd, int level, int n)
{
	uint8_t buf[512] = { 0 };
	socklen_t len = sizeof(buf);
	int v;

	if (getsockopt(fd, level, n, buf, &len) != 0) {
		(void)snprintf(out, cap, "%s", name_of(errno));
	} else if (len == sizeof(v) && !is_volatile(level, n)) {
		memcpy(&v, buf, sizeof(v));
		(void)snprintf(out, cap, "4=%d", v);
	} else {
		(void)snprintf(out, cap, "%u", len);
	}
}

static void
get_all(const struct kind *k, const char *name, int level)
{
	char key[64], text[64];
	uint8_t one[4];
	socklen_t len;
	int fd = make(k), n, r;

	for (n = 0; n <= NUMBER_MAX; n++) {
		describe(text, sizeof(text), fd, level, n);
		(void)snprintf(key, sizeof(key), "get-%s-%d", name, n);
		cell(key, "%s", text);
	}
	for (n = 0; n <= NUMBER_MAX; n++) {
		len = 1;
		r = getsockopt(fd, level, n, one, &len);
		(void)snprintf(key, sizeof(key), "short-%s-%d", name, n);
		if (r != 0)
			cell(key, "%s", name_of(errno));
		else
			cell(key, "%u", len);
	}
	(void)close(fd);
}

static void
set_all(const struct kind *k, const char *name, int level)
{
	char key[64], text[64];
	int fd = -1, n, one = 1, err;

	for (n = 0; n <= NUMBER_MAX; n++) {
		fd = make(k);
		err = setsockopt(fd, level, n, &one, sizeof(one)) == 0 ? 0 :
		    errno;
		text[0] = '\0';
		if (err == 0)
			describe(text, sizeof(text), fd, level, n);
		(void)snprintf(key, sizeof(key), "set-%s-%d", name, n);
		cell(key, "%s%s%s", name_of(err), *text ? "," : "", text);
		(void)close(fd);
	}
}

int
main(int argc, char **argv)
{
	const struct kind *k;
	size_t i, j;

	if (argc != 3)
		return 2;
	open4 = argv[1];
	open6 = argv[2];
	(void)alarm(300);
	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		for (j = 0; j < sizeof(levels) / sizeof(*levels); j++) {
			k = &kinds[i];
			get_all(k, levels[j].name, levels[j].number);
			if (k->state == 0 || k->state == 2)
				set_all(k, levels[j].name, levels[j].number);
		}
	return 0;
}
