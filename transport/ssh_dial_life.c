/*
 * One dial as an object: made, told by libssh, ended.  The callbacks only note
 * what happened; ssh_dial.c acts on it.
 */
#include "transport/ssh_dial_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/container.h"

#define BLOCK_LARGE ((size_t)512 * 1024)	/* bytes */
#define BLOCKS_SPARE 6

void
ssh_dial_queue(struct dial *d)
{
	if (d->t == NULL)		/* just arrived: seen in process */
		return;
	if (!d->queued) {
		d->queued = true;
		LIST_APPEND(&d->t->dials.ready, d, ready);
	}
	ssh_tunnel_schedule(d->t);
}

void
ssh_dial_stop_waiting(struct dial *d)
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
	d->avail = len;			/* of this and of what came before */
	/* The library takes what comes, however little it has granted. */
	if (len > 2 * d->window && d->t != NULL)
		ssh_tunnel_break(d->t, "it sent more than it was allowed to");
	ssh_dial_queue(d);
	return 0;
}

static void
on_eof(ssh_session s, ssh_channel ch, void *arg)
{
	struct dial *d = arg;

	(void)s;
	(void)ch;
	d->got_eof = true;
	ssh_dial_queue(d);
}

static void
on_close(ssh_session s, ssh_channel ch, void *arg)
{
	struct dial *d = arg;

	(void)s;
	(void)ch;
	d->got_close = true;
	ssh_dial_queue(d);
}

/* ---- made and unmade ---- */

int64_t
ssh_dial_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

struct dial *
ssh_dial_new(struct ssh_tunnel *t, const struct dial_events *ev, void *arg)
{
	struct dial *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->t = t;
	d->ev = ev;
	d->arg = arg;
	d->window = SSH_DIAL_WINDOW_FIRST;
	d->mark_us = ssh_dial_now_us();
	ssh_callbacks_init(&d->cb);
	d->cb.userdata = d;
	d->cb.channel_data_function = on_data;
	d->cb.channel_eof_function = on_eof;
	d->cb.channel_close_function = on_close;
	return d;
}

void
ssh_dial_free(struct dial *d)
{
	free(d->command);
	ssh_dial_let_go(d);
	free(d);
}

void
ssh_dial_end_channel(struct dial *d, bool was_open)
{
	if (d->ch == NULL)
		return;
	(void)ssh_remove_channel_callbacks(d->ch, &d->cb);
	if (was_open && ssh_channel_close(d->ch) != SSH_OK)
		(void)ssh_channel_close(d->ch);
	ssh_channel_free(d->ch);
	d->ch = NULL;
}

/* Large blocks of one size, of the loop's thread.  A transfer uses a few, again
 * and again; taken from the kernel anew, their pages would cost it a tenth. */
static struct ssh_block *spare[BLOCKS_SPARE];
static unsigned spares;

static void
release(struct dial_block *lent)
{
	struct ssh_block *b = CONTAINER_OF(lent, struct ssh_block, lent);

	if (b->room == BLOCK_LARGE && spares < BLOCKS_SPARE)
		spare[spares++] = b;
	else
		free(b);
}

static struct ssh_block *
new_block(size_t len)
{
	size_t room = len >= BLOCK_LARGE / 4 && len <= BLOCK_LARGE ?
	    BLOCK_LARGE : len;
	struct ssh_block *b = room == BLOCK_LARGE && spares > 0 ?
	    spare[--spares] : malloc(sizeof(*b) + room);

	if (b == NULL)
		return NULL;
	b->lent = (struct dial_block){ .refs = 1, .release = release };
	b->room = room;
	return b;
}

bool
ssh_dial_hold(struct dial *d, const uint8_t *buf, size_t len)
{
	if ((d->held = new_block(len)) == NULL)
		return false;
	if (buf != NULL)
		memcpy(d->held->bytes, buf, len);
	d->held_at = 0;
	d->held_len = len;
	return true;
}

void
ssh_dial_let_go(struct dial *d)
{
	if (d->held != NULL)
		dial_block_unref(&d->held->lent);
	d->held = NULL;
}

/* libssh would forget us and keep the channel until the server closes it: how
 * many such there are is the server's choice.  So its own are counted until
 * then.  True: this one is. */
static bool
await_close(struct dial *d)
{
	if (!d->inbound || d->got_close || d->ch == NULL)
		return false;
	if (!d->closing)
		(void)ssh_channel_close(d->ch);
	d->closing = true;
	return true;
}

void
ssh_dial_reap(struct dial *d)
{
	struct ssh_live *v = d->t->live;
	size_t held = v != NULL ? v->gathered.held : 0;
	bool kept;

	ssh_dial_stop_waiting(d);
	kept = v != NULL && await_close(d);
	if (!kept)
		ssh_dial_end_channel(d, true);
	if (v != NULL)
		ssh_wire_excuse(&v->gathered, held);
	if (kept)
		return;
	if (v != NULL && d->inbound)
		v->ninbound--;
	d->t->dials.windows -= d->window - SSH_DIAL_WINDOW_FIRST;
	LIST_DROP(&d->t->dials.open, d, link);
	d->t->dials.nopen--;
	ssh_dial_free(d);
}
