/*
 * shim_whole.c - receiving by several calls in one: MSG_WAITALL, which wants all
 * of it, and MSG_TRUNC, which throws it away.
 *
 * The kernel would do the first on the pair, and lose an error doing it: an
 * AF_UNIX socket gives up its error as soon as it finds no more data, though the
 * call then returns what it has, and the next one finds a clean end.  TCP keeps
 * it for that next call.  So here nothing is received after the first part
 * unless there is something to receive.
 */
#include "preload/shim_socket.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include "base/clock.h"

int64_t
shim_timeout_ms(int fd, int option)
{
	struct timeval tv = { 0 };
	socklen_t len = sizeof(tv);

	if (sys_getsockopt(fd, SOL_SOCKET, option, &tv, &len) < 0)
		return 0;
	return (int64_t)tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000;
}

bool
shim_more_comes(int fd, int64_t until)
{
	const short ends = POLLERR | POLLHUP | POLLRDHUP;
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLRDHUP };
	int64_t left = until == SW_NEVER ? -1 : until - clock_now_ms();
	int saved = errno, n, bytes = 0;

	if (until != SW_NEVER && left < 0)
		left = 0;
	/* libc's: a cancellation point */
	n = poll(&p, 1, left > INT_MAX ? INT_MAX : (int)left);
	errno = saved;
	if (n <= 0)
		return false;		/* a signal, or too late */
	return !(p.revents & ends) ||
	    (sys_ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0);
}

bool
shim_waits_for_all(int fd, int flags)
{
	return (flags & (MSG_WAITALL | MSG_DONTWAIT)) == MSG_WAITALL &&
	    !(sys_fcntl(fd, F_GETFL, 0) & O_NONBLOCK);
}

static size_t
room_of(const struct msghdr *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->msg_iovlen; i++)
		n += m->msg_iov[i].iov_len;
	return n;
}

/* Until so much waits that it can be looked at whole, or the end has come.  No
 * call waits for more than what is there, so this looks again and again. */
static void
wait_to_look(int fd, size_t want)
{
	int64_t limit = shim_timeout_ms(fd, SO_RCVTIMEO);
	int64_t until = limit == 0 ? SW_NEVER : clock_now_ms() + limit;
	int saved = errno, bytes = 0, pause = 1;

	while (sys_ioctl(fd, FIONREAD, &bytes) == 0 && (size_t)bytes < want &&
	    (until == SW_NEVER || clock_now_ms() < until)) {
		struct pollfd p = { .fd = fd, .events = POLLRDHUP };

		if (poll(&p, 1, pause) != 0)
			break;
		pause = pause < 16 ? pause * 2 : 16;
	}
	errno = saved;
}

static ssize_t
look_at_whole(int fd, const struct msghdr *m, int flags)
{
	struct msghdr one = { .msg_iov = m->msg_iov,
		.msg_iovlen = m->msg_iovlen };
	ssize_t r = shim_native_recvmsg(fd, &one, flags);

	if (r <= 0 || (size_t)r == room_of(m))
		return r;
	wait_to_look(fd, room_of(m));
	return shim_native_recvmsg(fd, &one, flags | MSG_DONTWAIT);
}

/* Into one buffer; how much.  *done: of all that the call has got so far. */
static ssize_t
fill(int fd, char *to, size_t n, int flags, int64_t *until, size_t *done)
{
	size_t got = 0;

	while (got < n) {
		struct iovec iov = { to + got, n - got };
		struct msghdr one = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t r;

		if (*done > 0 && *until == 0) {
			int64_t limit = shim_timeout_ms(fd, SO_RCVTIMEO);

			*until = limit == 0 ? SW_NEVER : clock_now_ms() + limit;
		}
		if (*done > 0 && !shim_more_comes(fd, *until))
			break;
		r = shim_native_recvmsg(fd, &one, *done > 0 ?
		    flags | MSG_DONTWAIT : flags);
		if (r == -EAGAIN && *done > 0)
			continue;	/* somebody else was quicker */
		if (r < 0 && *done == 0)
			return r;
		if (r <= 0)
			break;
		got += (size_t)r;
		*done += (size_t)r;
	}
	return (ssize_t)got;
}

ssize_t
shim_recv_whole(int fd, const struct msghdr *m, int flags)
{
	int64_t until = 0;
	size_t done = 0;

	flags &= ~MSG_WAITALL;
	if (m->msg_iovlen > IOV_MAX)
		return -EMSGSIZE;
	if (m->msg_iov == NULL && m->msg_iovlen > 0)
		return -EFAULT;
	if (flags & MSG_PEEK)
		return look_at_whole(fd, m, flags);
	for (size_t i = 0; i < m->msg_iovlen; i++) {
		size_t n = m->msg_iov[i].iov_len;
		ssize_t r = fill(fd, m->msg_iov[i].iov_base, n, flags, &until,
		    &done);

		if (r < 0)
			return r;
		if ((size_t)r < n)
			break;
	}
	return (ssize_t)done;
}

ssize_t
shim_recv_nothing(int fd, const struct msghdr *m, int flags)
{
	char scratch[1024];
	int64_t until = shim_waits_for_all(fd, flags) ? 0 : clock_now_ms();
	size_t left = room_of(m), done = 0;

	flags &= ~MSG_WAITALL;
	if (flags & MSG_PEEK)
		left = left < sizeof(scratch) ? left : sizeof(scratch);
	while (left > 0) {
		size_t n = left < sizeof(scratch) ? left : sizeof(scratch);
		ssize_t r = fill(fd, scratch, n, flags, &until, &done);

		if (r < 0)
			return r;
		left -= (size_t)r;
		if ((size_t)r < n || (flags & MSG_PEEK))
			break;
	}
	return (ssize_t)done;
}
