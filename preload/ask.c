#include "preload/ask.h"

#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* The question, with `reply_end` as its first descriptor. */
static bool
put_question(int ctl, const struct ask *a, int reply_end)
{
	struct session_msg m = {
		.magic = SESSION_MAGIC, .op = (uint16_t)a->op,
		.flags = SESSION_HAS_REPLY, .arg = a->arg,
	};
	int fds[1 + ASK_FDS_MAX] = { reply_end };
	size_t bytes = (1 + a->fd_n) * sizeof(int);
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(fds))];
	} control;
	struct iovec iov = { .iov_base = &m, .iov_len = sizeof(m) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = CMSG_SPACE(bytes),
	};
	struct cmsghdr *c;

	memcpy(fds + 1, a->fds, a->fd_n * sizeof(int));
	memset(&control, 0, sizeof(control));
	c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(bytes);
	memcpy(CMSG_DATA(c), fds, bytes);
	return sendmsg(ctl, &msg, MSG_NOSIGNAL) == (ssize_t)sizeof(m);
}

int
ask_session(int ctl, const struct ask *a, void *buf, size_t cap, size_t *len)
{
	struct session_reply rep;
	struct iovec in[2] = {
		{ .iov_base = &rep, .iov_len = sizeof(rep) },
		{ .iov_base = buf, .iov_len = cap },
	};
	struct pollfd p = { .events = POLLIN };
	int pair[2];
	bool sent;
	ssize_t n;

	*len = 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return SW_ERR_SYS;
	sent = put_question(ctl, a, pair[1]);
	close(pair[1]);
	p.fd = pair[0];
	if (!sent || poll(&p, 1, ASK_MS) != 1) {
		close(pair[0]);
		return sent ? SW_ERR_TIMEOUT : SW_ERR_SYS;
	}
	n = readv(pair[0], in, 2);
	close(pair[0]);
	if (n < (ssize_t)sizeof(rep) || rep.magic != SESSION_MAGIC)
		return SW_ERR_CLOSED;
	*len = (size_t)n - sizeof(rep);
	return rep.error;
}
