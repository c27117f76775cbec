/*
 * The sender's side: secrets forward along the route, then the filler, then
 * the routing blocks from the last hop back to the first.
 */
#include <assert.h>
#include <string.h>

#include "base/wipe.h"
#include "base/wire.h"
#include "mix/comb.h"
#include "mix/lioness.h"
#include "mix/sphinx_internal.h"

/* One header while it is made.  Holds secrets. */
struct making {
	uint8_t x[X25519_KEY_LEN], shared[X25519_KEY_LEN];
	struct prim_chain chain;
	struct route_keys {
		struct sphinx_keys hop[SPHINX_MAX_HOPS];
		uint8_t stream[SPHINX_MAX_HOPS][STREAM_LEN];
	} keys;
};

static void
xor_bytes(uint8_t *dst, const uint8_t *src, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dst[i] ^= src[i];
}

/* s_i is P_i multiplied by x and by the blinding factors before hop i: one
 * multiplication per hop, of the product.  Those by tables become jobs, to be
 * done together. */
static int
agree_with_hop(struct making *m, const struct sphinx_route *route, size_t i,
    struct comb_job *job, size_t *jobs)
{
	if (i == 0)
		prim_chain_init(&m->chain, m->x);
	else
		prim_chain_mul(&m->chain, m->keys.hop[i - 1].blinding);
	if (route->hop[i].table == NULL)
		return prim_chain_apply(m->shared, &m->chain,
		    route->hop[i].key);
	prim_chain_job(&job[(*jobs)++], &m->chain, route->hop[i].table);
	return SW_OK;
}

/* Hop i's secrets of all routes that have one, and at first the alphas. */
static int
derive_hop(struct sphinx_header *h, struct making *m,
    const struct sphinx_route *route, size_t n, size_t i)
{
	struct comb_job job[2 * SPHINX_BATCH], *done = job;
	size_t jobs = 0;
	int r = SW_OK;

	for (size_t k = 0; k < n && r == SW_OK; k++)
		if (i < route[k].n)
			r = agree_with_hop(&m[k], &route[k], i, job, &jobs);
	for (size_t k = 0; k < n && i == 0; k++)
		prim_x25519_job(&job[jobs++], m[k].x, NULL);
	if (r == SW_OK)
		r = comb_mul_many(job, jobs);
	for (size_t k = 0; k < n && r == SW_OK; k++) {
		if (i >= route[k].n)
			continue;
		if (route[k].hop[i].table != NULL)
			memcpy(m[k].shared, done++->out, X25519_KEY_LEN);
		sphinx_expand_keys(&m[k].keys.hop[i], m[k].shared);
		sphinx_keystream(&m[k].keys.hop[i], m[k].keys.stream[i]);
	}
	for (size_t k = 0; k < n && i == 0 && r == SW_OK; k++)
		memcpy(h[k].bytes, done++->out, X25519_KEY_LEN);
	sw_wipe(job, jobs * sizeof(*job));
	return r;
}

/* What the end of beta will look like at the last hop, after each hop before
 * has shifted in its keystream.  Length STEP_LEN * (n - 1). */
static size_t
make_filler(uint8_t *filler, const struct route_keys *rk, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i + 1 < n; i++) {
		memset(filler + len, 0, STEP_LEN);
		len += STEP_LEN;
		xor_bytes(filler, rk->stream[i] + STREAM_LEN - len, len);
	}
	return len;
}

static void
put_version(uint8_t out[static VERSION_LEN], uint16_t version)
{
	out[0] = 0;
	out[1] = (uint8_t)(version >> 8);
	out[2] = (uint8_t)version;
}

/* The final hop's block: metadata, random padding, filler. */
static void
put_final(uint8_t beta[static SPHINX_BETA_LEN],
    const struct sphinx_route *route, const struct route_keys *rk,
    uint16_t version, struct rng *rng)
{
	uint8_t filler[STEP_LEN * (SPHINX_MAX_HOPS - 1)];
	size_t filler_len = make_filler(filler, rk, route->n);
	size_t own = SPHINX_BETA_LEN - filler_len;

	beta[0] = FLAG_FINAL;
	put_version(beta + 1, version);
	memcpy(beta + 4, route->dest, SPHINX_DEST_LEN);
	memcpy(beta + 4 + SPHINX_DEST_LEN, route->ident, SPHINX_IDENT_LEN);
	rng_fill(rng, beta + FINAL_META_LEN, own - FINAL_META_LEN);
	xor_bytes(beta, rk->stream[route->n - 1], own);
	memcpy(beta + own, filler, filler_len);
	sw_wipe(filler, sizeof(filler));
}

