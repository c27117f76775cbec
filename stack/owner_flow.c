#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/sys.h"
#include "stack/arena.h"
#include "stack/owner_priv.h"

static struct flow **
bucket(struct owner *o, uint64_t cookie)
{
	return &o->by_cookie[cookie % FLOW_HASH];
}

struct flow *
flow_find(const struct owner *o, uint64_t cookie)
{
	struct flow *f = o->by_cookie[cookie % FLOW_HASH];

	while (f != NULL && f->cookie != cookie)
		f = f->hash_next;
	return f;
}

/* What may wait for the program.  Twice what an internet socket has: a message
 * of full size is charged 4 KiB here and about half of that there. */
static const int udp_room = 212992;

struct flow *
flow_new(struct owner *o, uint64_t cookie, int far_fd, bool dgram, bool v6)
{
	struct flow *f = arena_get_zeroed(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->owner = o;
	f->cookie = cookie;
	f->dgram = dgram;
	f->v6 = v6;
	f->app_fd = -1;
	f->state = OWNER_NEW;
	f->w = (struct loop_fd){
		.fd = far_fd, .ready = dgram ? udp_ready : pump_ready,
	};
	if (dgram && far_fd >= 0)
		(void)sys_setsockopt(far_fd, SOL_SOCKET, SO_SNDBUF, &udp_room,
		    sizeof(udp_room));
	/* Streams: edges, so that the byte kept unread wakes nobody. */
	if (far_fd >= 0 && loop_add(o->loop, &f->w, dgram ?
	    EPOLLIN | EPOLLRDHUP : EPOLLIN | EPOLLRDHUP | EPOLLET) != SW_OK) {
		arena_put(f);
		return NULL;
	}
	f->hash_next = *bucket(o, cookie);
	*bucket(o, cookie) = f;
	f->next = o->flows;
	if (f->next != NULL)
		f->next->prev = f;
	o->flows = f;
	o->count++;
	o->idle_told = false;
	return f;
}

void
flow_touch(struct flow *f)
{
	if (f->dirty)
		return;
	f->dirty = true;
	f->dirty_next = f->owner->dirty;
	f->owner->dirty = f;
}

void
flow_watch_out(struct flow *f, bool on)
{
	uint32_t always = f->dgram ? EPOLLIN : EPOLLIN | EPOLLRDHUP | EPOLLET;

	if (f->want_out == on || f->w.fd < 0)
		return;
	f->want_out = on;
	loop_mod(f->owner->loop, &f->w, on ? always | EPOLLOUT : always);
}

void
tomb_add(struct owner *o, const struct tomb *t)
{
	o->tombs[o->tomb_at++ % TOMBS] = *t;
}

static void
remember(const struct flow *f)
{
	tomb_add(f->owner, &(struct tomb){
		.cookie = f->cookie, .local = f->local, .peer = f->peer,
		.error = f->error,
		.state = f->state == OWNER_FAILED || f->state ==
		    OWNER_CONNECTING ? OWNER_FAILED : OWNER_ENDED,
	});
}

const struct tomb *
tomb_find(const struct owner *o, uint64_t cookie)
{
	for (uint32_t i = 0; i < TOMBS && i < o->tomb_at; i++)
		if (o->tombs[i].cookie == cookie)
			return &o->tombs[i];
	return NULL;
}

void
tomb_clear_error(struct owner *o, uint64_t cookie)
{
	for (uint32_t i = 0; i < TOMBS; i++)
		if (o->tombs[i].cookie == cookie)
			o->tombs[i].error = 0;
}

void
flow_close_far(struct flow *f)
{
	if (f->w.fd < 0)
		return;
	if (!f->app_gone)
		remember(f);
	loop_del(f->owner->loop, &f->w);
	sys_close(f->w.fd);
	f->w.fd = -1;
}

static void
drain_done(struct drain *d, int error)
{
	struct drain **at = &d->flow->drains;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	loop_set_timer(d->flow->owner->loop, &d->timer, SW_NEVER);
	chan_reply(d->reply_fd, error, NULL, NULL, 0);
	arena_put(d);
}

static void
drain_late(struct loop_timer *t)
{
	drain_done(CONTAINER_OF(t, struct drain, timer), EAGAIN);
}

int
flow_add_drain(struct flow *f, int reply_fd, uint32_t timeout_ms)
{
	struct drain *d = arena_get_zeroed(1, sizeof(*d));

	if (d == NULL)
		return ENOMEM;
	d->flow = f;
	d->reply_fd = reply_fd;
	d->timer.fire = drain_late;
	d->next = f->drains;
	f->drains = d;
	loop_set_timer(f->owner->loop, &d->timer,
	    f->owner->loop->now_ms + timeout_ms);
	return 0;
}

void
flow_answer_drains(struct flow *f, int error)
{
	while (f->drains != NULL)
		drain_done(f->drains, error);
}

static void
unlink_dirty(struct flow *f)
{
	struct flow **at = &f->owner->dirty;

	if (!f->dirty)
		return;
	while (*at != f)
		at = &(*at)->dirty_next;
	*at = f->dirty_next;
	f->dirty = false;
}

void
flow_free(struct flow *f)
{
	struct owner *o = f->owner;
	struct flow **at = bucket(o, f->cookie);

	flow_answer_drains(f, f->error);
	if (f->state == OWNER_LISTENING)
		listen_stop(f);
	if (f->listener != NULL)
		listen_forget_waiting(f);
	if (f->pcb != NULL) {
		tcp_arg(f->pcb, NULL);
		tcp_recv(f->pcb, NULL);
		tcp_sent(f->pcb, NULL);
		tcp_err(f->pcb, NULL);
		tcp_abort(f->pcb);
		f->pcb = NULL;
	}
	flow_close_far(f);
	if (f->app_fd >= 0)
		sys_close(f->app_fd);
	pump_drop_rx(f);
	pump_drop_tx(f);
	flow_option_free_all(f);
	unlink_dirty(f);
	while (*at != f)
		at = &(*at)->hash_next;
	*at = f->hash_next;
	if (f->prev != NULL)
		f->prev->next = f->next;
	else
		o->flows = f->next;
	if (f->next != NULL)
		f->next->prev = f->prev;
	o->count--;
	arena_put(f);
}
