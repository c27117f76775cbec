#include "mix/iprclient.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mix/frag.h"
#include "mix/iprsent.h"
#include "mix/nymmsg.h"
#include "mix/nympkt.h"
#include "mix/nymseal.h"
#include "mix/topology.h"

#define FIRST_SURBS 20			/* ten of them are the exit's reserve */
#define QUEUE_PACKETS 48		/* fragments that may wait before AGAIN */
#define QUEUE_RESUME 16
#define SURB_MIN 100			/* at the exit, with nothing going on */
#define SURB_MAX 400			/* it stores 512 of ours at most */
#define SEQ_AHEAD_MAX 512
#define SURB_RIDE_MAX 3			/* on one message */
#define SURB_ALONE 10			/* in one message of their own */
#define RIDE_LEN REPLY_SURB_LEN(TOPOLOGY_LAYERS + 1)
#define WINDOW_MS 500			/* for the rate of replies */
#define STALL_MS 3000			/* we speak, and nothing comes back */
#define PROBE_MS 10000			/* between questions whether it lives */
#define DEAD_MS (IPRCLIENT_KEEPALIVE_MS + 3 * PROBE_MS)
#define QUIET_MS 5000			/* nothing since we spoke: ask, */
#define QUIET_PROBE_MS 2500		/* and again, */
#define QUIET_DEAD_MS 20000		/* and give up, if our packets are
					 * acknowledged where the exit is */
#define QUIET_ACKS 4
#define QUIET_MAX_MS 40000		/* or in any case */

enum { NEW, CONNECTING, UP, DOWN };

/* One request to be let in. */
struct attempt {
	uint64_t stream, request;
	int64_t sent_ms;
	uint8_t version;
};

struct iprclient {
	struct iprclient_config cfg;
	int state;
	unsigned tries;
	struct attempt attempt[IPRCLIENT_TRIES];
	unsigned entered;		/* the attempt that let us in */
	uint8_t found;			/* version that the exit answered; 0 */
	uint64_t stream;
	int64_t now_ms;			/* of the last tick */
	int64_t try_ms, sent_ms;
	int64_t alive_ms, probe_ms;	/* the exit's last word; our question */
	int64_t spoke_ms;		/* our first word since then; 0: none */
	uint64_t acked;			/* packets that had arrived by then */
	bool probing;			/* this bundle is to bring SURBs */
	uint32_t seq;
	size_t surb_target;
	uint64_t written_off;		/* SURBs that we count as lost */
	uint32_t seq_high, seq_got;	/* of the exit's: the highest, how many */
	size_t shunned;			/* mixes, when we looked last */
	int64_t window_ms, heard_ms;
	uint64_t window_replies, requests_seen;
	struct iprsent sent;		/* for what the exit refuses */
	size_t bundle_len;
	uint8_t bundle[IPRMSG_BUNDLE_MAX + 2 + IPRMSG_BUNDLE_MAX];
	uint8_t self4[4];
	uint8_t version;		/* of this try, or of the connection */
	bool blocked;
	bool heard;			/* something since the last tick */
	bool again;			/* we are up, and ask once more */
};

struct iprclient *
iprclient_new(const struct iprclient_config *cfg)
{
	struct iprclient *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->cfg = *cfg;
	c->surb_target = SURB_MIN;
	c->try_ms = SW_NEVER;
	return c;
}

void
iprclient_free(struct iprclient *c)
{
	free(c);
}

static int
say(struct iprclient *c, const struct iprmsg_request *q, unsigned surbs)
{
	uint8_t buf[IPRMSG_STREAM_HEAD_LEN + 64 + sizeof(c->bundle)];
	struct iprmsg_stream s = { .id = c->stream, .seq = c->seq };
	struct wbuf w = { buf, sizeof(buf) };
	int r;

	if ((c->version >= IPRMSG_V9 &&
	    (r = iprmsg_put_stream(&w, &s)) != SW_OK) ||
	    (r = iprmsg_put_request(&w, q)) != SW_OK ||
	    (r = mixclient_send(c->cfg.mix, &c->cfg.exit, surbs, buf,
	    sizeof(buf) - w.left)) != SW_OK)
		return r;
	c->seq++;
	return SW_OK;
}

