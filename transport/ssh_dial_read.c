/*
 * From the server to the user.
 *
 * libssh buffers, and grants the server window as we read.  The window begins
 * at what 40 MB/s need, at least 1.25 MiB, and grows, to 16 MiB, with each
 * windowful that was taken within three round trips: then it is the window that
 * holds the server back.  A path of 100 ms so carries 160 MB/s; a slow reader's
 * window stays small, and nobody makes us hold more than about two windows.
 * Where the path is short a larger window only hurts: sshd reads ahead from its
 * side as far as the window goes, into one buffer that it copies as it grows
 * (measured: 4 times its work at 16 MiB).
 */
#include "transport/ssh_dial_private.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"

#define KEEP_MIN ((size_t)16 * 1024)	/* worth a block of its own */
#define WINDOW_MAX ((size_t)16 * 1024 * 1024)
#define WINDOWS_MAX ((size_t)512 * 1024 * 1024)	/* above the first, in all */
#define WINDOW_PER_US 40u	/* bytes for each microsecond of round trip */

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
void
ssh_dial_widen(struct dial *d)
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
	if (!ssh_dial_hold(d, to, (size_t)got))
		d->got_close = true;
	ssh_dial_queue(d);
}

/* Offer bytes, in `b` if that is not NULL; false when the user has had enough
 * (or is gone). */
static bool
give(struct dial *d, struct ssh_block *b, const uint8_t *buf, size_t len,
    size_t *taken)
{
	*taken = b != NULL && d->ev->data_kept != NULL ?
	    d->ev->data_kept(d->arg, &b->lent, buf, len) :
	    d->ev->data(d->arg, buf, len);
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
	(void)give(d, d->held, d->held->bytes + d->held_at,
	    d->held_len - d->held_at, &n);
	d->held_at += n;
	if (d->held_at < d->held_len)
		return false;
	ssh_dial_let_go(d);
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
		int64_t now = ssh_dial_now_us();

		if (now - d->mark_us < 3 * d->t->live->rtt_us)
			grow(d, d->window * 4);
		d->streak = 0;
		d->mark_us = now;
	}
	if (d->window == SSH_DIAL_WINDOW_FIRST || d->since < d->window / 4 ||
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

	/* Too much is taken out whole (see the rules in ssh_private.h); who took
	 * but a part the last time will again, and who can keep a block spares
	 * us, and itself, a copy. */
	if (here > SSH_DIAL_SCRATCH_LEN || d->choosy ||
	    (here >= KEEP_MIN && d->ev->data_kept != NULL)) {
		if (!ssh_dial_hold(d, NULL, here))
			return false;
		to = d->held->bytes;
	}
	got = ssh_channel_read_timeout(d->ch, to, read_count(d, here), 0, 0);
	if (got <= 0) {
		d->avail = 0;
		ssh_dial_let_go(d);
		return false;
	}
	d->avail = here > (size_t)got ? here - (size_t)got : 0;
	d->since += (size_t)got;
	if (d->held != NULL) {
		d->held_len = (size_t)got;
		return true;
	}
	if (give(d, NULL, to, (size_t)got, &n))
		return true;
	if (n < (size_t)got && d->ev != NULL &&
	    !ssh_dial_hold(d, to + n, (size_t)got - n)) {
		log_err("ssh: out of memory, a stream is cut");
		d->got_eof = false;	/* and is not to look complete */
		d->got_close = true;
		d->paused = false;
	}
	return false;
}

void
ssh_dial_end(struct dial *d, int err)
{
	const struct dial_events *ev = d->ev;

	ssh_dial_stop_waiting(d);
	d->state = DIAL_ENDED;
	d->ev = NULL;
	ssh_dial_queue(d);
	if (ev != NULL)
		ev->closed(d->arg, err);
}

void
ssh_dial_deliver(struct dial *d)
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
		ssh_dial_end(d, d->got_eof && d->sent_eof ? SW_OK : SW_ERR_RESET);
}
