/*
 * nymseal.h - the inside of a data packet.
 *
 *	ack part             405	see ack.h
 *	ephemeral key or     32		X25519 public key (to an address), or
 *	digest of reply key		BLAKE3 of the key (answer by a SURB)
 *	encrypted fragment   the rest	AES-128-CTR, zero IV, one key one packet
 *
 * The gateway at the end removes the ack part, so the receiver gets the rest:
 * a "delivered" message.  This layer has no integrity check of its own;
 * LIONESS covers it against mixes.
 */
#ifndef SW_MIX_NYMSEAL_H
#define SW_MIX_NYMSEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mix/ack.h"
#include "mix/rng.h"
#include "mix/surb.h"

#define NYMSEAL_KEY_LEN 16
#define NYMSEAL_HEAD_LEN 32
#define NYMSEAL_OVERHEAD (ACK_LEN + NYMSEAL_HEAD_LEN)

/* Room for a fragment in packets of the given plaintext length. */
static inline size_t
nymseal_room(size_t plain_len)
{
	return plain_len - NYMSEAL_OVERHEAD;
}

/* The end-to-end key between an ephemeral and a recipient's key pair; the
 * result is a secret.  SW_ERR_FORMAT for a low-order key. */
int nymseal_key(uint8_t key[static NYMSEAL_KEY_LEN],
    const uint8_t sk[static X25519_KEY_LEN],
    const uint8_t pk[static X25519_KEY_LEN]) SW_MUST_CHECK;

/* An ephemeral public key and the key it leads to with a recipient's, good for
 * one packet.  Holds a secret. */
struct nymseal_pair {
	uint8_t pk[X25519_KEY_LEN];
	uint8_t key[NYMSEAL_KEY_LEN];
};

/*
 * nymseal_agree() - n pairs, at most NYMSEAL_BATCH, for a recipient.
 *
 * to     the recipient's encryption key.
 * table  of that key (comb.h), or NULL if there is none.
 * rng    32 bytes for each.
 *
 * SW_OK; SW_ERR_FORMAT for a low-order key, and p zeroed.
 */
#define NYMSEAL_BATCH 16
struct comb;
int nymseal_agree(struct nymseal_pair *p, size_t n,
    const uint8_t to[static X25519_KEY_LEN], const struct comb *table,
    struct rng *rng) SW_MUST_CHECK;

/* What follows the ack part, for a recipient: 32 + n bytes.  The fragment lies
 * at out + 32 already and is encrypted in place. */
void nymseal_put(uint8_t *out, size_t n, const struct nymseal_pair *p);

/* The same for an answer by a SURB with this key. */
void nymseal_put_reply(uint8_t *out, size_t n,
    const uint8_t key[static SURB_KEY_LEN]);

/*
 * nymseal_open() - decrypt a delivered message in place.
 *
 * in         n bytes, at least 32; the fragment is then at in + 32.
 * reply_key  the key whose digest the first 32 bytes are, or NULL.
 * sk         the receiver's encryption secret, used if reply_key is NULL.
 */
int nymseal_open(uint8_t *in, size_t n, const uint8_t *reply_key,
    const uint8_t sk[static X25519_KEY_LEN]) SW_MUST_CHECK;

/* Cover traffic instead of a fragment: fill, recognise. */
void nymseal_put_cover(uint8_t *frag, size_t n);
bool nymseal_is_cover(const uint8_t *frag, size_t n);

#endif
