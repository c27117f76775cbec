/*
 * shim_epoll.c - remembers the epoll registrations of our sockets, so that
 * they can be made again when another socket takes the number.  The call
 * itself is the kernel's.
 */
#include "preload/shim_socket.h"

SW_EXPORT int
epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
	long r = sys_call6(SYS_epoll_ctl, epfd, op, fd, (long)ev, 0, 0);
	struct shim_tag t;

	if (r == 0 && (shim_tag_get(fd, &t) || (t.flags & SHIM_WILDCARD)))
		table_put_epoll(shim_cookie(fd), op, epfd, fd, ev);
	return (int)shim_ret(r);
}
