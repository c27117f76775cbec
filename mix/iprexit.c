#include "mix/iprexit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mix/ipflow.h"
#include "mix/nymmsg.h"

struct client {
	bool used;
	uint8_t tag[NYMMSG_TAG_LEN];
	uint16_t host;			/* low 16 bits of both addresses */
	uint8_t version;
	bool framed;			/* answers go in stream frames */
	uint64_t stream;
	uint32_t seq;
	int64_t last_ms, complained_ms;
	uint8_t *queue;			/* packets with their lengths */
	size_t at, len;
	bool blocked;
};

/* Somebody who was told that we do not know him. */
struct stranger {
	uint8_t tag[NYMMSG_TAG_LEN];
	int64_t told_ms;
};

struct iprexit {
	struct iprexit_config cfg;
	struct stranger told[IPREXIT_STRANGERS];
	struct client client[IPREXIT_CLIENTS];
	int64_t swept_ms;
	bool waiting;			/* somebody has a queue */
	bool busy;			/* and only had its turn's share of it */
	size_t turn;			/* who is first next time */
	struct iprexit_stats stats;
};

struct iprexit *
iprexit_new(const struct iprexit_config *cfg)
{
	struct iprexit *x = calloc(1, sizeof(*x));

	if (x != NULL)
		x->cfg = *cfg;
	return x;
}

void
iprexit_free(struct iprexit *x)
{
	if (x == NULL)
		return;
	for (size_t i = 0; i < IPREXIT_CLIENTS; i++)
		free(x->client[i].queue);
	free(x);
}

const struct iprexit_stats *
iprexit_stats(struct iprexit *x)
{
	return &x->stats;
}

/* 10.0.x.x and fc00::x, as the reference gives them. */
static struct sw_addr
addr4(const struct client *c)
{
	return addr_v4(0x0a000000u | c->host, 0);
}

static struct sw_addr
addr6(const struct client *c)
{
	struct sw_addr a = { .ip = { 0xfc } };

	a.ip[14] = (uint8_t)(c->host >> 8);
	a.ip[15] = (uint8_t)c->host;
	return a;
}

static struct client *
find_tag(struct iprexit *x, const uint8_t tag[static NYMMSG_TAG_LEN])
{
	for (size_t i = 0; i < IPREXIT_CLIENTS; i++)
		if (x->client[i].used &&
		    memcmp(x->client[i].tag, tag, NYMMSG_TAG_LEN) == 0)
			return &x->client[i];
	return NULL;
}

static struct client *
find_host(struct iprexit *x, uint16_t host)
{
	for (size_t i = 0; i < IPREXIT_CLIENTS; i++)
		if (x->client[i].used && x->client[i].host == host)
			return &x->client[i];
	return NULL;
}

static struct client *
find_addr(struct iprexit *x, const struct sw_addr *a)
{
	struct client *c = find_host(x, (uint16_t)(a->ip[14] << 8 |
	    a->ip[15]));
	struct sw_addr is;

	if (c == NULL)
		return NULL;
	is = addr_is_v4(a) ? addr4(c) : addr6(c);
	return addr_same_ip(a, &is) ? c : NULL;
}

static void
drop_client(struct iprexit *x, struct client *c)
{
	struct sw_addr v4 = addr4(c), v6 = addr6(c);

	free(c->queue);
	memset(c, 0, sizeof(*c));
	x->stats.clients--;
	x->cfg.events->gone(x->cfg.arg, &v4, &v6);
}

static struct client *
new_client(struct iprexit *x, const uint8_t tag[static NYMMSG_TAG_LEN])
{
	struct client *c = NULL;
	uint16_t host;

	for (size_t i = 0; i < IPREXIT_CLIENTS && c == NULL; i++)
		if (!x->client[i].used)
			c = &x->client[i];
	if (c == NULL || (c->queue = malloc(IPREXIT_QUEUE)) == NULL)
		return NULL;
	do {
		host = (uint16_t)(2 + rng_below(x->cfg.rng, 65533));
	} while (find_host(x, host) != NULL);
	c->used = true;
	c->host = host;
	c->complained_ms = -IPREXIT_COMPLAIN_MS;
	memcpy(c->tag, tag, sizeof(c->tag));
	x->stats.clients++;
	return c;
}

