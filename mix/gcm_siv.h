/*
 * gcm_siv.h - AES-256-GCM-SIV (RFC 8452), for the client-gateway link.
 *
 * Neither libsodium nor Debian 12's mbedTLS has it.  Repeating a nonce only
 * reveals whether two messages are equal.  Time depends on lengths, and on
 * whether a tag is right; see prim.h about AES.
 */
#ifndef SW_MIX_GCM_SIV_H
#define SW_MIX_GCM_SIV_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define GCM_SIV_KEY_LEN 32
#define GCM_SIV_NONCE_LEN 12
#define GCM_SIV_TAG_LEN 16

/*
 * gcm_siv_seal() - encrypt `n` bytes in place and write the tag.
 *
 * buf   in/out, caller's; plaintext becomes ciphertext of the same length.
 * tag   out.  Nym sends it right behind the ciphertext.
 * aad   authenticated but not sent; may be NULL when aad_len is 0.
 */
void gcm_siv_seal(const uint8_t key[static GCM_SIV_KEY_LEN],
    const uint8_t nonce[static GCM_SIV_NONCE_LEN], const void *aad,
    size_t aad_len, uint8_t *buf, size_t n,
    uint8_t tag[static GCM_SIV_TAG_LEN]);

/* The reverse.  SW_OK, or SW_ERR_MAC with buf zeroed. */
int gcm_siv_open(const uint8_t key[static GCM_SIV_KEY_LEN],
    const uint8_t nonce[static GCM_SIV_NONCE_LEN], const void *aad,
    size_t aad_len, uint8_t *buf, size_t n,
    const uint8_t tag[static GCM_SIV_TAG_LEN]) SW_MUST_CHECK;

#endif