static struct iprmsg_request
control(struct iprclient *c, enum iprmsg_kind kind)
{
	struct iprmsg_request q = { .version = c->version, .kind = kind };

	rng_fill(c->cfg.rng, &q.id, sizeof(q.id));
	q.time = iprmsg_time_of(c->cfg.unix_now(c->cfg.arg), 0);
	return q;
}

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

/* Each try is a stream of its own.  The exit serves the one that it heard of
 * last, so an answer to an earlier one does not let us in. */
static void
try_connect(struct iprclient *c, int64_t now_ms)
{
	struct iprmsg_request q;
	int r;

	c->version = version_of_try(c);
	q = control(c, IPRMSG_CONNECT);

	if (c->tries++ == IPRCLIENT_TRIES) {
		c->state = DOWN;
		c->try_ms = SW_NEVER;
		c->cfg.events->down(c->cfg.arg, SW_ERR_TIMEOUT);
		return;
	}
	rng_fill(c->cfg.rng, &c->stream, sizeof(c->stream));
	c->seq = 0;
	c->attempt[c->tries - 1] = (struct attempt){ c->stream, q.id, now_ms,
	    c->version };
	c->try_ms = now_ms + IPRCLIENT_TRY_MS;
	if ((r = say(c, &q, FIRST_SURBS)) != SW_OK && r != SW_AGAIN)
		log_debug("iprclient: cannot ask: %s", sw_strerror(r));
}

void
iprclient_start(struct iprclient *c, int64_t now_ms)
{
	c->state = CONNECTING;
	c->again = false;
	c->tries = 0;
	c->found = 0;
	try_connect(c, now_ms);
}

void
iprclient_relinked(struct iprclient *c, int64_t now_ms)
{
	if (c->spoke_ms != 0)
		c->spoke_ms = now_ms;
	if (c->state == UP)
		c->alive_ms = c->probe_ms = now_ms;
	c->acked = mixclient_stats(c->cfg.mix)->acked;
}

/* The exit has to let us in once more. */
static void
ask_again(struct iprclient *c, int64_t now_ms)
{
	c->again = true;
	c->state = CONNECTING;
	c->tries = 0;
	c->found = 0;
	c->bundle_len = 0;
	try_connect(c, now_ms);
}

void
iprclient_stop(struct iprclient *c)
{
	struct iprmsg_request q = control(c, IPRMSG_DISCONNECT);

	if (c->state == UP)
		(void)!say(c, &q, 0);
	c->state = DOWN;
}

static size_t
fragment_room(void)
{
	return nymseal_room(nympkt_plain_len(NYMPKT_REGULAR)) - FRAG_HEAD_LEN;
}

/* How many SURBs fit into the last packet of a message besides `n` bytes. */
static unsigned
surbs_that_fit(size_t n)
{
	size_t len = NYMMSG_REPLIABLE_HEAD_LEN + n + 1;
	size_t rest = fragment_room() - len % fragment_room();

	rest = rest == fragment_room() ? 0 : rest;
	return (unsigned)(rest / RIDE_LEN < SURB_RIDE_MAX ?
	    rest / RIDE_LEN : SURB_RIDE_MAX);
}

/* SURBs that the exit has, as far as we know: its numbers tell how many
 * answers were lost. */
static uint64_t
outstanding(struct iprclient *c)
{
	const struct mixclient_stats *s = mixclient_stats(c->cfg.mix);
	uint64_t out = s->reply_packets + c->written_off;

	if (c->seq_high > c->seq_got)
		out += c->seq_high - c->seq_got;

	return s->surbs_made > out ? s->surbs_made - out : 0;
}

/* What the exit has is lost, but for so many. */
static void
write_off(struct iprclient *c, uint64_t but)
{
	uint64_t n = outstanding(c);

	if (n > but)
		c->written_off += n - but;
}

/* A message with this number.  More than it can have SURBs for is a lie. */
static void
note_seq(struct iprclient *c, uint32_t seq)
{
	if (seq == 0 || (seq > c->seq_high &&
	    seq - c->seq_high > SEQ_AHEAD_MAX))
		return;
	c->seq_got++;
	if (seq > c->seq_high)
		c->seq_high = seq;
}

/* The target follows the rate of replies.  When the exit asks for more, it
 * has few: what we thought it had beyond was lost. */
