/*
 * Sending, in order of preference:
 *   large packets   straight from the caller's pieces to the socket, no copy;
 *                   SW_AGAIN when the socket is full, so TCP keeps them
 *   small packets   copied into `open`, a frame that leaves when it is full or
 *                   at the end of the turn
 *   the backlog     frames and control messages the socket had no room for,
 *                   in order; bounded.  Small packets are what it is for: a
 *                   lost acknowledgement or reset costs a time-out.
 */
#include "stack/link.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/sys.h"
#include "stack/arena.h"

#define DIRECT_MIN (16 * 1024)		/* from here on packets are not copied */
#define FRAMES_PER_TURN 64		/* received, before others get a turn */

struct item {
	struct item *next;
	int fd;				/* -1: none; ours */
	bool control;
	size_t len;
	uint8_t data[];
};

struct link {
	struct loop *loop;
	struct loop_fd w;
	struct loop_turn turn;
	const struct link_events *ev;
	void *arg;
	struct item *open;		/* the frame being filled */
	struct item *queue, **queue_end;
	size_t queued;			/* bytes in queue */
	bool want_out;			/* EPOLLOUT is armed */
	bool refused;			/* owed a `writable` */
	bool dead, closed;
	bool busy;			/* in a callback: free later */
};

struct link_frame *
link_frame_new(const uint8_t *data, size_t len)
{
	struct link_frame *f = NULL;

	if (len <= LINK_FRAME_MAX)
		f = arena_get(sizeof(*f) + (data == NULL ? LINK_FRAME_MAX : len));
	if (f == NULL)
		return NULL;
	f->refs = 1;
	f->len = (uint32_t)len;
	if (data != NULL && len > 0)
		memcpy(f->data, data, len);
	return f;
}

void
link_frame_ref(struct link_frame *f)
{
	f->refs++;
}

void
link_frame_unref(struct link_frame *f)
{
	if (f != NULL && --f->refs == 0)
		arena_put(f);
}

