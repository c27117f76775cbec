/*
 * Sockets with a privileged port of their own, as rsh and NFS want.  libc's
 * functions bind inside libc, where no wrapper sees it.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "preload/shim.h"

#define FIRST 512
#define LAST 1023
#define PREFERRED_FIRST 600	/* below are well-known services */

/* The next one to try after `port`, downwards and round. */
static int
next_port(int port)
{
	return port > FIRST && port <= LAST ? port - 1 : LAST;
}

/* Binds to *port or one after it; *port says to which.  False: errno says why. */
static bool
bind_one(int fd, struct sockaddr *sa, socklen_t len, in_port_t *at, int *port)
{
	for (int tries = LAST - FIRST + 1; tries > 0; tries--) {
		*at = htons((uint16_t)*port);
		if (bind(fd, sa, len) == 0)
			return true;
		if (errno != EADDRINUSE)
			return false;
		*port = next_port(*port);
	}
	return false;
}

SW_EXPORT int
bindresvport(int fd, struct sockaddr_in *sin)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	int port = PREFERRED_FIRST +
	    (int)getpid() % (LAST - PREFERRED_FIRST + 1);

	if (sin == NULL)
		sin = &any;
	else if (sin->sin_family != AF_INET)
		return (int)shim_ret(-EAFNOSUPPORT);
	return bind_one(fd, (struct sockaddr *)sin, sizeof(*sin),
	    &sin->sin_port, &port) ? 0 : -1;
}

SW_EXPORT int
rresvport_af(int *port, sa_family_t family)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a = { .sa.sa_family = family };
	bool v4 = family == AF_INET;
	int fd;

	if (!v4 && family != AF_INET6)
		return (int)shim_ret(-EAFNOSUPPORT);
	if ((fd = socket(family, SOCK_STREAM, 0)) < 0)
		return -1;
	if (*port < FIRST || *port > LAST)
		*port = LAST;
	if (bind_one(fd, &a.sa, v4 ? sizeof(a.v4) : sizeof(a.v6),
	    v4 ? &a.v4.sin_port : &a.v6.sin6_port, port))
		return fd;
	if (errno == EADDRINUSE)
		errno = EAGAIN;
	sys_close(fd);
	return -1;
}

SW_EXPORT int
rresvport(int *port)
{
	return rresvport_af(port, AF_INET);
}
