/*
 * shim_session.c - the control channel: one question, one answer.
 *
 * Many processes and threads share the channel's descriptor, so nothing is
 * ever read from it.  Each question carries the far end of a pair of its own,
 * and the answer comes back there: no lock, no sequence numbers, no waiting
 * for another thread's answer.
 */
#include "preload/shim.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/clock.h"
#include "preload/shim_owner.h"

#define CROWDED_TRIES 100

bool
shim_is_ctl(int fd)
{
	uint64_t inode = shim_config()->ctl_inode;
	struct stat st = { 0 };

	if (fd < 0)
		return false;
	/* newfstatat with an empty path is fstat on every architecture */
	return sys_call6(SYS_newfstatat, fd, (long)"", (long)&st,
	    AT_EMPTY_PATH, 0, 0) == 0 && S_ISSOCK(st.st_mode) &&
	    st.st_ino == inode;
}

/* Move a descriptor out of the program's way; it is closed if it cannot be. */
int
shim_lift_fd(int fd)
{
	static const int floors[] = { 1000, 240, 3 };
	int up = -EMFILE;

	for (unsigned i = 0; i < 3 && up < 0; i++)
		up = sys_fcntl(fd, F_DUPFD_CLOEXEC, floors[i]);
	sys_close(fd);
	return up;
}

static int
reconnect(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd;

	if (path[0] == '\0')
		return -ENETDOWN;
	memcpy(un.sun_path, path, strlen(path));
	fd = (int)sys_call3(SYS_socket, AF_UNIX,
	    SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -ENETDOWN;
	if (sys_call3(SYS_connect, fd, (long)&un, sizeof(un)) < 0) {
		sys_close(fd);
		return -ENETDOWN;
	}
	return shim_lift_fd(fd);
}

int
shim_ctl(void)
{
	const struct shim_config *c = shim_config();
	uint64_t cookie;
	int fd;

	if (!c->wrapped)
		return -ENETDOWN;
	if (shim_is_ctl(c->ctl_fd))
		return c->ctl_fd;
	fd = shim_kept_ctl();
	if (fd >= 0)
		return fd;
	if ((fd = reconnect(c->path)) < 0 || (cookie = shim_cookie(fd)) == 0)
		return -ENETDOWN;
	/* In a vfork child the number cannot be kept; exec closes it. */
	shim_keep_ctl(fd, cookie);
	return fd;
}

/* The descriptors in flight of all of a user's processes together are bounded
 * by the sender's limit on open files: ask for room, and wait a little. */
static ssize_t
send_crowded(int sock, const struct msghdr *m)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct shim_room room;
	bool more = shim_room_begin(&room);
	ssize_t n = -ETOOMANYREFS;

	for (unsigned i = 0; i < CROWDED_TRIES && (n == -ETOOMANYREFS ||
	    n == -EINTR || n == -EAGAIN); i++) {
		if (i > 0)
			sys_call3(SYS_nanosleep, (long)&pause, 0, 0);
		n = sys_sendmsg(sock, m, MSG_NOSIGNAL);
	}
	if (more)
		shim_room_end(&room);
	return n;
}

ssize_t
shim_send_fds(int sock, const struct iovec *iov, unsigned iovlen,
    const int *fds, unsigned nfds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov,
		.msg_iovlen = iovlen };
	struct pollfd p = { .fd = sock, .events = POLLOUT };
	ssize_t n;

	if (nfds > 0) {
		struct cmsghdr *cm;

		memset(&control, 0, sizeof(control));
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		cm = CMSG_FIRSTHDR(&m);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(cm), fds, nfds * sizeof(int));
	}
	for (;;) {
		n = sys_sendmsg(sock, &m, MSG_NOSIGNAL);
		if (n == -EAGAIN)
			sys_poll(&p, 1, -1);
		else if (n == -ETOOMANYREFS)
			return send_crowded(sock, &m);
		else if (n != -EINTR)
			return n;
	}
}

/* Every descriptor in `m`'s control data but the first, which is returned. */
static int
take_descriptor(struct msghdr *m)
{
	int got = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
	    c = CMSG_NXTHDR(m, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (got < 0)
				got = fd;
			else
				sys_close(fd);
		}
	}
	return got;
}

ssize_t
shim_receive(int sock, void *head, size_t head_len, void *buf, size_t cap,
    int *fd_out, int timeout_ms)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control = { .space = { 0 } };
	struct iovec iov[2] = { { head, head_len }, { buf, cap } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2,
		.msg_control = &control, .msg_controllen = sizeof(control) };
	struct pollfd p = { .fd = sock, .events = POLLIN };
	int64_t until = timeout_ms < 0 ? SW_NEVER :
	    clock_now_ms() + timeout_ms;
	ssize_t n;
	int fd;

	for (;;) {
		int64_t left = until == SW_NEVER ? -1 : until - clock_now_ms();

		if (until != SW_NEVER && left < 0)
			return -ETIMEDOUT;
		if (sys_poll(&p, 1, (int)left) <= 0)
			continue;
		m.msg_controllen = sizeof(control);
		n = sys_recvmsg(sock, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (n != -EINTR && n != -EAGAIN)
			break;
	}
	if (n < 0)
		return n;
	fd = take_descriptor(&m);
	if (fd_out != NULL)
		*fd_out = fd;
	else if (fd >= 0)
		sys_close(fd);
	return n < (ssize_t)head_len ? -ENETDOWN : n;
}

int
shim_session_request(const struct session_msg *in, const void *payload,
    size_t len, const int *fds, unsigned nfds, struct session_reply *rep,
    void *buf, size_t cap, int *fd_out, int timeout_ms)
{
	struct session_msg m = *in;
	struct iovec iov[2] = { { &m, sizeof(m) },
		{ (void *)(uintptr_t)payload, len } };
	int send[4], pair[2] = { -1, -1 }, ctl = shim_ctl();
	unsigned n = 0;
	ssize_t r;

	if (fd_out != NULL)
		*fd_out = -1;
	if (rep != NULL)
		*rep = (struct session_reply){ 0 };
	if (ctl < 0)
		return ctl;
	m.magic = SESSION_MAGIC;
	m.len = (uint32_t)len;
	if (rep != NULL) {
		if ((r = sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC,
		    0, pair)) < 0)
			return (int)r;
		m.flags |= SESSION_HAS_REPLY;
		send[n++] = pair[1];
	}
	for (unsigned i = 0; i < nfds; i++)
		send[n++] = fds[i];
	r = shim_send_fds(ctl, iov, 2, send, n);
	if (pair[1] >= 0)
		sys_close(pair[1]);
	if (r >= 0 && rep != NULL)
		r = shim_receive(pair[0], rep, sizeof(*rep), buf, cap, fd_out,
		    timeout_ms);
	if (pair[0] >= 0)
		sys_close(pair[0]);
	if (r < 0)
		return r == -ETIMEDOUT || r == -EMFILE || r == -ENFILE ?
		    (int)r : -ENETDOWN;
	if (rep != NULL && rep->magic != SESSION_MAGIC) {
		if (fd_out != NULL && *fd_out >= 0) {
			sys_close(*fd_out);
			*fd_out = -1;
		}
		return -ENETDOWN;
	}
	return 0;
}
