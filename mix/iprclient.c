#include "mix/iprclient_priv.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "mix/frag.h"
#include "mix/nymmsg.h"
#include "mix/nympkt.h"
#include "mix/nymseal.h"
#include "mix/topology.h"

#define QUEUE_PACKETS 48		/* fragments that may wait before AGAIN */
#define QUEUE_RESUME 16
#define SURB_RIDE_MAX 3			/* on one message */
#define SURB_ALONE 10			/* in one message of their own */
#define RIDE_LEN REPLY_SURB_LEN(TOPOLOGY_LAYERS + 1)
#define PROBE_MS 10000			/* between questions whether it lives */
#define DEAD_MS (IPRCLIENT_KEEPALIVE_MS + 3 * PROBE_MS)
#define QUIET_MS 5000			/* nothing since we spoke: ask, */
#define QUIET_PROBE_MS 2500		/* and again, */
#define QUIET_DEAD_MS 20000		/* and give up, if our packets are
					 * acknowledged where the exit is */
#define QUIET_ACKS 4
#define QUIET_MAX_MS 40000		/* or in any case */

struct iprclient *
iprclient_new(const struct iprclient_config *cfg)
{
	struct iprclient *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->cfg = *cfg;
	iprsurbs_init(&c->surbs, cfg->mix);
	c->try_ms = SW_NEVER;
	return c;
}

void
iprclient_free(struct iprclient *c)
{
	free(c);
}

int
iprclient_say(struct iprclient *c, const struct iprmsg_request *q,
    unsigned surbs)
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

struct iprmsg_request
iprclient_control(struct iprclient *c, enum iprmsg_kind kind)
{
	struct iprmsg_request q = { .version = c->version, .kind = kind };

	rng_fill(c->cfg.rng, &q.id, sizeof(q.id));
	q.time = iprmsg_time_of(c->cfg.unix_now(c->cfg.arg), 0);
	return q;
}

void
iprclient_relinked(struct iprclient *c, int64_t now_ms)
{
	if (c->spoke_ms != 0)
		c->spoke_ms = now_ms;
	if (c->state == IPRCLIENT_UP)
		c->alive_ms = c->probe_ms = now_ms;
	c->acked = mixclient_stats(c->cfg.mix)->acked;
}

void
iprclient_stop(struct iprclient *c)
{
	struct iprmsg_request q = iprclient_control(c, IPRMSG_DISCONNECT);

	if (c->state == IPRCLIENT_UP)
		(void)!iprclient_say(c, &q, 0);
	c->state = IPRCLIENT_DOWN;
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
	want = c->probing || iprsurbs_are_few(&c->surbs) ? fit : 0;
	if ((r = iprclient_say(c, &q, want)) == SW_AGAIN)
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

	if (c->state != IPRCLIENT_UP &&
	    !(c->state == IPRCLIENT_CONNECTING && c->again))
		return SW_ERR_DOWN;
	if (len + 2 > IPRMSG_BUNDLE_MAX)
		return SW_ERR_TOO_LONG;
	if (c->state == IPRCLIENT_UP && c->bundle_len > 0 &&
	    c->bundle_len + len + 2 > IPRMSG_BUNDLE_MAX)
		flush(c, c->sent_ms);
	if (c->state != IPRCLIENT_UP ||
	    c->bundle_len + len + 2 > IPRMSG_BUNDLE_MAX || !has_room(c, QUEUE_PACKETS)) {
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
		iprclient_ask_again(c, now_ms);
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

	while (c->state == IPRCLIENT_UP &&
	    iprmsg_get_packet(&bundle, &pkt, &n) == SW_OK)
		if (n > 0 && !iprsent_is_told(&c->sent, pkt, n))
			c->cfg.events->packet(c->cfg.arg, pkt, n);
}

void
iprclient_tick(struct iprclient *c, int64_t now_ms)
{
	c->now_ms = now_ms;
	if (c->state == IPRCLIENT_CONNECTING && now_ms >= c->try_ms)
		iprclient_try(c, now_ms);
	if (c->state != IPRCLIENT_UP)
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
	iprsurbs_watch(&c->surbs, c->sent_ms, now_ms);
	watch_exit(c, now_ms);
	/* While packets wait for their slots, later ones may still join. */
	if (mixclient_queued(c->cfg.mix) < 2)
		flush(c, now_ms);
	if (iprsurbs_are_short(&c->surbs) && has_room(c, QUEUE_RESUME))
		(void)!mixclient_give(c->cfg.mix, &c->cfg.exit, SURB_ALONE);
	if (c->blocked && has_room(c, QUEUE_RESUME) && c->bundle_len == 0) {
		c->blocked = false;
		c->cfg.events->writable(c->cfg.arg);
	}
}

void
iprclient_fill_slot(struct iprclient *c)
{
	if (c->state != IPRCLIENT_UP)
		return;
	flush(c, c->now_ms);
	if (mixclient_queued(c->cfg.mix) == 0 && iprsurbs_are_few(&c->surbs))
		(void)!mixclient_give(c->cfg.mix, &c->cfg.exit, SURB_RIDE_MAX);
}

int64_t
iprclient_deadline(const struct iprclient *c)
{
	if (c->state == IPRCLIENT_CONNECTING)
		return c->try_ms;
	if (c->state == IPRCLIENT_UP) {
		int64_t at = c->sent_ms + IPRCLIENT_KEEPALIVE_MS;
		int64_t probe = probe_at(c);

		return probe < at ? probe : at;
	}
	return SW_NEVER;
}

/* The exit's policy forbade one of our packets. */
static void
take_info(struct iprclient *c, const struct iprmsg_response *a)
{
	uint8_t error[IPFLOW_ERROR_MAX];
	size_t n;

	if (c->state != IPRCLIENT_UP || a->reason != IPRMSG_POLICY)
		return;
	if ((n = iprsent_refuse(&c->sent, a->text, error)) > 0)
		c->cfg.events->packet(c->cfg.arg, error, n);
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
	if (framed && !iprclient_is_ours(c, s.id))
		return;
	if (iprmsg_get_response(&a, in.p, in.left) != SW_OK ||
	    framed != (a.version >= IPRMSG_V9)) {
		log_debug("iprclient: an answer that does not read");
		return;
	}
	if (a.kind == IPRMSG_CONNECT) {
		c->heard = true;
		iprclient_take_connected(c, &a);
		return;
	}
	if (!iprclient_is_current(c, framed, &s, &a))
		return;
	c->heard = true;
	if (c->state == IPRCLIENT_UP)
		iprsurbs_note_seq(&c->surbs, s.seq);
	switch (a.kind) {
	case IPRMSG_DATA:
		hand_up(c, a.bundle, a.bundle_len);
		break;
	case IPRMSG_DROPPED:
	case IPRMSG_DISCONNECT:
		if (c->state == IPRCLIENT_UP)
			iprclient_ask_again(c, c->now_ms);
		break;
	case IPRMSG_INFO:
		take_info(c, &a);
		break;
	default:
		break;			/* pong, health */
	}
}
