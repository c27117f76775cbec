#include "transport/serve_cipher.h"

#include <stdlib.h>
#include <string.h>
#include <mbedtls/aes.h>
#include <sodium.h>

#include "base/wipe.h"

#define GCM_TAG_LEN 16
#define POLY_TAG_LEN 16
#define HMAC_TAG_LEN 32
#define AES256_KEY_BITS 256

/* Holds keys. */
struct serve_cipher {
	crypto_aead_aes256gcm_state gcm;	/* aligned: first */
	mbedtls_aes_context aes;
	enum serve_cipher_kind kind;
	uint8_t key[64];
	uint8_t mac[32];
	uint8_t iv[16], stream[16];
	size_t stream_at;
};

bool
serve_cipher_begin(void)
{
	return sodium_init() >= 0;
}

bool
serve_cipher_has(enum serve_cipher_kind kind)
{
	return kind != SERVE_CIPHER_GCM ||
	    crypto_aead_aes256gcm_is_available() != 0;
}

size_t
serve_cipher_key_len(enum serve_cipher_kind kind)
{
	return kind == SERVE_CIPHER_CHACHA ? 64 : 32;
}

size_t
serve_cipher_tag_len(enum serve_cipher_kind kind)
{
	static const size_t len[] = { 0, POLY_TAG_LEN, GCM_TAG_LEN, HMAC_TAG_LEN };

	return len[kind];
}

size_t
serve_cipher_block_len(enum serve_cipher_kind kind)
{
	static const size_t len[] = { 8, 8, 16, 16 };

	return len[kind];
}

struct serve_cipher *
serve_cipher_new(enum serve_cipher_kind kind, const uint8_t *key,
    const uint8_t iv[static 16], const uint8_t mac[static 32])
{
	struct serve_cipher *c;

	/* sodium asks for 16 bytes of alignment, which malloc gives. */
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	c->kind = kind;
	memcpy(c->key, key, serve_cipher_key_len(kind));
	memcpy(c->iv, iv, sizeof(c->iv));
	memcpy(c->mac, mac, sizeof(c->mac));
	mbedtls_aes_init(&c->aes);
	if (kind == SERVE_CIPHER_GCM)
		(void)crypto_aead_aes256gcm_beforenm(&c->gcm, key);
	if (kind == SERVE_CIPHER_CTR &&
	    mbedtls_aes_setkey_enc(&c->aes, key, AES256_KEY_BITS) != 0) {
		serve_cipher_free(c);
		return NULL;
	}
	return c;
}

void
serve_cipher_free(struct serve_cipher *c)
{
	if (c == NULL)
		return;
	mbedtls_aes_free(&c->aes);
	sw_wipe_free(c, sizeof(*c));
}

static void
put_u64be(uint8_t out[static 8], uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		out[i] = (uint8_t)v;
}

static uint32_t
get_u32be(const uint8_t p[static 4])
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

uint32_t
serve_cipher_peek(const struct serve_cipher *c, uint32_t seq,
    const uint8_t p[static 4])
{
	uint8_t nonce[8], plain[4];

	if (c == NULL || c->kind != SERVE_CIPHER_CHACHA)
		return get_u32be(p);
	put_u64be(nonce, seq);
	crypto_stream_chacha20_xor(plain, p, 4, nonce, c->key + 32);
	return get_u32be(plain);
}

/* ---- chacha20-poly1305@openssh.com ---- */

static void
poly_key(const struct serve_cipher *c, const uint8_t nonce[static 8],
    uint8_t key[static 32])
{
	crypto_stream_chacha20(key, 32, nonce, c->key);
}

static int
chacha_open(struct serve_cipher *c, uint32_t seq, uint8_t *p, size_t len)
{
	uint8_t nonce[8], key[32];
	int bad;

	put_u64be(nonce, seq);
	poly_key(c, nonce, key);
	bad = crypto_onetimeauth_poly1305_verify(p + 4 + len, p, 4 + len, key);
	sw_wipe(key, sizeof(key));
	if (bad != 0)
		return SW_ERR_MAC;
	crypto_stream_chacha20_xor_ic(p + 4, p + 4, len, nonce, 1, c->key);
	return SW_OK;
}

static void
chacha_seal(struct serve_cipher *c, uint32_t seq, uint8_t *p, size_t len)
{
	uint8_t nonce[8], key[32];

	put_u64be(nonce, seq);
	crypto_stream_chacha20_xor(p, p, 4, nonce, c->key + 32);
	crypto_stream_chacha20_xor_ic(p + 4, p + 4, len, nonce, 1, c->key);
	poly_key(c, nonce, key);
	crypto_onetimeauth_poly1305(p + 4 + len, p, 4 + len, key);
	sw_wipe(key, sizeof(key));
}

/* ---- aes256-gcm@openssh.com: the last 8 bytes of the vector count ---- */

static void
gcm_count(struct serve_cipher *c)
{
	for (int i = 11; i >= 4; i--)
		if (++c->iv[i] != 0)
			break;
}

