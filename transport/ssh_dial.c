/*
 * Dials over SSH channels.
 *
 *   OPENING -> OPEN -> ENDED         direct-tcpip
 *   OPENING -> REQUESTING -> OPEN -> ENDED      a command (the resolver)
 *
 * libssh's callbacks run whenever anything touches the session, also from
 * within a user's write().  They only note facts and queue the dial; users hear
 * of them from ssh_dial_process(), at the top of the stack.  A dial is freed
 * only there, so a user may abort any dial from any callback.
 *
 * Receiving.  libssh buffers, and grants the server window as we read.  The
 * window begins at what 40 MB/s need, at least 1.25 MiB, and grows, to 16 MiB,
 * with each windowful that was taken within three round trips: then it is the
 * window that holds the server back.  A path of 100 ms so carries 160 MB/s; a
 * slow reader's window stays small, and nobody makes us hold more than about
 * two windows.  Where the path is short a larger window only hurts: sshd reads
 * ahead from its side as far as the window goes, into one buffer that it copies
 * as it grows (measured: 4 times its work at 16 MiB).
 *
 * Sending.  libssh would queue without bound, so nothing is given to it while
 * bytes of ours still wait for the socket; who is refused waits in `writers`.
 */
#include "transport/ssh_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <libssh/server.h>

#include "base/log.h"
#include "transport/ssh_text.h"

#define WINDOW_FIRST ((size_t)1280 * 1024)
#define WINDOW_MAX ((size_t)16 * 1024 * 1024)
#define WINDOWS_MAX ((size_t)512 * 1024 * 1024)	/* above the first, of all dials */
#define WINDOW_PER_US 40u	/* bytes for each microsecond of round trip */
#define LONG_PATH_US 3000
#define SCRATCH_LEN ((size_t)512 * 1024)
#define WRITE_MAX ((size_t)256 * 1024)
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
	s->scratch = malloc(SCRATCH_LEN);
	return s->scratch == NULL ? SW_ERR_NOMEM : SW_OK;
}

static void
queue(struct dial *d)
{
	if (d->t == NULL)		/* just arrived: seen in process */
		return;
	if (!d->queued) {
		d->queued = true;
		LIST_APPEND(&d->t->dials.ready, d, ready);
	}
	ssh_tunnel_schedule(d->t);
}

static void
stop_waiting(struct dial *d)
{
	if (d->waiting)
		LIST_DROP(&d->t->dials.writers, d, wait);
	d->waiting = false;
}

/* ---- what libssh tells: note it, no more ---- */

static int
on_data(ssh_session s, ssh_channel ch, void *data, uint32_t len, int is_stderr,
    void *arg)
{
	struct dial *d = arg;

	(void)s;
	(void)ch;
	(void)data;
	if (is_stderr)
		return (int)len;	/* a command's complaints are dropped */
	d->avail = len;
	queue(d);
	return 0;
}

static void
on_eof(ssh_session s, ssh_channel ch, void *arg)
{
	struct dial *d = arg;

	(void)s;
	(void)ch;
	d->got_eof = true;
	queue(d);
}

static void
on_close(ssh_session s, ssh_channel ch, void *arg)
{
	struct dial *d = arg;

	(void)s;
	(void)ch;
	d->got_close = true;
	queue(d);
}

static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static struct dial *
dial_new(struct ssh_tunnel *t, const struct dial_events *ev, void *arg)
{
	struct dial *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->t = t;
	d->ev = ev;
	d->arg = arg;
	d->window = WINDOW_FIRST;
	d->mark_us = now_us();
	ssh_callbacks_init(&d->cb);
	d->cb.userdata = d;
	d->cb.channel_data_function = on_data;
	d->cb.channel_eof_function = on_eof;
	d->cb.channel_close_function = on_close;
	return d;
}

static void
dial_free(struct dial *d)
{
	free(d->command);
	free(d->held);
	free(d);
}

void
ssh_dials_wipe(struct ssh_dials *s)
{
	struct dial *d;

	while ((d = LIST_FIRST(&s->pending)) != NULL) {
		LIST_DROP(&s->pending, d, link);
		dial_free(d);
	}
	while ((d = LIST_FIRST(&s->open)) != NULL) {
		LIST_DROP(&s->open, d, link);
		dial_free(d);
	}
	free(s->scratch);
	s->scratch = NULL;
}

