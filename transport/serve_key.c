#include "transport/serve_key.h"

#include <string.h>

#include "base/wire.h"
#include "transport/serve_cipher.h"

#define RSA_BITS_MIN 2048
#define RSA_BYTES_MAX 2048		/* 16384 bits, as OpenSSH */
#define CERT_SUFFIX "-cert-v01@openssh.com"

static const struct {
	const char *name, *cert;
	const char *curve;		/* NULL: none */
	size_t point;
} types[SERVE_KEY_TYPES] = {
	[SERVE_KEY_ED25519] = { "ssh-ed25519",
	    "ssh-ed25519" CERT_SUFFIX, NULL, 32 },
	[SERVE_KEY_ECDSA_256] = { "ecdsa-sha2-nistp256",
	    "ecdsa-sha2-nistp256" CERT_SUFFIX, "nistp256", 65 },
	[SERVE_KEY_ECDSA_384] = { "ecdsa-sha2-nistp384",
	    "ecdsa-sha2-nistp384" CERT_SUFFIX, "nistp384", 97 },
	[SERVE_KEY_ECDSA_521] = { "ecdsa-sha2-nistp521",
	    "ecdsa-sha2-nistp521" CERT_SUFFIX, "nistp521", 133 },
	[SERVE_KEY_RSA] = { "ssh-rsa", "ssh-rsa" CERT_SUFFIX, NULL, 0 },
	[SERVE_KEY_SK_ED25519] = { "sk-ssh-ed25519@openssh.com",
	    "sk-ssh-ed25519" CERT_SUFFIX, NULL, 32 },
	[SERVE_KEY_SK_ECDSA] = { "sk-ecdsa-sha2-nistp256@openssh.com",
	    "sk-ecdsa-sha2-nistp256" CERT_SUFFIX, "nistp256", 65 },
};

const char *
serve_key_name(enum serve_key_type type)
{
	return types[type].name;
}

static bool
find_type(struct serve_bytes name, struct serve_key *k)
{
	for (int i = 0; i < SERVE_KEY_TYPES; i++) {
		k->type = (enum serve_key_type)i;
		k->is_cert = serve_is_text(name, types[i].cert);
		if (k->is_cert || serve_is_text(name, types[i].name))
			return true;
	}
	return false;
}

/* A positive number without needless zeros in front. */
static bool
is_mpint(struct serve_bytes b)
{
	if (b.len == 0 || (b.p[0] & 0x80) != 0)
		return false;
	return b.p[0] != 0 || (b.len > 1 && (b.p[1] & 0x80) != 0);
}

static int
get_rsa(struct rbuf *r, struct serve_key *k)
{
	size_t bits;

	if (serve_get_string(r, &k->rsa_e) != SW_OK ||
	    serve_get_string(r, &k->rsa_n) != SW_OK || !is_mpint(k->rsa_e) ||
	    !is_mpint(k->rsa_n) || k->rsa_e.len > 8 ||
	    k->rsa_n.len > RSA_BYTES_MAX + 1)
		return SW_ERR_FORMAT;
	bits = k->rsa_n.len * 8;
	for (unsigned top = k->rsa_n.p[0], i = 0; i < 8 && (top & 0x80) == 0;
	    i++, top <<= 1)
		bits--;
	return bits < RSA_BITS_MIN ? SW_ERR_UNSUPPORTED : SW_OK;
}

static int
get_body(struct rbuf *r, struct serve_key *k)
{
	struct serve_bytes curve;

	if (k->type == SERVE_KEY_RSA)
		return get_rsa(r, k);
	if (types[k->type].curve != NULL &&
	    (serve_get_string(r, &curve) != SW_OK ||
	    !serve_is_text(curve, types[k->type].curve)))
		return SW_ERR_FORMAT;
	if (serve_get_string(r, &k->point) != SW_OK ||
	    k->point.len != types[k->type].point ||
	    (types[k->type].curve != NULL && k->point.p[0] != 4))
		return SW_ERR_FORMAT;
	if (k->type != SERVE_KEY_SK_ED25519 && k->type != SERVE_KEY_SK_ECDSA)
		return SW_OK;
	return serve_get_string(r, &k->application);
}

