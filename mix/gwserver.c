#include "mix/gwserver.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/wipe.h"
#include "mix/nympkt.h"

void
gwserver_init(struct gwserver *g, const uint8_t *seed,
    const struct gwserver_host *host, void *arg, struct rng *rng,
    int64_t now_ms)
{
	memset(g, 0, sizeof(*g));
	g->seed = seed;
	g->host = host;
	g->arg = arg;
	g->rng = rng;
	g->version = GWMSG_VERSION;
	g->deadline_ms = now_ms + GWSERVER_FIRST_MS;
}

void
gwserver_wipe(struct gwserver *g)
{
	sw_wipe(g, sizeof(*g));
}

int64_t
gwserver_deadline(const struct gwserver *g)
{
	return g->deadline_ms;
}

static int
say(struct gwserver *g, const struct gwmsg *m)
{
	char text[GWMSG_TEXT_MAX];
	size_t n;
	int r;

	if ((r = gwmsg_write(m, text, sizeof(text), &n)) == SW_OK)
		r = g->host->send(g->arg, false, text, n);
	return r;
}

/* An error text ends most clients, so it is said only before goodbye, or
 * where the client did what no client does. */
static int
complain(struct gwserver *g, const char *reason, int err)
{
	struct gwmsg m = { .type = GWMSG_ERROR };

	snprintf(m.reason, sizeof(m.reason), "%s", reason);
	(void)!say(g, &m);
	return err;
}

/* A free claim lasts until midnight UTC. */
static int64_t
available(struct gwserver *g)
{
	if (g->account->day != g->host->unix_now(g->arg) / 86400)
		g->account->available = 0;
	return g->account->available;
}

static void
join(struct gwserver *g, struct gwserver_account *a)
{
	g->account = a;
	g->state = GWSERVER_JOINED;
	g->deadline_ms = SW_NEVER;
	sw_wipe(&g->link, sizeof(g->link));
	/* What is stored goes out before the answer, as clients expect. */
	g->host->joined(g->arg, a);
}

static int
take_init(struct gwserver *g, const struct gwmsg *m, int64_t now_ms)
{
	struct gwmsg out = { .type = GWMSG_HANDSHAKE,
	    .data_len = GWLINK_GATEWAY_LEN };

	if (m->version < g->version)
		g->version = m->version;
	out.version = g->version;
	if (gwlink_answer(&g->link, g->seed, m->data, m->data_len, g->rng,
	    out.data) != SW_OK) {
		struct gwmsg e = { .type = GWMSG_HANDSHAKE_ERROR };

		snprintf(e.reason, sizeof(e.reason), "%s",
		    "sent request was malformed");
		(void)!say(g, &e);
		return SW_ERR_FORMAT;
	}
	g->state = GWSERVER_REGISTERING;
	g->deadline_ms = now_ms + GWSERVER_STEP_MS;
	return say(g, &out);
}

static int
take_material(struct gwserver *g, const struct gwmsg *m)
{
	struct gwmsg out = { .type = GWMSG_HANDSHAKE, .version = g->version,
	    .data = { GWLINK_FINAL }, .data_len = 1 };
	struct gwserver_account *a;
	int r;

	if ((r = gwlink_verify(&g->link, m->data, m->data_len)) != SW_OK) {
		out.type = GWMSG_HANDSHAKE_ERROR;
		snprintf(out.reason, sizeof(out.reason), "%s",
		    "received invalid signature");
		(void)!say(g, &out);
		return r;
	}
	a = g->host->account(g->arg, g->link.peer, true);
	if (a == NULL)
		return complain(g, "the gateway is full", SW_ERR_LIMIT);
	memcpy(a->key, g->link.key, sizeof(a->key));
	if ((r = say(g, &out)) != SW_OK)
		return r;
	join(g, a);
	out = (struct gwmsg){ .type = GWMSG_REGISTERED,
	    .version = g->version, .status = true };
	return say(g, &out);
}

static int
take_authenticate(struct gwserver *g, const struct gwmsg *m)
{
	int64_t now = g->host->unix_now(g->arg);
	struct gwserver_account *a;
	struct gwmsg out;

	if (m->version < GWMSG_VERSION_OLDEST || m->version > GWMSG_VERSION)
		return complain(g, "Attempted to negotiate connection with "
		    "client using incompatible protocol version",
		    SW_ERR_UNSUPPORTED);
	if (m->auth.timestamp + GWSERVER_SKEW_S < (uint64_t)now ||
	    m->auth.timestamp > (uint64_t)now + GWSERVER_SKEW_S)
		return complain(g, "the provided request timestamp is "
		    "excessively skewed", SW_ERR_AUTH);
	a = g->host->account(g->arg, m->auth.identity, false);
	if (a == NULL)
		return complain(g, "the client is not registered",
		    SW_ERR_AUTH);
	if (gwlink_check(&m->auth, m->version, a->key) != SW_OK)
		return complain(g, "failed to verify request signature",
		    SW_ERR_AUTH);
	if (m->auth.timestamp <= a->last_auth)
		return complain(g, "the provided request timestamp is smaller "
		    "or equal to one previously used", SW_ERR_REPLAY);
	a->last_auth = m->auth.timestamp;
	g->version = m->version;
	join(g, a);
	out = (struct gwmsg){ .type = GWMSG_AUTHENTICATED,
	    .version = g->version, .status = true,
	    .available = available(g) };
	return say(g, &out);
}

