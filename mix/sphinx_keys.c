#include "mix/sphinx_internal.h"

#include <string.h>

#include "base/wipe.h"

static const char header_info[] =
    "Dwste mou enan moxlo arketa makru kai ena upomoxlio gia na ton "
    "topothetisw kai tha kinisw thn gh.";
static const char payload_salt[] =
    "sphinx-payload-key-V01-CS01-HKDF:SHA256-SALT";
static const char payload_info[] =
    "sphinx-payload-key-V01-CS01-HKDF:SHA256-INFO";

_Static_assert(sizeof(header_info) - 1 == 97, "info of the header KDF");
_Static_assert(sizeof(payload_salt) - 1 == 44, "salt of the payload KDF");
/* The KDF writes the fields in their order, without gaps. */
_Static_assert(sizeof(struct sphinx_keys) == 288, "expanded secret");

void
sphinx_expand_keys(struct sphinx_keys *k,
    const uint8_t shared[static X25519_KEY_LEN])
{
	prim_hkdf_sha256((uint8_t *)k, sizeof(*k), NULL, 0, shared,
	    X25519_KEY_LEN, header_info, sizeof(header_info) - 1);
}

void
sphinx_payload_key(uint8_t out[static SPHINX_PAYLOAD_KEY_LEN],
    const uint8_t *pi, uint16_t version)
{
	if (version <= SPHINX_V258)
		memcpy(out, pi, SPHINX_PAYLOAD_KEY_LEN);
	else
		prim_hkdf_sha256(out, SPHINX_PAYLOAD_KEY_LEN, payload_salt,
		    sizeof(payload_salt) - 1, pi, SPHINX_SEED_LEN,
		    payload_info, sizeof(payload_info) - 1);
}

void
sphinx_keystream(const struct sphinx_keys *k, uint8_t out[static STREAM_LEN])
{
	static const uint8_t iv[AES_BLOCK_LEN];

	memset(out, 0, STREAM_LEN);
	prim_aes128_ctr(out, out, STREAM_LEN, k->rho, iv);
}

void
sphinx_mac(const struct sphinx_keys *k, uint8_t out[static SPHINX_MAC_LEN],
    const uint8_t beta[static SPHINX_BETA_LEN])
{
	uint8_t full[SHA256_LEN];

	prim_hmac_sha256(full, k->mu, sizeof(k->mu), beta, SPHINX_BETA_LEN);
	memcpy(out, full, SPHINX_MAC_LEN);
	sw_wipe(full, sizeof(full));
}
