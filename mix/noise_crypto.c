#include <mbedtls/gcm.h>
#include <stdlib.h>
#include <string.h>

#include "base/wipe.h"
#include "mix/noise.h"

#define NONCE_LEN 12

struct noise_aead {
	mbedtls_gcm_context gcm;
};

struct noise_aead *
noise_aead_new(const uint8_t key[static AES256_KEY_LEN])
{
	struct noise_aead *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	mbedtls_gcm_init(&a->gcm);
	if (mbedtls_gcm_setkey(&a->gcm, MBEDTLS_CIPHER_ID_AES, key,
	    8 * AES256_KEY_LEN) != 0) {
		noise_aead_free(a);
		return NULL;
	}
	return a;
}

void
noise_aead_free(struct noise_aead *a)
{
	if (a == NULL)
		return;
	mbedtls_gcm_free(&a->gcm);
	sw_wipe_free(a, sizeof(*a));
}

/* Four zeros, then the counter, big-endian. */
static void
put_nonce(uint8_t out[static NONCE_LEN], uint64_t n)
{
	memset(out, 0, NONCE_LEN);
	for (int i = 0; i < 8; i++)
		out[NONCE_LEN - 1 - i] = (uint8_t)(n >> (8 * i));
}

int
noise_aead_seal(struct noise_aead *a, uint64_t nonce, const void *aad,
    size_t aad_len, uint8_t *p, size_t n, uint8_t tag[static NOISE_TAG_LEN])
{
	uint8_t iv[NONCE_LEN];

	put_nonce(iv, nonce);
	return mbedtls_gcm_crypt_and_tag(&a->gcm, MBEDTLS_GCM_ENCRYPT, n, iv,
	    sizeof(iv), aad, aad_len, p, p, NOISE_TAG_LEN, tag) == 0 ? SW_OK :
	    SW_ERR_SYS;
}

int
noise_aead_open(struct noise_aead *a, uint64_t nonce, const void *aad,
    size_t aad_len, uint8_t *p, size_t n,
    const uint8_t tag[static NOISE_TAG_LEN])
{
	uint8_t iv[NONCE_LEN];

	put_nonce(iv, nonce);
	if (mbedtls_gcm_auth_decrypt(&a->gcm, n, iv, sizeof(iv), aad, aad_len,
	    tag, NOISE_TAG_LEN, p, p) == 0)
		return SW_OK;
	memset(p, 0, n);
	return SW_ERR_MAC;
}
