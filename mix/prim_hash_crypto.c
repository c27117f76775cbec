/* Hashes and what is made of them. */
#include "mix/prim_priv.h"

#include <assert.h>
#include <mbedtls/sha1.h>
#include <sodium.h>
#include <string.h>

#include "base/wipe.h"
#include "mix/prim_x86.h"

#define SHA256_BLOCK_LEN 64

/* libsodium's state holds words, a bit count and a block: all that the
 * processor's instructions need, so both share the struct. */
static void
sha_update(crypto_hash_sha256_state *s, const void *in, size_t n)
{
	const uint8_t *p = in;
	size_t used, take;

	if (!prim_hardware.sha) {
		crypto_hash_sha256_update(s, in, n);
		return;
	}
	used = (size_t)(s->count / 8 % SHA256_BLOCK_LEN);
	s->count += (uint64_t)n * 8;
	if (used > 0) {
		take = SHA256_BLOCK_LEN - used;
		if (take > n)
			take = n;
		memcpy(s->buf + used, p, take);
		p += take;
		n -= take;
		if (used + take < SHA256_BLOCK_LEN)
			return;
		x86_sha256_blocks(s->state, s->buf, 1);
	}
	x86_sha256_blocks(s->state, p, n / SHA256_BLOCK_LEN);
	p += n / SHA256_BLOCK_LEN * SHA256_BLOCK_LEN;
	if (n % SHA256_BLOCK_LEN > 0)
		memcpy(s->buf, p, n % SHA256_BLOCK_LEN);
}

static void
sha_final(crypto_hash_sha256_state *s, uint8_t out[static SHA256_LEN])
{
	static const uint8_t padding[SHA256_BLOCK_LEN] = { 0x80 };
	uint8_t bits[8];
	uint64_t count = s->count;

	if (!prim_hardware.sha) {
		crypto_hash_sha256_final(s, out);
		return;
	}
	for (size_t i = 0; i < sizeof(bits); i++)
		bits[i] = (uint8_t)(count >> (56 - 8 * i));
	sha_update(s, padding, 1 + (119 - count / 8 % 64) % 64);
	sha_update(s, bits, sizeof(bits));
	for (size_t i = 0; i < SHA256_LEN; i++)
		out[i] = (uint8_t)(s->state[i / 4] >> (24 - 8 * (i % 4)));
	sw_wipe(s, sizeof(*s));
}

void
prim_sha256_pair(uint8_t out[static SHA256_LEN], const void *a, size_t a_len,
    const void *b, size_t b_len)
{
	crypto_hash_sha256_state s;

	crypto_hash_sha256_init(&s);
	sha_update(&s, a, a_len);
	sha_update(&s, b, b_len);
	sha_final(&s, out);
}

void
prim_sha256(uint8_t out[static SHA256_LEN], const void *in, size_t n)
{
	prim_sha256_pair(out, in, n, in, 0);
}

/* Both pads of a key already absorbed: each further HMAC under the key saves
 * two of its four or more blocks.  Holds a secret. */
struct hmac_key {
	crypto_hash_sha256_state inner, outer;
};

static void
hmac_key_init(struct hmac_key *k, const void *key, size_t key_len)
{
	uint8_t pad[SHA256_BLOCK_LEN] = { 0 };

	assert(key_len <= sizeof(pad));
	if (key_len > 0)
		memcpy(pad, key, key_len);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36;
	crypto_hash_sha256_init(&k->inner);
	sha_update(&k->inner, pad, sizeof(pad));
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	crypto_hash_sha256_init(&k->outer);
	sha_update(&k->outer, pad, sizeof(pad));
	sw_wipe(pad, sizeof(pad));
}

static void
hmac_finish(const struct hmac_key *k, crypto_hash_sha256_state *inner,
    uint8_t out[static SHA256_LEN])
{
	crypto_hash_sha256_state outer = k->outer;
	uint8_t digest[SHA256_LEN];

	sha_final(inner, digest);
	sha_update(&outer, digest, sizeof(digest));
	sha_final(&outer, out);
	sw_wipe(digest, sizeof(digest));
}

void
prim_hmac_sha256(uint8_t out[static SHA256_LEN], const void *key,
    size_t key_len, const void *in, size_t n)
{
	crypto_hash_sha256_state inner;
	struct hmac_key k;

	hmac_key_init(&k, key, key_len);
	inner = k.inner;
	sha_update(&inner, in, n);
	hmac_finish(&k, &inner, out);
	sw_wipe(&k, sizeof(k));
	sw_wipe(&inner, sizeof(inner));
}

void
prim_hkdf_sha256(uint8_t *out, size_t out_len, const void *salt,
    size_t salt_len, const void *ikm, size_t ikm_len, const void *info,
    size_t info_len)
{
	crypto_hash_sha256_state inner;
	uint8_t block[SHA256_LEN];
	struct hmac_key k;
	uint8_t count = 0;

	assert(out_len <= (size_t)255 * SHA256_LEN);
	prim_hmac_sha256(block, salt, salt_len, ikm, ikm_len);
	hmac_key_init(&k, block, sizeof(block));
	while (out_len > 0) {
		size_t take = out_len < sizeof(block) ? out_len : sizeof(block);

		inner = k.inner;
		if (count > 0)
			sha_update(&inner, block, sizeof(block));
		count++;
		sha_update(&inner, info, info_len);
		sha_update(&inner, &count, 1);
		hmac_finish(&k, &inner, block);
		memcpy(out, block, take);
		out += take;
		out_len -= take;
	}
	sw_wipe(&k, sizeof(k));
	sw_wipe(&inner, sizeof(inner));
	sw_wipe(block, sizeof(block));
}

void
prim_blake2b_keyed(uint8_t out[static 32],
    const uint8_t key[static BLAKE2B_KEY_LEN], const void *in, size_t n)
{
	crypto_generichash(out, 32, in, n, key, BLAKE2B_KEY_LEN);
}

void
prim_sha1(uint8_t out[static 20], const void *in, size_t n)
{
	if (mbedtls_sha1(in, n, out) != 0)
		abort();
}
