#include "mix/prim.h"

#include <assert.h>
#include <mbedtls/aes.h>
#include <mbedtls/sha1.h>
#include <sodium.h>
#include <string.h>

#include "base/container.h"
#include "base/wipe.h"
#include "mix/comb.h"
#include "mix/prim_x86.h"
#include "mix/rng.h"
#include "mix/x25519_ifma.h"

#define SHA256_BLOCK_LEN 64

static struct {
	bool aes;
	bool sha;
	bool ifma;
} hardware;

static struct comb *base_table;		/* for the life of the process */

_Static_assert(sizeof(struct x86_aes) <= PRIM_AES_CTX_LEN, "AES context");
_Static_assert(sizeof(mbedtls_aes_context) <= PRIM_AES_CTX_LEN, "AES context");

int
prim_init(void)
{
	static const uint8_t nine[X25519_KEY_LEN] = { 9 };

	if (sodium_init() < 0)
		return SW_ERR_SYS;
	prim_set_portable(false);
	return base_table == NULL ? comb_new(&base_table, nine) : SW_OK;
}

void
prim_set_portable(bool portable)
{
	struct x86_features f = x86_detect();

	hardware.aes = f.aes && !portable;
	hardware.sha = f.sha && !portable;
	hardware.ifma = x25519_ifma_works() && !portable;
	comb_set_portable(portable);
}

static void
system_fill(struct rng *self, void *out, size_t n)
{
	(void)self;
	randombytes_buf(out, n);
}

struct rng rng_system = { .fill = system_fill };

static void
seeded_fill(struct rng *self, void *out, size_t n)
{
	static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
	struct rng_seeded *r = CONTAINER_OF(self, struct rng_seeded, rng);

	/* Whole blocks are used up by each call: simple, and repeatable. */
	memset(out, 0, n);
	crypto_stream_chacha20_xor_ic(out, out, n, nonce, r->block, r->seed);
	r->block += (n + 63) / 64;
}

void
rng_seeded_init(struct rng_seeded *r, const uint8_t seed[static 32])
{
	r->rng.fill = seeded_fill;
	memcpy(r->seed, seed, sizeof(r->seed));
	r->block = 0;
}

/* libsodium uses its output as scratch for the scalar, so an output that is
 * also the point would change the point first: always a temporary. */
int
prim_x25519(uint8_t out[static X25519_KEY_LEN],
    const uint8_t k[static X25519_KEY_LEN],
    const uint8_t u[static X25519_KEY_LEN])
{
	uint8_t q[X25519_KEY_LEN];
	int r;

	r = crypto_scalarmult(q, k, u) == 0 ? SW_OK : SW_ERR_FORMAT;
	if (r == SW_OK)
		memcpy(out, q, sizeof(q));
	else
		memset(out, 0, sizeof(q));
	sw_wipe(q, sizeof(q));
	return r;
}

static void
clamp(uint8_t k[static X25519_KEY_LEN])
{
	k[0] &= 248;
	k[31] &= 127;
	k[31] |= 64;
}

unsigned
prim_x25519_many(struct prim_lanes *l, size_t n)
{
	static const uint8_t zero[X25519_KEY_LEN];
	unsigned refused = 0;

	assert(n <= PRIM_LANES);
	if (n < X25519_IFMA_WORTH || !hardware.ifma) {
		for (size_t i = 0; i < n; i++)
			if (prim_x25519(l->out[i], l->k[i], l->u[i]) != SW_OK)
				refused |= 1u << i;
		return refused;
	}
	for (size_t i = 0; i < n; i++)
		clamp(l->k[i]);
	/* The others have to be something. */
	for (size_t i = n; i < PRIM_LANES; i++) {
		memset(l->k[i], 0, sizeof(l->k[i]));
		memset(l->u[i], 0, sizeof(l->u[i]));
	}
	x25519_ifma(l);
	for (size_t i = 0; i < n; i++)
		if (sw_equal_ct(l->out[i], zero, sizeof(zero)))
			refused |= 1u << i;
	return refused;
}

void
prim_x25519_job(struct comb_job *job, const uint8_t k[static X25519_KEY_LEN],
    const struct comb *table)
{
	job->table = table != NULL ? table : base_table;
	memcpy(job->k, k, sizeof(job->k));
	clamp(job->k);
}