static void
watch_surbs(struct iprclient *c, int64_t now_ms)
{
	const struct mixclient_stats *s = mixclient_stats(c->cfg.mix);
	uint64_t replies;

	if (s->surb_requests != c->requests_seen) {
		c->requests_seen = s->surb_requests;
		write_off(c, SURB_MIN);
	}
	/* Half of those that are out may lead by a mix that is dead. */
	if (mixclient_shunned(c->cfg.mix) > c->shunned)
		write_off(c, 0);
	c->shunned = mixclient_shunned(c->cfg.mix);
	if (now_ms - c->window_ms < WINDOW_MS)
		return;
	replies = s->reply_packets - c->window_replies;
	c->window_replies = s->reply_packets;
	c->window_ms = now_ms;
	if (replies > 0 || c->sent_ms < c->heard_ms) {
		c->heard_ms = now_ms;
	} else if (now_ms - c->heard_ms > STALL_MS) {
		/* Answers may have been lost with their SURBs, and an exit
		 * without any cannot ask. */
		write_off(c, outstanding(c) / 2);
		c->heard_ms = now_ms;
	}
	c->surb_target = SURB_MIN + 2 * replies;
	if (c->surb_target > SURB_MAX)
		c->surb_target = SURB_MAX;
}

static void
flush(struct iprclient *c, int64_t now_ms)
{
	struct iprmsg_request q = { .version = c->version,
	    .kind = IPRMSG_DATA, .bundle = c->bundle,
	    .bundle_len = c->bundle_len };
	unsigned fit, want;
	int r;

	if (c->bundle_len == 0)
		return;
	fit = surbs_that_fit(IPRMSG_STREAM_HEAD_LEN + IPRMSG_DATA_HEAD_MAX +
	    c->bundle_len);
	want = c->probing || outstanding(c) < c->surb_target ? fit : 0;
	if ((r = say(c, &q, want)) == SW_AGAIN)
		return;
	if (r != SW_OK)
		log_debug("iprclient: dropped a bundle: %s", sw_strerror(r));
	c->bundle_len = 0;
	c->sent_ms = now_ms;
	c->probing = false;
	if (c->spoke_ms == 0) {
		c->spoke_ms = now_ms;
		c->acked = mixclient_stats(c->cfg.mix)->acked;
	}
}

static bool
has_room(const struct iprclient *c, size_t limit)
{
	return mixclient_queued(c->cfg.mix) < limit &&
	    mixclient_room(c->cfg.mix) > QUEUE_PACKETS;
}

static int
put_packet(struct iprclient *c, const uint8_t *pkt, size_t len)
{
	struct wbuf w;

	if (c->state != UP && !(c->state == CONNECTING && c->again))
		return SW_ERR_DOWN;
	if (len + 2 > IPRMSG_BUNDLE_MAX)
		return SW_ERR_TOO_LONG;
	if (c->state == UP && c->bundle_len > 0 &&
	    c->bundle_len + len + 2 > IPRMSG_BUNDLE_MAX)
		flush(c, c->sent_ms);
	if (c->state != UP || c->bundle_len + len + 2 > IPRMSG_BUNDLE_MAX ||
	    !has_room(c, QUEUE_PACKETS)) {
		c->blocked = true;
		return SW_AGAIN;
	}
	w = (struct wbuf){ c->bundle + c->bundle_len,
	    sizeof(c->bundle) - c->bundle_len };
	if (iprmsg_put_packet(&w, pkt, len) != SW_OK)
		return SW_ERR_TOO_LONG;
	c->bundle_len += len + 2;
	return SW_OK;
}

int
iprclient_send(struct iprclient *c, const uint8_t *pkt, size_t len)
{
	int r = put_packet(c, pkt, len);

	if (r == SW_OK)
		iprsent_note(&c->sent, pkt, len);
	return r;
}

/* A small datagram, so that the exit remembers us: pings of the protocol do
 * not count there.  UDP to where no exit lets anybody go (240.0.0.1, port 9):
 * it refuses, and says so; but only to those it knows. */
