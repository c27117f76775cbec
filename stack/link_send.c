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

void
link_enqueue(struct link_queue *q, struct link_frame *f)
{
	f->next = NULL;
	*q->end = f;
	q->end = &f->next;
	q->bytes += f->len;
}

struct link_frame *
link_dequeue(struct link_queue *q)
{
	struct link_frame *f = q->first;

	if (f == NULL)
		return NULL;
	q->first = f->next;
	if (q->first == NULL)
		q->end = &q->first;
	q->bytes -= f->len;
	return f;
}

/* Whether it left or not. */
static void
drop(struct link_frame *f)
{
	if (f->fd >= 0)
		sys_close(f->fd);
	link_frame_unref(f);
}

void
link_empty(struct link_queue *q)
{
	struct link_frame *f;

	while ((f = link_dequeue(q)) != NULL)
		drop(f);
}

void
link_drop_unsent(struct link *k)
{
	link_empty(&k->out);
	if (k->open != NULL)
		drop(k->open);
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
push_frame(struct link *k, struct link_frame *f)
{
	struct iovec iov = { f->data, f->len };

	return push(k, &iov, 1, f->fd);
}

/* The socket has no room now, but may have later. */
static bool
is_full(ssize_t r)
{
	return r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM ||
	    r == -ETOOMANYREFS;
}

/* Takes `f`. */
static void
send_frame(struct link *k, struct link_frame *f)
{
	if (k->near) {
		link_near_put(k, f);
	} else if (k->out.first != NULL || is_full(push_frame(k, f))) {
		link_enqueue(&k->out, f);
		watch_out(k, true);
	} else {
		drop(f);
	}
	/* A failure here is seen, and told, by the next read: no callback may
	 * come from within a send. */
}

void
link_flush(struct link *k)
{
	struct link_frame *f = k->open;

	if (f == NULL)
		return;
	k->open = NULL;
	k->urgent = false;
	if (k->late.at_ms != SW_NEVER)
		loop_set_timer(k->loop, &k->late, SW_NEVER);
	send_frame(k, f);
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
	while (k->out.first != NULL) {
		if (is_full(push_frame(k, k->out.first)))
			return false;
		drop(link_dequeue(&k->out));
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

static int
refuse(struct link *k)
{
	k->refused = true;
	if (!k->near)
		watch_out(k, true);
	return SW_AGAIN;
}

static void
append(struct link_frame *f, const struct iovec *iov, int n)
{
	for (int i = 0; i < n; i++) {
		memcpy(f->data + f->len, iov[i].iov_base, iov[i].iov_len);
		f->len += (uint32_t)iov[i].iov_len;
	}
}

static int
send_small(struct link *k, const struct iovec *iov, int n, size_t len,
    bool urgent)
{
	if (k->open != NULL && k->open->len + len > k->frame_max)
		link_flush(k);
	if ((k->near ? link_near_waiting(k) : k->out.bytes) >= k->backlog_max)
		return refuse(k);
	if (k->open == NULL) {
		if ((k->open = link_frame_new(NULL, k->frame_max)) == NULL)
			return refuse(k);
		k->open->len = 0;
	}
	append(k->open, iov, n);
	k->urgent |= urgent;
	return SW_OK;
}

/* Straight from the caller's pieces, or not at all. */
static int
send_large(struct link *k, const struct iovec *iov, int n, size_t len)
{
	struct link_frame *f;

	if (!k->near)
		return k->out.first != NULL || is_full(push(k, iov, n, -1)) ?
		    refuse(k) : SW_OK;
	if (link_near_is_full(k) || (f = link_frame_new(NULL, len)) == NULL)
		return refuse(k);
	f->len = 0;
	append(f, iov, n);
	link_near_put(k, f);
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
	return send_large(k, iov, n, len);
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
	struct link_frame *f;

	if (k->dead)
		return SW_ERR_CLOSED;
	if (c->len > LINK_PAYLOAD_MAX)
		return SW_ERR_TOO_LONG;
	if ((f = link_frame_new(NULL, sizeof(*c) + c->len)) == NULL)
		return SW_ERR_NOMEM;
	memcpy(f->data, c, sizeof(*c));
	if (c->len > 0)
		memcpy(f->data + sizeof(*c), payload, c->len);
	if (fd >= 0 && (f->fd = sys_fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0) {
		link_frame_unref(f);
		return SW_ERR_NOMEM;
	}
	link_flush(k);
	send_frame(k, f);
	return SW_OK;
}
