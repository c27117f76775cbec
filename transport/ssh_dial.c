/*
 * Dials over SSH channels: opened, refused, and everybody's turn.
 *
 *   OPENING -> OPEN -> ENDED         direct-tcpip
 *   OPENING -> REQUESTING -> OPEN -> ENDED      a command (the resolver)
 *
 * libssh's callbacks run whenever anything touches the session, also from
 * within a user's write().  They only note facts and queue the dial; users hear
 * of them from ssh_dial_process(), at the top of the stack.  A dial is freed
 * only there, so a user may abort any dial from any callback.
 */
#include "transport/ssh_dial_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "transport/serve_family.h"

#define LONG_PATH_US 3000
#define DIALS_MAX 16384

/* The originator that the server is told: the same for all, it reveals
 * nothing of the programs. */
#define ORIGINATOR "127.0.0.1"

int
ssh_dials_init(struct ssh_dials *s)
{
	LIST_INIT(&s->pending);
	LIST_INIT(&s->open);
	LIST_INIT(&s->writers);
	LIST_INIT(&s->ready);
	s->scratch = malloc(SSH_DIAL_SCRATCH_LEN);
	return s->scratch == NULL ? SW_ERR_NOMEM : SW_OK;
}

void
ssh_dials_wipe(struct ssh_dials *s)
{
	struct dial *d;

	while ((d = LIST_FIRST(&s->pending)) != NULL) {
		LIST_DROP(&s->pending, d, link);
		ssh_dial_free(d);
	}
	while ((d = LIST_FIRST(&s->open)) != NULL) {
		LIST_DROP(&s->open, d, link);
		ssh_dial_free(d);
	}
	free(s->scratch);
	s->scratch = NULL;
}

/* ---- opening ---- */

/* Who connects is nobody's business; smolserve takes a family there. */
static const char *
originator(const struct dial *d, const struct dial_target *to)
{
	if (to == NULL || to->family == 0 || !ssh_tunnel_is_smolserve(d->t))
		return ORIGINATOR;
	return to->family == AF_INET ? SERVE_FAMILY_4 : SERVE_FAMILY_6;
}

/* Ask libssh again; it sends only the first time. */
static int
open_step(struct dial *d, const struct dial_target *to)
{
	if (d->command != NULL)
		return ssh_channel_open_session(d->ch);
	if (to != NULL && strchr(to->host, '/') != NULL)	/* OpenSSH's own */
		return ssh_channel_open_forward_unix(d->ch, to->host,
		    ORIGINATOR, 0);
	return ssh_channel_open_forward(d->ch, to != NULL ? to->host : "",
	    to != NULL ? to->port : 0, originator(d, to), 0);
}

static struct dial *
dial_start(struct ssh_tunnel *t, const struct dial_target *to, char *command,
    const struct dial_events *ev, void *arg, int *err)
{
	struct ssh_dials *s = &t->dials;
	struct dial *d = NULL;

	*err = SW_ERR_DOWN;
	if (t->live == NULL || t->broken)
		goto bad;
	*err = SW_ERR_LIMIT;
	if (s->npending + s->nopen >= DIALS_MAX)
		goto bad;
	*err = SW_ERR_NOMEM;
	if ((d = ssh_dial_new(t, ev, arg)) == NULL)
		goto bad;
	ssh_live_enter(t->live);
	if ((d->ch = ssh_channel_new(t->live->session)) == NULL)
		goto bad;
	(void)ssh_set_channel_callbacks(d->ch, &d->cb);
	d->command = command;
	d->id = ++t->live->last_id;
	LIST_APPEND(&s->pending, d, link);
	s->npending++;
	(void)open_step(d, to);	/* its outcome is seen in process */
	ssh_tunnel_schedule(t);
	*err = SW_OK;
	return d;
bad:
	free(d);
	return NULL;
}

static struct dial *
op_open(struct dialer *dialer, const struct dial_target *to,
    const struct dial_events *ev, void *arg, int *err)
{
	return dial_start((struct ssh_tunnel *)(void *)dialer, to, NULL, ev,
	    arg, err);
}

const struct dialer_ops ssh_tunnel_dialer_ops = {
	.open = op_open,
	.write = ssh_dial_write,
	.shutdown = ssh_dial_shutdown,
	.resume = ssh_dial_resume,
	.abort = ssh_dial_abort,
};

struct dial *
ssh_dial_exec(struct ssh_tunnel *t, const char *command,
    const struct dial_events *ev, void *arg, int *err)
{
	char *copy = strdup(command);
	struct dial *d;

	*err = SW_ERR_NOMEM;
	if (copy == NULL)
		return NULL;
	if ((d = dial_start(t, NULL, copy, ev, arg, err)) == NULL)
		free(copy);
	return d;
}

static void
leave_pending(struct dial *d)
{
	LIST_DROP(&d->t->dials.pending, d, link);
	d->t->dials.npending--;
}

/* The server refused; the channel was never there. */
static void
fail(struct dial *d, int err)
{
	d->t->dials.failed++;
	leave_pending(d);
	ssh_dial_end_channel(d, d->state == DIAL_REQUESTING);
	LIST_APPEND(&d->t->dials.open, d, link);
	d->t->dials.nopen++;
	d->state = DIAL_ENDED;
	ssh_dial_queue(d);
	if (d->ev != NULL) {
		const struct dial_events *ev = d->ev;

		d->ev = NULL;
		ev->failed(d->arg, err);
	}
}

