/*
 * A hop whose two ends are on one loop: an owner that the session runs, and the
 * session's end of it.
 *
 * What one end sends is put into the other's queue and looked at later in the
 * turn or in the next, as if a socket lay between; so neither is ever called
 * from within the other's work, and both send in batches.
 */
#include "base/clock.h"
#include "base/container.h"
#include "base/sys.h"
#include "stack/arena.h"
#include "stack/link_priv.h"

#define IN_MAX ((size_t)256 * 1024)	/* bytes, then large packets wait */

size_t
link_near_waiting(const struct link *k)
{
	return k->peer != NULL ? k->peer->in.bytes : k->out.bytes;
}

bool
link_near_is_full(const struct link *k)
{
	return link_near_waiting(k) >= IN_MAX;
}

void
link_near_wake(struct link *k)
{
	if (!k->paused && !k->dead && !k->closed &&
	    (k->in.first != NULL || k->parted))
		loop_set_timer(k->loop, &k->soon, k->loop->now_ms);
}

/* Before there is another end, it waits for that. */
void
link_near_put(struct link *k, struct link_frame *f)
{
	bool first;

	if (k->peer == NULL) {
		link_enqueue(&k->out, f);
		return;
	}
	first = k->peer->in.first == NULL;
	link_enqueue(&k->peer->in, f);
	if (first)
		link_near_wake(k->peer);
}

/* The other end may send again what it was refused. */
void
link_near_tell_room(struct link *k)
{
	struct link *from = k->peer;

	if (from == NULL || !from->refused || k->in.first != NULL)
		return;
	from->refused = false;
	from->ev->writable(from->arg);
}

static void
look(struct loop_timer *t)
{
	struct link *k = CONTAINER_OF(t, struct link, soon);
	struct link_frame *f;

	k->busy = true;
	while (!k->closed && !k->dead && !k->paused &&
	    (f = link_dequeue(&k->in)) != NULL) {
		link_take(k, f);
		link_frame_unref(f);
	}
	if (k->parted && k->in.first == NULL && !k->closed && !k->paused)
		link_die(k);
	k->busy = false;
	if (k->closed)
		arena_put(k);
}

void
link_near_join(struct link *k, struct link *peer)
{
	struct link_frame *f;

	k->near = true;
	k->soon.fire = look;
	k->soon.at_ms = SW_NEVER;
	if (peer == NULL)
		return;
	k->peer = peer;
	peer->peer = k;
	while ((f = link_dequeue(&peer->out)) != NULL)
		link_near_put(peer, f);
}

void
link_near_part(struct link *k)
{
	struct link *peer = k->peer;

	if (peer == NULL)
		return;
	k->peer = peer->peer = NULL;
	peer->parted = true;
	peer->paused = false;		/* nothing more will come to wait */
	link_near_wake(peer);
}
