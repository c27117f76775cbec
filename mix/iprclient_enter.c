/*
 * Being let in.  Each try is a stream of its own.  The exit serves the one
 * that it heard of last, so an answer to an earlier one does not let us in.
 */
#include "mix/iprclient_priv.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define FIRST_SURBS 20			/* ten of them are the exit's reserve */

static uint8_t
version_of_try(const struct iprclient *c)
{
	static const uint8_t order[] = { IPRMSG_V9, IPRMSG_V9, IPRMSG_V10,
	    IPRMSG_V8 };
	unsigned i = c->tries;

	if (c->cfg.version != 0)
		return c->cfg.version;
	if (c->found != 0)
		return c->found;
	if (c->cfg.likely != 0 && i-- == 0)
		return c->cfg.likely;
	return order[i % sizeof(order)];
}

void
iprclient_try(struct iprclient *c, int64_t now_ms)
{
	struct iprmsg_request q;
	int r;

	if (c->tries == IPRCLIENT_TRIES) {
		c->state = IPRCLIENT_DOWN;
		c->try_ms = SW_NEVER;
		c->cfg.events->down(c->cfg.arg, SW_ERR_TIMEOUT);
		return;
	}
	c->version = version_of_try(c);
	q = iprclient_control(c, IPRMSG_CONNECT);
	rng_fill(c->cfg.rng, &c->stream, sizeof(c->stream));
	c->seq = 0;
	c->attempt[c->tries++] = (struct iprclient_attempt){ c->stream, q.id,
	    now_ms, c->version };
	c->try_ms = now_ms + IPRCLIENT_TRY_MS;
	if ((r = iprclient_say(c, &q, FIRST_SURBS)) != SW_OK && r != SW_AGAIN)
		log_debug("iprclient: cannot ask: %s", sw_strerror(r));
}

static void
begin(struct iprclient *c, bool again, int64_t now_ms)
{
	c->state = IPRCLIENT_CONNECTING;
	c->again = again;
	c->tries = 0;
	c->found = 0;
	iprclient_try(c, now_ms);
}

void
iprclient_start(struct iprclient *c, int64_t now_ms)
{
	begin(c, false, now_ms);
}

void
iprclient_ask_again(struct iprclient *c, int64_t now_ms)
{
	c->bundle_len = 0;
	begin(c, true, now_ms);
}

/* The exit let us in: for the first time, or anew.  One that still knew us
 * gave us the same addresses, and nobody need hear of it. */
static void
enter(struct iprclient *c, const struct iprmsg_response *a)
{
	bool same = c->again && memcmp(c->self4, a->ip4, 4) == 0;
	bool changed = c->again && !same;

	iprsurbs_note_entry(&c->surbs, c->again, FIRST_SURBS);
	c->state = IPRCLIENT_UP;
	c->again = false;
	c->alive_ms = c->now_ms;
	c->spoke_ms = 0;
	memcpy(c->self4, a->ip4, sizeof(c->self4));
	if (changed)
		c->cfg.events->down(c->cfg.arg, SW_ERR_CLOSED);
	if (!same && c->state == IPRCLIENT_UP)
		c->cfg.events->up(c->cfg.arg, a->ip4, a->ip6,
		    a->mtu != 0 ? a->mtu : IPRMSG_MTU);
}

static bool
is_framed(const struct iprclient_attempt *t)
{
	return t->version >= IPRMSG_V9;
}

static void
use_attempt(struct iprclient *c, unsigned k)
{
	c->entered = k;
	c->stream = c->attempt[k].stream;
	c->version = c->attempt[k].version;
	/* The exit has heard nothing since, and counts from there. */
	c->sent_ms = c->attempt[k].sent_ms;
}

/* Has another request of this one's version followed it? */
static bool
was_repeated(const struct iprclient *c, unsigned k)
{
	for (unsigned i = k + 1; i < c->tries; i++)
		if (c->attempt[i].version == c->attempt[k].version)
			return true;
	return false;
}

/*
 * An answer may take longer than our patience.  It is then one to an earlier
 * try: the exit speaks that version, and will answer the later tries of it as
 * well.  Of those of other versions, an exit ignores what it does not speak,
 * and answers one without frames by keeping the session that has them.
 */
void
iprclient_take_connected(struct iprclient *c, const struct iprmsg_response *a)
{
	unsigned k = 0;

	while (k < c->tries && c->attempt[k].request != a->id)
		k++;
	if (k == c->tries || (c->state != IPRCLIENT_CONNECTING &&
	    c->state != IPRCLIENT_UP))
		return;
	if (a->reason != IPRMSG_SUCCESS) {
		if (c->state == IPRCLIENT_UP || k != c->tries - 1)
			return;
		c->try_ms = SW_NEVER;
		c->state = IPRCLIENT_DOWN;
		c->cfg.events->down(c->cfg.arg, SW_ERR_REFUSED);
		return;
	}
	if (c->state == IPRCLIENT_UP) {
		if (!is_framed(&c->attempt[k]) || (k < c->entered &&
		    is_framed(&c->attempt[c->entered])))
			return;
		c->again = true;	/* if addresses change, that is news */
	} else if (was_repeated(c, k)) {
		c->found = c->attempt[k].version;
		c->try_ms = c->now_ms + INT64_C(4) * IPRCLIENT_TRY_MS;
		return;
	}
	c->try_ms = SW_NEVER;
	use_attempt(c, k);
	enter(c, a);
}

/* The attempt whose stream this is; c->tries when it is none of ours. */
static unsigned
find_stream(const struct iprclient *c, uint64_t id)
{
	unsigned k = 0;

	while (k < c->tries && c->attempt[k].stream != id)
		k++;
	return k;
}

bool
iprclient_is_ours(const struct iprclient *c, uint64_t stream)
{
	return find_stream(c, stream) < c->tries;
}

bool
iprclient_is_current(struct iprclient *c, bool framed,
    const struct iprmsg_stream *s, const struct iprmsg_response *a)
{
	/* An exit that let us in without frames, and still has a session with
	 * them, sends by that. */
	if (framed && c->state == IPRCLIENT_UP && c->version < IPRMSG_V9 &&
	    a->kind == IPRMSG_DATA)
		use_attempt(c, find_stream(c, s->id));
	return framed == (c->version >= IPRMSG_V9) &&
	    (!framed || s->id == c->stream) && a->version == c->version;
}
