/*
 * noise.h - the encryption of links between nodes: Noise_XKpsk3_25519_AESGCM_
 * SHA256 in Nym's frames, without descriptors.
 *
 *	frame    version(1) pattern(1) type(1) length(2) zero(3), then `length`
 *	1 I->R   e, es			the directory names R's key
 *	2 R->I   e, ee
 *	3 I->R   s, se, psk		psk = SHA-256(a constant | R's key)
 *	then     data frames, in both directions in theory; from I in practice
 *
 * R learns I's key and holds it against nothing, as in Nym: the links'
 * encryption hides packets from those who watch the wire.
 */
#ifndef SW_MIX_NOISE_H
#define SW_MIX_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/wire.h"
#include "mix/prim.h"
#include "mix/rng.h"

#define NOISE_HEAD_LEN 8
#define NOISE_TAG_LEN 16
#define NOISE_PLAIN_MAX (UINT16_MAX - NOISE_TAG_LEN)
#define NOISE_HANDSHAKE_MAX (NOISE_HEAD_LEN + 64)

struct noise_aead;			/* noise_crypto.c */

/* One end.  Holds secrets: noise_wipe() ends it. */
struct noise {
	bool initiator, done;
	uint8_t step;			/* messages written and read */
	uint8_t pattern;
	uint8_t s[X25519_KEY_LEN];	/* our key, secret */
	uint8_t responder[X25519_KEY_LEN];
	uint8_t e[X25519_KEY_LEN];	/* ephemeral, secret */
	uint8_t peer_e[X25519_KEY_LEN], peer_s[X25519_KEY_LEN];
	uint8_t h[SHA256_LEN], ck[SHA256_LEN], k[SHA256_LEN];
	uint64_t n;			/* nonce under k */
	struct noise_aead *out, *in;	/* once done */
	uint64_t out_n, in_n;
	struct rng *rng;
};

/*
 * Begin.  sk is our own key; responder the other's public key, or our own
 * when we are the responder.
 */
void noise_init(struct noise *n, bool initiator,
    const uint8_t sk[static X25519_KEY_LEN],
    const uint8_t responder[static X25519_KEY_LEN], struct rng *rng);
void noise_wipe(struct noise *n);	/* fine when zeroed */

/* The handshake frame that is ours to send now; *len is 0 when it is not our
 * turn.  SW_ERR_FORMAT for keys without a shared secret; SW_ERR_NOMEM. */
int noise_say(struct noise *n, uint8_t out[static NOISE_HANDSHAKE_MAX],
    size_t *len) SW_MUST_CHECK;

/*
 * noise_take() - take one frame off the front of r, which is changed in place.
 *
 * plain, len  what a data frame held, borrowed from r's memory; len 0 for a
 *             handshake frame, after which noise_say() may have an answer.
 *
 * SW_OK; SW_AGAIN when it is not all there; SW_ERR_FORMAT, SW_ERR_MAC,
 * SW_ERR_NOMEM: close the link.
 */
int noise_take(struct noise *n, struct rbuf *r, uint8_t **plain, size_t *len)
    SW_MUST_CHECK;

/* A data frame of up to NOISE_PLAIN_MAX bytes; needs n->done. */
int noise_seal(struct noise *n, struct wbuf *w, const void *data, size_t len)
    SW_MUST_CHECK;

/* AES-256-GCM under counted nonces.  NULL: no memory. */
struct noise_aead *noise_aead_new(const uint8_t key[static AES256_KEY_LEN]);
void noise_aead_free(struct noise_aead *a);	/* wipes; NULL is fine */
/* In place; the tag follows. */
int noise_aead_seal(struct noise_aead *a, uint64_t nonce, const void *aad,
    size_t aad_len, uint8_t *p, size_t n, uint8_t tag[static NOISE_TAG_LEN])
    SW_MUST_CHECK;
/* In place; p is zeroed unless SW_OK.  SW_ERR_MAC. */
int noise_aead_open(struct noise_aead *a, uint64_t nonce, const void *aad,
    size_t aad_len, uint8_t *p, size_t n,
    const uint8_t tag[static NOISE_TAG_LEN]) SW_MUST_CHECK;

#endif
