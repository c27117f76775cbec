/*
 * shim_data.c - the send and recv families: who is asked, and streams.
 *
 * read, write and their kin are never wrapped: on a connected socket the pair
 * does what TCP does.  These wrappers add what the flags and the state of the
 * connection change.
 */
#include "preload/shim_socket.h"

#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif

#define SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL)
#define RECV_FLAGS (MSG_DONTWAIT | MSG_PEEK | MSG_WAITALL | MSG_CMSG_CLOEXEC)

int
shim_broken_pipe(int flags)
{
	if (!(flags & MSG_NOSIGNAL))
		sys_call3(SYS_tgkill, sys_call3(SYS_getpid, 0, 0, 0),
		    sys_call3(SYS_gettid, 0, 0, 0), SIGPIPE);
	return -EPIPE;
}

/* libc's sendmsg as -errno: it is the cancellation point. */
static ssize_t
native_sendmsg(int fd, const struct msghdr *m, int flags)
{
	int saved = errno;
	ssize_t r = shim_libc()->sendmsg(fd, m, flags);

	if (r >= 0)
		return r;
	r = -errno;
	errno = saved;
	return r;
}

ssize_t
shim_native_recvmsg(int fd, struct msghdr *m, int flags)
{
	int saved = errno;
	ssize_t r = shim_libc()->recvmsg(fd, m, flags);

	if (r >= 0)
		return r;
	r = -errno;
	errno = saved;
	return r;
}

/* ---- streams ----------------------------------------------------------------- */

/* TCP looks at socket-level control data only. */
static int
check_stream_control(const struct msghdr *m)
{
	struct msghdr copy = *m;

	if (m->msg_control == NULL || m->msg_controllen == 0)
		return 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&copy); c != NULL;
	    c = CMSG_NXTHDR(&copy, c))
		if (c->cmsg_level == SOL_SOCKET)
			return -EINVAL;
	return 0;
}

/* What has been told is not told again by the pair. */
static void
forget_native_error(int fd)
{
	int e;
	socklen_t len = sizeof(e);

	sys_getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len);
}

static ssize_t
send_stream(int fd, struct shim_tag t, const struct msghdr *m, int flags)
{
	struct msghdr plain = { .msg_iov = m->msg_iov,
		.msg_iovlen = m->msg_iovlen };
	ssize_t r;

	if ((flags & MSG_FASTOPEN) && m->msg_name != NULL &&
	    !(t.flags & SHIM_CONNECT)) {
		r = shim_connect(fd, t, m->msg_name, m->msg_namelen,
		    flags & MSG_DONTWAIT ? O_NONBLOCK :
		    sys_fcntl(fd, F_GETFL, 0));
		if (r < 0)
			return r;
		if (!shim_tag_get(fd, &t))	/* became a loopback socket */
			return native_sendmsg(fd, &plain,
			    flags & ~MSG_FASTOPEN);
	}
	if (!(t.flags & SHIM_CONNECT))
		return shim_take_aborted(fd, t) ? -ECONNRESET :
		    shim_broken_pipe(flags);
	if ((r = check_stream_control(m)) < 0)
		return r;
	r = native_sendmsg(fd, &plain, (flags & SEND_FLAGS) | MSG_NOSIGNAL);
	if (r == -EPIPE || r == -ECONNRESET) {
		/* A reset is told once by its own name, then it is EPIPE. */
		r = shim_true_error(fd, t, (int)r);
		if (r != -EPIPE)
			forget_native_error(fd);
		else
			shim_broken_pipe(flags);
	} else if (r > 0) {
		shim_make_room(fd, &t);
	}
	return r;
}