/* Write an answer in the form in which the client speaks. */
static int
answer(struct iprexit *x, const uint8_t tag[static NYMMSG_TAG_LEN],
    bool framed, uint64_t stream, uint32_t seq, bool control,
    const struct iprmsg_response *a, int64_t now_ms)
{
	uint8_t buf[IPRMSG_STREAM_HEAD_LEN + 64 + IPRMSG_TEXT_MAX + 2 +
	    UINT16_MAX];
	struct iprmsg_stream s = { .id = stream, .seq = seq };
	struct wbuf w = { buf, sizeof(buf) };
	int r;

	if (framed && (r = iprmsg_put_stream(&w, &s)) != SW_OK)
		return r;
	if ((r = iprmsg_put_response(&w, a)) != SW_OK)
		return r;
	return mixclient_reply(x->cfg.mix, tag, control, buf,
	    sizeof(buf) - w.left, now_ms);
}

bool
iprexit_is_own(const struct sw_addr *a)
{
	static const struct client own = { .host = 1 };
	struct sw_addr v4 = addr4(&own), v6 = addr6(&own);

	return addr_same_ip(a, &v4) || addr_same_ip(a, &v6);
}

/* What the client did not ask for takes its place among the data: clients that
 * insist on order would throw it away otherwise. */
static void
tell(struct iprexit *x, struct client *c, const struct iprmsg_response *a,
    int64_t now_ms)
{
	uint32_t seq = c->seq + 1 != 0 ? c->seq + 1 : 1;

	if (answer(x, c->tag, c->framed, c->stream, seq, true, a, now_ms) ==
	    SW_OK)
		c->seq = seq;
}

static void
refuse(struct iprexit *x, struct client *c, const struct ipflow *f,
    const uint8_t *pkt, size_t n, int64_t now_ms)
{
	struct iprmsg_response a = { .version = c->version,
	    .kind = IPRMSG_INFO };
	uint8_t error[IPFLOW_ERROR_MAX];
	char ip[SW_ADDR_TEXT_LEN];

	x->stats.refused++;
	if ((n = ipflow_refuse(error, f, pkt, n)) > 0)
		(void)!iprexit_send(x, &f->src, error, n);
	if (now_ms - c->complained_ms < IPREXIT_COMPLAIN_MS)
		return;
	c->complained_ms = now_ms;
	snprintf(a.text, sizeof(a.text), addr_is_v4(&f->dst) ? "%s:%u" :
	    "[%s]:%u", addr_ip_text(&f->dst, ip), f->dst.port);
	tell(x, c, &a, now_ms);
}

static void
take_packet(struct iprexit *x, struct client *c, const uint8_t *pkt,
    size_t n, int64_t now_ms)
{
	struct ipflow f;

	if (ipflow_read(&f, pkt, n) != SW_OK) {
		x->stats.malformed++;
		return;
	}
	if (find_addr(x, &f.src) != c) {
		x->stats.spoofed++;
		return;
	}
	c->last_ms = now_ms;
	if (!iprexit_is_own(&f.dst) &&
	    !exitpolicy_allows(x->cfg.policy, &f.dst)) {
		refuse(x, c, &f, pkt, n, now_ms);
		return;
	}
	x->stats.up++;
	x->cfg.events->packet(x->cfg.arg, pkt, n);
}

/* Who sends data takes himself for connected. */
static void
turn_away(struct iprexit *x, const uint8_t *tag, bool framed, uint64_t stream,
    uint8_t version, int64_t now_ms)
{
	struct iprmsg_response a = { .version = version,
	    .kind = IPRMSG_DROPPED, .reason = IPRMSG_MIX_TIMEOUT };
	struct stranger *oldest = &x->told[0];

	for (size_t i = 0; i < IPREXIT_STRANGERS; i++) {
		struct stranger *s = &x->told[i];

		if (s->told_ms < oldest->told_ms)
			oldest = s;
		if (s->told_ms != 0 &&
		    now_ms - s->told_ms < IPREXIT_STRANGER_MS &&
		    memcmp(s->tag, tag, sizeof(s->tag)) == 0)
			return;
	}
	if (answer(x, tag, framed, stream, 0, true, &a, now_ms) != SW_OK)
		return;
	memcpy(oldest->tag, tag, sizeof(oldest->tag));
	oldest->told_ms = now_ms;
}

