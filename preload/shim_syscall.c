/*
 * The wrappers behind syscall(3).  Each call below reaches our own function of
 * that name, which is async-signal-safe and sets errno as syscall() does.
 */
#include "preload/shim_syscall.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "preload/shim.h"
#include "preload/shim_exec.h"

const uint8_t shim_syscall_route[SHIM_SYSCALL_MAX] = {
	[SYS_socket] = ROUTE_SOCKET,
	[SYS_connect] = ROUTE_CONNECT,
	[SYS_bind] = ROUTE_BIND,
	[SYS_listen] = ROUTE_LISTEN,
	[SYS_accept] = ROUTE_ACCEPT,
	[SYS_accept4] = ROUTE_ACCEPT4,
	[SYS_sendto] = ROUTE_SENDTO,
	[SYS_recvfrom] = ROUTE_RECVFROM,
	[SYS_sendmsg] = ROUTE_SENDMSG,
	[SYS_recvmsg] = ROUTE_RECVMSG,
	[SYS_sendmmsg] = ROUTE_SENDMMSG,
	[SYS_recvmmsg] = ROUTE_RECVMMSG,
	[SYS_shutdown] = ROUTE_SHUTDOWN,
	[SYS_getsockname] = ROUTE_GETSOCKNAME,
	[SYS_getpeername] = ROUTE_GETPEERNAME,
	[SYS_getsockopt] = ROUTE_GETSOCKOPT,
	[SYS_setsockopt] = ROUTE_SETSOCKOPT,
	[SYS_ioctl] = ROUTE_IOCTL,
	[SYS_epoll_ctl] = ROUTE_EPOLL_CTL,
	[SYS_close] = ROUTE_CLOSE,
	[SYS_close_range] = ROUTE_CLOSE_RANGE,
	ROUTE_LIST_DUP2
	[SYS_dup3] = ROUTE_DUP3,
	[SYS_execve] = ROUTE_EXECVE,
	[SYS_execveat] = ROUTE_EXECVEAT,
	[SYS_exit_group] = ROUTE_EXIT_GROUP,
	[SYS_io_uring_setup] = ROUTE_RING,
	[SYS_mount] = ROUTE_MOUNT,
	[SYS_fsopen] = ROUTE_FSOPEN,
};

long
shim_syscall_routed(long nr, long a, long b, long c, long d, long e, long f)
{
	int fd = (int)a;

	switch ((enum shim_route)shim_syscall_route[nr]) {
	case ROUTE_SOCKET:
		return socket((int)a, (int)b, (int)c);
	case ROUTE_CONNECT:
		return connect(fd, (struct sockaddr *)b, (socklen_t)c);
	case ROUTE_BIND:
		return bind(fd, (struct sockaddr *)b, (socklen_t)c);
	case ROUTE_LISTEN:
		return listen(fd, (int)b);
	case ROUTE_ACCEPT:
		return accept(fd, (struct sockaddr *)b, (socklen_t *)c);
	case ROUTE_ACCEPT4:
		return accept4(fd, (struct sockaddr *)b, (socklen_t *)c,
		    (int)d);
	case ROUTE_SENDTO:
		return sendto(fd, (void *)b, (size_t)c, (int)d,
		    (struct sockaddr *)e, (socklen_t)f);
	case ROUTE_RECVFROM:
		return recvfrom(fd, (void *)b, (size_t)c, (int)d,
		    (struct sockaddr *)e, (socklen_t *)f);
	case ROUTE_SENDMSG:
		return sendmsg(fd, (struct msghdr *)b, (int)c);
	case ROUTE_RECVMSG:
		return recvmsg(fd, (struct msghdr *)b, (int)c);
	case ROUTE_SENDMMSG:
		return sendmmsg(fd, (struct mmsghdr *)b, (unsigned)c, (int)d);
	case ROUTE_RECVMMSG:
		return recvmmsg(fd, (struct mmsghdr *)b, (unsigned)c, (int)d,
		    (struct timespec *)e);
	case ROUTE_SHUTDOWN:
		return shutdown(fd, (int)b);
	case ROUTE_GETSOCKNAME:
		return getsockname(fd, (struct sockaddr *)b, (socklen_t *)c);
	case ROUTE_GETPEERNAME:
		return getpeername(fd, (struct sockaddr *)b, (socklen_t *)c);
	case ROUTE_GETSOCKOPT:
		return getsockopt(fd, (int)b, (int)c, (void *)d,
		    (socklen_t *)e);
	case ROUTE_SETSOCKOPT:
		return setsockopt(fd, (int)b, (int)c, (void *)d, (socklen_t)e);
	case ROUTE_IOCTL:
		return ioctl(fd, (unsigned long)b, (void *)c);
	case ROUTE_EPOLL_CTL:
		return epoll_ctl(fd, (int)b, (int)c, (struct epoll_event *)d);
	case ROUTE_CLOSE:
		return close(fd);
	case ROUTE_CLOSE_RANGE:
		return close_range((unsigned)a, (unsigned)b, (int)c);
	case ROUTE_DUP2:
		return dup2(fd, (int)b);
	case ROUTE_DUP3:
		return dup3(fd, (int)b, (int)c);
	case ROUTE_EXECVE:
		return shim_ret(shim_exec_at(AT_FDCWD, (char *)a, (char **)b,
		    (char **)c, 0));
	case ROUTE_EXECVEAT:
		return shim_ret(shim_exec_at(fd, (char *)b, (char **)c,
		    (char **)d, (int)e));
	case ROUTE_EXIT_GROUP:
		_exit(fd);
	case ROUTE_RING:
		shim_note(REASON_RING);
		return shim_ret(sys_call3(SYS_io_uring_setup, a, b, 0));
	case ROUTE_MOUNT:
		return mount((char *)a, (char *)b, (char *)c, (unsigned long)d,
		    (void *)e);
	case ROUTE_FSOPEN:
		return fsopen((char *)a, (unsigned)b);
	case ROUTE_NONE:
		break;
	}
	return shim_ret(-ENOSYS);
}
