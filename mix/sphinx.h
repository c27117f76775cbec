/*
 * sphinx.h - Sphinx packets, byte for byte those of sphinx-packet 0.6.0.
 *
 * A packet is
 *
 *	alpha   32    X25519 public value, blinded anew at each hop
 *	gamma   16    MAC of beta
 *	beta   300    routing block, one layer of encryption per hop
 *	delta    P    payload, one layer of LIONESS per hop
 *
 * The sender agrees on a secret with each hop of the route: the value x for
 * the first, and x multiplied by the blinding factors of all hops before for
 * the others.  From that secret come the keys of the hop (struct
 * sphinx_keys).  A hop checks gamma, takes its own 60 bytes off beta, fills
 * the end up with keystream (which the sender has foreseen: the filler),
 * removes its layer from delta and blinds alpha.
 *
 * Versions: 259 is what we send; 258 is accepted, and made only by tests.
 * They differ in the payload key, and the version is inside beta, so it is
 * known only once the MAC has been checked.
 *
 * No descriptor, clock, thread or allocation; randomness is a parameter.
 * Everything here is reentrant.
 */
#ifndef SW_MIX_SPHINX_H
#define SW_MIX_SPHINX_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mix/prim.h"
#include "mix/rng.h"

#define SPHINX_MAX_HOPS 5
#define SPHINX_ADDR_LEN 32	/* next-hop address field */
#define SPHINX_DEST_LEN 32
#define SPHINX_IDENT_LEN 16
#define SPHINX_MAC_LEN 16
#define SPHINX_BETA_LEN 300
#define SPHINX_HEADER_LEN 348
#define SPHINX_PAYLOAD_OVERHEAD 17	/* 16 leading zeros, one marker */
#define SPHINX_OVERHEAD (SPHINX_HEADER_LEN + SPHINX_PAYLOAD_OVERHEAD)
#define SPHINX_SEED_LEN 16
#define SPHINX_PAYLOAD_KEY_LEN 192
#define SPHINX_TAG_LEN 32
#define SPHINX_MIN_PAYLOAD 33		/* LIONESS needs more than 32 bytes */

#define SPHINX_V258 258
#define SPHINX_V259 259

/* What one hop's shared secret expands to.  Holds secrets. */
struct sphinx_keys {
	uint8_t rho[AES128_KEY_LEN];	/* routing block */
	uint8_t mu[16];			/* MAC */
	uint8_t pi[SPHINX_PAYLOAD_KEY_LEN];	/* payload; its start is the
						 * seed of version 259 */
	uint8_t blinding[X25519_KEY_LEN];
	uint8_t tag[SPHINX_TAG_LEN];	/* names the packet at this hop */
};

/* One hop of a route as the sender sees it. */
struct sphinx_hop {
	uint8_t addr[SPHINX_ADDR_LEN];	/* for the hop before */
	uint8_t key[X25519_KEY_LEN];	/* passed prim_x25519_is_on_curve() */
	const struct comb *table;	/* of key, borrowed; NULL: none made */
	uint64_t delay_ns;		/* to wait here; unused at the last */
};

struct sphinx_route {
	size_t n;			/* 1..SPHINX_MAX_HOPS */
	struct sphinx_hop hop[SPHINX_MAX_HOPS];
	uint8_t dest[SPHINX_DEST_LEN];
	uint8_t ident[SPHINX_IDENT_LEN];
};

/* A header made ahead, and what encrypts a payload for it.  Holds secrets;
 * good for one packet. */
struct sphinx_header {
	uint8_t bytes[SPHINX_HEADER_LEN];
	uint16_t version;
	size_t n;
	/* Per hop: 192 bytes of key for version 258, else a seed of 16. */
	uint8_t pi[SPHINX_MAX_HOPS][SPHINX_PAYLOAD_KEY_LEN];
};

/* From a raw X25519 result to the hop's keys. */
void sphinx_expand_keys(struct sphinx_keys *k,
    const uint8_t shared[static X25519_KEY_LEN]);

/* The LIONESS key of a hop that learned `version`, from pi: 192 bytes up to
 * version 258, which are the key, and a seed of 16 later. */
void sphinx_payload_key(uint8_t out[static SPHINX_PAYLOAD_KEY_LEN],
    const uint8_t *pi, uint16_t version);

