#include "base/loop.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/sys.h"

#define EXACT_MS 20		/* waits shorter than this are measured */

int
loop_init(struct loop *l)
{
	memset(l, 0, sizeof(*l));
	l->epfd = (int)sys_call3(SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0);
	l->now_ms = clock_now_ms();
	return l->epfd < 0 ? SW_ERR_SYS : SW_OK;
}

void
loop_wipe(struct loop *l)
{
	if (l->epfd >= 0)
		sys_close(l->epfd);
	memset(l, 0, sizeof(*l));
	l->epfd = -1;
}

static int
epoll_change(const struct loop *l, int op, int fd, struct epoll_event *ev)
{
	return (int)sys_call6(SYS_epoll_ctl, l->epfd, op, fd, (long)ev, 0, 0);
}

int
loop_add(struct loop *l, struct loop_fd *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (epoll_change(l, EPOLL_CTL_ADD, w->fd, &ev) != 0)
		return SW_ERR_SYS;
	w->added = true;
	return SW_OK;
}

void
loop_mod(struct loop *l, struct loop_fd *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	(void)epoll_change(l, EPOLL_CTL_MOD, w->fd, &ev);
}

void
loop_del(struct loop *l, struct loop_fd *w)
{
	if (!w->added)
		return;
	w->added = false;
	(void)epoll_change(l, EPOLL_CTL_DEL, w->fd, NULL);
	/* An event already fetched in this turn must not reach it. */
	for (int i = l->ready_at; i < l->ready_n; i++)
		if (l->ready[i].data.ptr == w)
			l->ready[i].data.ptr = NULL;
}

static void
unlink_timer(struct loop *l, struct loop_timer *t)
{
	if (t->prev != NULL)
		t->prev->next = t->next;
	else if (l->timers == t)
		l->timers = t->next;
	else
		return;			/* was not set */
	if (t->next != NULL)
		t->next->prev = t->prev;
	t->prev = t->next = NULL;
}

void
loop_set_timer(struct loop *l, struct loop_timer *t, int64_t at_ms)
{
	struct loop_timer **at, *prev = NULL;

	unlink_timer(l, t);
	t->at_ms = at_ms;
	if (at_ms == SW_NEVER)
		return;
	for (at = &l->timers; *at != NULL && (*at)->at_ms <= at_ms;
	    at = &(*at)->next)
		prev = *at;
	t->prev = prev;
	t->next = *at;
	if (t->next != NULL)
		t->next->prev = t;
	*at = t;
}

void
loop_add_turn(struct loop *l, struct loop_turn *h)
{
	struct loop_turn **at = &l->turns;

	while (*at != NULL && (h->late || !(*at)->late))
		at = &(*at)->next;
	h->next = *at;
	*at = h;
}

void
loop_del_turn(struct loop *l, struct loop_turn *h)
{
	struct loop_turn **at = &l->turns;

	while (*at != NULL && *at != h)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	if (l->turn_next == h)
		l->turn_next = h->next;
	*at = h->next;
	h->next = NULL;
}

/* This turn's time serves where a turn more or less makes no difference. */
static int
wait_ms(const struct loop *l, int max_wait_ms)
{
	int64_t left;

	if (l->timers == NULL)
		return max_wait_ms;
	left = l->timers->at_ms - l->now_ms;
	if (left > 0 && left < EXACT_MS)
		left = l->timers->at_ms - clock_now_ms();
	if (left < 0)
		left = 0;
	if (max_wait_ms >= 0 && left > max_wait_ms)
		left = max_wait_ms;
	return left > INT32_MAX ? INT32_MAX : (int)left;
}

static void
fire_timers(struct loop *l)
{
	struct loop_timer *t;

	while ((t = l->timers) != NULL && t->at_ms <= l->now_ms) {
		unlink_timer(l, t);
		t->at_ms = SW_NEVER;
		t->fire(t);
	}
}

int
loop_run_once(struct loop *l, int max_wait_ms)
{
	int n = (int)sys_call6(SYS_epoll_pwait, l->epfd, (long)l->ready,
	    LOOP_BATCH, wait_ms(l, max_wait_ms), 0, 0);

	if (n < 0 && n != -EINTR)
		return SW_ERR_SYS;
	l->now_ms = clock_now_ms();
	l->ready_n = n < 0 ? 0 : n;
	for (l->ready_at = 0; l->ready_at < l->ready_n;) {
		struct epoll_event *ev = &l->ready[l->ready_at++];
		struct loop_fd *w = ev->data.ptr;

		if (w != NULL)
			w->ready(w, ev->events);
	}
	l->ready_n = 0;
	fire_timers(l);
	for (struct loop_turn *h = l->turns; h != NULL; h = l->turn_next) {
		l->turn_next = h->next;
		h->run(h);
	}
	return SW_OK;
}

int
loop_run(struct loop *l)
{
	while (!l->stop)
		if (loop_run_once(l, -1) != SW_OK)
			return SW_ERR_SYS;
	return SW_OK;
}
