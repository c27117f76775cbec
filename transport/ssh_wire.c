#undef _FORTIFY_SOURCE		/* it rewrites calls of what is defined here */
#include "transport/ssh_wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/sys.h"

#define SEEN_BY_LIBRARIES __attribute__((visibility("default")))
#define SHORT 4096		/* longer messages are not copied to wait */

/* Of this thread; more than one where a tunnel leads through another. */
static _Thread_local struct ssh_wire *wires;

static struct ssh_wire *
find(int fd)
{
	struct ssh_wire *w = wires;

	while (w != NULL && w->fd != fd)
		w = w->next;
	return w;
}

void
ssh_wire_attach(struct ssh_wire *w, int fd)
{
	w->fd = fd;
	w->at = w->len = w->held = w->patient = 0;
	w->ended = w->stuck = false;
	w->next = wires;
	wires = w;
}

void
ssh_wire_detach(struct ssh_wire *w)
{
	struct ssh_wire **at = &wires;

	while (*at != NULL && *at != w)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	(void)ssh_wire_flush(w);
	*at = w->next;
}

bool
ssh_wire_is_attached(void)
{
	return wires != NULL;
}

bool
ssh_wire_waiting(const struct ssh_wire *w)
{
	return w->at < w->len;
}

void
ssh_wire_fetch(struct ssh_wire *w)
{
	ssize_t r;

	if (ssh_wire_waiting(w))
		return;
	w->at = w->len = 0;
	r = sys_recv(w->fd, w->in, sizeof(w->in), MSG_DONTWAIT);
	if (r > 0)
		w->len = (size_t)r;
	else
		w->ended = r != -EAGAIN && r != -EINTR;
}

/*
 * What is held, then `n` bytes at `p`: how many of both went, 0 when there is
 * no room.  After another error nothing is held any more: reading will tell.
 */
static ssize_t
push(struct ssh_wire *w, const void *p, size_t n)
{
	struct iovec iov[2] = { { w->out, w->held }, { NULL, n } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t r;

	memcpy(&iov[1].iov_base, &p, sizeof(p));
	w->patient = 0;
	do
		r = sys_sendmsg(w->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (r == -EINTR);
	if (r == -EAGAIN)
		r = 0;
	w->stuck = r >= 0 && (size_t)r < w->held;
	if (w->stuck) {
		w->held -= (size_t)r;
		memmove(w->out, w->out + r, w->held);
	} else {
		w->held = 0;
	}
	return r;
}

bool
ssh_wire_flush(struct ssh_wire *w)
{
	if (w->held > 0)
		(void)push(w, NULL, 0);
	return !w->stuck;
}

void
ssh_wire_excuse(struct ssh_wire *w, size_t before)
{
	if (w->held > before)
		w->patient += w->held - before;
}

bool
ssh_wire_may_wait(const struct ssh_wire *w)
{
	return w->held > 0 && w->held == w->patient;
}

static ssize_t
as_libc(ssize_t r)
{
	if (r >= 0)
		return r;
	errno = (int)-r;
	return -1;
}

SEEN_BY_LIBRARIES ssize_t
recv(int fd, void *buf, size_t n, int flags)
{
	struct ssh_wire *w = find(fd);

	if (w == NULL || flags != 0 || !ssh_wire_waiting(w))
		return as_libc(sys_recv(fd, buf, n, flags));
	if (n > w->len - w->at)
		n = w->len - w->at;
	memcpy(buf, w->in + w->at, n);
	w->at += n;
	return (ssize_t)n;
}

/* libssh takes a failure for the end of the connection, "try again" too: where
 * there is no room, it hears that none of its bytes went. */
SEEN_BY_LIBRARIES ssize_t
send(int fd, const void *buf, size_t n, int flags)
{
	struct ssh_wire *w = find(fd);
	size_t held;
	ssize_t r;

	if (w == NULL)
		return as_libc(sys_send(fd, buf, n, flags));
	held = w->held;
	if (n <= SHORT && n <= sizeof(w->out) - held) {
		memcpy(w->out + held, buf, n);
		w->held += n;
		return (ssize_t)n;
	}
	r = push(w, buf, n);
	if (r < 0)
		return as_libc(r);
	return w->stuck ? 0 : r - (ssize_t)held;
}

/*
 * What libssh asks without waiting is answered here: it may read what waits,
 * and may always write (send() above says how much).  The kernel is asked for
 * the sake of its bad news, once there is some.
 */
SEEN_BY_LIBRARIES int
poll(struct pollfd *p, nfds_t n, int timeout_ms)
{
	const struct pollfd *asked = p;
	const struct ssh_wire *w;
	int can;

	/* glibc declares the array as written only; gcc believes it. */
	__asm__("" : "+r"(asked));
	w = n == 1 && timeout_ms == 0 ? find(asked->fd) : NULL;
	if (w == NULL || (w->ended && !ssh_wire_waiting(w)))
		return (int)as_libc(sys_poll(p, (unsigned)n, timeout_ms));
	can = asked->events & (ssh_wire_waiting(w) ? POLLIN | POLLOUT : POLLOUT);
	p->revents = (short)can;
	return can != 0;
}
