/*
 * shim_passed.c - sockets that come from elsewhere by SCM_RIGHTS (spec 10.6).
 */
#include "preload/shim.h"

#include <netinet/in.h>
#include <string.h>

/* A stream bound to the loopback interface: the session's, or as good.  A
 * datagram socket is free to send by another all the same. */
static bool
is_on_loopback(int fd)
{
	char name[16] = "";
	int type = 0;
	socklen_t len = sizeof(name), n = sizeof(type);

	return sys_getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 &&
	    type == SOCK_STREAM && sys_getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len) ==
	    0 && strcmp(name, "lo") == 0;
}

/* A connection of this machine with itself can lead nowhere else. */
static bool
is_confined(int fd)
{
	struct sockaddr_in6 sa = { 0 };
	struct sw_addr a;
	socklen_t len = sizeof(sa), n = sizeof(int);
	int type = 0, listens = 0;

	if (sys_call3(SYS_getsockname, fd, (long)&sa, (long)&len) < 0 ||
	    addr_from_sockaddr(&a, (struct sockaddr *)&sa, len) != SW_OK ||
	    !addr_is_loopback(&a) ||
	    sys_getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0 ||
	    type != SOCK_STREAM)
		return false;
	n = sizeof(int);
	if (sys_getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) == 0 &&
	    listens)
		return true;
	len = sizeof(sa);
	return sys_call3(SYS_getpeername, fd, (long)&sa, (long)&len) >= 0 &&
	    addr_from_sockaddr(&a, (struct sockaddr *)&sa, len) == SW_OK &&
	    addr_is_loopback(&a);
}

static bool
is_way_out(int fd)
{
	int domain = AF_UNIX;
	socklen_t n = sizeof(int);

	if (sys_getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) < 0 ||
	    domain == AF_UNIX || domain == AF_NETLINK || domain == AF_ALG)
		return false;
	if (domain == AF_INET || domain == AF_INET6)
		return !is_on_loopback(fd) && !is_confined(fd);
	return true;
}

/* Calls `each` for the descriptors of m until it says true; did it? */
static bool
any_passed(struct msghdr *m, bool (*each)(int))
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
	    c = CMSG_NXTHDR(m, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
		    c->cmsg_len < CMSG_LEN(0))
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (each(fd))
				return true;
		}
	}
	return false;
}

static bool
close_one(int fd)
{
	sys_close(fd);
	return false;
}

int
shim_judge_passed(struct msghdr *m)
{
	if (m->msg_control == NULL || m->msg_controllen < sizeof(struct cmsghdr) ||
	    !shim_config()->wrapped || !any_passed(m, is_way_out))
		return 0;
	shim_note(REASON_PASSED);
	if (!shim_config()->strict)
		return 0;
	(void)any_passed(m, close_one);
	m->msg_controllen = 0;
	return -EACCES;
}
