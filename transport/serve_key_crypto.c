#include "transport/serve_key.h"

#include <string.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <sodium.h>

#include "transport/serve_cipher.h"

int
serve_key_check_ed25519(const uint8_t pk[static 32],
    const uint8_t sig[static 64], const uint8_t *msg, size_t n)
{
	return crypto_sign_verify_detached(sig, msg, n, pk) == 0 ? SW_OK :
	    SW_ERR_MAC;
}

int
serve_key_check_der(const uint8_t *spki, size_t spki_len, int hash_bits,
    const uint8_t *sig, size_t sig_len, const uint8_t *msg, size_t n)
{
	mbedtls_md_type_t md = hash_bits == 256 ? MBEDTLS_MD_SHA256 :
	    hash_bits == 384 ? MBEDTLS_MD_SHA384 : MBEDTLS_MD_SHA512;
	uint8_t hash[MBEDTLS_MD_MAX_SIZE];
	mbedtls_pk_context pk;
	int r = SW_ERR_MAC;

	mbedtls_pk_init(&pk);
	if (mbedtls_md(mbedtls_md_info_from_type(md), msg, n, hash) == 0 &&
	    mbedtls_pk_parse_public_key(&pk, spki, spki_len) == 0 &&
	    mbedtls_pk_verify(&pk, md, hash, (size_t)hash_bits / 8, sig,
	    sig_len) == 0)
		r = SW_OK;
	mbedtls_pk_free(&pk);
	return r;
}

void
serve_key_fingerprint(const struct serve_key *k,
    char out[static SERVE_FINGERPRINT_LEN])
{
	uint8_t blob[SERVE_KEY_MAX + 64], hash[SERVE_HASH_LEN];
	size_t n = serve_key_plain(k, blob, sizeof(blob));

	serve_sha256(hash, blob, n);
	memcpy(out, "SHA256:", sizeof("SHA256:"));
	sodium_bin2base64(out + 7, SERVE_FINGERPRINT_LEN - 7, hash, sizeof(hash),
	    sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

size_t
serve_key_decode64(const char *text, size_t len, uint8_t *out, size_t cap)
{
	size_t n;

	if (sodium_base642bin(out, cap, text, len, NULL, &n, NULL,
	    sodium_base64_VARIANT_ORIGINAL) != 0)
		return 0;
	return n;
}

void
serve_key_encode64(const uint8_t *p, size_t n, char *out, size_t cap)
{
	(void)sodium_bin2base64(out, cap, p, n,
	    sodium_base64_VARIANT_ORIGINAL);
}
