/*
 * tls_verify.h - is it the right server?  By an authority and its name, or by
 * the hash of its key (a pin), or by nothing at all.  For tls_client.c.
 */
#ifndef SW_TRANSPORT_TLS_VERIFY_H
#define SW_TRANSPORT_TLS_VERIFY_H

#include <mbedtls/x509_crt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "transport/transport.h"

#define TLS_PIN_LEN 32
#define TLS_PIN_TEXT 45			/* base64 and a NUL */

/* What a client's options come to. */
struct tls_trust {
	mbedtls_x509_crt ca;
	bool by_ca;			/* the chain must lead to one of `ca` */
	bool by_pin;			/* the server's key must have this hash */
	uint8_t pin[TLS_PIN_LEN];	/* SHA-256 of the SPKI */
};

/* Read the pin and the authorities: the file given, or the system's store.
 * SW_OK, or SW_ERR_CONFIG with why[]; wipe in both cases. */
int tls_trust_init(struct tls_trust *t, const struct transport_options *o,
    char why[static TRANSPORT_WHY_LEN]) SW_MUST_CHECK;
void tls_trust_wipe(struct tls_trust *t);

/* One connection's check. */
struct tls_check {
	const struct tls_trust *trust;
	const char *name;		/* for the person who reads why */
	uint8_t literal[16];		/* the server is to be this address, */
	size_t literal_len;		/* 4 or 16 bytes; 0: a name */
	uint32_t faults;		/* MBEDTLS_X509_BADCERT_* */
	bool seen, pin_failed;
	char pin[TLS_PIN_TEXT];		/* what the server's key has */
};

void tls_check_init(struct tls_check *c, const struct tls_trust *t,
    const char *name);

/* For mbedtls_ssl_set_verify(); arg is the struct tls_check. */
int tls_check_step(void *arg, mbedtls_x509_crt *crt, int depth,
    uint32_t *flags);

/* After a handshake: SW_OK, or SW_ERR_AUTH and why[] says what to do.
 * resumed: a ticket stood for the certificate, which was checked when it was
 * given. */
int tls_check_result(const struct tls_check *c, bool resumed,
    char why[static TRANSPORT_WHY_LEN]) SW_MUST_CHECK;

#endif
