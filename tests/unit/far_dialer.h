/*
 * far_dialer.h - a dialer for tests of what stands on one.  All on the loop's
 * thread; far_turn() is to be a hook of the loop, and the loop to be run with
 * short waits.
 */
#ifndef SW_TESTS_FAR_DIALER_H
#define SW_TESTS_FAR_DIALER_H

#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "stack/dialer.h"

/*
 * A dialer whose far side echoes.  It takes at most `stride` bytes a turn, and
 * host names decide: "closed" is refused, "reset" breaks after the first byte,
 * "ends" says "bye" and ends, "silent" never answers, "down" is refused by open()
 * itself, the rest echo.
 */
struct dial {
	const struct dial_events *ev;
	void *arg;
	struct dial_target to;
	uint8_t held[8192];
	size_t n;
	bool opened, shut, eof_sent, starved;
	struct dial *next;
};

static struct dial *dials;
static struct dial *stepped;	/* NULL once its user has ended it */
static size_t stride, open_dials;
static struct dial *
far_open(struct dialer *dialer, const struct dial_target *to,
    const struct dial_events *ev, void *arg, int *err)
{
	struct dial *d = calloc(1, sizeof(*d));

	(void)dialer;
	*err = SW_ERR_DOWN;
	if (strcmp(to->host, "down") == 0) {
		free(d);
		return NULL;
	}
	d->ev = ev;
	d->arg = arg;
	d->to = *to;
	d->next = dials;
	dials = d;
	open_dials++;
	*err = SW_OK;
	return d;
}

static size_t
far_write(struct dial *d, const uint8_t *buf, size_t len)
{
	size_t room = sizeof(d->held) - d->n;
	size_t n = len < room ? len : room;

	n = n < stride ? n : stride;
	memcpy(d->held + d->n, buf, n);
	d->n += n;
	d->starved |= n < len;
	return n;
}

static void
far_shutdown(struct dial *d)
{
	d->shut = true;
}

static void
far_resume(struct dial *d)
{
	(void)d;
}

static void
far_abort(struct dial *d)
{
	struct dial **at = &dials;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	open_dials--;
	if (stepped == d)
		stepped = NULL;
	free(d);
}

static const struct dialer_ops far_ops = {
	.open = far_open, .write = far_write, .shutdown = far_shutdown,
	.resume = far_resume, .abort = far_abort,
};

static void
far_end(struct dial *d, void (*tell)(void *, int), int err)
{
	void *arg = d->arg;

	far_abort(d);
	tell(arg, err);
}

/* One step of one dial.  True when it did something. */
static bool
far_step(struct dial *d)
{
	size_t n;

	if (!d->opened && strcmp(d->to.host, "closed") == 0) {
		far_end(d, d->ev->failed, SW_ERR_REFUSED);
		return true;
	}
	if (!d->opened && strcmp(d->to.host, "silent") == 0)
		return false;
	if (!d->opened) {
		d->opened = true;
		if (strcmp(d->to.host, "ends") == 0) {
			memcpy(d->held, "bye", 3);
			d->n = 3;
			d->shut = true;
		}
		d->ev->opened(d->arg);
		return true;
	}
	if (d->n > 0 && strcmp(d->to.host, "reset") == 0) {
		far_end(d, d->ev->closed, SW_ERR_RESET);
		return true;
	}
	n = d->n == 0 ? 0 : d->ev->data(d->arg, d->held,
	    d->n < stride ? d->n : stride);
	if (stepped == NULL)
		return true;
	if (n > 0) {
		memmove(d->held, d->held + n, d->n - n);
		d->n -= n;
		if (d->starved) {
			d->starved = false;
			d->ev->writable(d->arg);
		}
		return true;
	}
	if (d->n == 0 && d->shut && !d->eof_sent) {
		d->eof_sent = true;
		d->ev->eof(d->arg);
		return true;
	}
	if (d->eof_sent) {
		far_end(d, d->ev->closed, SW_OK);
		return true;
	}
	return false;
}

static void
far_turn(struct loop_turn *t)
{
	(void)t;
	for (struct dial *d = dials; d != NULL; d = d->next) {
		stepped = d;
		if (far_step(d))
			return;		/* the list may have changed */
	}
}

#endif