static void
watch_out(struct link *k, bool on)
{
	if (k->want_out == on || k->dead)
		return;
	k->want_out = on;
	loop_mod(k->loop, &k->w, on ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void
item_free(struct item *it)
{
	if (it->fd >= 0)
		sys_close(it->fd);
	arena_put(it);
}

static void
drop_unsent(struct link *k)
{
	struct item *it;

	while ((it = k->queue) != NULL) {
		k->queue = it->next;
		item_free(it);
	}
	k->queue_end = &k->queue;
	k->queued = 0;
	if (k->open != NULL)
		item_free(k->open);
	k->open = NULL;
}

static void
die(struct link *k)
{
	if (k->dead)
		return;
	k->dead = true;
	loop_del(k->loop, &k->w);
	drop_unsent(k);
	if (!k->closed)
		k->ev->dead(k->arg);
}

/* One message to the socket: its length, -EAGAIN, or another -errno. */
static ssize_t
push(struct link *k, const struct iovec *iov, int n, int fd)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} u;
	struct iovec copy[LINK_IOV_MAX];
	struct msghdr m = { .msg_iov = copy, .msg_iovlen = (size_t)n };
	struct cmsghdr *c;

	memcpy(copy, iov, (size_t)n * sizeof(*iov));
	if (fd >= 0) {
		memset(&u, 0, sizeof(u));
		m.msg_control = u.room;
		m.msg_controllen = sizeof(u.room);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	for (;;) {
		ssize_t r = sys_sendmsg(k->w.fd, &m,
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (r != -EINTR)
			return r;
	}
}

static ssize_t
push_item(struct link *k, const struct item *it)
{
	struct iovec iov = { .iov_len = it->len };
	const uint8_t *p = it->data;

	memcpy(&iov.iov_base, &p, sizeof(p));
	return push(k, &iov, 1, it->fd);
}

/* The socket has no room now, but may have later. */
static bool
is_full(ssize_t r)
{
	return r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM ||
	    r == -ETOOMANYREFS;
}

static void
enqueue(struct link *k, struct item *it)
{
	it->next = NULL;
	*k->queue_end = it;
	k->queue_end = &it->next;
	k->queued += it->len;
	watch_out(k, true);
}

/* Takes `it`. */
static void
send_item(struct link *k, struct item *it)
{
	ssize_t r = -EAGAIN;

	if (k->queue == NULL)
		r = push_item(k, it);
	if (is_full(r)) {
		enqueue(k, it);
		return;
	}
	item_free(it);
	/* A failure here is seen, and told, by the next read: no callback may
	 * come from within a send. */
}

void
link_flush(struct link *k)
{
	struct item *it = k->open;

	if (it == NULL)
		return;
	k->open = NULL;
	send_item(k, it);
}

static void
end_of_turn(struct loop_turn *h)
{
	link_flush((struct link *)(void *)
	    ((char *)h - offsetof(struct link, turn)));
}

static void
drain_queue(struct link *k)
{
	while (k->queue != NULL) {
		struct item *it = k->queue;

		if (is_full(push_item(k, it)))
			return;
		k->queue = it->next;
		if (k->queue == NULL)
			k->queue_end = &k->queue;
		k->queued -= it->len;
		item_free(it);
	}
	watch_out(k, false);
	if (k->refused) {
		k->refused = false;
		k->ev->writable(k->arg);
	}
}

static struct item *
item_new(size_t room)
{
	struct item *it = arena_get(sizeof(*it) + room);

	if (it != NULL)
		*it = (struct item){ .fd = -1 };
	return it;
}

static int
refuse(struct link *k)
{
	k->refused = true;
	watch_out(k, true);
	return SW_AGAIN;
}

static int
send_small(struct link *k, const struct iovec *iov, int n, size_t len)
{
	if (k->open != NULL && k->open->len + len > LINK_FRAME_MAX)
		link_flush(k);
	if (k->queued >= LINK_BACKLOG_MAX)
		return refuse(k);
	if (k->open == NULL && (k->open = item_new(LINK_FRAME_MAX)) == NULL)
		return refuse(k);
	for (int i = 0; i < n; i++) {
		memcpy(k->open->data + k->open->len, iov[i].iov_base,
		    iov[i].iov_len);
		k->open->len += iov[i].iov_len;
	}
	return SW_OK;
}

int
link_send(struct link *k, const struct iovec *iov, int n)
{
	size_t len = 0;

	if (k->dead)
		return SW_ERR_CLOSED;
	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	if (n > LINK_IOV_MAX || len > LINK_FRAME_MAX)
		return SW_ERR_TOO_LONG;
	if (len < DIRECT_MIN)
		return send_small(k, iov, n, len);
	link_flush(k);
	if (k->queue != NULL || is_full(push(k, iov, n, -1)))
		return refuse(k);
	return SW_OK;
}

int
link_send_control(struct link *k, const struct link_control *c,
    const void *payload, int fd)
{
	struct item *it;

	if (k->dead)
		return SW_ERR_CLOSED;
	if (c->len > LINK_PAYLOAD_MAX)
		return SW_ERR_TOO_LONG;
	if ((it = item_new(sizeof(*c) + c->len)) == NULL)
		return SW_ERR_NOMEM;
	memcpy(it->data, c, sizeof(*c));
	if (c->len > 0)
		memcpy(it->data + sizeof(*c), payload, c->len);
	it->len = sizeof(*c) + c->len;
	it->control = true;
	if (fd >= 0 && (it->fd = sys_fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0) {
		arena_put(it);
		return SW_ERR_NOMEM;
	}
	link_flush(k);
	send_item(k, it);
	return SW_OK;
}

static void
got_control(struct link *k, const struct link_frame *f, int fd)
{
	struct link_control c;

	if (f->len < sizeof(c)) {
		if (fd >= 0)
			sys_close(fd);
		return;
	}
	memcpy(&c, f->data, sizeof(c));
	if (c.len != f->len - sizeof(c)) {
		if (fd >= 0)
			sys_close(fd);
		return;
	}
	k->ev->control(k->arg, &c, f->data + sizeof(c), fd);
}

/* The one descriptor of a message, or -1.  Others cannot have been received:
 * there was no room for them. */
static int
fd_of(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fd = -1;

	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS && c->cmsg_len >= CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

/* One frame; its length, 0 at the end, or -errno. */
static ssize_t
receive_one(struct link *k, struct link_frame *f)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} u;
	struct iovec iov = { .iov_base = f->data, .iov_len = LINK_FRAME_MAX };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.room,
		.msg_controllen = CMSG_LEN(sizeof(int)),	/* one, not two */
	};
	ssize_t r = sys_recvmsg(k->w.fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int fd;

	if (r <= 0)
		return r;
	f->len = (uint32_t)r;
	fd = fd_of(&m);
	if (f->data[0] == 0) {
		got_control(k, f, fd);
	} else {
		if (fd >= 0)
			sys_close(fd);
		k->ev->frame(k->arg, f);
	}
	return r;
}

static void
receive(struct link *k)
{
	struct link_frame *f = NULL;
	ssize_t r = 1;

	for (int i = 0; i < FRAMES_PER_TURN && !k->closed && !k->dead; i++) {
		if (f != NULL && f->refs > 1) {		/* somebody kept it */
			link_frame_unref(f);
			f = NULL;
		}
		if (f == NULL && (f = link_frame_new(NULL, 0)) == NULL)
			return;
		r = receive_one(k, f);
		if (r <= 0 && r != -EINTR)
			break;
	}
	link_frame_unref(f);
	if (!k->closed && r <= 0 && r != -EAGAIN && r != -EINTR)
		die(k);
}

static void
ready(struct loop_fd *w, uint32_t events)
{
	struct link *k = (struct link *)(void *)
	    ((char *)w - offsetof(struct link, w));

	k->busy = true;
	if ((events & EPOLLOUT) != 0)
		drain_queue(k);
	if (!k->closed && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		receive(k);
	k->busy = false;
	if (k->closed)
		arena_put(k);
}

struct link *
link_open(struct loop *l, int fd, const struct link_events *ev, void *arg)
{
	struct link *k = arena_get_zeroed(1, sizeof(*k));
	int big = 4 * 1024 * 1024;	/* the kernel takes what it allows */

	if (k == NULL) {
		sys_close(fd);
		return NULL;
	}
	k->loop = l;
	k->ev = ev;
	k->arg = arg;
	k->queue_end = &k->queue;
	k->w = (struct loop_fd){ .fd = fd, .ready = ready };
	(void)sys_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	(void)sys_fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
	if (loop_add(l, &k->w, EPOLLIN) != SW_OK) {
		sys_close(fd);
		arena_put(k);
		return NULL;
	}
	k->turn.run = end_of_turn;
	loop_add_turn(l, &k->turn);
	return k;
}

int
link_detach(struct link *k)
{
	int fd = k->w.fd;

	loop_del(k->loop, &k->w);
	loop_del_turn(k->loop, &k->turn);
	drop_unsent(k);
	k->closed = true;
	if (!k->busy)
		arena_put(k);
	return fd;
}

void
link_close(struct link *k)
{
	if (k == NULL)
		return;
	if (!k->dead) {
		link_flush(k);
		while (k->queue != NULL && !is_full(push_item(k, k->queue))) {
			struct item *it = k->queue;

			k->queue = it->next;
			item_free(it);
		}
	}
	sys_close(link_detach(k));
}