/* Put hop i's block in front of the beta and gamma that hop i + 1 will see. */
static void
put_forward(uint8_t beta[static SPHINX_BETA_LEN],
    uint8_t gamma[static SPHINX_MAC_LEN], const struct sphinx_route *route,
    size_t i, const struct route_keys *rk, uint16_t version)
{
	struct wbuf w;
	int r;

	memmove(beta + STEP_LEN, beta, SPHINX_BETA_LEN - STEP_LEN);
	memcpy(beta + META_LEN, gamma, SPHINX_MAC_LEN);
	beta[0] = FLAG_FORWARD;
	put_version(beta + 1, version);
	memcpy(beta + 4, route->hop[i + 1].addr, SPHINX_ADDR_LEN);
	w = (struct wbuf){ beta + 4 + SPHINX_ADDR_LEN, 8 };
	r = wire_put_u64be(&w, route->hop[i].delay_ns);
	assert(r == SW_OK);
	xor_bytes(beta, rk->stream[i], SPHINX_BETA_LEN);
}

/* All that follows alpha. */
static void
finish_header(struct sphinx_header *h, const struct sphinx_route *route,
    const struct route_keys *rk, uint16_t version, struct rng *rng)
{
	uint8_t *gamma = h->bytes + GAMMA_AT, *beta = h->bytes + BETA_AT;

	put_final(beta, route, rk, version, rng);
	sphinx_mac(&rk->hop[route->n - 1], gamma, beta);
	for (size_t i = route->n - 1; i-- > 0;) {
		put_forward(beta, gamma, route, i, rk, version);
		sphinx_mac(&rk->hop[i], gamma, beta);
	}
	h->version = version;
	h->n = route->n;
	for (size_t i = 0; i < route->n; i++)
		memcpy(h->pi[i], rk->hop[i].pi, version == SPHINX_V258 ?
		    SPHINX_PAYLOAD_KEY_LEN : SPHINX_SEED_LEN);
}

int
sphinx_create_headers(struct sphinx_header *h,
    const struct sphinx_route *route, size_t n, uint16_t version,
    struct rng *rng)
{
	struct making m[SPHINX_BATCH];
	size_t hops = 0;
	int r = SW_OK;

	assert(n <= SPHINX_BATCH);
	assert(version == SPHINX_V258 || version == SPHINX_V259);
	memset(h, 0, n * sizeof(*h));
	for (size_t k = 0; k < n; k++) {
		assert(route[k].n >= 1 && route[k].n <= SPHINX_MAX_HOPS);
		rng_fill(rng, m[k].x, sizeof(m[k].x));
		if (route[k].n > hops)
			hops = route[k].n;
	}
	for (size_t i = 0; i < hops && r == SW_OK; i++)
		r = derive_hop(h, m, route, n, i);
	for (size_t k = 0; k < n && r == SW_OK; k++)
		finish_header(&h[k], &route[k], &m[k].keys, version, rng);
	if (r != SW_OK)
		memset(h, 0, n * sizeof(*h));
	sw_wipe(m, n * sizeof(*m));
	return r;
}

int
sphinx_create_header(struct sphinx_header *h, const struct sphinx_route *route,
    uint16_t version, struct rng *rng)
{
	return sphinx_create_headers(h, route, 1, version, rng);
}

int
sphinx_put_payload(const struct sphinx_header *h, uint8_t *delta,
    size_t delta_len, const void *msg, size_t msg_len)
{
	uint8_t key[SPHINX_PAYLOAD_KEY_LEN];
	size_t end;

	if (delta_len < SPHINX_MIN_PAYLOAD ||
	    msg_len > delta_len - SPHINX_PAYLOAD_OVERHEAD)
		return SW_ERR_TOO_LONG;
	if (msg_len > 0)
		memmove(delta + LEADING_ZEROS, msg, msg_len);
	memset(delta, 0, LEADING_ZEROS);
	end = LEADING_ZEROS + msg_len;
	delta[end] = PAYLOAD_MARKER;
	memset(delta + end + 1, 0, delta_len - end - 1);
	for (size_t i = h->n; i-- > 0;) {
		sphinx_payload_key(key, h->pi[i], h->version);
		lioness_encrypt(delta, delta_len, key);
	}
	sw_wipe(key, sizeof(key));
	return SW_OK;
}

int
sphinx_create_packet(uint8_t *pkt, size_t pkt_len,
    const struct sphinx_route *route, uint16_t version, struct rng *rng,
    const void *msg, size_t msg_len)
{
	struct sphinx_header h;
	int r;

	if (pkt_len < SPHINX_HEADER_LEN + SPHINX_MIN_PAYLOAD) {
		memset(pkt, 0, pkt_len);
		return SW_ERR_TOO_LONG;
	}
	if ((r = sphinx_create_header(&h, route, version, rng)) == SW_OK &&
	    (r = sphinx_put_payload(&h, pkt + SPHINX_HEADER_LEN,
	    pkt_len - SPHINX_HEADER_LEN, msg, msg_len)) == SW_OK)
		memcpy(pkt, h.bytes, SPHINX_HEADER_LEN);
	else
		memset(pkt, 0, pkt_len);
	sw_wipe(&h, sizeof(h));
	return r;
}