void
prim_x25519_base(uint8_t out[static X25519_KEY_LEN],
    const uint8_t k[static X25519_KEY_LEN])
{
	struct comb_job job;
	int r;

	prim_x25519_job(&job, k, NULL);
	r = comb_mul_many(&job, 1);
	assert(r == SW_OK);		/* the base point has prime order */
	memcpy(out, job.out, sizeof(job.out));
	sw_wipe(&job, sizeof(job));
}

static void
chain_reduce(uint8_t out[static 32], const uint8_t k[static X25519_KEY_LEN])
{
	uint8_t wide[crypto_core_ed25519_NONREDUCEDSCALARBYTES] = { 0 };

	memcpy(wide, k, X25519_KEY_LEN);
	wide[0] &= 248;
	wide[31] &= 127;
	wide[31] |= 64;
	crypto_core_ed25519_scalar_reduce(out, wide);
	sw_wipe(wide, sizeof(wide));
}

void
prim_chain_init(struct prim_chain *c, const uint8_t k[static X25519_KEY_LEN])
{
	chain_reduce(c->product, k);
}

void
prim_chain_mul(struct prim_chain *c, const uint8_t k[static X25519_KEY_LEN])
{
	uint8_t s[32], p[32];

	chain_reduce(s, k);
	crypto_core_ed25519_scalar_mul(p, c->product, s);
	memcpy(c->product, p, sizeof(p));
	sw_wipe(s, sizeof(s));
	sw_wipe(p, sizeof(p));
}

/*
 * Find a clamped scalar that acts as the product s does.  With l the group's
 * order, t = s/8 mod l gives 8t = s (mod l), and 8t kills the small-order
 * part of a point just as any clamped scalar does.  Clamped means that t has
 * bit 251 set and none above: take l - t when it has not, which only negates
 * the point and leaves its u coordinate alone.  (t in the 2^-127 part of
 * [0, l) where neither fits cannot be met.)
 */
static void
chain_clamped(uint8_t out[static 32], const struct prim_chain *c)
{
	static const uint8_t eighth[32] = {
		0x79, 0x2f, 0xdc, 0xe2, 0x29, 0xe5, 0x06, 0x61,
		0xd0, 0xda, 0x1c, 0x7d, 0xb3, 0x9d, 0xd3, 0x07,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x06,
	};
	uint8_t t[32], neg[32], keep;
	unsigned carry = 0;

	crypto_core_ed25519_scalar_mul(t, c->product, eighth);
	crypto_core_ed25519_scalar_negate(neg, t);
	keep = (uint8_t)(0 - (t[31] >> 3 & 1));
	for (size_t i = 0; i < sizeof(t); i++) {
		unsigned v = (unsigned)(t[i] & keep) |
		    (unsigned)(neg[i] & (uint8_t)~keep);

		out[i] = (uint8_t)(v << 3 | carry);
		carry = v >> 5;
	}
	sw_wipe(t, sizeof(t));
	sw_wipe(neg, sizeof(neg));
}

int
prim_chain_apply(uint8_t out[static X25519_KEY_LEN],
    const struct prim_chain *c, const uint8_t u[static X25519_KEY_LEN])
{
	uint8_t k[32];
	int r;

	chain_clamped(k, c);
	r = prim_x25519(out, k, u);
	sw_wipe(k, sizeof(k));
	return r;
}

void
prim_chain_job(struct comb_job *job, const struct prim_chain *c,
    const struct comb *table)
{
	job->table = table;
	chain_clamped(job->k, c);
}

/* The one-multiplication form agrees with the two-step form exactly on the
 * curve: on the twist the product would have to be taken modulo another
 * order.  Fixed scalars suffice, since nothing here is secret. */
bool
prim_x25519_is_on_curve(const uint8_t u[static X25519_KEY_LEN])
{
	static const uint8_t k1[X25519_KEY_LEN] = { 0x29, 0x31, 0x17, 0x4c };
	static const uint8_t k2[X25519_KEY_LEN] = { 0xc1, 0x08, 0x5b, 0x9e };
	uint8_t steps[X25519_KEY_LEN], once[X25519_KEY_LEN];
	struct prim_chain c;

	prim_chain_init(&c, k1);
	prim_chain_mul(&c, k2);
	return prim_x25519(steps, k1, u) == SW_OK &&
	    prim_x25519(steps, k2, steps) == SW_OK &&
	    prim_chain_apply(once, &c, u) == SW_OK &&
	    sw_equal_ct(steps, once, sizeof(steps));
}

