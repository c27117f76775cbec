/* What the processor can; randomness, ciphers, base64. */
#include "mix/prim_priv.h"

#include <mbedtls/aes.h>
#include <sodium.h>
#include <string.h>

#include "base/container.h"
#include "base/wipe.h"
#include "mix/prim_x86.h"
#include "mix/rng.h"
#include "mix/x25519_ifma.h"

struct prim_hardware prim_hardware;
struct comb *prim_base_table;

_Static_assert(sizeof(struct x86_aes) <= PRIM_AES_CTX_LEN, "AES context");
_Static_assert(sizeof(mbedtls_aes_context) <= PRIM_AES_CTX_LEN, "AES context");

int
prim_init(void)
{
	static const uint8_t nine[X25519_KEY_LEN] = { 9 };

	if (sodium_init() < 0)
		return SW_ERR_SYS;
	prim_set_portable(false);
	return prim_base_table == NULL ? comb_new(&prim_base_table, nine) :
	    SW_OK;
}

void
prim_set_portable(bool portable)
{
	struct x86_features f = x86_detect();

	prim_hardware.aes = f.aes && !portable;
	prim_hardware.sha = f.sha && !portable;
	prim_hardware.ifma = x25519_ifma_works() && !portable;
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

void
prim_aes_init(struct prim_aes *a, const uint8_t *key, size_t key_len)
{
	mbedtls_aes_context *m;

	if (prim_hardware.aes) {
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
	if (prim_hardware.aes) {
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
	if (prim_hardware.aes) {
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