static void
take_data(struct iprexit *x, const uint8_t *tag, bool framed, uint64_t stream,
    const struct iprmsg_request *q, int64_t now_ms)
{
	struct rbuf bundle = { q->bundle, q->bundle_len };
	struct client *c = find_tag(x, tag);
	const uint8_t *pkt;
	size_t n;
	int r;

	if (c == NULL) {
		x->stats.strangers++;
		turn_away(x, tag, framed, stream, q->version, now_ms);
		return;
	}
	while ((r = iprmsg_get_packet(&bundle, &pkt, &n)) == SW_OK)
		take_packet(x, c, pkt, n, now_ms);
	if (r != SW_AGAIN)
		x->stats.malformed++;
}

static void
take_connect(struct iprexit *x, const uint8_t *tag, bool framed,
    const struct iprmsg_stream *s, const struct iprmsg_request *q,
    int64_t now_ms)
{
	struct iprmsg_response a = { .version = q->version,
	    .kind = IPRMSG_CONNECT, .id = q->id, .mtu = IPRMSG_MTU };
	struct client *c = find_tag(x, tag);
	struct sw_addr v4, v6;

	/* A client that asks again keeps its addresses: its flows live, and
	 * only its stream is new. */
	if (c == NULL)
		c = new_client(x, tag);
	if (c == NULL) {
		a.reason = IPRMSG_NO_ADDRESS;
	} else {
		/* As Nym's exits: one without frames does not end a stream. */
		if (framed || !c->framed) {
			c->version = q->version;
			c->framed = framed;
			c->stream = s->id;
			c->seq = 0;
		}
		c->last_ms = now_ms;
		v4 = addr4(c);
		v6 = addr6(c);
		memcpy(a.ip4, v4.ip + 12, sizeof(a.ip4));
		memcpy(a.ip6, v6.ip, sizeof(a.ip6));
	}
	(void)!answer(x, tag, framed, s->id, 0, true, &a, now_ms);
}

static void
take_request(struct iprexit *x, const uint8_t *tag, bool framed,
    const struct iprmsg_stream *s, const struct iprmsg_request *q,
    int64_t now_ms)
{
	struct iprmsg_response a = { .version = q->version, .kind = q->kind,
	    .id = q->id };
	struct client *c = find_tag(x, tag);

	switch (q->kind) {
	case IPRMSG_DATA:
		take_data(x, tag, framed, s->id, q, now_ms);
		return;
	case IPRMSG_CONNECT:
		take_connect(x, tag, framed, s, q, now_ms);
		return;
	case IPRMSG_DISCONNECT:
		a.reason = c != NULL ? IPRMSG_SUCCESS : IPRMSG_NOT_CONNECTED;
		if (c != NULL)
			drop_client(x, c);
		break;
	case IPRMSG_PING:
		if (c != NULL)
			c->last_ms = now_ms;
		break;
	default:
		break;
	}
	(void)!answer(x, tag, framed, s->id, 0, true, &a, now_ms);
}

void
iprexit_take(struct iprexit *x, const struct nymmsg *m, int64_t now_ms)
{
	struct rbuf in = { m->data, m->data_len };
	struct iprmsg_stream s = { 0 };
	struct iprmsg_request q;
	bool framed;

	if (m->kind != NYMMSG_DATA)
		return;
	framed = iprmsg_get_stream(&in, &s) == SW_OK;
	if (framed && in.left == 0)
		return;			/* an opening frame says no more */
	if (iprmsg_get_request(&q, in.p, in.left) != SW_OK ||
	    framed != (q.version >= IPRMSG_V9)) {
		x->stats.malformed++;
		return;
	}
	take_request(x, m->tag, framed, &s, &q, now_ms);
}

