/*
 * tls_identity.h - a server's certificates and keys as they were read once; a
 * reload makes another.  Counted: connections keep the one they began with.
 * For tls_server.c.
 */
#ifndef SW_TRANSPORT_TLS_IDENTITY_H
#define SW_TRANSPORT_TLS_IDENTITY_H

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crt.h>

#include "transport/shared.h"
#include "transport/tls_server.h"

#define TLS_PROTOCOLS_MAX 4

struct tls_pair {
	mbedtls_x509_crt chain;
	mbedtls_pk_context sk;
};

struct tls_identity {
	struct shared shares;
	mbedtls_ssl_config conf;
	size_t n;
	struct tls_pair pair[TLS_SERVER_CERTS_MAX];
	const char *protocols[TLS_PROTOCOLS_MAX + 1];	/* NULL ends them */
	char alpn[64];
};

/* Read the files.  tickets: of the server, shared by all its identities.  SW_OK
 * and *out with one reference; else SW_ERR_CONFIG or SW_ERR_NOMEM with why[]. */
int tls_identity_new(struct tls_identity **out,
    const struct tls_server_options *o, mbedtls_ssl_ticket_context *tickets,
    char why[static TLS_WHY_LEN]) SW_MUST_CHECK;
struct tls_identity *tls_identity_ref(struct tls_identity *id);
void tls_identity_unref(struct tls_identity *id);	/* NULL is fine */

/* The pair whose certificate is made out to `name` (lower case), or the first. */
struct tls_pair *tls_identity_find(struct tls_identity *id, const char *name);

#endif
