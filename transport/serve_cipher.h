/*
 * serve_cipher.h - the primitives under an SSH server's packets: a cipher for
 * one direction, key agreement, hashes.  No descriptor, no clock.
 *
 * A packet in a buffer `p`: 4 bytes of length, `len` bytes of payload with its
 * padding, then the tag.  Each cipher authenticates the length too, and none
 * counts it in the padding.
 *
 *	chacha20-poly1305@openssh.com	the length encrypted under its own key
 *	aes256-gcm@openssh.com		the length in clear (RFC 5647)
 *	aes256-ctr			hmac-sha2-256-etm@openssh.com, length in clear
 */
#ifndef SW_TRANSPORT_SERVE_CIPHER_H
#define SW_TRANSPORT_SERVE_CIPHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SERVE_TAG_MAX 32
#define SERVE_HASH_LEN 32		/* SHA-256, the exchange hash */

enum serve_cipher_kind {
	SERVE_CIPHER_NONE,		/* before the first keys */
	SERVE_CIPHER_CHACHA,
	SERVE_CIPHER_GCM,
	SERVE_CIPHER_CTR,
};

/* Start the library; false when the machine cannot run it.  Once, first. */
bool serve_cipher_begin(void);

/* Can this machine do it?  (GCM wants instructions for it.) */
bool serve_cipher_has(enum serve_cipher_kind kind);

/* Bytes that a direction's key, first vector and MAC key have. */
size_t serve_cipher_key_len(enum serve_cipher_kind kind);
size_t serve_cipher_tag_len(enum serve_cipher_kind kind);
size_t serve_cipher_block_len(enum serve_cipher_kind kind);

struct serve_cipher;			/* holds keys */

/* Keys of the lengths above (vector 16, MAC key 32 bytes), copied.  NULL
 * without memory. */
struct serve_cipher *serve_cipher_new(enum serve_cipher_kind kind,
    const uint8_t *key, const uint8_t iv[static 16],
    const uint8_t mac[static 32]);
void serve_cipher_free(struct serve_cipher *c);	/* wipes; NULL is fine */

/* The length a packet claims, unauthenticated; p holds its first 4 bytes and
 * is not changed.  c may be NULL: no cipher yet. */
uint32_t serve_cipher_peek(const struct serve_cipher *c, uint32_t seq,
    const uint8_t p[static 4]);

/* Check the tag, then decrypt p[4..4+len) in place.  SW_OK or SW_ERR_MAC. */
int serve_cipher_open(struct serve_cipher *c, uint32_t seq, uint8_t *p,
    size_t len) SW_MUST_CHECK;

/* Encrypt p[0..4+len) in place and write the tag behind it. */
void serve_cipher_seal(struct serve_cipher *c, uint32_t seq, uint8_t *p,
    size_t len);

/* ---- what key exchange needs ---- */

/* A fresh X25519 pair, agreed with the peer's key.  SW_ERR_FORMAT for a key of
 * low order.  shared is secret. */
int serve_agree(uint8_t ours[static 32], uint8_t shared[static 32],
    const uint8_t theirs[static 32]) SW_MUST_CHECK;

/* One of SSH's derived keys (RFC 4253 section 7.2); out is secret. */
void serve_derive(uint8_t *out, size_t len, char letter,
    const uint8_t *k_mpint, size_t k_len, const uint8_t h[static SERVE_HASH_LEN],
    const uint8_t session_id[static SERVE_HASH_LEN]);

void serve_sha256(uint8_t out[static SERVE_HASH_LEN], const void *p, size_t n);
void serve_random(void *p, size_t n);

/* Ed25519: the secret key is the seed and the public key. */
void serve_sign(uint8_t sig[static 64], const void *msg, size_t n,
    const uint8_t sk[static 64]);
void serve_sign_keypair(uint8_t pk[static 32], uint8_t sk[static 64]);

#endif
