/*
 * iroh_crypto.h - an endpoint's identity, and TLS 1.3 with raw public keys
 * (RFC 7250) on both sides as iroh wants it.  GnuTLS is behind this.
 */
#ifndef SW_TRANSPORT_IROH_CRYPTO_H
#define SW_TRANSPORT_IROH_CRYPTO_H

#include <gnutls/gnutls.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "transport/iroh_id.h"
#include "transport/iroh_key.h"

#define IROH_SIGNATURE_LEN 64
#define IROH_CHALLENGE_LEN 16

struct iroh_identity;	/* holds a secret; only read once it is made */

/* From a seed (copied).  NULL: no memory, or GnuTLS is not able to. */
struct iroh_identity *iroh_identity_new(const uint8_t seed[static IROH_SEED_LEN]);
/* Wipes; NULL is fine. */
void iroh_identity_free(struct iroh_identity *i);

const struct iroh_id *iroh_identity_id(const struct iroh_identity *i);

/* A secret of this identity for the use that `context` names, so that what
 * depends on it survives a restart.  The caller wipes it. */
void iroh_identity_derive(const struct iroh_identity *i, const char *context,
    uint8_t out[static 32]);

/*
 * Prove the identity to a relay: Ed25519 over a key derived from its challenge.
 * SW_OK or SW_ERR_NOMEM.
 */
int iroh_identity_answer(const struct iroh_identity *i,
    const uint8_t challenge[static IROH_CHALLENGE_LEN],
    uint8_t signature[static IROH_SIGNATURE_LEN]) SW_MUST_CHECK;

/* One side of one handshake.  The session's pointer is `ref`. */
struct iroh_tls {
	/* first; set by the user before start */
	ngtcp2_crypto_conn_ref ref;
	gnutls_session_t session;
	bool client;
	struct iroh_id peer;		/* client: who must answer; server: who
					 * came, true once the handshake is done */
	bool wrong_peer;		/* client: somebody else answered */
};

/*
 * Make the session.  i is borrowed for the session's life; t->ref and, for a
 * client, t->peer are set.  SW_OK or SW_ERR_NOMEM, then t->session is NULL.
 */
int iroh_tls_start(struct iroh_tls *t, const struct iroh_identity *i,
    const char *alpn, bool client) SW_MUST_CHECK;
void iroh_tls_end(struct iroh_tls *t);

/* Random bytes that others will see. */
void iroh_random(void *out, size_t n);

#endif
