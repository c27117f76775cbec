/*
 * serve_key.h - SSH public keys and OpenSSH certificates, as bytes on the wire
 * (RFC 4253 section 6.6, RFC 5656, RFC 8709, PROTOCOL.certkeys, PROTOCOL.u2f).
 *
 * Parsing borrows: every pointer of a parsed key leads into the blob.
 */
#ifndef SW_TRANSPORT_SERVE_KEY_H
#define SW_TRANSPORT_SERVE_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "transport/serve_wire.h"

#define SERVE_KEY_MAX 8192	/* bytes of a blob; a certificate is larger than
				 * its key by both signatures and options */
#define SERVE_FINGERPRINT_LEN 51	/* "SHA256:", 43 letters, NUL */

enum serve_key_type {
	SERVE_KEY_ED25519,
	SERVE_KEY_ECDSA_256,
	SERVE_KEY_ECDSA_384,
	SERVE_KEY_ECDSA_521,
	SERVE_KEY_RSA,
	SERVE_KEY_SK_ED25519,		/* in a security key (FIDO) */
	SERVE_KEY_SK_ECDSA,
	SERVE_KEY_TYPES
};

struct serve_key {
	enum serve_key_type type;
	struct serve_bytes blob;	/* the whole, certificate included */
	struct serve_bytes point;	/* Ed25519 key or curve point */
	struct serve_bytes rsa_e, rsa_n;
	struct serve_bytes application;	/* security keys */
	bool is_cert;
	struct serve_bytes cert;	/* what follows the key's own fields */
	struct serve_bytes body;	/* the key's own fields, as they stand */
};

/* "ssh-ed25519" etc.: the name of a plain key of that type. */
const char *serve_key_name(enum serve_key_type type);

/* SW_OK; SW_ERR_FORMAT; SW_ERR_UNSUPPORTED: a type we do not know, or RSA
 * below 2048 bits.  *k is zeroed on failure. */
int serve_key_parse(struct serve_key *k, const uint8_t *blob, size_t len)
    SW_MUST_CHECK;

/* The key inside a certificate, or the key itself, written as a plain blob.
 * Its length, 0 when `cap` is too small. */
size_t serve_key_plain(const struct serve_key *k, uint8_t *out, size_t cap);

/* "SHA256:..." of the plain key. */
void serve_key_fingerprint(const struct serve_key *k,
    char out[static SERVE_FINGERPRINT_LEN]);

/*
 * Is `algorithm`, as a log-in request names it, one that goes with this key?
 * Sets the signature's own algorithm (without certificates' suffix).
 */
bool serve_key_matches(const struct serve_key *k, const char *algorithm,
    const char **sig_algorithm);

/* What a security key said about the touch that made a signature. */
struct serve_touch {
	bool present, verified;		/* touched; and a PIN or finger checked */
};

/*
 * Check a signature blob over msg.  sig_algorithm: what it must be made with,
 * or NULL: any that goes with the key, SHA-1 never.  touch is set for security
 * keys, both true for others.  SW_OK, SW_ERR_FORMAT or SW_ERR_MAC.
 */
int serve_key_verify(const struct serve_key *k, const char *sig_algorithm,
    struct serve_bytes sig, struct serve_bytes msg, struct serve_touch *touch)
    SW_MUST_CHECK;

/* Base64 with padding, as in authorized_keys; the length of the blob, 0 when
 * it is none or longer than `cap`. */
size_t serve_key_decode64(const char *text, size_t len, uint8_t *out, size_t cap);

/* And back; `out` must have room for all and a NUL. */
void serve_key_encode64(const uint8_t *p, size_t n, char *out, size_t cap);

/* ---- primitives (serve_key_crypto.c); SW_OK or SW_ERR_MAC ---- */

int serve_key_check_ed25519(const uint8_t pk[static 32],
    const uint8_t sig[static 64], const uint8_t *msg, size_t n);
/* DER of a SubjectPublicKeyInfo; sig as DER (ECDSA) or raw (RSA). */
int serve_key_check_der(const uint8_t *spki, size_t spki_len, int hash_bits,
    const uint8_t *sig, size_t sig_len, const uint8_t *msg, size_t n);

#endif