static ssize_t
recv_stream(int fd, struct shim_tag t, struct msghdr *m, int flags)
{
	struct msghdr plain = { .msg_iov = m->msg_iov,
		.msg_iovlen = m->msg_iovlen };
	ssize_t r;

	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;	/* passed down it would eat data */
	if (flags & MSG_OOB)
		return -EINVAL;
	if (!(t.flags & SHIM_CONNECT))
		return -ENOTCONN;
	if (flags & MSG_TRUNC)
		r = shim_recv_nothing(fd, m, flags & RECV_FLAGS);
	else if (shim_waits_for_all(fd, flags))
		r = shim_recv_whole(fd, m, flags & RECV_FLAGS);
	else
		r = shim_native_recvmsg(fd, &plain,
		    flags & RECV_FLAGS & ~MSG_WAITALL);
	if (r == -ECONNRESET)
		return shim_true_error(fd, t, (int)r);
	if (r >= 0) {
		m->msg_namelen = 0;
		m->msg_controllen = 0;
		m->msg_flags = plain.msg_flags;
	}
	return r;
}

static ssize_t
send_ours(int fd, struct shim_tag t, const struct msghdr *m, int flags)
{
	return t.flags & SHIM_DGRAM ? shim_send_datagram(fd, t, m, flags) :
	    send_stream(fd, t, m, flags);
}

static ssize_t
recv_ours(int fd, struct shim_tag t, struct msghdr *m, int flags)
{
	return t.flags & SHIM_DGRAM ? shim_recv_datagram(fd, t, m, flags) :
	    recv_stream(fd, t, m, flags);
}

/* ---- send ---------------------------------------------------------------------- */

SW_EXPORT ssize_t
send(int fd, const void *buf, size_t n, int flags)
{
	struct iovec iov = { (void *)(uintptr_t)buf, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct shim_tag t;

	if (!shim_tag_get(fd, &t))
		return shim_libc()->send(fd, buf, n, flags);
	return shim_ret(send_ours(fd, t, &m, flags));
}

SW_EXPORT ssize_t __send(int fd, const void *buf, size_t n, int flags);

SW_EXPORT ssize_t
__send(int fd, const void *buf, size_t n, int flags)
{
	return send(fd, buf, n, flags);
}

SW_EXPORT ssize_t
sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *sa,
    socklen_t len)
{
	struct iovec iov = { (void *)(uintptr_t)buf, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_name = (void *)(uintptr_t)sa, .msg_namelen = sa != NULL ? len : 0 };
	struct shim_tag t;
	int r;

	if (shim_tag_get(fd, &t))
		return shim_ret(send_ours(fd, t, &m, flags));
	if ((r = shim_judge_native(sa, len)) < 0)
		return shim_ret(shim_refused(fd, r));
	return shim_libc()->sendto(fd, buf, n, flags, sa, len);
}

SW_EXPORT ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	struct shim_tag t;
	int r;

	if (m == NULL)
		return shim_ret(-EFAULT);
	if (shim_tag_get(fd, &t))
		return shim_ret(send_ours(fd, t, m, flags));
	if ((r = shim_judge_native(m->msg_name, m->msg_namelen)) < 0)
		return shim_ret(shim_refused(fd, r));
	return shim_libc()->sendmsg(fd, m, flags);
}

SW_EXPORT int
sendmmsg(int fd, struct mmsghdr *v, unsigned n, int flags)
{
	unsigned done = 0;

	if (n > IOV_MAX)
		n = IOV_MAX;
	for (; done < n; done++) {
		ssize_t r = sendmsg(fd, &v[done].msg_hdr, flags);

		if (r < 0)
			return done > 0 ? (int)done : -1;
		v[done].msg_len = (unsigned)r;
	}
	return (int)done;
}

SW_EXPORT int __sendmmsg(int fd, struct mmsghdr *v, unsigned n, int flags);

SW_EXPORT int
__sendmmsg(int fd, struct mmsghdr *v, unsigned n, int flags)
{
	return sendmmsg(fd, v, n, flags);
}

/* ---- recv ----------------------------------------------------------------------- */

