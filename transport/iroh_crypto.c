#include "transport/iroh_crypto.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "base/blake3.h"
#include "base/wipe.h"

/* The DER around an Ed25519 seed (PKCS#8) and public key (SPKI), RFC 8410. */
#define PKCS8_LEN (16 + IROH_SEED_LEN)
#define SPKI_LEN (12 + IROH_ID_LEN)
static const uint8_t pkcs8_head[16] = { 0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3,
	0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20 };
static const uint8_t spki_head[12] = { 0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65,
	0x70, 3, 0x21, 0 };

#define PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:" \
	"+AES-256-GCM:+CHACHA20-POLY1305:-GROUP-ALL:+GROUP-X25519:" \
	"+GROUP-SECP256R1:+GROUP-SECP384R1:-SIGN-ALL:+SIGN-EDDSA-ED25519:" \
	"-CTYPE-ALL:+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK:%DISABLE_TLS13_COMPAT_MODE"

struct iroh_identity {
	uint8_t seed[IROH_SEED_LEN];
	struct iroh_id id;
	gnutls_privkey_t key;
	gnutls_certificate_credentials_t cred;
	gnutls_priority_t priority;
};

/* The peer's one item is its key; the handshake proves that it has the secret. */
static int
verify(gnutls_session_t s)
{
	struct iroh_tls *t = gnutls_session_get_ptr(s);
	const gnutls_datum_t *spki;
	unsigned n = 0;

	spki = gnutls_certificate_get_peers(s, &n);
	if (gnutls_certificate_type_get2(s, GNUTLS_CTYPE_PEERS) !=
	    GNUTLS_CRT_RAWPK || n != 1 || spki->size != SPKI_LEN ||
	    memcmp(spki->data, spki_head, sizeof(spki_head)) != 0)
		return GNUTLS_E_CERTIFICATE_ERROR;
	if (!t->client) {
		memcpy(t->peer.key, spki->data + sizeof(spki_head),
		    IROH_ID_LEN);
		return 0;
	}
	t->wrong_peer = memcmp(spki->data + sizeof(spki_head), t->peer.key,
	    IROH_ID_LEN) != 0;
	return t->wrong_peer ? GNUTLS_E_CERTIFICATE_ERROR : 0;
}

/* GnuTLS takes the pair as DER and wipes its own copies. */
static int
load_key(struct iroh_identity *i)
{
	uint8_t pkcs8[PKCS8_LEN], spki[SPKI_LEN];
	gnutls_datum_t sk = { pkcs8, sizeof(pkcs8) }, x = { NULL, 0 };
	gnutls_datum_t pk = { spki, sizeof(spki) };
	gnutls_x509_privkey_t raw = NULL;
	gnutls_ecc_curve_t curve;
	int r;

	memcpy(pkcs8, pkcs8_head, sizeof(pkcs8_head));
	memcpy(pkcs8 + sizeof(pkcs8_head), i->seed, sizeof(i->seed));
	if ((r = gnutls_privkey_init(&i->key)) != 0 ||
	    (r = gnutls_x509_privkey_init(&raw)) != 0 ||
	    (r = gnutls_x509_privkey_import_pkcs8(raw, &sk, GNUTLS_X509_FMT_DER,
	    NULL, GNUTLS_PKCS_PLAIN)) != 0 ||
	    (r = gnutls_x509_privkey_export_ecc_raw(raw, &curve, &x, NULL,
	    NULL)) != 0)
		goto out;
	if (x.size != IROH_ID_LEN) {
		r = GNUTLS_E_INTERNAL_ERROR;
		goto out;
	}
	memcpy(i->id.key, x.data, IROH_ID_LEN);
	memcpy(spki, spki_head, sizeof(spki_head));
	memcpy(spki + sizeof(spki_head), x.data, IROH_ID_LEN);
	r = gnutls_certificate_set_rawpk_key_mem(i->cred, &pk, &sk,
	    GNUTLS_X509_FMT_DER, NULL, GNUTLS_KEY_DIGITAL_SIGNATURE, NULL, 0,
	    GNUTLS_PKCS_PLAIN);
	/* From here on `key` owns `raw`. */
	if (r == 0 && (r = gnutls_privkey_import_x509(i->key, raw,
	    GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE)) == 0)
		raw = NULL;
out:
	gnutls_free(x.data);
	if (raw != NULL)
		gnutls_x509_privkey_deinit(raw);
	sw_wipe(pkcs8, sizeof(pkcs8));
	return r;
}

