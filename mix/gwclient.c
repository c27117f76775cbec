#include "mix/gwclient.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/wipe.h"
#include "mix/nympkt.h"

enum { NEW, ASKED, REGISTERING, CONFIRMING, PROVING, CLAIMING, READY, FAILED };

#define CLAIM_BELOW 40000000		/* bytes: ask for more */

void
gwclient_init(struct gwclient *g, const uint8_t seed[static 32],
    const uint8_t gateway[static 32], const uint8_t *key, uint64_t unix_now,
    const struct gwclient_events *events, void *arg, struct rng *rng)
{
	memset(g, 0, sizeof(*g));
	g->events = events;
	g->arg = arg;
	g->rng = rng;
	g->unix_now = unix_now;
	g->deadline_ms = SW_NEVER;
	memcpy(g->seed, seed, sizeof(g->seed));
	memcpy(g->gateway, gateway, sizeof(g->gateway));
	if (key != NULL) {
		memcpy(g->key, key, sizeof(g->key));
		g->has_key = true;
	}
}

void
gwclient_wipe(struct gwclient *g)
{
	sw_wipe(g, sizeof(*g));
}

/* Nothing of g is touched after this: the callback may free it. */
static void
fail(struct gwclient *g, int err)
{
	if (g->state == FAILED)
		return;
	log_debug("gwclient: failed in state %d: %s", g->state,
	    sw_strerror(err));
	g->state = FAILED;
	g->deadline_ms = SW_NEVER;
	sw_wipe(&g->link, sizeof(g->link));
	g->events->failed(g->arg, err);
}

static bool
say(struct gwclient *g, const struct gwmsg *m)
{
	char text[GWMSG_TEXT_MAX];
	size_t n;
	int r;

	if ((r = gwmsg_write(m, text, sizeof(text), &n)) == SW_OK)
		r = g->events->send(g->arg, false, text, n);
	if (r != SW_OK)
		fail(g, r == SW_AGAIN ? SW_ERR_DOWN : r);
	return r == SW_OK;
}

static void
enter(struct gwclient *g, int state, int64_t now_ms)
{
	g->state = state;
	g->deadline_ms = state == READY ? SW_NEVER :
	    now_ms + GWCLIENT_STEP_MS;
}

void
gwclient_start(struct gwclient *g, int64_t now_ms)
{
	struct gwmsg m = { .type = GWMSG_SUPPORTED };

	enter(g, ASKED, now_ms);
	say(g, &m);
}

static void
start_proof(struct gwclient *g, int64_t now_ms)
{
	struct gwmsg m = { .type = GWMSG_AUTHENTICATE, .version = g->version };

	gwlink_prove(&m.auth, g->version, g->seed, g->key, g->unix_now,
	    g->rng);
	enter(g, PROVING, now_ms);
	say(g, &m);
}

static void
start_registration(struct gwclient *g, int64_t now_ms)
{
	struct gwmsg m = { .type = GWMSG_HANDSHAKE, .version = g->version,
	    .data_len = GWLINK_INIT_LEN };

	gwlink_start(&g->link, g->seed, g->gateway, g->rng, m.data);
	enter(g, REGISTERING, now_ms);
	say(g, &m);
}

static void
take_version(struct gwclient *g, const struct gwmsg *m, int64_t now_ms)
{
	if (g->state != ASKED)
		return;
	if (m->version < GWMSG_VERSION_OLDEST) {
		fail(g, SW_ERR_UNSUPPORTED);
		return;
	}
	g->version = m->version < GWMSG_VERSION ? m->version : GWMSG_VERSION;
	if (g->has_key)
		start_proof(g, now_ms);
	else
		start_registration(g, now_ms);
}

static void
take_handshake(struct gwclient *g, const struct gwmsg *m, int64_t now_ms)
{
	struct gwmsg out = { .type = GWMSG_HANDSHAKE, .version = g->version,
	    .data_len = GWLINK_CLIENT_LEN };
	int r;

	if (g->state == REGISTERING && m->data_len != 1) {
		if ((r = gwlink_finish(&g->link, m->data, m->data_len, g->rng,
		    out.data)) != SW_OK) {
			fail(g, r);
			return;
		}
		enter(g, CONFIRMING, now_ms);
		say(g, &out);
	} else if (g->state == CONFIRMING && m->data_len == 1 &&
	    m->data[0] == GWLINK_FINAL) {
		memcpy(g->key, g->link.key, sizeof(g->key));
		g->has_key = true;
		sw_wipe(&g->link, sizeof(g->link));
	} else {
		fail(g, SW_ERR_FORMAT);
	}
}

static void
claim(struct gwclient *g)
{
	struct gwmsg m = { .type = GWMSG_CLAIM };

	if (g->claiming)
		return;
	g->claiming = true;
	say(g, &m);
}

/* In upgrade mode nobody has to pay, and few gateways would give a claim; what
 * they then report as available is only above what makes clients pay. */
