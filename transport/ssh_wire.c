#undef _FORTIFY_SOURCE		/* it rewrites calls of what is defined here */
#include "transport/ssh_wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/sys.h"

#define SEEN_BY_LIBRARIES __attribute__((visibility("default")))

static _Thread_local struct ssh_wire *lent;

void
ssh_wire_begin(struct ssh_wire *w)
{
	lent = w;
}

bool
ssh_wire_waiting(const struct ssh_wire *w)
{
	return w->at < w->len;
}

void
ssh_wire_end(void)
{
	lent = NULL;
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
	struct ssh_wire *w = lent;
	ssize_t r;

	if (w == NULL || fd != w->fd || flags != 0)
		return as_libc(sys_recv(fd, buf, n, flags));
	if (w->at == w->len) {
		if ((r = sys_recv(fd, w->buf, sizeof(w->buf), 0)) <= 0)
			return as_libc(r);
		w->at = 0;
		w->len = (size_t)r;
	}
	if (n > w->len - w->at)
		n = w->len - w->at;
	memcpy(buf, w->buf + w->at, n);
	w->at += n;
	return (ssize_t)n;
}

/*
 * While bytes wait, a reader is told just that.  libssh goes on asking for
 * POLLOUT as long as every turn brings input, so its room for output is looked
 * at when the input is drained.
 */
SEEN_BY_LIBRARIES int
poll(struct pollfd *p, nfds_t n, int timeout_ms)
{
	const struct ssh_wire *w = lent;
	const struct pollfd *asked = p;

	/* glibc declares the array as written only; gcc believes it. */
	__asm__("" : "+r"(asked));
	if (w == NULL || !ssh_wire_waiting(w) || n != 1 ||
	    asked->fd != w->fd || (asked->events & POLLIN) == 0)
		return (int)as_libc(sys_poll(p, (unsigned)n, timeout_ms));
	p->revents = POLLIN;
	return 1;
}