struct iroh_identity *
iroh_identity_new(const uint8_t seed[static IROH_SEED_LEN])
{
	struct iroh_identity *i = calloc(1, sizeof(*i));

	if (i == NULL)
		return NULL;
	memcpy(i->seed, seed, sizeof(i->seed));
	if (gnutls_certificate_allocate_credentials(&i->cred) != 0 ||
	    gnutls_priority_init(&i->priority, PRIORITY, NULL) != 0 ||
	    load_key(i) != 0) {
		iroh_identity_free(i);
		return NULL;
	}
	gnutls_certificate_set_verify_function(i->cred, verify);
	return i;
}

void
iroh_identity_free(struct iroh_identity *i)
{
	if (i == NULL)
		return;
	if (i->key != NULL)
		gnutls_privkey_deinit(i->key);
	if (i->priority != NULL)
		gnutls_priority_deinit(i->priority);
	if (i->cred != NULL)
		gnutls_certificate_free_credentials(i->cred);
	sw_wipe_free(i, sizeof(*i));
}

const struct iroh_id *
iroh_identity_id(const struct iroh_identity *i)
{
	return &i->id;
}

void
iroh_identity_derive(const struct iroh_identity *i, const char *context,
    uint8_t out[static 32])
{
	blake3_derive_key(out, context, i->seed, sizeof(i->seed));
}

int
iroh_identity_answer(const struct iroh_identity *i,
    const uint8_t challenge[static IROH_CHALLENGE_LEN],
    uint8_t signature[static IROH_SIGNATURE_LEN])
{
	uint8_t msg[BLAKE3_LEN];
	gnutls_datum_t in = { msg, sizeof(msg) }, sig = { NULL, 0 };
	int r;

	memset(signature, 0, IROH_SIGNATURE_LEN);
	blake3_derive_key(msg, "iroh-relay handshake v1 challenge signature",
	    challenge, IROH_CHALLENGE_LEN);
	r = gnutls_privkey_sign_data2(i->key, GNUTLS_SIGN_EDDSA_ED25519, 0, &in,
	    &sig);
	if (r != 0 || sig.size != IROH_SIGNATURE_LEN)
		r = SW_ERR_NOMEM;
	else
		memcpy(signature, sig.data, IROH_SIGNATURE_LEN);
	gnutls_free(sig.data);
	return r;
}

int
iroh_tls_start(struct iroh_tls *t, const struct iroh_identity *i,
    const char *alpn, bool client)
{
	unsigned flags = GNUTLS_ENABLE_RAWPK | GNUTLS_NO_END_OF_EARLY_DATA |
	    (client ? GNUTLS_CLIENT :
	    GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET);
	gnutls_datum_t name = { NULL, (unsigned)strlen(alpn) };
	gnutls_session_t s;
	char copy[256];

	t->client = client;
	t->wrong_peer = false;
	t->session = NULL;
	if (name.size >= sizeof(copy) || gnutls_init(&s, flags) != 0)
		return SW_ERR_NOMEM;
	memcpy(copy, alpn, name.size);
	name.data = (uint8_t *)copy;
	if ((client ? ngtcp2_crypto_gnutls_configure_client_session(s) :
	    ngtcp2_crypto_gnutls_configure_server_session(s)) != 0 ||
	    gnutls_priority_set(s, i->priority) != 0 ||
	    gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, i->cred) != 0 ||
	    gnutls_alpn_set_protocols(s, &name, 1,
	    GNUTLS_ALPN_MANDATORY) != 0) {
		gnutls_deinit(s);
		return SW_ERR_NOMEM;
	}
	if (!client)
		gnutls_certificate_server_set_request(s, GNUTLS_CERT_REQUIRE);
	gnutls_session_set_ptr(s, t);
	t->session = s;
	return SW_OK;
}

void
iroh_tls_end(struct iroh_tls *t)
{
	if (t->session != NULL)
		gnutls_deinit(t->session);
	t->session = NULL;
}

void
iroh_random(void *out, size_t n)
{
	if (gnutls_rnd(GNUTLS_RND_NONCE, out, n) != 0)
		abort();		/* no generator: nothing is safe */
}
