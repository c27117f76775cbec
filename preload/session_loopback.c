/*
 * Sockets for destinations on this machine (interposer spec, section 11).
 * A stream is a real one, pinned to the loopback device here: the kernel looks
 * at the pin whenever it is connected.  For a datagram it need not, so there
 * the program gets a pair, and the real socket stays here (local_udp.h).
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "preload/session_control.h"

#define IPPROTO_MULTIPATH 262		/* MPTCP, which is TCP to us */

int
loopback_open(struct session *s, uint32_t family, uint32_t type,
    uint32_t protocol)
{
	uint32_t kind = type & ~(uint32_t)(SOCK_NONBLOCK | SOCK_CLOEXEC);
	bool stream = kind == SOCK_STREAM;
	int fd, e;

	if ((family != AF_INET && family != AF_INET6))
		return -EAFNOSUPPORT;
	if (kind != SOCK_STREAM && kind != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol == IPPROTO_MULTIPATH)
		protocol = 0;
	if (protocol != 0 && protocol !=
	    (uint32_t)(stream ? IPPROTO_TCP : IPPROTO_UDP))
		return -EPROTONOSUPPORT;
	if (!stream)
		return local_udp_open(&s->local, family == AF_INET6);

	/* Our own flag, so that no later exec of ours could inherit it; the
	 * flags asked for travel with the description or are set by the shim. */
	fd = socket((int)family, (int)type | SOCK_CLOEXEC, (int)protocol);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0)
		return fd;
	e = errno;
	close(fd);
	return -e;
}

/* It carries no pin, so it comes with its name: what a program can do with it
 * by the calls that it is known to make is to listen. */
int
wildcard_open(struct session *s, const struct session_msg *m)
{
	const int one = 1, v6only = (m->flags & SESSION_V6ONLY) != 0;
	struct sockaddr_in6 sa6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(m->addr.port) };
	struct sockaddr_in sa4 = { .sin_family = AF_INET,
		.sin_port = htons(m->addr.port) };
	bool v6 = m->arg == AF_INET6;
	int fd, e;

	if (!s->start.listen_open)
		return -EACCES;
	if (m->arg != AF_INET && !v6)
		return -EAFNOSUPPORT;
	if ((fd = socket((int)m->arg, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return -errno;
	if ((!v6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only,
	    sizeof(v6only)) == 0) &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    bind(fd, v6 ? (struct sockaddr *)&sa6 : (struct sockaddr *)&sa4,
	    v6 ? sizeof(sa6) : sizeof(sa4)) == 0)
		return fd;
	e = errno;
	close(fd);
	return -e;
}
