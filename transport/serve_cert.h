/*
 * serve_cert.h - OpenSSH user certificates (PROTOCOL.certkeys).
 *
 * serve_cert_check() goes through everything a certificate says, in this order:
 * form, kind, signature, time, options.  Who trusts its CA, and for which
 * names, is the caller's to know.
 */
#ifndef SW_TRANSPORT_SERVE_CERT_H
#define SW_TRANSPORT_SERVE_CERT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "transport/serve_key.h"

#define SERVE_PRINCIPALS_MAX 256	/* in one certificate, as OpenSSH */

/* A parsed certificate; everything points into the key's blob. */
struct serve_cert {
	uint64_t serial;
	uint32_t kind;			/* 1: user, 2: host */
	struct serve_bytes id;
	struct serve_bytes principals;	/* strings, one after the other */
	uint64_t after, before;
	struct serve_bytes critical, extensions;
	struct serve_key ca;
	struct serve_bytes signature;
	struct serve_bytes signed_part;
};

/* `k` is a key with is_cert.  SW_OK, SW_ERR_FORMAT or SW_ERR_UNSUPPORTED (the
 * CA's key); *c zeroed then. */
int serve_cert_parse(struct serve_cert *c, const struct serve_key *k)
    SW_MUST_CHECK;

/* What a certificate allows. */
struct serve_cert_rights {
	bool forwarding;		/* permit-port-forwarding */
	bool no_touch;			/* no-touch-required */
	bool verify;			/* verify-required */
};

/*
 * now_s: seconds since 1970.  peer: NULL when unknown (source-address refuses).
 * SW_OK; SW_ERR_DENIED with *why: static words for the log.
 */
int serve_cert_check(const struct serve_cert *c, int64_t now_s,
    const struct sw_addr *peer, struct serve_cert_rights *out,
    const char **why) SW_MUST_CHECK;

/* Is `name` one of its principals?  A certificate without any is nobody's. */
bool serve_cert_names(const struct serve_cert *c, const char *name, size_t len);

#endif