static void
succeed(struct dial *d)
{
	struct ssh_tunnel *t = d->t;
	int64_t took_us;

	leave_pending(d);
	LIST_APPEND(&t->dials.open, d, link);
	t->dials.nopen++;
	if (d->ev == NULL) {		/* aborted while it was opening */
		d->state = DIAL_ENDED;
		ssh_dial_queue(d);
		return;
	}
	t->dials.opened++;
	d->state = DIAL_OPEN;
	took_us = ssh_dial_now_us() - d->mark_us;
	if (t->live->rtt_us == 0 || took_us < t->live->rtt_us)
		t->live->rtt_us = took_us;
	d->mark_us += took_us;
	if (t->live->rtt_us >= LONG_PATH_US)
		ssh_dial_widen(d);
	d->ev->opened(d->arg);
	if (d->avail > 0 || d->got_eof || d->got_close)
		ssh_dial_queue(d);	/* does nothing if it was aborted */
}

/* Match the refusals that were heard with the dials that wait. */
static void
process_refusals(struct ssh_tunnel *t)
{
	struct ssh_live *v = t->live;
	struct dial *d, *next;

	/* Users may open more meanwhile; each pass takes what is there. */
	for (size_t i = 0; i < v->nrefused; i++) {
		struct ssh_refusal f = v->refused[i];

		LIST_EACH(d, &t->dials.pending, link)
			if (d->id == f.id)
				break;
		if (d != NULL && open_step(d, NULL) == SSH_ERROR) {
			fail(d, f.err);
			continue;
		}
		/* Our count of channels is off: find the one and correct it. */
		for (d = LIST_FIRST(&t->dials.pending); d != NULL; d = next) {
			next = LIST_NEXT(d, link);
			if (d->state != DIAL_OPENING ||
			    open_step(d, NULL) != SSH_ERROR)
				continue;
			v->last_id += f.id - d->id;
			fail(d, f.err);
			break;
		}
	}
	v->nrefused = 0;
}

static void
process_pending(struct ssh_tunnel *t)
{
	struct dial *d, *next;

	for (d = LIST_FIRST(&t->dials.pending); d != NULL; d = next) {
		int r;

		next = LIST_NEXT(d, link);
		if (!ssh_channel_is_open(d->ch))
			continue;
		if (d->command == NULL) {
			succeed(d);
			continue;
		}
		d->state = DIAL_REQUESTING;
		r = ssh_channel_request_exec(d->ch, d->command);
		if (r == SSH_OK)
			succeed(d);
		else if (r != SSH_AGAIN)
			fail(d, SW_ERR_DENIED);
	}
}

static void
process_ready(struct ssh_tunnel *t)
{
	struct ready_list batch = { NULL, NULL };
	struct dial *d;

	LIST_MOVE(&batch, &t->dials.ready);
	while ((d = LIST_FIRST(&batch)) != NULL) {
		LIST_DROP(&batch, d, ready);
		d->queued = false;
		if (d->state == DIAL_OPEN)
			ssh_dial_deliver(d);
		if (d->state == DIAL_ENDED && !d->queued)
			ssh_dial_reap(d);
	}
}

/* ---- all together ---- */

/* Not everything that arrives calls us back: an opened channel, a window, new
 * keys.  So all input is followed by a look at those who wait. */
bool
ssh_dial_is_behind(const struct ssh_tunnel *t)
{
	return t->live->wire.in_bytes != t->dials.seen_bytes;
}

static bool
has_work(const struct ssh_tunnel *t)
{
	return t->live != NULL && !t->broken &&
	    (!LIST_IS_EMPTY(&t->dials.ready) || t->live->nrefused > 0 ||
	    !LIST_IS_EMPTY(&t->live->arrivals) || ssh_dial_is_behind(t));
}

void
ssh_dial_process(struct ssh_tunnel *t)
{
	/* A bound, so that the rest of the loop has its turn. */
	for (int round = 0; round < 16 && t->live != NULL && !t->broken;
	    round++) {
		ssh_live_enter(t->live);
		t->dials.seen_bytes = t->live->wire.in_bytes;
		if (t->live->nrefused > 0)
			process_refusals(t);
		if (!LIST_IS_EMPTY(&t->dials.pending))
			process_pending(t);
		process_ready(t);
		ssh_dial_process_arrivals(t);
		if (!LIST_IS_EMPTY(&t->dials.writers))
			ssh_dial_process_writers(t);
		if (!has_work(t))
			return;
	}
	loop_set_timer(t->l, &t->work, t->l->now_ms + 1);
}

void
ssh_dial_end_all(struct ssh_tunnel *t)
{
	struct ssh_dials *s = &t->dials;
	struct dial *d;

	/* The session is freed by the caller, and the channels with it. */
	LIST_EACH(d, &s->pending, link)
		d->ch = NULL;
	LIST_EACH(d, &s->open, link)
		d->ch = NULL;
	while ((d = LIST_FIRST(&s->pending)) != NULL)
		fail(d, SW_ERR_DOWN);
	LIST_EACH(d, &s->open, link)
		if (d->state == DIAL_OPEN)
			ssh_dial_end(d, SW_ERR_RESET);
	LIST_INIT(&s->ready);		/* it held none but those */
	while ((d = LIST_FIRST(&s->open)) != NULL)
		ssh_dial_reap(d);
}