static int
gcm_open(struct serve_cipher *c, uint8_t *p, size_t len)
{
	int bad = crypto_aead_aes256gcm_decrypt_detached_afternm(p + 4, NULL,
	    p + 4, len, p + 4 + len, p, 4, c->iv, &c->gcm);

	gcm_count(c);
	return bad != 0 ? SW_ERR_MAC : SW_OK;
}

static void
gcm_seal(struct serve_cipher *c, uint8_t *p, size_t len)
{
	crypto_aead_aes256gcm_encrypt_detached_afternm(p + 4, p + 4 + len, NULL,
	    p + 4, len, p, 4, NULL, c->iv, &c->gcm);
	gcm_count(c);
}

/* ---- aes256-ctr with hmac-sha2-256-etm@openssh.com ---- */

static void
etm_tag(const struct serve_cipher *c, uint32_t seq, const uint8_t *p, size_t len,
    uint8_t tag[static HMAC_TAG_LEN])
{
	crypto_auth_hmacsha256_state st;
	uint8_t n[8];

	put_u64be(n, seq);
	crypto_auth_hmacsha256_init(&st, c->mac, sizeof(c->mac));
	crypto_auth_hmacsha256_update(&st, n + 4, 4);
	crypto_auth_hmacsha256_update(&st, p, 4 + len);
	crypto_auth_hmacsha256_final(&st, tag);
	sw_wipe(&st, sizeof(st));
}

static void
ctr_crypt(struct serve_cipher *c, uint8_t *p, size_t len)
{
	(void)mbedtls_aes_crypt_ctr(&c->aes, len, &c->stream_at, c->iv, c->stream,
	    p, p);
}

int
serve_cipher_open(struct serve_cipher *c, uint32_t seq, uint8_t *p, size_t len)
{
	uint8_t tag[HMAC_TAG_LEN];

	switch (c->kind) {
	case SERVE_CIPHER_CHACHA:
		return chacha_open(c, seq, p, len);
	case SERVE_CIPHER_GCM:
		return gcm_open(c, p, len);
	case SERVE_CIPHER_CTR:
		etm_tag(c, seq, p, len, tag);
		if (!sw_equal_ct(tag, p + 4 + len, sizeof(tag)))
			return SW_ERR_MAC;
		ctr_crypt(c, p + 4, len);
		return SW_OK;
	case SERVE_CIPHER_NONE:
		break;
	}
	return SW_ERR_MAC;
}

void
serve_cipher_seal(struct serve_cipher *c, uint32_t seq, uint8_t *p, size_t len)
{
	switch (c->kind) {
	case SERVE_CIPHER_CHACHA:
		chacha_seal(c, seq, p, len);
		break;
	case SERVE_CIPHER_GCM:
		gcm_seal(c, p, len);
		break;
	case SERVE_CIPHER_CTR:
		ctr_crypt(c, p + 4, len);
		etm_tag(c, seq, p, len, p + 4 + len);
		break;
	case SERVE_CIPHER_NONE:
		break;
	}
}

/* ---- key exchange ---- */

int
serve_agree(uint8_t ours[static 32], uint8_t shared[static 32],
    const uint8_t theirs[static 32])
{
	uint8_t secret[32];
	int r;

	randombytes_buf(secret, sizeof(secret));
	(void)crypto_scalarmult_base(ours, secret);
	r = crypto_scalarmult(shared, secret, theirs);
	sw_wipe(secret, sizeof(secret));
	return r == 0 ? SW_OK : SW_ERR_FORMAT;
}

void
serve_derive(uint8_t *out, size_t len, char letter, const uint8_t *k_mpint,
    size_t k_len, const uint8_t h[static SERVE_HASH_LEN],
    const uint8_t session_id[static SERVE_HASH_LEN])
{
	crypto_hash_sha256_state st;
	uint8_t block[64];			/* no key is longer */

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, k_mpint, k_len);
	crypto_hash_sha256_update(&st, h, SERVE_HASH_LEN);
	crypto_hash_sha256_update(&st, (const uint8_t *)&letter, 1);
	crypto_hash_sha256_update(&st, session_id, SERVE_HASH_LEN);
	crypto_hash_sha256_final(&st, block);
	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, k_mpint, k_len);
	crypto_hash_sha256_update(&st, h, SERVE_HASH_LEN);
	crypto_hash_sha256_update(&st, block, SERVE_HASH_LEN);
	crypto_hash_sha256_final(&st, block + SERVE_HASH_LEN);
	memcpy(out, block, len > sizeof(block) ? sizeof(block) : len);
	sw_wipe(block, sizeof(block));
	sw_wipe(&st, sizeof(st));
}

void
serve_sha256(uint8_t out[static SERVE_HASH_LEN], const void *p, size_t n)
{
	crypto_hash_sha256(out, p, n);
}

void
serve_random(void *p, size_t n)
{
	randombytes_buf(p, n);
}

void
serve_sign(uint8_t sig[static 64], const void *msg, size_t n,
    const uint8_t sk[static 64])
{
	(void)crypto_sign_detached(sig, NULL, msg, n, sk);
}

void
serve_sign_keypair(uint8_t pk[static 32], uint8_t sk[static 64])
{
	(void)crypto_sign_keypair(pk, sk);
}
