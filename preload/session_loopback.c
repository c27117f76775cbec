/*
 * Real sockets for destinations on this machine (interposer spec, section 11).
 * They are pinned to the loopback device here, so that whatever is done with
 * them later, nothing leaves by another one.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "preload/session_control.h"

#define IPPROTO_MULTIPATH 262		/* MPTCP, which is TCP to us */

/* Resolvers would carry names out; a datagram socket comes connected, so for
 * those the destination is known here. */
static bool
is_resolver(const struct sw_addr *a)
{
	return a->port == 53 || a->port == 853;
}

int
loopback_open(uint32_t family, uint32_t type, uint32_t protocol,
    const struct sw_addr *to)
{
	uint32_t kind = type & ~(uint32_t)(SOCK_NONBLOCK | SOCK_CLOEXEC);
	bool stream = kind == SOCK_STREAM;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
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
	if (to != NULL && (!addr_is_loopback(to) || is_resolver(to)))
		return -EACCES;
	if (to != NULL && family == AF_INET && !addr_is_v4(to))
		return -EAFNOSUPPORT;

	/* Our own flag, so that no later exec of ours could inherit it; the
	 * flags asked for travel with the description or are set by the shim. */
	fd = socket((int)family, (int)type | SOCK_CLOEXEC, (int)protocol);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) != 0)
		goto fail;
	if (to != NULL) {
		addr_to_sockaddr(to, (int)family, (struct sockaddr *)&ss, &len);
		if (connect(fd, (struct sockaddr *)&ss, len) != 0 &&
		    errno != EINPROGRESS)
			goto fail;
	}
	return fd;
fail:
	e = errno;
	close(fd);
	return -e;
}