void
prim_ed25519_public(uint8_t pk[static ED25519_PK_LEN],
    const uint8_t seed[static ED25519_SEED_LEN])
{
	uint8_t sk[crypto_sign_SECRETKEYBYTES];

	crypto_sign_seed_keypair(pk, sk, seed);
	sw_wipe(sk, sizeof(sk));
}

void
prim_ed25519_sign(uint8_t sig[static ED25519_SIG_LEN],
    const uint8_t seed[static ED25519_SEED_LEN], const void *m, size_t n)
{
	uint8_t sk[crypto_sign_SECRETKEYBYTES], pk[ED25519_PK_LEN];

	crypto_sign_seed_keypair(pk, sk, seed);
	crypto_sign_detached(sig, NULL, m, n, sk);
	sw_wipe(sk, sizeof(sk));
}

int
prim_ed25519_verify(const uint8_t sig[static ED25519_SIG_LEN],
    const uint8_t pk[static ED25519_PK_LEN], const void *m, size_t n)
{
	return crypto_sign_verify_detached(sig, m, n, pk) == 0 ?
	    SW_OK : SW_ERR_AUTH;
}

bool
prim_ed25519_is_point(const uint8_t pk[static ED25519_PK_LEN])
{
	return crypto_core_ed25519_is_valid_point(pk) == 1;
}

/* libsodium's state holds words, a bit count and a block: all that the
 * processor's instructions need, so both share the struct. */
static void
sha_update(crypto_hash_sha256_state *s, const void *in, size_t n)
{
	const uint8_t *p = in;
	size_t used, take;

	if (!hardware.sha) {
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

	if (!hardware.sha) {
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
prim_aes_init(struct prim_aes *a, const uint8_t *key, size_t key_len)
{
	mbedtls_aes_context *m;

	if (hardware.aes) {
		x86_aes_init((struct x86_aes *)a->ctx, key, key_len);
		return;
	}
	m = (mbedtls_aes_context *)a->ctx;
	mbedtls_aes_init(m);
	if (mbedtls_aes_setkey_enc(m, key, (unsigned)(key_len * 8)) != 0)
		abort();		/* only a wrong length can fail */
}

void
prim_aes_encrypt(const struct prim_aes *a, uint8_t *out, const uint8_t *in,
    size_t blocks)
{
	if (hardware.aes) {
		x86_aes_encrypt((const struct x86_aes *)a->ctx, out, in,
		    blocks);
		return;
	}
	/* mbedTLS takes a mutable context and does not change it. */
	for (size_t i = 0; i < blocks; i++)
		if (mbedtls_aes_crypt_ecb((mbedtls_aes_context *)
		    (uintptr_t)a->ctx, MBEDTLS_AES_ENCRYPT, in + 16 * i,
		    out + 16 * i) != 0)
			abort();
}

void
prim_aes_wipe(struct prim_aes *a)
{
	sw_wipe(a, sizeof(*a));
}

void
prim_aes128_ctr(uint8_t *out, const uint8_t *in, size_t n,
    const uint8_t key[static AES128_KEY_LEN],
    const uint8_t iv[static AES_BLOCK_LEN])
{
	uint8_t counter[AES_BLOCK_LEN], stream[AES_BLOCK_LEN];
	struct prim_aes a;
	size_t used = 0;

	prim_aes_init(&a, key, AES128_KEY_LEN);
	if (hardware.aes) {
		x86_aes_ctr((const struct x86_aes *)a.ctx, out, in, n, iv);
	} else {
		memcpy(counter, iv, sizeof(counter));
		if (mbedtls_aes_crypt_ctr((mbedtls_aes_context *)a.ctx, n,
		    &used, counter, stream, in, out) != 0)
			abort();
		sw_wipe(stream, sizeof(stream));
	}
	prim_aes_wipe(&a);
}

void
prim_chacha20_xor(uint8_t *buf, size_t n, const uint8_t key[static 32])
{
	static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];

	crypto_stream_chacha20_xor(buf, buf, n, nonce, key);
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

void
prim_base64_encode(char *out, const uint8_t *in, size_t n)
{
	sodium_bin2base64(out, PRIM_BASE64_LEN(n), in, n,
	    sodium_base64_VARIANT_ORIGINAL);
}

int
prim_base64_decode(uint8_t *out, size_t want, const char *text, size_t len)
{
	size_t n;

	if (sodium_base642bin(out, want, text, len, NULL, &n, NULL,
	    sodium_base64_VARIANT_ORIGINAL) == 0 && n == want)
		return SW_OK;
	memset(out, 0, want);
	return SW_ERR_FORMAT;
}