SW_EXPORT ssize_t
recv(int fd, void *buf, size_t n, int flags)
{
	struct iovec iov = { buf, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct shim_tag t;

	if (!shim_tag_get(fd, &t))
		return shim_libc()->recv(fd, buf, n, flags);
	return shim_ret(recv_ours(fd, t, &m, flags));
}

SW_EXPORT ssize_t __recv(int fd, void *buf, size_t n, int flags);

SW_EXPORT ssize_t
__recv(int fd, void *buf, size_t n, int flags)
{
	return recv(fd, buf, n, flags);
}

SW_EXPORT ssize_t
recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *sa,
    socklen_t *len)
{
	struct iovec iov = { buf, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_name = sa,
		.msg_namelen = sa != NULL && len != NULL ? *len : 0 };
	struct shim_tag t;
	ssize_t r;

	if (!shim_tag_get(fd, &t))
		return shim_libc()->recvfrom(fd, buf, n, flags, sa, len);
	if (sa != NULL && len == NULL)
		return shim_ret(-EFAULT);
	r = recv_ours(fd, t, &m, flags);
	if (r >= 0 && sa != NULL)
		*len = m.msg_namelen;
	return shim_ret(r);
}

static ssize_t
recvmsg_foreign(int fd, struct msghdr *m, int flags)
{
	ssize_t n = shim_libc()->recvmsg(fd, m, flags);
	int r = n < 0 ? 0 : shim_judge_passed(m);

	return r < 0 ? shim_ret(r) : n;
}

SW_EXPORT ssize_t
recvmsg(int fd, struct msghdr *m, int flags)
{
	struct shim_tag t;

	if (m == NULL)
		return shim_ret(-EFAULT);
	if (!shim_tag_get(fd, &t))
		return recvmsg_foreign(fd, m, flags);
	return shim_ret(recv_ours(fd, t, m, flags));
}

static bool
is_past(const struct timespec *until)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > until->tv_sec || (now.tv_sec == until->tv_sec &&
	    now.tv_nsec >= until->tv_nsec);
}

static int
recvmmsg_foreign(int fd, struct mmsghdr *v, unsigned n, int flags,
    struct timespec *timeout)
{
	int got = shim_libc()->recvmmsg(fd, v, n, flags, timeout), r = 0;

	for (int i = 0; i < got; i++)
		if (shim_judge_passed(&v[i].msg_hdr) < 0)
			r = -EACCES;
	return r < 0 ? (int)shim_ret(r) : got;
}

SW_EXPORT int
recvmmsg(int fd, struct mmsghdr *v, unsigned n, int flags,
    struct timespec *timeout)
{
	struct timespec until = { 0 };
	unsigned done = 0;
	struct shim_tag t;

	if (!shim_tag_get(fd, &t))
		return recvmmsg_foreign(fd, v, n, flags, timeout);
	if (timeout != NULL) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += timeout->tv_sec;
		until.tv_nsec += timeout->tv_nsec;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_nsec -= 1000000000L;
			until.tv_sec++;
		}
	}
	if (n > IOV_MAX)
		n = IOV_MAX;
	while (done < n) {
		ssize_t r;

		/* An error is the next call's. */
		if (done > 0 && shim_is_stream(t) && !shim_more_comes(fd,
		    shim_waits_for_all(fd, flags | MSG_WAITALL) ? SW_NEVER :
		    clock_now_ms()))
			break;
		r = recvmsg(fd, &v[done].msg_hdr, flags & ~MSG_WAITFORONE);
		if (r < 0)
			return done > 0 ? (int)done : -1;
		v[done++].msg_len = (unsigned)r;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		/* As the kernel: looked at after each message only. */
		if (timeout != NULL && is_past(&until))
			break;
	}
	return (int)done;
}

/* ---- what _FORTIFY_SOURCE makes of recv and recvfrom ----------------------------- */

extern void __chk_fail(void) __attribute__((noreturn));

SW_EXPORT ssize_t __recv_chk(int fd, void *buf, size_t n, size_t room,
    int flags);

SW_EXPORT ssize_t
__recv_chk(int fd, void *buf, size_t n, size_t room, int flags)
{
	if (n > room)
		__chk_fail();
	return recv(fd, buf, n, flags);
}

SW_EXPORT ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t room,
    int flags, struct sockaddr *sa, socklen_t *len);

SW_EXPORT ssize_t
__recvfrom_chk(int fd, void *buf, size_t n, size_t room, int flags,
    struct sockaddr *sa, socklen_t *len)
{
	if (n > room)
		__chk_fail();
	return recvfrom(fd, buf, n, flags, sa, len);
}
