/*
 * control - says nonsense to a session: malformed, cut and mutated messages of
 * every operation, with too few and too many descriptors of the wrong kinds.
 * Then asks for its status.  0 when that is answered.
 *
 *	control SOCKET [SEED]
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "preload/session_proto.h"

#define ROUNDS 20000

static uint32_t seed;

static uint32_t
next(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

static int
reach(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) != 0)
		return -1;
	return fd;
}

/* A descriptor of a random kind. */
static int
any_fd(void)
{
	int pair[2];

	switch (next(4)) {
	case 0:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	case 1:
		if (pipe2(pair, O_CLOEXEC) != 0)
			return -1;
		break;
	default:
		if (socketpair(AF_UNIX, (next(2) ? SOCK_SEQPACKET : SOCK_STREAM) |
		    SOCK_CLOEXEC, 0, pair) != 0)
			return -1;
		break;
	}
	close(pair[0]);
	return pair[1];
}

static int
tell(int fd, const void *msg, size_t len, const int *fds, size_t nfds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(8 * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)msg, .iov_len = len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nfds > 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		m.msg_control = control.space;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static int
nonsense(int fd)
{
	static unsigned char bytes[4096];
	struct session_msg m = {
		.magic = SESSION_MAGIC,
		.op = (uint16_t)next(14),
		.flags = (uint16_t)next(8),
		.owner = next(3), .arg = next(12), .arg2 = next(4096),
		.arg3 = next(300),
	};
	size_t len = next(4) == 0 ? next(sizeof(bytes) - sizeof(m)) : next(80);
	int fds[8], r;
	size_t nfds = next(7);

	if (m.op == SESSION_STOP)
		m.op = SESSION_DNS;
	m.len = (uint32_t)len;
	for (size_t i = 0; i < len; i++)
		bytes[sizeof(m) + i] = (unsigned char)next(256);
	if (m.op == SESSION_REQUEST && len >= 4)
		memcpy(bytes + sizeof(m), &(uint32_t){ OWNER_MAGIC }, 4);
	memcpy(bytes, &m, sizeof(m));
	len += sizeof(m);
	switch (next(8)) {
	case 0: len = next((uint32_t)len) + 1; break;		/* cut */
	case 1: bytes[next(sizeof(m))] ^= (unsigned char)(1 << next(8)); break;
	default: break;
	}
	/* Mutation must not make the one message that ends the session. */
	memcpy(&m, bytes, len < sizeof(m) ? len : sizeof(m));
	if (m.op == SESSION_STOP)
		bytes[4] = 0xff;
	for (size_t i = 0; i < nfds; i++)
		if ((fds[i] = any_fd()) < 0)
			nfds = i;
	r = tell(fd, bytes, len, fds, nfds);
	for (size_t i = 0; i < nfds; i++)
		close(fds[i]);
	return r;
}

static int
is_alive(const char *path)
{
	struct session_msg m = {
		.magic = SESSION_MAGIC, .op = SESSION_STATUS,
		.flags = SESSION_HAS_REPLY,
	};
	struct session_reply rep;
	struct pollfd p = { .events = POLLIN };
	int fd = reach(path), pair[2];

	if (fd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0 ||
	    tell(fd, &m, sizeof(m), &pair[1], 1) != 0)
		return 0;
	close(pair[1]);
	p.fd = pair[0];
	return poll(&p, 1, 10000) == 1 &&
	    recv(pair[0], &rep, sizeof(rep), 0) == (ssize_t)sizeof(rep) &&
	    rep.magic == SESSION_MAGIC && rep.error == 0;
}

int
main(int argc, char **argv)
{
	int fd;

	if (argc < 2) {
		fprintf(stderr, "usage: control SOCKET [SEED]\n");
		return 2;
	}
	seed = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 1;
	printf("seed %u\n", seed);
	if ((fd = reach(argv[1])) < 0) {
		perror(argv[1]);
		return 1;
	}
	for (int i = 0; i < ROUNDS; i++)
		if (nonsense(fd) != 0) {
			printf("round %d: %s\n", i, strerror(errno));
			return 1;
		}
	if (!is_alive(argv[1])) {
		puts("no answer");
		return 1;
	}
	return 0;
}