/* Send EOF and close, and let libssh forget the channel when the server has
 * closed it as well.  One that never was open has no number at the server, and
 * is only to be forgotten. */
static void
channel_end(struct dial *d, bool was_open)
{
	if (d->ch == NULL)
		return;
	(void)ssh_remove_channel_callbacks(d->ch, &d->cb);
	if (was_open && ssh_channel_close(d->ch) != SSH_OK)
		(void)ssh_channel_close(d->ch);
	ssh_channel_free(d->ch);
	d->ch = NULL;
}

static bool
hold(struct dial *d, const uint8_t *buf, size_t len)
{
	if ((d->held = malloc(len)) == NULL)
		return false;
	if (buf != NULL)
		memcpy(d->held, buf, len);
	d->held_at = 0;
	d->held_len = len;
	return true;
}

/* ---- opening ---- */

/* Ask libssh again; it sends only the first time. */
static int
open_step(struct dial *d, const struct dial_target *to)
{
	if (d->command != NULL)
		return ssh_channel_open_session(d->ch);
	return ssh_channel_open_forward(d->ch, to != NULL ? to->host : "",
	    to != NULL ? to->port : 0, ORIGINATOR, 0);
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
	if ((d = dial_new(t, ev, arg)) == NULL)
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
grow(struct dial *d, size_t window)
{
	struct ssh_dials *s = &d->t->dials;
	size_t more;

	if (window > WINDOW_MAX)
		window = WINDOW_MAX;
	if (window <= d->window || window - d->window > WINDOWS_MAX - s->windows)
		return;
	more = window - d->window;
	s->windows += more;
	d->window = window;
	d->since = window;		/* to be granted with the next read */
}

/* The first window at once: with the library's own 64 KB, an answer of more
 * than that would wait for another round trip.  On a short path that wait is
 * less than what another message costs. */
static void
widen(struct dial *d)
{
	uint8_t *to = d->t->dials.scratch;
	int got;

	grow(d, (size_t)d->t->live->rtt_us * WINDOW_PER_US);
	got = ssh_channel_read_timeout(d->ch, to, (uint32_t)d->window, 0, 0);
	if (got <= 0)
		return;
	/* It also reads, should anything be there by now: not more than the
	 * library's own first window, so it fits. */
	d->avail = d->avail > (size_t)got ? d->avail - (size_t)got : 0;
	if (!hold(d, to, (size_t)got))
		d->got_close = true;
	queue(d);
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
	channel_end(d, d->state == DIAL_REQUESTING);
	LIST_APPEND(&d->t->dials.open, d, link);
	d->t->dials.nopen++;
	d->state = DIAL_ENDED;
	queue(d);
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
		queue(d);
		return;
	}
	t->dials.opened++;
	d->state = DIAL_OPEN;
	took_us = now_us() - d->mark_us;
	if (t->live->rtt_us == 0 || took_us < t->live->rtt_us)
		t->live->rtt_us = took_us;
	d->mark_us += took_us;
	if (t->live->rtt_us >= LONG_PATH_US)
		widen(d);
	d->ev->opened(d->arg);
	if (d->avail > 0 || d->got_eof || d->got_close)
		queue(d);		/* does nothing if it was aborted */
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

/* ---- receiving ---- */

/* Offer bytes; false when the user has had enough (or is gone). */
static bool
give(struct dial *d, const uint8_t *buf, size_t len, size_t *taken)
{
	*taken = d->ev->data(d->arg, buf, len);
	assert(*taken <= len);
	d->streak += *taken;
	d->choosy = *taken < len;
	if (*taken == len)
		return d->ev != NULL;
	d->paused = true;
	return false;
}

/* Bytes that we hold already.  True when none are left. */
static bool
give_held(struct dial *d)
{
	size_t n;

	if (d->held == NULL)
		return true;
	(void)give(d, d->held + d->held_at, d->held_len - d->held_at, &n);
	d->held_at += n;
	if (d->held_at < d->held_len)
		return false;
	free(d->held);
	d->held = NULL;
	return d->ev != NULL;
}

/*
 * How much to ask libssh for: what is there, or a whole window, which makes it
 * top up what it granted to that, what is there included.  A quarter is read
 * first, so that this stays rare.
 */
static uint32_t
read_count(struct dial *d, size_t here)
{
	if (d->streak >= d->window) {
		int64_t now = now_us();

		if (now - d->mark_us < 3 * d->t->live->rtt_us)
			grow(d, d->window * 4);
		d->streak = 0;
		d->mark_us = now;
	}
	if (d->window == WINDOW_FIRST || d->since < d->window / 4 ||
	    here > d->window)
		return (uint32_t)here;	/* libssh's own refill does */
	d->since = 0;
	return (uint32_t)d->window;
}

/* One read from libssh.  True when there may be more to do. */
static bool
take(struct dial *d)
{
	uint8_t *to = d->t->dials.scratch;
	size_t here = d->avail, n;
	int got;

	/* Too much is taken out whole (see the rules in ssh_private.h); and who
	 * took but a part the last time will again: no need to copy twice. */
	if (here > SCRATCH_LEN || d->choosy) {
		if (!hold(d, NULL, here))
			return false;
		to = d->held;
	}
	got = ssh_channel_read_timeout(d->ch, to, read_count(d, here), 0, 0);
	if (got <= 0) {
		d->avail = 0;
		free(d->held);
		d->held = NULL;
		return false;
	}
	d->avail = here > (size_t)got ? here - (size_t)got : 0;
	d->since += (size_t)got;
	if (d->held != NULL) {
		d->held_len = (size_t)got;
		return true;
	}
	if (give(d, to, (size_t)got, &n))
		return true;
	if (n < (size_t)got && d->ev != NULL &&
	    !hold(d, to + n, (size_t)got - n)) {
		log_err("ssh: out of memory, a stream is cut");
		d->got_eof = false;	/* and is not to look complete */
		d->got_close = true;
		d->paused = false;
	}
	return false;
}

static void
end(struct dial *d, int err)
{
	const struct dial_events *ev = d->ev;

	stop_waiting(d);
	d->state = DIAL_ENDED;
	d->ev = NULL;
	queue(d);
	if (ev != NULL)
		ev->closed(d->arg, err);
}

static void
deliver(struct dial *d)
{
	if (d->ev == NULL || d->paused)
		return;
	while (give_held(d) && d->avail > 0)
		if (!take(d))
			break;
	if (d->ev == NULL || d->paused || d->held != NULL || d->avail > 0)
		return;
	if (d->got_eof && !d->told_eof) {
		d->told_eof = true;
		d->ev->eof(d->arg);
	}
	if (d->ev != NULL && d->got_close)
		end(d, d->got_eof && d->sent_eof ? SW_OK : SW_ERR_RESET);
}

static void
reap(struct dial *d)
{
	stop_waiting(d);
	channel_end(d, true);
	d->t->dials.windows -= d->window - WINDOW_FIRST;
	LIST_DROP(&d->t->dials.open, d, link);
	d->t->dials.nopen--;
	dial_free(d);
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
			deliver(d);
		if (d->state == DIAL_ENDED && !d->queued)
			reap(d);
	}
}

