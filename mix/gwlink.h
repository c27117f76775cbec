/*
 * gwlink.h - the cryptography between a client and its gateway: registration
 * handshake, authentication, binary frames.  No JSON, no sockets.
 *
 * Registration, station to station:
 *	1 C->G  identity(32) X(32) salt(16)
 *	2 G->C  Y(32) seal(sign_G(Y X)) nonce
 *	3 C->G  seal(sign_C(X Y)) nonce
 *	4 G->C  01
 * where seal is AES-256-GCM-SIV under K = HKDF-BLAKE3(salt, X25519).  The
 * nonce comes last there, and third in binary frames.
 */
#ifndef SW_MIX_GWLINK_H
#define SW_MIX_GWLINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mix/gcm_siv.h"
#include "mix/gwmsg.h"
#include "mix/prim.h"
#include "mix/rng.h"

#define GWLINK_KEY_LEN 32
#define GWLINK_INIT_LEN 80
#define GWLINK_GATEWAY_LEN 124
#define GWLINK_CLIENT_LEN 92
#define GWLINK_FINAL 1		/* the one byte of message 4 */

/* Either side while it registers.  Holds secrets: wipe when done. */
struct gwlink {
	uint8_t seed[ED25519_SEED_LEN];	/* our identity */
	uint8_t peer[ED25519_PK_LEN];
	uint8_t sk[X25519_KEY_LEN];
	uint8_t ours[X25519_KEY_LEN], theirs[X25519_KEY_LEN];
	uint8_t salt[16];
	uint8_t key[GWLINK_KEY_LEN];	/* the result */
};

/* Message 1.  `gateway` is the identity the directory names. */
void gwlink_start(struct gwlink *l, const uint8_t seed[static 32],
    const uint8_t gateway[static 32], struct rng *rng,
    uint8_t out[static GWLINK_INIT_LEN]);

/* The gateway reads 1 and writes 2.  SW_ERR_FORMAT. */
int gwlink_answer(struct gwlink *l, const uint8_t seed[static 32],
    const uint8_t *in, size_t n, struct rng *rng,
    uint8_t out[static GWLINK_GATEWAY_LEN]) SW_MUST_CHECK;

/* The client reads 2 and writes 3; l->key is then set.  SW_ERR_FORMAT, or
 * SW_ERR_AUTH if this is not the gateway it was to be. */
int gwlink_finish(struct gwlink *l, const uint8_t *in, size_t n,
    struct rng *rng, uint8_t out[static GWLINK_CLIENT_LEN]) SW_MUST_CHECK;

/* The gateway reads 3; l->key and l->peer are then set. */
int gwlink_verify(struct gwlink *l, const uint8_t *in, size_t n)
    SW_MUST_CHECK;

/* Authentication with a key from an earlier registration.  timestamp must be
 * larger than in any earlier one. */
void gwlink_prove(struct gwmsg_auth *a, uint8_t version,
    const uint8_t seed[static 32], const uint8_t key[static GWLINK_KEY_LEN],
    uint64_t timestamp, struct rng *rng);
/* The gateway checks signature and key (not the time).  SW_OK or
 * SW_ERR_AUTH. */
int gwlink_check(const struct gwmsg_auth *a, uint8_t version,
    const uint8_t key[static GWLINK_KEY_LEN]) SW_MUST_CHECK;

/* Binary frames. */
enum { GWLINK_FORWARD = 1, GWLINK_FORWARD_LABELLED = 2, GWLINK_PUSH = 1 };

#define GWLINK_FRAME_HEAD_LEN (2 + GCM_SIV_NONCE_LEN)
#define GWLINK_FRAME_OVERHEAD (GWLINK_FRAME_HEAD_LEN + GCM_SIV_TAG_LEN)

/* The plaintext of n bytes lies at frame + GWLINK_FRAME_HEAD_LEN; the frame
 * of n + GWLINK_FRAME_OVERHEAD bytes is made around it. */
void gwlink_seal(uint8_t *frame, size_t n, uint8_t kind,
    const uint8_t key[static GWLINK_KEY_LEN], struct rng *rng);

/* Decrypt in place; *plain points into frame.  SW_ERR_FORMAT (too short, or
 * not encrypted), SW_ERR_MAC. */
int gwlink_open(uint8_t *frame, size_t len, uint8_t *kind,
    const uint8_t key[static GWLINK_KEY_LEN], uint8_t **plain, size_t *n)
    SW_MUST_CHECK;

#endif