static void
set_available(struct gwclient *g, const struct gwmsg *m)
{
	g->available = m->unmetered ? INT64_MAX : m->available;
}

/* The gateway knows us; do we have enough bandwidth? */
static void
take_welcome(struct gwclient *g, const struct gwmsg *m, int64_t now_ms)
{
	if (g->state != CONFIRMING && g->state != PROVING)
		return;
	if (!m->status || !g->has_key) {
		fail(g, SW_ERR_AUTH);
		return;
	}
	set_available(g, m);
	if (g->available < CLAIM_BELOW) {
		enter(g, CLAIMING, now_ms);
		claim(g);
		return;
	}
	enter(g, READY, now_ms);
	g->events->ready(g->arg);
}

static void
take_bandwidth(struct gwclient *g, const struct gwmsg *m, int64_t now_ms)
{
	set_available(g, m);
	g->claiming = false;
	if (g->state != CLAIMING)
		return;
	enter(g, READY, now_ms);
	g->events->ready(g->arg);
}

/* A plain error says nothing about what it is an answer to; the state does. */
static void
take_error(struct gwclient *g, const struct gwmsg *m)
{
	log_debug("gwclient: the gateway said \"%.80s\"", m->reason);
	fail(g, g->state == PROVING ? SW_ERR_AUTH :
	    g->state == CLAIMING || g->claiming ? SW_ERR_DENIED :
	    SW_ERR_REFUSED);
}

static void
take_text(struct gwclient *g, const uint8_t *data, size_t n, int64_t now_ms)
{
	struct gwmsg m;

	if (gwmsg_read(&m, (const char *)data, n) != SW_OK) {
		fail(g, SW_ERR_FORMAT);
		return;
	}
	switch (m.type) {
	case GWMSG_SUPPORTED:
		take_version(g, &m, now_ms);
		break;
	case GWMSG_HANDSHAKE:
		take_handshake(g, &m, now_ms);
		break;
	case GWMSG_REGISTERED:
	case GWMSG_AUTHENTICATED:
		take_welcome(g, &m, now_ms);
		break;
	case GWMSG_BANDWIDTH:
		take_bandwidth(g, &m, now_ms);
		break;
	case GWMSG_SENT:
		set_available(g, &m);
		break;
	case GWMSG_OUT_OF_BANDWIDTH:
		g->available = m.available;
		claim(g);
		break;
	case GWMSG_ERROR:
	case GWMSG_HANDSHAKE_ERROR:
		take_error(g, &m);
		break;
	default:
		break;
	}
	sw_wipe(&m, sizeof(m));
}

void
gwclient_take(struct gwclient *g, bool binary, uint8_t *data, size_t n,
    int64_t now_ms)
{
	uint8_t *plain, kind;

	if (g->state == FAILED)
		return;
	if (!binary) {
		take_text(g, data, n, now_ms);
		return;
	}
	if (g->has_key && gwlink_open(data, n, &kind, g->key, &plain, &n) ==
	    SW_OK && kind == GWLINK_PUSH)
		g->events->pushed(g->arg, plain, n);
	else
		log_debug("gwclient: a frame that does not open");
}

void
gwclient_tick(struct gwclient *g, int64_t now_ms)
{
	if (now_ms >= g->deadline_ms)
		fail(g, SW_ERR_TIMEOUT);
}

int64_t
gwclient_deadline(const struct gwclient *g)
{
	return g->deadline_ms;
}

int
gwclient_forward(struct gwclient *g, const struct sw_addr *first,
    uint8_t rotation, const uint8_t *pkt, size_t len)
{
	uint8_t frame[GWLINK_FRAME_OVERHEAD + NYMPKT_MIX_MAX_HEAD +
	    NYMPKT_MAX_LEN];
	struct wbuf w = { frame + GWLINK_FRAME_HEAD_LEN, sizeof(frame) -
	    GWLINK_FRAME_OVERHEAD };
	bool labelled = g->version >= GWMSG_VERSION_LABELS;
	size_t n;
	int r;

	if (g->state != READY)
		return SW_ERR_DOWN;
	if (g->available < CLAIM_BELOW)
		claim(g);
	if (g->available < (int64_t)len)
		return SW_AGAIN;
	if ((r = nympkt_put_mix(&w, labelled, rotation, first)) != SW_OK ||
	    (r = wire_put_bytes(&w, pkt, len)) != SW_OK)
		return r;
	n = sizeof(frame) - GWLINK_FRAME_OVERHEAD - w.left;
	gwlink_seal(frame, n, labelled ? GWLINK_FORWARD_LABELLED :
	    GWLINK_FORWARD, g->key, g->rng);
	if ((r = g->events->send(g->arg, true, frame, n +
	    GWLINK_FRAME_OVERHEAD)) == SW_OK)
		g->available -= (int64_t)len;
	return r;
}