/*
 * sphinx_create_header() - everything of a packet but its payload.
 *
 * h        out; zeroed unless SW_OK.  The caller wipes it.
 * route    in.
 * version  SPHINX_V259, or SPHINX_V258 for tests.
 * rng      32 bytes for the initial secret, then the final block's padding.
 *
 * SW_OK; SW_ERR_FORMAT for a hop key of low order.
 */
int sphinx_create_header(struct sphinx_header *h,
    const struct sphinx_route *route, uint16_t version, struct rng *rng)
    SW_MUST_CHECK;

/*
 * sphinx_create_headers() - n headers, at most SPHINX_BATCH, in lockstep: each
 * then costs less.
 *
 * route  n of them; may differ in all but that.
 * rng    32 bytes for each, then the paddings.
 *
 * SW_OK, or as above, and then all of h is zeroed.
 */
#define SPHINX_BATCH 8
int sphinx_create_headers(struct sphinx_header *h,
    const struct sphinx_route *route, size_t n, uint16_t version,
    struct rng *rng) SW_MUST_CHECK;

/*
 * sphinx_put_payload() - pad and encrypt a message for the hops of `h`.
 *
 * delta  out, `delta_len` >= SPHINX_MIN_PAYLOAD bytes: the packet's payload.
 * msg    in, at most delta_len - SPHINX_PAYLOAD_OVERHEAD bytes.  May lie in
 *        delta at offset 16, where it ends up anyway: then nothing is copied.
 */
int sphinx_put_payload(const struct sphinx_header *h, uint8_t *delta,
    size_t delta_len, const void *msg, size_t msg_len) SW_MUST_CHECK;

/* Header and payload at once: pkt of pkt_len bytes, zeroed unless SW_OK. */
int sphinx_create_packet(uint8_t *pkt, size_t pkt_len,
    const struct sphinx_route *route, uint16_t version, struct rng *rng,
    const void *msg, size_t msg_len) SW_MUST_CHECK;

/*
 * sphinx_open() - first half of a hop's work: agree, derive, check the MAC.
 *
 * k   out; zeroed unless SW_OK.  k->tag is now fit for the replay check.
 *
 * SW_OK, SW_ERR_TRUNCATED, SW_ERR_FORMAT (low-order alpha) or SW_ERR_MAC
 * (another key's packet, or tampered).  pkt is not changed.
 */
int sphinx_open(struct sphinx_keys *k, const uint8_t *pkt, size_t len,
    const uint8_t sk[static X25519_KEY_LEN]) SW_MUST_CHECK;

struct sphinx_hop_info {
	uint16_t version;
	bool final;
	/* forward hop */
	uint8_t next[SPHINX_ADDR_LEN];
	uint64_t delay_ns;
	/* final hop */
	uint8_t dest[SPHINX_DEST_LEN];
	uint8_t ident[SPHINX_IDENT_LEN];
	const uint8_t *msg;		/* points into the packet */
	size_t msg_len;
};

/*
 * sphinx_peel() - second half: take this hop's layer off, in place.
 *
 * k     in, from sphinx_open() of the same packet; the caller wipes it.
 * pkt   in/out.  Forward hop: the packet to pass on.  Final hop: the payload
 *       is decrypted and info->msg points into it.  Zeroed unless SW_OK.
 *
 * SW_OK; SW_ERR_FORMAT for an unknown flag or a payload that was tampered
 * with; SW_ERR_UNSUPPORTED for the versions before 258.
 */
int sphinx_peel(const struct sphinx_keys *k, uint8_t *pkt, size_t len,
    struct sphinx_hop_info *info) SW_MUST_CHECK;

/* A packet on its way through both halves.  Holds secrets. */
struct sphinx_work {
	uint8_t *pkt;
	size_t len;
	struct sphinx_keys keys;
	struct sphinx_hop_info info;
	int r;				/* of the last half */
};

/* Both halves for n packets, at most SPHINX_BATCH, which then cost less each:
 * *w[i] gets what sphinx_open() would give for its pkt and len, then what
 * sphinx_peel() would. */
void sphinx_open_many(struct sphinx_work *const *w, size_t n,
    const uint8_t sk[static X25519_KEY_LEN]);
void sphinx_peel_many(struct sphinx_work *const *w, size_t n);

#endif