int
iprexit_send(struct iprexit *x, const struct sw_addr *to, const uint8_t *pkt,
    size_t len)
{
	struct client *c = find_addr(x, to);
	struct wbuf w;

	if (c == NULL)
		return SW_OK;
	if (len > IPRMSG_BUNDLE_MAX)
		return SW_ERR_TOO_LONG;
	if (c->at > 0 && c->at == c->len)
		c->at = c->len = 0;
	if (c->at > IPREXIT_QUEUE / 2) {
		memmove(c->queue, c->queue + c->at, c->len - c->at);
		c->len -= c->at;
		c->at = 0;
	}
	w = (struct wbuf){ c->queue + c->len, IPREXIT_QUEUE - c->len };
	if (iprmsg_put_packet(&w, pkt, len) != SW_OK) {
		c->blocked = true;
		return SW_AGAIN;
	}
	c->len += len + 2;
	x->waiting = true;
	return SW_OK;
}

/* As many whole packets from the queue's front as fit a bundle. */
static size_t
bundle_len(const struct client *c)
{
	struct rbuf r = { c->queue + c->at, c->len - c->at };
	const uint8_t *pkt;
	size_t n, sum = 0;

	while (iprmsg_get_packet(&r, &pkt, &n) == SW_OK) {
		if (sum > 0 && sum + n + 2 > IPRMSG_BUNDLE_MAX)
			break;
		sum += n + 2;
	}
	return sum;
}

/* Send a turn's share of a client's queue. */
static void
flush_client(struct iprexit *x, struct client *c, int64_t now_ms)
{
	struct iprmsg_response a = { .version = c->version,
	    .kind = IPRMSG_DATA };
	unsigned left = IPREXIT_QUANTUM;
	int r;

	for (; c->at < c->len && left > 0; left--) {
		a.bundle = c->queue + c->at;
		a.bundle_len = bundle_len(c);
		if (++c->seq == 0)	/* 0 is for control */
			c->seq = 1;
		r = answer(x, c->tag, c->framed, c->stream, c->seq, false, &a,
		    now_ms);
		if (r == SW_ERR_LIMIT) {
			c->seq--;	/* there are no SURBs for more */
			break;
		}
		x->stats.dropped += r != SW_OK;
		x->stats.down += r == SW_OK;
		c->at += a.bundle_len;
	}
	x->waiting |= c->at < c->len;
	x->busy |= left == 0 && c->at < c->len;
}

/* Each client with a queue gets its share, a different one first each time. */
static void
flush_all(struct iprexit *x, int64_t now_ms)
{
	struct sw_addr v4, v6;

	x->waiting = x->busy = false;
	for (size_t i = 0; i < IPREXIT_CLIENTS; i++) {
		struct client *c = &x->client[(x->turn + i) % IPREXIT_CLIENTS];

		if (!c->used)
			continue;
		if (c->at < c->len)
			flush_client(x, c, now_ms);
		if (c->blocked && c->len - c->at < IPREXIT_QUEUE / 2) {
			c->blocked = false;
			v4 = addr4(c);
			v6 = addr6(c);
			x->cfg.events->writable(x->cfg.arg, &v4);
			x->cfg.events->writable(x->cfg.arg, &v6);
		}
	}
	x->turn++;
}

static void
drop_silent(struct iprexit *x, int64_t now_ms)
{
	struct iprmsg_response a = { .kind = IPRMSG_DROPPED,
	    .reason = IPRMSG_MIX_TIMEOUT };

	x->swept_ms = now_ms;
	for (size_t i = 0; i < IPREXIT_CLIENTS; i++) {
		struct client *c = &x->client[i];

		if (!c->used || now_ms - c->last_ms <= IPREXIT_IDLE_MS)
			continue;
		a.version = c->version;
		tell(x, c, &a, now_ms);
		drop_client(x, c);
	}
}

void
iprexit_tick(struct iprexit *x, int64_t now_ms)
{
	if (x->waiting)
		flush_all(x, now_ms);
	if (now_ms - x->swept_ms >= IPREXIT_IDLE_MS / 6)
		drop_silent(x, now_ms);
}

int64_t
iprexit_deadline(const struct iprexit *x)
{
	return x->busy ? 0 : x->swept_ms + IPREXIT_IDLE_MS / 6;
}
