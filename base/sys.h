/*
 * sys.h - system calls made by the instruction itself.
 *
 * Code that may run inside the shim (base/, stack/, preload/) must not call
 * read(), close() or syscall() by those names: there they are the program's,
 * and ours to interpose.  These go straight to the kernel: no errno, no
 * cancellation point, no lock; usable before constructors, in signal handlers
 * and in a vfork child.
 *
 * Each answers what the kernel does: a result, or -errno (-4095..-1).
 */
#ifndef SW_BASE_SYS_H
#define SW_BASE_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>

#if defined(__x86_64__)
static inline long
sys_call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
	    : "=a"(ret)
	    : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	    : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static inline long
sys_call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
	    : "+r"(x0)
	    : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
	    : "memory");
	return x0;
}
#else
#error "smolwrap knows the system call instruction of x86-64 and aarch64 only"
#endif

static inline long
sys_call3(long nr, long a, long b, long c)
{
	return sys_call6(nr, a, b, c, 0, 0, 0);
}

static inline int
sys_close(int fd)
{
	return (int)sys_call3(SYS_close, fd, 0, 0);
}

static inline ssize_t
sys_read(int fd, void *buf, size_t n)
{
	return sys_call3(SYS_read, fd, (long)buf, (long)n);
}

static inline ssize_t
sys_write(int fd, const void *buf, size_t n)
{
	return sys_call3(SYS_write, fd, (long)buf, (long)n);
}

static inline ssize_t
sys_readv(int fd, const struct iovec *iov, int n)
{
	return sys_call3(SYS_readv, fd, (long)iov, n);
}

static inline ssize_t
sys_writev(int fd, const struct iovec *iov, int n)
{
	return sys_call3(SYS_writev, fd, (long)iov, n);
}

static inline ssize_t
sys_sendmsg(int fd, const struct msghdr *m, int flags)
{
	return sys_call3(SYS_sendmsg, fd, (long)m, flags);
}

static inline ssize_t
sys_recvmsg(int fd, struct msghdr *m, int flags)
{
	return sys_call3(SYS_recvmsg, fd, (long)m, flags);
}

static inline ssize_t
sys_send(int fd, const void *buf, size_t n, int flags)
{
	return sys_call6(SYS_sendto, fd, (long)buf, (long)n, flags, 0, 0);
}

static inline ssize_t
sys_recv(int fd, void *buf, size_t n, int flags)
{
	return sys_call6(SYS_recvfrom, fd, (long)buf, (long)n, flags, 0, 0);
}

static inline int
sys_socketpair(int family, int type, int protocol, int fds[2])
{
	return (int)sys_call6(SYS_socketpair, family, type, protocol,
	    (long)fds, 0, 0);
}

static inline int
sys_getsockopt(int fd, int level, int opt, void *val, socklen_t *len)
{
	return (int)sys_call6(SYS_getsockopt, fd, level, opt, (long)val,
	    (long)len, 0);
}

static inline int
sys_setsockopt(int fd, int level, int opt, const void *val, socklen_t len)
{
	return (int)sys_call6(SYS_setsockopt, fd, level, opt, (long)val,
	    (long)len, 0);
}

static inline int
sys_shutdown(int fd, int how)
{
	return (int)sys_call3(SYS_shutdown, fd, how, 0);
}

static inline int
sys_ioctl(int fd, unsigned long request, void *arg)
{
	return (int)sys_call3(SYS_ioctl, fd, (long)request, (long)arg);
}

static inline int
sys_fcntl(int fd, int cmd, long arg)
{
	return (int)sys_call3(SYS_fcntl, fd, cmd, arg);
}

/* poll(2) by ppoll; timeout_ms < 0 waits for ever. */
struct pollfd;
int sys_poll(struct pollfd *fds, unsigned n, int timeout_ms);

#endif