int
serve_key_parse(struct serve_key *k, const uint8_t *blob, size_t len)
{
	struct rbuf r = { blob, len };
	struct serve_bytes name, nonce;
	int err = SW_ERR_FORMAT;

	memset(k, 0, sizeof(*k));
	if (len > SERVE_KEY_MAX || serve_get_string(&r, &name) != SW_OK)
		return SW_ERR_FORMAT;
	if (!find_type(name, k)) {
		err = SW_ERR_UNSUPPORTED;
		goto bad;
	}
	if (k->is_cert && serve_get_string(&r, &nonce) != SW_OK)
		goto bad;
	k->body.p = r.p;
	if ((err = get_body(&r, k)) != SW_OK)
		goto bad;
	k->body.len = (size_t)(r.p - k->body.p);
	err = SW_ERR_FORMAT;
	if (!k->is_cert && r.left != 0)
		goto bad;
	k->cert = (struct serve_bytes){ r.p, r.left };
	k->blob = (struct serve_bytes){ blob, len };
	return SW_OK;
bad:
	memset(k, 0, sizeof(*k));
	return err;
}

size_t
serve_key_plain(const struct serve_key *k, uint8_t *out, size_t cap)
{
	const char *name = types[k->type].name;
	size_t n = strlen(name);
	struct wbuf w = { out, cap };

	if (wire_put_u32be(&w, (uint32_t)n) != SW_OK ||
	    wire_put_bytes(&w, name, n) != SW_OK ||
	    wire_put_bytes(&w, k->body.p, k->body.len) != SW_OK)
		return 0;
	return cap - w.left;
}

bool
serve_key_matches(const struct serve_key *k, const char *algorithm,
    const char **sig_algorithm)
{
	static const char *const rsa[][2] = {
		{ "rsa-sha2-512", "rsa-sha2-512" CERT_SUFFIX },
		{ "rsa-sha2-256", "rsa-sha2-256" CERT_SUFFIX },
	};

	*sig_algorithm = types[k->type].name;
	if (k->type != SERVE_KEY_RSA)
		return strcmp(algorithm, k->is_cert ? types[k->type].cert :
		    types[k->type].name) == 0;
	for (int i = 0; i < 2; i++) {
		*sig_algorithm = rsa[i][0];
		if (strcmp(algorithm, rsa[i][k->is_cert]) == 0)
			return true;
	}
	return false;
}

/* ---- DER, as much as signatures and keys need ---- */

/* A header in front of n bytes, written backwards from *at. */
static void
der_wrap(uint8_t **at, uint8_t tag, size_t n)
{
	if (n < 128) {
		*--*at = (uint8_t)n;
	} else if (n < 256) {
		*--*at = (uint8_t)n;
		*--*at = 0x81;
	} else {
		*--*at = (uint8_t)n;
		*--*at = (uint8_t)(n >> 8);
		*--*at = 0x82;
	}
	*--*at = tag;
}

static void
der_put(uint8_t **at, const void *p, size_t n)
{
	*at -= n;
	memcpy(*at, p, n);
}

#define DER_SEQUENCE 0x30
#define DER_INTEGER 0x02
#define DER_BITS 0x03
#define DER_MAX (2 * RSA_BYTES_MAX)

static size_t
der_two_integers(uint8_t **at, struct serve_bytes a, struct serve_bytes b)
{
	const uint8_t *end = *at;

	der_put(at, b.p, b.len);
	der_wrap(at, DER_INTEGER, b.len);
	der_put(at, a.p, a.len);
	der_wrap(at, DER_INTEGER, a.len);
	der_wrap(at, DER_SEQUENCE, (size_t)(end - *at));
	return (size_t)(end - *at);
}

/* SubjectPublicKeyInfo of the key, ending at `end`; its length. */
static size_t
der_spki(const struct serve_key *k, uint8_t *end, uint8_t **start)
{
	static const uint8_t rsa[] = { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48,
	    0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00 };
	static const uint8_t p256[] = { 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
	    0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
	    0x03, 0x01, 0x07 };
	static const uint8_t p384[] = { 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48,
	    0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 };
	static const uint8_t p521[] = { 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48,
	    0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23 };
	const uint8_t *id = p256;
	size_t id_len = sizeof(p256);
	uint8_t *at = end;

	if (k->type == SERVE_KEY_RSA) {
		(void)der_two_integers(&at, k->rsa_n, k->rsa_e);
		id = rsa;
		id_len = sizeof(rsa);
	} else {
		der_put(&at, k->point.p, k->point.len);
	}
	if (k->type == SERVE_KEY_ECDSA_384) {
		id = p384;
		id_len = sizeof(p384);
	} else if (k->type == SERVE_KEY_ECDSA_521) {
		id = p521;
		id_len = sizeof(p521);
	}
	*--at = 0;			/* no unused bits */
	der_wrap(&at, DER_BITS, (size_t)(end - at));
	der_put(&at, id, id_len);
	der_wrap(&at, DER_SEQUENCE, (size_t)(end - at));
	*start = at;
	return (size_t)(end - at);
}

/* ---- signatures ---- */

