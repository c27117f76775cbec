/*
 * Data on channels (RFC 4254, 5.2), and what holds it back.
 *
 * Towards us: a channel begins with SERVE_WINDOW_FIRST; each time a client has
 * used up most of its window and we have none of it left to pass on, the window
 * holds it back and is doubled, as far as the budget of the process goes.  What
 * is granted we must be ready to hold, so that budget bounds our memory.  A
 * client that sends more than was granted is thrown out.
 */
#include "transport/serve_ssh_private.h"

/* ---- towards us ---- */

bool
serve_chan_take_data(struct serve_chan *c, struct rbuf *r, bool extended)
{
	struct serve_bytes b;
	uint32_t kind;

	if ((extended && wire_get_u32be(r, &kind) != SW_OK) ||
	    serve_get_string(r, &b) != SW_OK || b.len > SERVE_DATA_MAX)
		return false;
	if (b.len > c->window || c->got_eof)
		return false;
	c->window -= (uint32_t)b.len;
	c->unread += (uint32_t)b.len;
	if (extended || c->arg == NULL)
		serve_chan_took(c, b.len);	/* for nobody */
	else if (b.len > 0)
		c->s->ev->data(c->arg, b.p, b.len);
	return true;
}

/* The window was all that held the client back: double it. */
static void
grow(struct serve_chan *c)
{
	struct serve_budget *all = c->s->cfg->budget;

	if (c->window >= c->aim / 2 || c->unread > c->aim / 4 ||
	    c->aim >= c->s->cfg->window_max || c->aim > all->max - all->used)
		return;
	all->used += c->aim;
	c->aim *= 2;
}

void
serve_chan_took(struct serve_chan *c, size_t n)
{
	uint32_t more;
	struct wbuf w;

	assert(n <= c->unread);
	c->unread -= (uint32_t)n;
	if (c->got_eof || c->sent_close || c->window + c->unread > c->aim)
		return;
	more = c->aim - c->window - c->unread;
	if (more < c->aim / 4)
		return;
	grow(c);
	more = c->aim - c->window - c->unread;
	w = serve_packet_begin(c->s, MSG_CHANNEL_WINDOW_ADJUST, 8);
	add_u32(&w, c->peer);
	add_u32(&w, more);
	serve_packet_end(c->s, &w);
	c->window += more;
}

/* ---- towards the client ---- */

void
serve_chan_stop_waiting(struct serve_chan *c)
{
	if (c->waiting)
		LIST_DROP(&c->s->waiting, c, wait);
	c->waiting = false;
}

/* What the client and the moment allow, whatever waits already. */
static size_t
may_send(const struct serve_chan *c)
{
	if (c->state != CHAN_OPEN || c->sent_eof || c->sent_close ||
	    c->s->over || serve_kex_holds(c->s) || c->peer_max == 0)
		return 0;
	return c->peer_window;
}

static void
wait_for_room(struct serve_chan *c)
{
	if (!c->waiting)
		LIST_APPEND(&c->s->waiting, c, wait);
	c->waiting = true;
}

size_t
serve_chan_room(struct serve_chan *c)
{
	size_t full = serve_packet_pending(c->s), room = may_send(c);

	if (full >= SERVE_OUT_FULL)
		room = 0;
	else if (room > SERVE_OUT_FULL - full)
		room = SERVE_OUT_FULL - full;
	if (room == 0)
		wait_for_room(c);
	return room;
}

size_t
serve_chan_write(struct serve_chan *c, const uint8_t *p, size_t len)
{
	size_t done = 0, room;

	while (done < len && (room = may_send(c)) > 0) {
		size_t n = len - done < room ? len - done : room;
		struct wbuf w;

		if (n > SERVE_DATA_MAX)
			n = SERVE_DATA_MAX;
		if (n > c->peer_max)
			n = c->peer_max;
		w = serve_packet_begin(c->s, MSG_CHANNEL_DATA, 8 + n);
		add_u32(&w, c->peer);
		add_string(&w, p + done, n);
		serve_packet_end(c->s, &w);
		c->peer_window -= (uint32_t)n;
		done += n;
	}
	if (done < len)
		wait_for_room(c);
	return done;
}

bool
serve_chan_take_adjust(struct serve_chan *c, struct rbuf *r)
{
	uint32_t more;

	if (wire_get_u32be(r, &more) != SW_OK ||
	    more > UINT32_MAX - c->peer_window)
		return false;
	c->peer_window += more;
	if (c->waiting && c->arg != NULL && !serve_kex_holds(c->s) &&
	    !serve_ssh_is_full(c->s)) {
		serve_chan_stop_waiting(c);
		c->s->ev->writable(c->arg);
	}
	return true;
}

void
serve_chan_wake(struct serve_ssh *s)
{
	struct serve_chan *c;
	size_t n = 0;

	LIST_EACH(c, &s->waiting, wait)
		n++;
	/* Who waits again goes to the end: everybody has a turn. */
	while (n-- > 0 && (c = LIST_FIRST(&s->waiting)) != NULL &&
	    !serve_ssh_is_full(s) && !serve_kex_holds(s)) {
		serve_chan_stop_waiting(c);
		if (c->peer_window == 0)
			(void)serve_chan_room(c);
		else if (c->arg != NULL)
			s->ev->writable(c->arg);
	}
}