static int
take_claim(struct gwserver *g)
{
	struct gwmsg out = { .type = GWMSG_BANDWIDTH };

	out.available = available(g) + GWSERVER_CLAIM_BYTES;
	g->account->available = out.available;
	g->account->day = g->host->unix_now(g->arg) / 86400;
	return say(g, &out);
}

/* Remember me, or forget me: acknowledged under the same key. */
static int
take_secret(struct gwserver *g, struct gwmsg *m)
{
	struct gwmsg out = { .type = GWMSG_ENCRYPTED_ANSWER };
	enum gwmsg_wish wish;
	int r;

	if (m->data_len < GCM_SIV_TAG_LEN)
		return complain(g, "failed to decrypt provided text request",
		    SW_OK);
	m->data_len -= GCM_SIV_TAG_LEN;
	if (gcm_siv_open(g->account->key, m->nonce, NULL, 0, m->data,
	    m->data_len, m->data + m->data_len) != SW_OK ||
	    gwmsg_read_wish(&wish, (const char *)m->data, m->data_len) !=
	    SW_OK)
		return complain(g, "failed to decrypt provided text request",
		    SW_OK);
	out.data_len = gwmsg_write_wish((char *)out.data, wish);
	rng_fill(g->rng, out.nonce, sizeof(out.nonce));
	gcm_siv_seal(g->account->key, out.nonce, NULL, 0, out.data,
	    out.data_len, out.data + out.data_len);
	out.data_len += GCM_SIV_TAG_LEN;
	r = say(g, &out);
	if (wish == GWMSG_FORGET_CLIENT) {
		g->host->forget(g->arg, g->account);
		g->account = NULL;
		g->state = GWSERVER_FRESH;
		return SW_ERR_CLOSED;
	}
	return r;
}

static int
take_joined(struct gwserver *g, struct gwmsg *m)
{
	switch (m->type) {
	case GWMSG_CLAIM:
		return take_claim(g);
	case GWMSG_ENCRYPTED:
		return take_secret(g, m);
	default:
		return complain(g,
		    "received a text request of an unknown type", SW_OK);
	}
}

static int
take_text(struct gwserver *g, const uint8_t *data, size_t n, int64_t now_ms)
{
	struct gwmsg m, out = { .type = GWMSG_SUPPORTED,
	    .version = GWMSG_VERSION };
	int r;

	if (gwmsg_read(&m, (const char *)data, n) != SW_OK)
		m.type = GWMSG_OTHER;
	if (m.type == GWMSG_SUPPORTED)
		return say(g, &out);
	if (g->state == GWSERVER_JOINED)
		r = take_joined(g, &m);
	else if (g->state == GWSERVER_REGISTERING)
		r = m.type == GWMSG_HANDSHAKE ? take_material(g, &m) :
		    m.type == GWMSG_HANDSHAKE_ERROR ? SW_ERR_AUTH : SW_OK;
	else if (m.type == GWMSG_HANDSHAKE)
		r = take_init(g, &m, now_ms);
	else if (m.type == GWMSG_AUTHENTICATE)
		r = take_authenticate(g, &m);
	else if (m.type == GWMSG_LEGACY_AUTHENTICATE)
		r = complain(g, "the legacy authentication method is no "
		    "longer supported. please update your client",
		    SW_ERR_UNSUPPORTED);
	else
		r = complain(g, "Only 'Register' or 'Authenticate' requests "
		    "are allowed", SW_ERR_FORMAT);
	sw_wipe(&m, sizeof(m));
	return r;
}

static int
take_packet(struct gwserver *g, uint8_t *data, size_t n)
{
	struct gwmsg out = { .type = GWMSG_SENT };
	uint8_t *plain, kind, rotation;
	const uint8_t *pkt;
	struct sw_addr first;
	size_t len;

	if (gwlink_open(data, n, &kind, g->account->key, &plain, &n) !=
	    SW_OK || (kind != GWLINK_FORWARD &&
	    kind != GWLINK_FORWARD_LABELLED) ||
	    nympkt_get_mix(plain, n, kind == GWLINK_FORWARD_LABELLED,
	    &rotation, &first, &pkt, &len) != SW_OK)
		return complain(g, "Provided binary request was malformed",
		    SW_OK);
	if (available(g) < (int64_t)len) {
		out.type = GWMSG_OUT_OF_BANDWIDTH;
		out.required = (int64_t)len;
		out.available = g->account->available;
		return say(g, &out);
	}
	g->account->available -= (int64_t)len;
	g->host->forward(g->arg, &first, rotation, pkt, len);
	out.available = g->account->available;
	return say(g, &out);
}

int
gwserver_take(struct gwserver *g, bool binary, uint8_t *data, size_t n,
    int64_t now_ms)
{
	if (!binary)
		return take_text(g, data, n, now_ms);
	if (g->state != GWSERVER_JOINED)
		return complain(g, "possibly received a sphinx packet without "
		    "prior authentication. Request is going to be ignored",
		    SW_ERR_FORMAT);
	return take_packet(g, data, n);
}

int
gwserver_push(struct gwserver *g, const uint8_t *data, size_t n)
{
	uint8_t frame[GWLINK_FRAME_OVERHEAD + NYMPKT_MAX_PLAIN_LEN];

	if (g->state != GWSERVER_JOINED)
		return SW_ERR_DOWN;
	if (n > NYMPKT_MAX_PLAIN_LEN)
		return SW_ERR_TOO_LONG;
	memcpy(frame + GWLINK_FRAME_HEAD_LEN, data, n);
	gwlink_seal(frame, n, GWLINK_PUSH, g->account->key, g->rng);
	return g->host->send(g->arg, true, frame, n + GWLINK_FRAME_OVERHEAD);
}
