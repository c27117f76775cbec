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
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/sys.h"
#include "stack/arena.h"
#include "stack/link_priv.h"

static void
watch_out(struct link *k, bool on)
{
	if (k->want_out == on || k->dead)
		return;
	k->want_out = on;
	link_watch(k);
}

static void
item_free(struct link_item *it)
{
	if (it->fd >= 0)
		sys_close(it->fd);
	arena_put(it);
}

void
link_drop_unsent(struct link *k)
{
	struct link_item *it;

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
push_item(struct link *k, const struct link_item *it)
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
enqueue(struct link *k, struct link_item *it)
{
	it->next = NULL;
	*k->queue_end = it;
	k->queue_end = &it->next;
	k->queued += it->len;
	watch_out(k, true);
}

/* Takes `it`. */
static void
send_item(struct link *k, struct link_item *it)
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
	struct link_item *it = k->open;

	if (it == NULL)
		return;
	k->open = NULL;
	k->urgent = false;
	if (k->late.at_ms != SW_NEVER)
		loop_set_timer(k->loop, &k->late, SW_NEVER);
	send_item(k, it);
}

void
link_end_turn(struct link *k)
{
	if (k->urgent || k->open == NULL)
		link_flush(k);
	else if (k->late.at_ms == SW_NEVER)
		loop_set_timer(k->loop, &k->late,
		    k->loop->now_ms + LINK_LATE_MS);
}

bool
link_drain(struct link *k)
{
	while (k->queue != NULL) {
		struct link_item *it = k->queue;

		if (is_full(push_item(k, it)))
			return false;
		k->queue = it->next;
		if (k->queue == NULL)
			k->queue_end = &k->queue;
		k->queued -= it->len;
		item_free(it);
	}
	return true;
}

void
link_room(struct link *k)
{
	if (!link_drain(k))
		return;
	watch_out(k, false);
	if (k->refused) {
		k->refused = false;
		k->ev->writable(k->arg);
	}
}

static struct link_item *
item_new(size_t room)
{
	struct link_item *it = arena_get(sizeof(*it) + room);

	if (it != NULL)
		*it = (struct link_item){ .fd = -1 };
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
send_small(struct link *k, const struct iovec *iov, int n, size_t len,
    bool urgent)
{
	if (k->open != NULL && k->open->len + len > k->frame_max)
		link_flush(k);
	if (k->queued >= k->backlog_max)
		return refuse(k);
	if (k->open == NULL && (k->open = item_new(k->frame_max)) == NULL)
		return refuse(k);
	for (int i = 0; i < n; i++) {
		memcpy(k->open->data + k->open->len, iov[i].iov_base,
		    iov[i].iov_len);
		k->open->len += iov[i].iov_len;
	}
	k->urgent |= urgent;
	return SW_OK;
}

static int
send_packet(struct link *k, const struct iovec *iov, int n, bool urgent)
{
	size_t len = 0;

	if (k->dead)
		return SW_ERR_CLOSED;
	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	if (n > LINK_IOV_MAX || len > LINK_FRAME_MAX)
		return SW_ERR_TOO_LONG;
	if (len < DIRECT_MIN)
		return send_small(k, iov, n, len, urgent);
	link_flush(k);
	if (k->queue != NULL || is_full(push(k, iov, n, -1)))
		return refuse(k);
	return SW_OK;
}

int
link_send(struct link *k, const struct iovec *iov, int n)
{
	return send_packet(k, iov, n, true);
}

int
link_send_late(struct link *k, const struct iovec *iov, int n)
{
	return send_packet(k, iov, n, false);
}

int
link_send_control(struct link *k, const struct link_control *c,
    const void *payload, int fd)
{
	struct link_item *it;

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
	if (fd >= 0 && (it->fd = sys_fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0) {
		arena_put(it);
		return SW_ERR_NOMEM;
	}
	link_flush(k);
	send_item(k, it);
	return SW_OK;
}