/* ---- sending ---- */

static void
wait_to_write(struct dial *d)
{
	if (!d->waiting)
		LIST_APPEND(&d->t->dials.writers, d, wait);
	d->waiting = true;
}

static size_t
op_write(struct dial *d, const uint8_t *buf, size_t len)
{
	struct ssh_tunnel *t = d->t;
	size_t n = len > WRITE_MAX ? WRITE_MAX : len;
	uint64_t before;
	size_t window;
	int r;

	if (d->state != DIAL_OPEN || d->sent_eof || d->got_close || t->broken ||
	    t->live == NULL || len == 0)
		return 0;
	window = ssh_channel_window_size(d->ch);
	if (n > window)
		n = window;
	if (n == 0 || ssh_tunnel_is_clogged(t)) {
		wait_to_write(d);
		/* Serving makes sure that room is waited for. */
		if ((t->wire_events & EPOLLOUT) == 0 || ssh_dial_is_behind(t))
			ssh_tunnel_schedule(t);
		return 0;
	}
	ssh_live_enter(t->live);
	before = t->live->wire.in_bytes;
	r = ssh_channel_write(d->ch, buf, (uint32_t)n);
	if (r < 0) {			/* closed or broken: process finds out */
		ssh_tunnel_schedule(t);
		return 0;
	}
	if ((size_t)r < len)
		wait_to_write(d);
	/* Nothing at all: keys are being exchanged.  More input will tell. */
	if (r > 0 || t->live->wire.in_bytes != before)
		ssh_tunnel_schedule(t);
	return (size_t)r;
}

