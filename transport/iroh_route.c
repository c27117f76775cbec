/*
 * Which connection a datagram belongs to; and first packets, which make one.
 *
 * A relayed first packet waits RELAY_HOLD_MS: a client sends the same one to
 * our direct addresses, and whichever copy is answered is the path for good.
 */
#include <ngtcp2/ngtcp2_crypto.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "transport/iroh_private.h"

#define HELD_MAX 64
#define RESET_NOISE 22		/* bytes of a reset before its token, at most */
#define RETRY_TOKEN_NS (10 * UINT64_C(1000000000))
#define CONNECTION_REFUSED 0x2

struct iroh_held {
	struct iroh_endpoint *ep;
	struct iroh_held *next;
	struct loop_timer timer;
	struct iroh_origin from;
	size_t n;
	uint8_t pkt[];
};

static void route(struct iroh_endpoint *ep, const struct iroh_origin *from,
    const uint8_t *p, size_t n, bool late);

static void
answer(struct iroh_endpoint *ep, const struct iroh_origin *to, const uint8_t *p,
    ngtcp2_ssize n)
{
	if (n <= 0)
		return;
	if (to->relay != NULL)
		iroh_relay_send(to->relay, &to->id, p, (size_t)n, (size_t)n);
	else
		iroh_udp_send(&ep->udp, &to->local, &to->remote, p, (size_t)n,
		    (size_t)n);
}

static void
answer_version(struct iroh_endpoint *ep, const struct iroh_origin *from,
    const ngtcp2_version_cid *v, size_t n)
{
	const uint32_t ours = NGTCP2_PROTO_VER_V1;
	uint8_t out[256], random;

	if (n < NGTCP2_MAX_UDP_PAYLOAD_SIZE || v->dcidlen > NGTCP2_MAX_CIDLEN ||
	    v->scidlen > NGTCP2_MAX_CIDLEN)
		return;
	iroh_random(&random, 1);
	answer(ep, from, out, ngtcp2_pkt_write_version_negotiation(out,
	    sizeof(out), random, v->scid, v->scidlen, v->dcid, v->dcidlen,
	    &ours, 1));
}

/* A packet of a connection that we do not have, perhaps of our last life. */
static void
answer_reset(struct iroh_endpoint *ep, const struct iroh_origin *from,
    const ngtcp2_version_cid *v, size_t n)
{
	uint8_t token[NGTCP2_STATELESS_RESET_TOKENLEN], noise[RESET_NOISE];
	uint8_t out[sizeof(token) + sizeof(noise)];
	/* Shorter than what it answers, so that two of us cannot go on. */
	size_t len = n - 1 < sizeof(out) ? n - 1 : sizeof(out);
	int64_t second = ep->loop.now_ms / 1000;
	ngtcp2_cid cid;

	if (n <= sizeof(token) + NGTCP2_MIN_STATELESS_RESET_RANDLEN ||
	    v->dcidlen != CID_LEN)
		return;
	if (second != ep->reset_s) {
		ep->reset_s = second;
		ep->resets = 0;
	}
	if (ep->resets++ >= RESETS_PER_S)
		return;
	ngtcp2_cid_init(&cid, v->dcid, v->dcidlen);
	if (ngtcp2_crypto_generate_stateless_reset_token(token,
	    ep->reset_secret, sizeof(ep->reset_secret), &cid) != 0)
		return;
	iroh_random(noise, sizeof(noise));
	answer(ep, from, out, ngtcp2_pkt_write_stateless_reset(out,
	    sizeof(out), token, noise, len - sizeof(token)));
}

static void
answer_retry(struct iroh_endpoint *ep, const struct iroh_origin *from,
    const ngtcp2_pkt_hd *hd)
{
	uint8_t token[NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN], out[256];
	struct sockaddr_in6 sa;
	socklen_t len = sizeof(sa);
	ngtcp2_ssize n;
	ngtcp2_cid scid;

	scid.datalen = CID_LEN;
	iroh_random(scid.data, CID_LEN);
	addr_to_sockaddr(&from->remote, AF_INET6, (struct sockaddr *)&sa, &len);
	n = ngtcp2_crypto_generate_retry_token(token, ep->retry_secret,
	    sizeof(ep->retry_secret), hd->version, (struct sockaddr *)&sa,
	    sizeof(sa), &scid, &hd->dcid, iroh_now_ns());
	if (n > 0)
		answer(ep, from, out, ngtcp2_crypto_write_retry(out,
		    sizeof(out), hd->version, &hd->scid, &scid, &hd->dcid,
		    token, (size_t)n));
}

