/*
 * shim_syscall.h - the numbers that syscall(3) sends to our wrappers.
 */
#ifndef SW_PRELOAD_SHIM_SYSCALL_H
#define SW_PRELOAD_SHIM_SYSCALL_H

#include <stdint.h>
#include <sys/syscall.h>

#define SHIM_SYSCALL_MAX 512

/* Read by preload/shim_syscall_stub.S. */
extern const uint8_t shim_syscall_route[SHIM_SYSCALL_MAX]
    __attribute__((visibility("hidden")));
long shim_syscall_routed(long nr, long a, long b, long c, long d, long e,
    long f) __attribute__((visibility("hidden")));

enum shim_route {
	ROUTE_NONE, ROUTE_SOCKET, ROUTE_CONNECT, ROUTE_BIND, ROUTE_LISTEN,
	ROUTE_ACCEPT, ROUTE_ACCEPT4, ROUTE_SENDTO, ROUTE_RECVFROM,
	ROUTE_SENDMSG, ROUTE_RECVMSG, ROUTE_SENDMMSG, ROUTE_RECVMMSG,
	ROUTE_SHUTDOWN, ROUTE_GETSOCKNAME, ROUTE_GETPEERNAME,
	ROUTE_GETSOCKOPT, ROUTE_SETSOCKOPT, ROUTE_IOCTL, ROUTE_EPOLL_CTL,
	ROUTE_CLOSE, ROUTE_CLOSE_RANGE, ROUTE_DUP2, ROUTE_DUP3, ROUTE_EXECVE,
	ROUTE_EXECVEAT, ROUTE_EXIT_GROUP, ROUTE_RING, ROUTE_MOUNT,
	ROUTE_FSOPEN,
};

/* Numbers that one architecture has and another lacks. */
#ifdef SYS_dup2
#define ROUTE_LIST_DUP2 [SYS_dup2] = ROUTE_DUP2,
#else
#define ROUTE_LIST_DUP2
#endif

#endif
