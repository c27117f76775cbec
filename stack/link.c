/*
 * A link's life, and what it receives.
 */
#include "stack/link.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/sys.h"
#include "stack/arena.h"
#include "stack/link_priv.h"

#define PAUSE_MS 50
#define FRAMES_PER_TURN 64		/* received, before others get a turn */
#define FRAME_SHORT 2048	/* rarely followed by another */

struct link_frame *
link_frame_new(const uint8_t *data, size_t len)
{
	struct link_frame *f = NULL;

	if (len <= LINK_FRAME_MAX)
		f = arena_get(sizeof(*f) + len);
	if (f == NULL)
		return NULL;
	f->next = NULL;
	f->fd = -1;
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

/* No event of the loop reaches it any more. */
static void
stop(struct link *k)
{
	loop_del(k->loop, &k->w);
	loop_set_timer(k->loop, &k->pause, SW_NEVER);
	loop_set_timer(k->loop, &k->late, SW_NEVER);
	loop_set_timer(k->loop, &k->soon, SW_NEVER);
	link_drop_unsent(k);
	link_empty(&k->in);
}

void
link_die(struct link *k)
{
	if (k->dead)
		return;
	k->dead = true;
	stop(k);
	if (!k->closed)
		k->ev->dead(k->arg);
}

static void
end_of_turn(struct loop_turn *h)
{
	struct link *k = CONTAINER_OF(h, struct link, turn);

	link_end_turn(k);
	if (k->near)
		link_near_tell_room(k);
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

void
link_take(struct link *k, struct link_frame *f)
{
	int fd = f->fd;

	f->fd = -1;
	if (f->data[0] == 0) {
		got_control(k, f, fd);
		return;
	}
	if (fd >= 0)
		sys_close(fd);
	k->ev->frame(k->arg, f);
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
	} u = { .room = { 0 } };
	struct iovec iov = { .iov_base = f->data, .iov_len = LINK_FRAME_MAX };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.room,
		.msg_controllen = CMSG_LEN(sizeof(int)),	/* one, not two */
	};
	ssize_t r = sys_recvmsg(k->w.fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (r <= 0)
		return r;
	f->len = (uint32_t)r;
	f->fd = fd_of(&m);
	link_take(k, f);
	return r;
}

void
link_watch(struct link *k)
{
	bool in = !k->paused && !k->starved;

	if (k->near) {
		link_near_wake(k);
		return;
	}
	loop_mod(k->loop, &k->w, (in ? EPOLLIN : 0) |
	    (k->want_out ? EPOLLOUT : 0));
}

void
link_set_room(struct link *k, size_t bytes)
{
	int room;

	if (bytes < DIRECT_MIN)
		bytes = DIRECT_MIN;
	if (bytes > LINK_FRAME_MAX)
		bytes = LINK_FRAME_MAX;
	if (k->frame_max == bytes)
		return;
	room = (int)bytes;
	link_flush(k);
	k->frame_max = k->backlog_max = bytes;
	if (k->near)
		return;
	(void)sys_setsockopt(k->w.fd, SOL_SOCKET, SO_SNDBUF, &room,
	    sizeof(room));
}

void
link_pause(struct link *k, bool on)
{
	if (k->paused == on || k->dead || k->closed)
		return;
	k->paused = on;
	link_watch(k);
}

/* Not to be asked again and again what cannot be done now. */
static void
wait_for_memory(struct link *k)
{
	k->starved = true;
	link_watch(k);
	loop_set_timer(k->loop, &k->pause, k->loop->now_ms + PAUSE_MS);
}

static void
pause_over(struct loop_timer *t)
{
	struct link *k = CONTAINER_OF(t, struct link, pause);

	k->starved = false;
	link_watch(k);
}

static void
late(struct loop_timer *t)
{
	link_flush(CONTAINER_OF(t, struct link, late));
}

static void
receive(struct link *k)
{
	struct link_frame *f = NULL;
	ssize_t r = 1;

	for (int i = 0; i < FRAMES_PER_TURN && !k->closed && !k->dead &&
	    !k->paused; i++) {
		if (f != NULL && f->refs > 1) {		/* somebody kept it */
			link_frame_unref(f);
			f = NULL;
		}
		if (f == NULL && (f = link_frame_new(NULL,
		    LINK_FRAME_MAX)) == NULL) {
			wait_for_memory(k);
			return;
		}
		r = receive_one(k, f);
		if ((r <= 0 && r != -EINTR) || (r > 0 && r < FRAME_SHORT))
			break;		/* the loop says if there is more */
	}
	link_frame_unref(f);
	if (!k->closed && r <= 0 && r != -EAGAIN && r != -EINTR)
		link_die(k);
}

static void
ready(struct loop_fd *w, uint32_t events)
{
	struct link *k = CONTAINER_OF(w, struct link, w);

	k->busy = true;
	if ((events & EPOLLOUT) != 0)
		link_room(k);
	if ((events & (EPOLLHUP | EPOLLERR)) != 0)
		k->paused = false;	/* nothing more will come to wait */
	if (!k->closed && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		receive(k);
	k->busy = false;
	if (k->closed)
		arena_put(k);
}

static struct link *
new_link(struct loop *l, const struct link_events *ev, void *arg)
{
	struct link *k = arena_get_zeroed(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->loop = l;
	k->ev = ev;
	k->arg = arg;
	k->out.end = &k->out.first;
	k->in.end = &k->in.first;
	k->frame_max = LINK_FRAME_MAX;
	k->backlog_max = LINK_BACKLOG_MAX;
	k->w = (struct loop_fd){ .fd = -1, .ready = ready };
	k->turn.run = end_of_turn;
	k->pause.fire = pause_over;
	k->late.fire = late;
	k->pause.at_ms = k->late.at_ms = SW_NEVER;
	return k;
}

struct link *
link_open(struct loop *l, int fd, const struct link_events *ev, void *arg)
{
	struct link *k = new_link(l, ev, arg);
	int big = 4 * 1024 * 1024;	/* the kernel takes what it allows */

	if (k == NULL) {
		sys_close(fd);
		return NULL;
	}
	k->w.fd = fd;
	(void)sys_setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	(void)sys_fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
	if (loop_add(l, &k->w, EPOLLIN) != SW_OK) {
		sys_close(fd);
		arena_put(k);
		return NULL;
	}
	loop_add_turn(l, &k->turn);
	return k;
}

struct link *
link_open_near(struct loop *l, struct link *peer, const struct link_events *ev,
    void *arg)
{
	struct link *k = new_link(l, ev, arg);

	if (k == NULL)
		return NULL;
	link_near_join(k, peer);
	loop_add_turn(l, &k->turn);
	return k;
}

int
link_detach(struct link *k)
{
	int fd = k->w.fd;

	stop(k);
	loop_del_turn(k->loop, &k->turn);
	k->closed = true;
	if (!k->busy)
		arena_put(k);
	return fd;
}

void
link_close(struct link *k)
{
	int fd;

	if (k == NULL)
		return;
	if (!k->dead) {
		link_flush(k);
		(void)link_drain(k);
	}
	if (k->near)
		link_near_part(k);
	if ((fd = link_detach(k)) >= 0)
		sys_close(fd);
}
