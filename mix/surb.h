/*
 * surb.h - single-use reply blocks.
 *
 * A SURB is a header made by its owner, with the owner as destination, and
 * what is needed to encrypt one payload for it:
 *
 *	header      348
 *	first hop    32    where the packet is to be sent
 *	material     16n   per hop, first hop first: the seed of the payload
 *	                   key (192n full keys in headers of version 258)
 *
 * Nym puts a 16-byte key in front for the message inside: a "reply SURB".
 */
#ifndef SW_MIX_SURB_H
#define SW_MIX_SURB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mix/sphinx.h"

#define SURB_KEY_LEN 16
#define SURB_FIXED_LEN (SPHINX_HEADER_LEN + SPHINX_ADDR_LEN)
#define SURB_MAX_LEN (SURB_FIXED_LEN + SPHINX_MAX_HOPS * SPHINX_PAYLOAD_KEY_LEN)
#define SURB_DIGEST_LEN 32

/* Length of a SURB of `hops` hops, with or without the reply key. */
#define SURB_LEN(hops) (SURB_FIXED_LEN + SPHINX_SEED_LEN * (size_t)(hops))
#define REPLY_SURB_LEN(hops) (SURB_KEY_LEN + SURB_LEN(hops))

/* A SURB ready for use.  Holds secrets. */
struct surb {
	struct sphinx_header header;
	uint8_t first[SPHINX_ADDR_LEN];
};

/* A SURB and the key that encrypts the fragment it carries.  Holds secrets. */
struct reply_surb {
	uint8_t key[SURB_KEY_LEN];
	struct surb surb;
};

/* Make one along `route`, whose destination is the owner.  Zeroed on error;
 * see sphinx_create_header(). */
int surb_create(struct surb *s, const struct sphinx_route *route,
    uint16_t version, struct rng *rng) SW_MUST_CHECK;

/* Write it; *n is the length.  SW_ERR_TOO_LONG if cap is less. */
int surb_put(const struct surb *s, uint8_t *out, size_t cap, size_t *n)
    SW_MUST_CHECK;

/*
 * Read one that is exactly `n` bytes long.  The form of the material is told
 * by its length: less than one full key means seeds.  SW_ERR_FORMAT if it is
 * no SURB; *s is zeroed then.
 */
int surb_get(struct surb *s, const uint8_t *in, size_t n) SW_MUST_CHECK;

/* Make the packet of pkt_len bytes that carries `msg` back to the owner; to
 * be sent to s->first.  A SURB may be used once: the caller wipes it. */
int surb_use(const struct surb *s, uint8_t *pkt, size_t pkt_len,
    const void *msg, size_t msg_len) SW_MUST_CHECK;

/* By this the owner finds the reply key again. */
void surb_digest(uint8_t out[static SURB_DIGEST_LEN],
    const uint8_t key[static SURB_KEY_LEN]);

#endif
