/*
 * prim.h - the primitives that the mixnet's formats are made of.
 *
 * A thin layer over libsodium and mbedTLS, so that the rest of mix/ names
 * operations and not libraries, and so that AES and SHA-256 use the
 * processor's instructions where it has them (prim_x86.c).
 *
 * Buffers are the caller's; nothing is allocated.  All of it is constant time
 * in keys and data, except AES on processors without AES instructions, which
 * is mbedTLS's table implementation.  Call prim_init() once before anything.
 */
#ifndef SW_MIX_PRIM_H
#define SW_MIX_PRIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define X25519_KEY_LEN 32
#define ED25519_PK_LEN 32
#define ED25519_SEED_LEN 32
#define ED25519_SIG_LEN 64
#define SHA256_LEN 32
#define AES128_KEY_LEN 16
#define AES256_KEY_LEN 32
#define AES_BLOCK_LEN 16
#define BLAKE2B_KEY_LEN 64

/* Choose implementations, make the base point's table; again is fine.  Not
 * from two threads at once.  SW_OK, SW_ERR_NOMEM, or SW_ERR_SYS if there is no
 * randomness. */
int prim_init(void) SW_MUST_CHECK;

/* Forget the processor's instructions (true) or use them again (false), so
 * that tests and benchmarks can run both implementations. */
void prim_set_portable(bool portable);

/*
 * X25519 (RFC 7748).  Scalars are clamped when used.  out may be any of the
 * inputs.  SW_ERR_FORMAT, and out zeroed, if the result is zero, that is if u
 * has low order.
 */
int prim_x25519(uint8_t out[static X25519_KEY_LEN],
    const uint8_t k[static X25519_KEY_LEN],
    const uint8_t u[static X25519_KEY_LEN]) SW_MUST_CHECK;
void prim_x25519_base(uint8_t out[static X25519_KEY_LEN],
    const uint8_t k[static X25519_KEY_LEN]);

/* Several at once: where the processor has 52-bit multiplications in vectors,
 * eight cost less than two one by one.  Holds secrets; the caller wipes it. */
#define PRIM_LANES 8
struct prim_lanes {
	uint8_t k[PRIM_LANES][X25519_KEY_LEN];	/* changed */
	uint8_t u[PRIM_LANES][X25519_KEY_LEN];
	uint8_t out[PRIM_LANES][X25519_KEY_LEN];
};

/* The first n lanes, at most PRIM_LANES.  Bit i of the result is set, and
 * out[i] zero, where prim_x25519() would have refused. */
unsigned prim_x25519_many(struct prim_lanes *l, size_t n);

/*
 * A product of clamped X25519 scalars, to be applied at once: applying the
 * chain k1 * k2 * ... to a point costs one multiplication and gives what
 * prim_x25519 by k1, then by k2, ... would.  Holds a secret.
 */
struct prim_chain {
	uint8_t product[32];		/* modulo the group order */
};

/* c := k; c := c * k.  k is clamped on the way. */
void prim_chain_init(struct prim_chain *c,
    const uint8_t k[static X25519_KEY_LEN]);
void prim_chain_mul(struct prim_chain *c,
    const uint8_t k[static X25519_KEY_LEN]);

/* out := chain applied to u.  u must have passed prim_x25519_is_on_curve():
 * on the curve's twist the group order differs and the result would too. */
int prim_chain_apply(uint8_t out[static X25519_KEY_LEN],
    const struct prim_chain *c, const uint8_t u[static X25519_KEY_LEN])
    SW_MUST_CHECK;

/* The same by tables (comb.h), two to three times as fast: what is written here
 * is done by comb_mul_many(), for several at once. */
struct comb;
struct comb_job;
void prim_chain_job(struct comb_job *job, const struct prim_chain *c,
    const struct comb *table);
/* prim_x25519() by the table of u; NULL stands for the base point's. */
void prim_x25519_job(struct comb_job *job,
    const uint8_t k[static X25519_KEY_LEN], const struct comb *table);

/* Is u the coordinate of a curve point of more than low order?  Every honest
 * public key is.  About three multiplications: ask once per key. */
bool prim_x25519_is_on_curve(const uint8_t u[static X25519_KEY_LEN]);

/* Ed25519, no prehash and no context.  seed is the secret. */
void prim_ed25519_public(uint8_t pk[static ED25519_PK_LEN],
    const uint8_t seed[static ED25519_SEED_LEN]);
void prim_ed25519_sign(uint8_t sig[static ED25519_SIG_LEN],
    const uint8_t seed[static ED25519_SEED_LEN], const void *m, size_t n);
/* SW_OK or SW_ERR_AUTH. */
int prim_ed25519_verify(const uint8_t sig[static ED25519_SIG_LEN],
    const uint8_t pk[static ED25519_PK_LEN], const void *m, size_t n)
    SW_MUST_CHECK;

/* Is it the encoding of a point of the main subgroup?  Public values only. */
bool prim_ed25519_is_point(const uint8_t pk[static ED25519_PK_LEN]);

/* Of one buffer; of a with b behind it. */
void prim_sha256(uint8_t out[static SHA256_LEN], const void *in, size_t n);
void prim_sha256_pair(uint8_t out[static SHA256_LEN], const void *a,
    size_t a_len, const void *b, size_t b_len);

/* key_len at most 64. */
void prim_hmac_sha256(uint8_t out[static SHA256_LEN], const void *key,
    size_t key_len, const void *in, size_t n);

/* RFC 5869, out_len at most 255 * 32.  out is a secret of the caller's. */
void prim_hkdf_sha256(uint8_t *out, size_t out_len, const void *salt,
    size_t salt_len, const void *ikm, size_t ikm_len, const void *info,
    size_t info_len);

/* AES-128 in counter mode, the whole block being a big-endian counter.
 * Encrypts and decrypts; in and out may be equal. */
void prim_aes128_ctr(uint8_t *out, const uint8_t *in, size_t n,
    const uint8_t key[static AES128_KEY_LEN],
    const uint8_t iv[static AES_BLOCK_LEN]);

/* An expanded AES key, good for whole blocks.  Holds a secret. */
#define PRIM_AES_CTX_LEN 320
struct prim_aes {
	_Alignas(16) uint8_t ctx[PRIM_AES_CTX_LEN];
};

/* key_len 16 or 32. */
void prim_aes_init(struct prim_aes *a, const uint8_t *key, size_t key_len);
/* Encrypt `blocks` 16-byte blocks, each for itself; in and out may be equal. */
void prim_aes_encrypt(const struct prim_aes *a, uint8_t *out,
    const uint8_t *in, size_t blocks);
void prim_aes_wipe(struct prim_aes *a);

/* XOR with the ChaCha20 keystream of a zero nonce, from block 0. */
void prim_chacha20_xor(uint8_t *buf, size_t n, const uint8_t key[static 32]);

/* BLAKE2b, keyed with 64 bytes, 32 bytes out. */
void prim_blake2b_keyed(uint8_t out[static 32],
    const uint8_t key[static BLAKE2B_KEY_LEN], const void *in, size_t n);

/* SHA-1, for the websocket handshake only. */
void prim_sha1(uint8_t out[static 20], const void *in, size_t n);

/* Standard base64 with padding.  Text of n bytes, with its NUL: */
#define PRIM_BASE64_LEN(n) (((n) + 2) / 3 * 4 + 1)
void prim_base64_encode(char *out, const uint8_t *in, size_t n);
/* Exactly `want` bytes; out zeroed and SW_ERR_FORMAT if it is not that. */
int prim_base64_decode(uint8_t *out, size_t want, const char *text,
    size_t len) SW_MUST_CHECK;

#endif