static void
process_writers(struct ssh_tunnel *t)
{
	struct dial *d;
	size_t n = 0;

	LIST_EACH(d, &t->dials.writers, wait)
		n++;
	/* Always the first: who asks again, or has no window yet, goes to the
	 * end, so everybody has a turn and the list may change under us. */
	while (n-- > 0 && (d = LIST_FIRST(&t->dials.writers)) != NULL) {
		if (t->broken || ssh_tunnel_is_clogged(t))
			break;
		stop_waiting(d);
		if (ssh_channel_window_size(d->ch) == 0)
			wait_to_write(d);
		else if (d->ev != NULL)
			d->ev->writable(d->arg);
	}
}

static void
op_shutdown(struct dial *d)
{
	if (d->state != DIAL_OPEN || d->sent_eof || d->t->live == NULL)
		return;
	d->sent_eof = true;
	stop_waiting(d);
	ssh_live_enter(d->t->live);
	(void)ssh_channel_send_eof(d->ch);
	queue(d);
}

static void
op_resume(struct dial *d)
{
	if (!d->paused)
		return;
	d->paused = false;
	queue(d);
}

static void
op_abort(struct dial *d)
{
	d->ev = NULL;
	stop_waiting(d);
	if (d->state != DIAL_OPEN)
		return;			/* a zombie until it is answered */
	d->state = DIAL_ENDED;
	queue(d);
}

const struct dialer_ops ssh_tunnel_dialer_ops = {
	.open = op_open,
	.write = op_write,
	.shutdown = op_shutdown,
	.resume = op_resume,
	.abort = op_abort,
};

/* ---- connections that come to us ---- */

/* Accepted at once, so that its bytes and ends find a listener; the user hears
 * of it from process. */
int
ssh_dial_on_message(ssh_session session, ssh_message m, void *arg)
{
	struct ssh_live *v = arg;
	struct ssh_arrival *a;
	const char *from;

	(void)session;
	if (ssh_message_type(m) != SSH_REQUEST_CHANNEL_OPEN ||
	    ssh_message_subtype(m) != SSH_CHANNEL_FORWARDED_TCPIP)
		return 1;		/* refused by libssh */
	if ((a = calloc(1, sizeof(*a))) == NULL ||
	    (a->d = dial_new(NULL, NULL, NULL)) == NULL) {
		free(a);
		return 1;
	}
	from = ssh_message_channel_request_open_originator(m);
	snprintf(a->from, sizeof(a->from), "%s", from != NULL ? from : "");
	a->port = (uint16_t)ssh_message_channel_request_open_destination_port(m);
	a->from_port =
	    (uint16_t)ssh_message_channel_request_open_originator_port(m);
	a->d->ch = ssh_message_channel_request_open_reply_accept(m);
	if (a->d->ch == NULL) {
		dial_free(a->d);
		free(a);
		return 0;
	}
	a->d->id = ++v->last_id;
	a->d->state = DIAL_OPEN;
	(void)ssh_set_channel_callbacks(a->d->ch, &a->d->cb);
	LIST_APPEND(&v->arrivals, a, next);
	return 0;
}

void
ssh_dial_drop_arrivals(struct ssh_live *v)
{
	struct ssh_arrival *a;

	while ((a = LIST_FIRST(&v->arrivals)) != NULL) {
		LIST_DROP(&v->arrivals, a, next);
		dial_free(a->d);
		free(a);
	}
}

void
ssh_tunnel_adopt(struct dial *d, const struct dial_events *ev, void *arg)
{
	d->ev = ev;
	d->arg = arg;
	queue(d);
}

static void
process_arrivals(struct ssh_tunnel *t)
{
	struct ssh_arrival *a;

	while ((a = LIST_FIRST(&t->live->arrivals)) != NULL) {
		struct dial *d = a->d;

		LIST_DROP(&t->live->arrivals, a, next);
		d->t = t;
		LIST_APPEND(&t->dials.open, d, link);
		t->dials.nopen++;
		t->dials.opened++;
		if (t->ev->inbound != NULL)
			t->ev->inbound(t->arg, a->port, a->from, a->from_port,
			    d);
		else
			op_abort(d);
		free(a);
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
		process_arrivals(t);
		if (!LIST_IS_EMPTY(&t->dials.writers))
			process_writers(t);
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
			end(d, SW_ERR_RESET);
	LIST_INIT(&s->ready);		/* it held none but those */
	while ((d = LIST_FIRST(&s->open)) != NULL)
		reap(d);
}
