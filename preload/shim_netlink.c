/*
 * shim_netlink.c - rtnetlink(7) sockets tell of the tunnel, not of this machine:
 * the session makes them where the kernel knows nothing else (session_view.h).
 */
#include <fcntl.h>
#include <linux/netlink.h>

#include "preload/shim_socket.h"

#define VIEW_TIMEOUT_MS 3000

static long
native(int type)
{
	return sys_call3(SYS_socket, AF_NETLINK, type, NETLINK_ROUTE);
}

long
shim_netlink_socket(int type)
{
	struct session_msg m = { .op = SESSION_VIEW,
		.arg = (uint32_t)(type & ~SOCK_CLOEXEC) };
	struct session_reply rep;
	struct link_config net;
	int fd = -1;

	if (!shim_config()->wrapped || shim_config()->isolated)
		return native(type);
	if (shim_owner_self(&net, &m.owner) != 0 ||
	    shim_session_request(&m, NULL, 0, NULL, 0, &rep, NULL, 0, &fd,
	    VIEW_TIMEOUT_MS) != 0 || rep.error != 0 || fd < 0) {
		if (fd >= 0)
			sys_close(fd);
		shim_note(REASON_NETLINK);
		return native(type);
	}
	if (!(type & SOCK_CLOEXEC))
		sys_fcntl(fd, F_SETFD, 0);
	return fd;
}