static bool
retry_is_good(struct iroh_endpoint *ep, const struct iroh_origin *from,
    const ngtcp2_pkt_hd *hd, ngtcp2_cid *odcid)
{
	struct sockaddr_in6 sa;
	socklen_t len = sizeof(sa);

	addr_to_sockaddr(&from->remote, AF_INET6, (struct sockaddr *)&sa, &len);
	return ngtcp2_crypto_verify_retry_token(odcid, hd->token.base,
	    hd->token.len, ep->retry_secret, sizeof(ep->retry_secret),
	    hd->version, (struct sockaddr *)&sa, sizeof(sa), &hd->dcid,
	    RETRY_TOKEN_NS, iroh_now_ns()) == 0;
}

static void
first_packet(struct iroh_endpoint *ep, const struct iroh_origin *from,
    const uint8_t *p, size_t n)
{
	const ngtcp2_cid *odcid = NULL;
	ngtcp2_cid retried;
	ngtcp2_pkt_hd hd;
	struct iroh_conn *c;
	uint8_t out[256];

	if (ngtcp2_accept(&hd, p, n) != 0 || hd.version != NGTCP2_PROTO_VER_V1)
		return;
	if (hd.token.len > 0 &&
	    hd.token.base[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY) {
		if (!retry_is_good(ep, from, &hd, &retried))
			return;
		odcid = &retried;
	} else if (ep->half_open >= HALF_OPEN_MAX && from->relay == NULL) {
		answer_retry(ep, from, &hd);
		return;
	}
	if (ep->accepted >= ep->max_streams) {
		answer(ep, from, out, ngtcp2_crypto_write_connection_close(out,
		    sizeof(out), hd.version, &hd.scid, &hd.dcid,
		    CONNECTION_REFUSED, NULL, 0));
		return;
	}
	if ((c = iroh_conn_accept(ep, &hd, odcid, from)) == NULL)
		log_warn("iroh: no memory for a connection");
	else
		iroh_conn_input(c, from, p, n);
}

static void
held_free(struct iroh_held *h)
{
	struct iroh_held **at = &h->ep->held;

	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	h->ep->nheld--;
	loop_set_timer(&h->ep->loop, &h->timer, SW_NEVER);
	free(h);
}

static void
on_held(struct loop_timer *t)
{
	struct iroh_held *h = CONTAINER_OF(t, struct iroh_held, timer);

	route(h->ep, &h->from, h->pkt, h->n, true);
	held_free(h);
}

static void
hold(struct iroh_endpoint *ep, const struct iroh_origin *from, const uint8_t *p,
    size_t n)
{
	struct iroh_held *h;

	if (ep->nheld >= HELD_MAX || (h = malloc(sizeof(*h) + n)) == NULL)
		return;
	*h = (struct iroh_held){ .ep = ep, .next = ep->held, .from = *from,
	    .n = n, .timer = { .fire = on_held, .at_ms = SW_NEVER } };
	memcpy(h->pkt, p, n);
	ep->held = h;
	ep->nheld++;
	loop_set_timer(&ep->loop, &h->timer, ep->loop.now_ms + RELAY_HOLD_MS);
}

/*
 * A short packet with an id that nobody has may be a peer's stateless reset.
 * ngtcp2 knows the tokens; only who talks to that peer is asked.
 */
static bool
is_reset(struct iroh_endpoint *ep, const struct iroh_origin *from,
    const uint8_t *p, size_t n)
{
	for (struct iroh_conn *c = ep->conns, *next; c != NULL; c = next) {
		next = c->next;
		if (!iroh_path_is_from(c, from) || c->state >= CONN_CLOSING)
			continue;
		iroh_conn_input(c, from, p, n);
		if (c->state >= CONN_CLOSING)
			return true;
	}
	return false;
}

static void
route(struct iroh_endpoint *ep, const struct iroh_origin *from,
    const uint8_t *p,
    size_t n, bool late)
{
	ngtcp2_version_cid v;
	struct iroh_conn *c;
	int r = ngtcp2_pkt_decode_version_cid(&v, p, n, CID_LEN);

	if (r != 0 && r != NGTCP2_ERR_VERSION_NEGOTIATION)
		return;
	c = iroh_cid_find(&ep->cids, v.dcid, v.dcidlen);
	if (c != NULL)
		iroh_conn_input(c, from, p, n);
	else if ((r == 0 && v.version == 0 && is_reset(ep, from, p, n)) ||
	    !ep->accept || ep->closing)
		return;
	else if (r == NGTCP2_ERR_VERSION_NEGOTIATION)
		answer_version(ep, from, &v, n);
	else if (v.version == 0)
		answer_reset(ep, from, &v, n);
	else if (from->relay != NULL && !late && !ep->no_udp)
		hold(ep, from, p, n);
	else
		first_packet(ep, from, p, n);
}

void
iroh_route_datagram(struct iroh_endpoint *ep, const struct iroh_origin *from,
    const uint8_t *p, size_t n)
{
	route(ep, from, p, n, false);
}

void
iroh_route_wipe(struct iroh_endpoint *ep)
{
	for (struct iroh_held *h = ep->held, *next; h != NULL; h = next) {
		next = h->next;
		held_free(h);
	}
}
