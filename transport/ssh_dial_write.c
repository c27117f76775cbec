/*
 * From the user to the server.  libssh would queue without bound, so nothing is
 * given to it while bytes of ours still wait for the socket; who is refused
 * waits in `writers`.
 */
#include "transport/ssh_dial_private.h"

#define WRITE_MAX ((size_t)256 * 1024)

static void
wait_to_write(struct dial *d)
{
	if (!d->waiting)
		LIST_APPEND(&d->t->dials.writers, d, wait);
	d->waiting = true;
}

size_t
ssh_dial_write(struct dial *d, const uint8_t *buf, size_t len)
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

void
ssh_dial_process_writers(struct ssh_tunnel *t)
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
		ssh_dial_stop_waiting(d);
		if (ssh_channel_window_size(d->ch) == 0)
			wait_to_write(d);
		else if (d->ev != NULL)
			d->ev->writable(d->arg);
	}
}

void
ssh_dial_shutdown(struct dial *d)
{
	if (d->state != DIAL_OPEN || d->sent_eof || d->t->live == NULL)
		return;
	d->sent_eof = true;
	ssh_dial_stop_waiting(d);
	ssh_live_enter(d->t->live);
	(void)ssh_channel_send_eof(d->ch);
	ssh_dial_queue(d);
}

void
ssh_dial_resume(struct dial *d)
{
	if (!d->paused)
		return;
	d->paused = false;
	ssh_dial_queue(d);
}

void
ssh_dial_abort(struct dial *d)
{
	d->ev = NULL;
	ssh_dial_stop_waiting(d);
	if (d->state != DIAL_OPEN)
		return;			/* a zombie until it is answered */
	d->state = DIAL_ENDED;
	ssh_dial_queue(d);
}
