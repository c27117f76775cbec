/*
 * Is the server still there, and does it listen where it was asked to?
 *
 * After a quarter of a minute of silence we ask; after STREAMS_MS when streams
 * are open, and ANSWER_MS when something was sent and nothing came back.  Three
 * questions without an answer, each with ANSWER_MS: it is gone, or the way to
 * it.  While the socket drains the server is not silent, only slow.  So a server
 * that dies without a word is missed within 17 s while streams are open, and
 * after 27 s otherwise; what was sent on a path that broke, after TCP_LOSS_MS.
 */
#include "transport/ssh_private.h"

#include <libssh/server.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"

#define ANSWER_MS 4000
#define STREAMS_MS 5000
#define MISSES_MAX 3
#define LISTEN_AGAIN_MS 3000
#define LISTEN_POLL_MS 200

void
ssh_alive_heard(struct ssh_tunnel *t)
{
	struct ssh_life *f = &t->life;

	if (t->live->wire.in_bytes == f->heard_bytes)
		return;
	f->heard_bytes = t->live->wire.in_bytes;
	f->said_bytes = t->live->wire.out_bytes;
	f->heard_ms = t->l->now_ms;
	f->misses = 0;
	f->waiting = false;
}

static int64_t
quiet_ms(const struct ssh_tunnel *t)
{
	const int64_t ms = (int64_t)t->plan->keepalive_s * 1000;

	return t->dials.nopen > 0 && ms > STREAMS_MS ? STREAMS_MS : ms;
}

static int64_t
answer_ms(const struct ssh_tunnel *t)
{
	return quiet_ms(t) < ANSWER_MS ? quiet_ms(t) : ANSWER_MS;
}

/* When it is time to ask. */
static int64_t
due_ms(const struct ssh_tunnel *t)
{
	const struct ssh_life *f = &t->life;

	return f->waiting || f->misses > 0 ? f->since_ms + answer_ms(t) :
	    f->heard_ms + quiet_ms(t);
}

void
ssh_alive_spoke(struct ssh_tunnel *t)
{
	struct ssh_life *f = &t->life;

	if (f->waiting || f->misses > 0 || t->plan->keepalive_s <= 0)
		return;
	ssh_alive_heard(t);
	if (t->live->wire.out_bytes != f->said_bytes) {
		f->waiting = true;
		f->since_ms = t->l->now_ms;
	}
	if (due_ms(t) < t->alive.at_ms)
		loop_set_timer(t->l, &t->alive, due_ms(t));
}

/* Bytes that the socket still holds; they shrink while the path works. */
static int
count_unsent(const struct ssh_tunnel *t)
{
	int n = 0;

	return ioctl(t->live->fd, SIOCOUTQ, &n) == 0 ? n : 0;
}

/* The library sends no question while it has not handed out the answer to the
 * one before; asking once more does that. */
static void
ask(struct ssh_live *v)
{
	uint64_t before = v->raw.out_packets;

	ssh_live_enter(v);
	(void)ssh_send_keepalive(v->session);
	if (v->raw.out_packets == before)
		(void)ssh_send_keepalive(v->session);
}

static void
on_alive(struct loop_timer *timer)
{
	struct ssh_tunnel *t = CONTAINER_OF(timer, struct ssh_tunnel, alive);
	struct ssh_life *f = &t->life;
	int unsent;

	ssh_alive_heard(t);
	if (t->l->now_ms < due_ms(t)) {
		loop_set_timer(t->l, &t->alive, due_ms(t));
		return;
	}
	unsent = count_unsent(t);
	if (unsent == 0 || unsent >= f->unsent || f->misses == 0)
		f->misses++;
	f->unsent = unsent;
	f->since_ms = t->l->now_ms;
	if (f->misses > MISSES_MAX) {
		ssh_tunnel_break(t, "it no longer answers");
	} else {
		loop_set_timer(t->l, &t->alive, due_ms(t));
		if (!t->listening)
			ask(t->live);
	}
	ssh_tunnel_serve(t);
}

/*
 * Published ports that the server would not listen on when we came back: again,
 * every few seconds.  Global requests are answered in order and the library
 * keeps track of one at a time, so none of these is sent while a keepalive may
 * be out, and no keepalive while one of these is: its answer will do.
 */
static void
ask_to_listen(struct ssh_tunnel *t)
{
	struct ssh_live *v = t->live;
	const struct ssh_tunnel_publish *p;
	uint64_t before = v->raw.out_packets;
	int r;

	if (v->nunheard == 0)
		return;
	p = &t->plan->publish[v->unheard[v->nunheard - 1]];
	ssh_live_enter(v);
	r = ssh_channel_listen_forward(v->session, ssh_publish_bind(p), p->port,
	    NULL);
	if (!t->listening && v->raw.out_packets == before)
		return;			/* that was a keepalive's answer */
	t->listening = r == SSH_AGAIN;
	if (r != SSH_OK)
		return;
	log_info("ssh: the server listens on port %u again", p->port);
	v->nunheard--;
}

static void
on_listen(struct loop_timer *timer)
{
	struct ssh_tunnel *t = CONTAINER_OF(timer, struct ssh_tunnel, listen);

	ask_to_listen(t);
	if (t->live->nunheard > 0)
		loop_set_timer(t->l, &t->listen, t->l->now_ms +
		    (t->listening ? LISTEN_POLL_MS : LISTEN_AGAIN_MS));
	ssh_tunnel_serve(t);
}

void
ssh_alive_init(struct ssh_tunnel *t)
{
	t->alive.fire = on_alive;
	t->listen.fire = on_listen;
	t->alive.at_ms = t->listen.at_ms = SW_NEVER;
}

void
ssh_alive_begin(struct ssh_tunnel *t)
{
	t->life = (struct ssh_life){
		.heard_ms = t->l->now_ms,
		.heard_bytes = t->live->wire.in_bytes,
		.said_bytes = t->live->wire.out_bytes,
	};
	t->listening = false;
	if (t->plan->keepalive_s > 0)
		loop_set_timer(t->l, &t->alive, due_ms(t));
	if (t->live->nunheard == 0)
		return;
	log_warn("ssh: the server does not yet listen on %zu published port(s) "
	    "again", t->live->nunheard);
	loop_set_timer(t->l, &t->listen, t->l->now_ms + LISTEN_AGAIN_MS);
}

void
ssh_alive_end(struct ssh_tunnel *t)
{
	loop_set_timer(t->l, &t->alive, SW_NEVER);
	loop_set_timer(t->l, &t->listen, SW_NEVER);
}