static void
keep_alive(struct iprclient *c)
{
	uint8_t pkt[28] = { 0x45, 0, 0, 28, 0, 0, 0x40, 0, 64, 17, 0, 0,
	    c->self4[0], c->self4[1], c->self4[2], c->self4[3], 240, 0, 0, 1,
	    0, 9, 0, 9, 0, 8, 0, 0 };
	uint32_t sum = 0;

	for (size_t i = 0; i < 20; i += 2)
		sum += (uint32_t)pkt[i] << 8 | pkt[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	pkt[10] = (uint8_t)(sum >> 8);
	pkt[11] = (uint8_t)sum;
	(void)!put_packet(c, pkt, sizeof(pkt));
}

/* What we sent since its last word got to its gateway, and nothing came of
 * it; or there is no way to it. */
static bool
is_gone(const struct iprclient *c, int64_t now_ms)
{
	int64_t quiet_ms = c->spoke_ms != 0 ? now_ms - c->spoke_ms : 0;

	return now_ms - c->alive_ms >= DEAD_MS || quiet_ms >= QUIET_MAX_MS ||
	    (quiet_ms >= QUIET_DEAD_MS &&
	    mixclient_stats(c->cfg.mix)->acked - c->acked >= QUIET_ACKS);
}

/* When to ask whether it lives, in case nothing is said before. */
static int64_t
probe_at(const struct iprclient *c)
{
	int64_t at = c->alive_ms + IPRCLIENT_KEEPALIVE_MS, next;

	if (at < c->probe_ms + PROBE_MS)
		at = c->probe_ms + PROBE_MS;
	if (c->spoke_ms == 0)
		return at;
	next = c->spoke_ms + QUIET_MS;
	if (next < c->probe_ms + QUIET_PROBE_MS)
		next = c->probe_ms + QUIET_PROBE_MS;
	return next < at ? next : at;
}

/* Exits forget clients without a word.  One that remembers us answers what
 * keep_alive() sends; when none does, ask to be let in again. */
static void
watch_exit(struct iprclient *c, int64_t now_ms)
{
	if (is_gone(c, now_ms)) {
		log_debug("iprclient: the exit says nothing any more");
		ask_again(c, now_ms);
		return;
	}
	if (now_ms < probe_at(c) && (c->bundle_len > 0 ||
	    now_ms - c->sent_ms < IPRCLIENT_KEEPALIVE_MS))
		return;
	c->probe_ms = now_ms;
	c->probing = true;
	keep_alive(c);
}

static void
hand_up(struct iprclient *c, const uint8_t *p, size_t len)
{
	struct rbuf bundle = { p, len };
	const uint8_t *pkt;
	size_t n;

	while (c->state == UP &&
	    iprmsg_get_packet(&bundle, &pkt, &n) == SW_OK)
		if (n > 0 && !iprsent_is_told(&c->sent, pkt, n))
			c->cfg.events->packet(c->cfg.arg, pkt, n);
}

void
iprclient_tick(struct iprclient *c, int64_t now_ms)
{
	c->now_ms = now_ms;
	if (c->state == CONNECTING && now_ms >= c->try_ms)
		try_connect(c, now_ms);
	if (c->state != UP)
		return;
	if (c->alive_ms == 0)
		c->alive_ms = now_ms;
	if (c->sent_ms == 0)
		c->sent_ms = now_ms;
	if (c->heard) {
		c->heard = false;
		c->alive_ms = now_ms;
		c->spoke_ms = 0;
	}
	watch_surbs(c, now_ms);
	watch_exit(c, now_ms);
	/* While packets wait for their slots, later ones may still join. */
	if (mixclient_queued(c->cfg.mix) < 2)
		flush(c, now_ms);
	if (outstanding(c) < c->surb_target / 2 &&
	    has_room(c, QUEUE_RESUME))
		(void)!mixclient_give(c->cfg.mix, &c->cfg.exit, SURB_ALONE);
	/* Rather SURBs in the next slot than cover. */
	if (outstanding(c) < c->surb_target && mixclient_is_idle(c->cfg.mix))
		(void)!mixclient_give(c->cfg.mix, &c->cfg.exit, SURB_RIDE_MAX);
	if (c->blocked && has_room(c, QUEUE_RESUME) && c->bundle_len == 0) {
		c->blocked = false;
		c->cfg.events->writable(c->cfg.arg);
	}
}

int64_t
iprclient_deadline(const struct iprclient *c)
{
	if (c->state == CONNECTING)
		return c->try_ms;
	if (c->state == UP) {
		int64_t at = c->sent_ms + IPRCLIENT_KEEPALIVE_MS;
		int64_t probe = probe_at(c);

		return probe < at ? probe : at;
	}
	return SW_NEVER;
}

/* The exit let us in: for the first time, or anew.  One that still knew us
 * gave us the same addresses, and nobody need hear of it. */
static void
enter(struct iprclient *c, const struct iprmsg_response *a)
{
	bool same = c->again && memcmp(c->self4, a->ip4, 4) == 0;
	bool changed = c->again && !same;

	if (c->again)			/* it may be another life of it */
		write_off(c, FIRST_SURBS);
	c->seq_high = c->seq_got = 0;
	c->state = UP;
	c->again = false;
	c->alive_ms = c->now_ms;
	c->spoke_ms = 0;
	memcpy(c->self4, a->ip4, sizeof(c->self4));
	if (changed)
		c->cfg.events->down(c->cfg.arg, SW_ERR_CLOSED);
	if (!same && c->state == UP)
		c->cfg.events->up(c->cfg.arg, a->ip4, a->ip6,
		    a->mtu != 0 ? a->mtu : IPRMSG_MTU);
}

/* The exit's policy forbade one of our packets. */
static void
take_info(struct iprclient *c, const struct iprmsg_response *a)
{
	uint8_t error[IPFLOW_ERROR_MAX];
	size_t n;

	if (c->state != UP || a->reason != IPRMSG_POLICY)
		return;
	if ((n = iprsent_refuse(&c->sent, a->text, error)) > 0)
		c->cfg.events->packet(c->cfg.arg, error, n);
}

static bool
is_framed(const struct attempt *t)
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
static void
take_connected(struct iprclient *c, const struct iprmsg_response *a)
{
	unsigned k = 0;

	while (k < c->tries && c->attempt[k].request != a->id)
		k++;
	if (k == c->tries || (c->state != CONNECTING && c->state != UP))
		return;
	if (a->reason != IPRMSG_SUCCESS) {
		if (c->state == UP || k != c->tries - 1)
			return;
		c->try_ms = SW_NEVER;
		c->state = DOWN;
		c->cfg.events->down(c->cfg.arg, SW_ERR_REFUSED);
		return;
	}
	if (c->state == UP) {
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

/* Did this come on the stream, or without one, as we speak now? */
static bool
is_current(struct iprclient *c, bool framed, const struct iprmsg_stream *s,
    const struct iprmsg_response *a)
{
	/* An exit that let us in without frames, and still has a session with
	 * them, sends by that. */
	if (framed && c->state == UP && c->version < IPRMSG_V9 &&
	    a->kind == IPRMSG_DATA)
		use_attempt(c, find_stream(c, s->id));
	return framed == (c->version >= IPRMSG_V9) &&
	    (!framed || s->id == c->stream) && a->version == c->version;
}

void
iprclient_take(struct iprclient *c, const struct nymmsg *m)
{
	struct rbuf in = { m->data, m->data_len };
	struct iprmsg_stream s = { 0 };
	struct iprmsg_response a;
	bool framed;

	/* Only what came by our SURBs, on our streams. */
	if (m->kind != NYMMSG_REPLY)
		return;
	framed = iprmsg_get_stream(&in, &s) == SW_OK;
	if (framed && find_stream(c, s.id) == c->tries)
		return;
	if (iprmsg_get_response(&a, in.p, in.left) != SW_OK ||
	    framed != (a.version >= IPRMSG_V9)) {
		log_debug("iprclient: an answer that does not read");
		return;
	}
	if (a.kind == IPRMSG_CONNECT) {
		c->heard = true;
		take_connected(c, &a);
		return;
	}
	if (!is_current(c, framed, &s, &a))
		return;
	c->heard = true;
	if (c->state == UP)
		note_seq(c, s.seq);
	switch (a.kind) {
	case IPRMSG_DATA:
		hand_up(c, a.bundle, a.bundle_len);
		break;
	case IPRMSG_DROPPED:
	case IPRMSG_DISCONNECT:
		if (c->state == UP)
			ask_again(c, c->now_ms);
		break;
	case IPRMSG_INFO:
		take_info(c, &a);
		break;
	default:
		break;			/* pong, health */
	}
}