static int
check_ecdsa(const struct serve_key *k, int hash_bits, struct serve_bytes sig,
    const uint8_t *msg, size_t n)
{
	struct rbuf r = { sig.p, sig.len };
	uint8_t spki[DER_MAX], der[400], *at = spki + sizeof(spki);
	uint8_t *sig_at = der + sizeof(der);
	struct serve_bytes a, b;
	size_t spki_len, sig_len;

	if (serve_get_string(&r, &a) != SW_OK || serve_get_string(&r, &b) != SW_OK ||
	    r.left != 0 || !is_mpint(a) || !is_mpint(b) || a.len > 67 ||
	    b.len > 67)
		return SW_ERR_FORMAT;
	sig_len = der_two_integers(&sig_at, a, b);
	spki_len = der_spki(k, spki + sizeof(spki), &at);
	return serve_key_check_der(at, spki_len, hash_bits, sig_at, sig_len, msg,
	    n);
}

static int
check_rsa(const struct serve_key *k, struct serve_bytes algorithm,
    struct serve_bytes sig, struct serve_bytes msg)
{
	uint8_t spki[DER_MAX], padded[RSA_BYTES_MAX], *at;
	size_t n = k->rsa_n.len - (k->rsa_n.p[0] == 0);
	int bits = serve_is_text(algorithm, "rsa-sha2-512") ? 512 : 256;
	size_t spki_len;

	if (sig.len > n)
		return SW_ERR_FORMAT;
	/* Some signers drop leading zeros. */
	memset(padded, 0, n - sig.len);
	memcpy(padded + (n - sig.len), sig.p, sig.len);
	spki_len = der_spki(k, spki + sizeof(spki), &at);
	return serve_key_check_der(at, spki_len, bits, padded, n, msg.p, msg.len);
}

/* What a security key signs: hashes, with its flags and counter between. */
static int
check_security_key(const struct serve_key *k, struct serve_bytes sig,
    struct rbuf *rest, struct serve_bytes msg, struct serve_touch *touch)
{
	uint8_t text[2 * SERVE_HASH_LEN + 5];

	if (rest->left != 5)
		return SW_ERR_FORMAT;
	serve_sha256(text, k->application.p, k->application.len);
	memcpy(text + SERVE_HASH_LEN, rest->p, 5);
	serve_sha256(text + SERVE_HASH_LEN + 5, msg.p, msg.len);
	touch->present = (rest->p[0] & 0x01) != 0;
	touch->verified = (rest->p[0] & 0x04) != 0;
	if (k->type == SERVE_KEY_SK_ECDSA)
		return check_ecdsa(k, 256, sig, text, sizeof(text));
	if (sig.len != 64)
		return SW_ERR_FORMAT;
	return serve_key_check_ed25519(k->point.p, sig.p, text, sizeof(text));
}

static bool
algorithm_fits(const struct serve_key *k, const char *wanted,
    struct serve_bytes algorithm)
{
	if (wanted != NULL)
		return serve_is_text(algorithm, wanted);
	if (k->type == SERVE_KEY_RSA)
		return serve_is_text(algorithm, "rsa-sha2-512") ||
		    serve_is_text(algorithm, "rsa-sha2-256");
	return serve_is_text(algorithm, types[k->type].name);
}

int
serve_key_verify(const struct serve_key *k, const char *sig_algorithm,
    struct serve_bytes sig, struct serve_bytes msg, struct serve_touch *touch)
{
	struct rbuf r = { sig.p, sig.len };
	struct serve_bytes algorithm, inner;

	*touch = (struct serve_touch){ true, true };
	if (serve_get_string(&r, &algorithm) != SW_OK ||
	    serve_get_string(&r, &inner) != SW_OK ||
	    !algorithm_fits(k, sig_algorithm, algorithm))
		return SW_ERR_FORMAT;
	if (k->type == SERVE_KEY_SK_ED25519 || k->type == SERVE_KEY_SK_ECDSA)
		return check_security_key(k, inner, &r, msg, touch);
	if (r.left != 0)
		return SW_ERR_FORMAT;
	switch (k->type) {
	case SERVE_KEY_ED25519:
		if (inner.len != 64)
			return SW_ERR_FORMAT;
		return serve_key_check_ed25519(k->point.p, inner.p, msg.p,
		    msg.len);
	case SERVE_KEY_ECDSA_256:
		return check_ecdsa(k, 256, inner, msg.p, msg.len);
	case SERVE_KEY_ECDSA_384:
		return check_ecdsa(k, 384, inner, msg.p, msg.len);
	case SERVE_KEY_ECDSA_521:
		return check_ecdsa(k, 512, inner, msg.p, msg.len);
	case SERVE_KEY_RSA:
		return check_rsa(k, algorithm, inner, msg);
	default:
		return SW_ERR_FORMAT;
	}
}
