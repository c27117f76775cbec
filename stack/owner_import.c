/*
 * Collects what owner_export.c wrote, as it comes: the loop has others to
 * serve, and the writer may be slow, stopped, or hostile.  Nothing is made of
 * it before its end has come, because half an owner would reset the
 * connections that are still on their way.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/sys.h"
#include "stack/arena.h"
#include "stack/owner_image.h"

#define BYTES_MAX ((size_t)256 << 20)
#define RECORDS_MAX 500000u
#define BURST 64		/* messages before others get a turn */

struct owner_import {
	struct loop *loop;
	const struct owner_events *ev;
	void *arg;
	void (*done)(void *arg, struct owner *o);
	struct loop_fd w;
	struct loop_timer late;
	uint32_t id;
	struct link_config granted;
	struct image_record *first, **last;
	size_t bytes;
	uint32_t count;
	uint8_t buf[IMAGE_DATA_MAX + sizeof(struct image_head)];
};

static void
drop_records(struct owner_import *i)
{
	struct image_record *r;

	while ((r = i->first) != NULL) {
		i->first = r->next;
		for (unsigned k = 0; k < IMAGE_FDS; k++)
			if (r->fds[k] >= 0)
				sys_close(r->fds[k]);
		arena_put(r);
	}
}

void
owner_import_cancel(struct owner_import *i)
{
	if (i == NULL)
		return;
	loop_del(i->loop, &i->w);
	loop_set_timer(i->loop, &i->late, SW_NEVER);
	sys_close(i->w.fd);
	drop_records(i);
	arena_put(i);
}

static void
finish(struct owner_import *i, bool whole)
{
	void (*done)(void *, struct owner *) = i->done;
	void *arg = i->arg;
	struct owner *o = whole ? rebuild_owner(i->loop, i->first, i->id,
	    &i->granted, i->ev, i->arg) : NULL;

	owner_import_cancel(i);
	done(arg, o);
}

/* One message into i->buf: its length, or -errno; 0 at the end. */
static ssize_t
receive(struct owner_import *i, int fds[static IMAGE_FDS])
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(IMAGE_FDS * sizeof(int))];
	} u = { .room = { 0 } };
	struct iovec iov = { i->buf, sizeof(i->buf) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.room,
		.msg_controllen = CMSG_LEN(IMAGE_FDS * sizeof(int)),
	};
	ssize_t n = sys_recvmsg(i->w.fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;

	if (n <= 0)
		return n;
	c = CMSG_FIRSTHDR(&m);
	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS) {
		size_t got = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		memcpy(fds, CMSG_DATA(c), got * sizeof(int));
	}
	return (m.msg_flags & MSG_TRUNC) != 0 ? -EMSGSIZE : n;
}

/* Keep a message of `n` bytes and what came with it, which is taken. */
static struct image_record *
keep(struct owner_import *i, size_t n, const int fds[static IMAGE_FDS])
{
	struct image_record *r = NULL;
	struct image_head h;

	if (n >= sizeof(h)) {
		memcpy(&h, i->buf, sizeof(h));
		if (h.magic == IMAGE_MAGIC && h.len == n - sizeof(h) &&
		    i->count < RECORDS_MAX && n < BYTES_MAX - i->bytes)
			r = arena_get(sizeof(*r) + h.len);
	}
	if (r == NULL) {
		for (unsigned k = 0; k < IMAGE_FDS; k++)
			if (fds[k] >= 0)
				sys_close(fds[k]);
		return NULL;
	}
	*r = (struct image_record){ .head = h };
	memcpy(r->fds, fds, sizeof(r->fds));
	memcpy(r->data, i->buf + sizeof(h), h.len);
	i->bytes += n;
	i->count++;
	*i->last = r;
	i->last = &r->next;
	return r;
}

static void
import_ready(struct loop_fd *w, uint32_t events)
{
	struct owner_import *i = CONTAINER_OF(w, struct owner_import, w);

	(void)events;
	for (unsigned k = 0; k < BURST; k++) {
		int fds[IMAGE_FDS] = { -1, -1 };
		ssize_t n = receive(i, fds);
		struct image_record *r;

		if (n == -EAGAIN)
			return;
		if (n == -EINTR)
			continue;
		r = keep(i, n > 0 ? (size_t)n : 0, fds);
		if (r == NULL || r->head.kind == IMAGE_END) {
			finish(i, r != NULL);
			return;
		}
	}
}

static void
import_late(struct loop_timer *t)
{
	log_debug("owner: an import took too long");
	finish(CONTAINER_OF(t, struct owner_import, late), false);
}

struct owner_import *
owner_import_start(struct loop *l, int fd, uint32_t id,
    const struct link_config *granted, const struct owner_events *ev,
    void *arg, void (*done)(void *arg, struct owner *o))
{
	struct owner_import *i = arena_get(sizeof(*i));

	if (i != NULL) {
		*i = (struct owner_import){ .loop = l, .ev = ev, .arg = arg,
			.done = done, .id = id, .granted = *granted,
			.w = { .fd = fd, .ready = import_ready },
			.late = { .fire = import_late } };
		i->last = &i->first;
		if (loop_add(l, &i->w, EPOLLIN) == SW_OK) {
			loop_set_timer(l, &i->late,
			    l->now_ms + IMAGE_WHOLE_MS);
			return i;
		}
	}
	arena_put(i);
	sys_close(fd);
	return NULL;
}
