#include "transport/tls_verify.h"

#include <arpa/inet.h>
#include <mbedtls/base64.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/wipe.h"

/* Where systems keep the authorities that they trust. */
static const char *const stores[] = {
	"/etc/ssl/certs/ca-certificates.crt",		/* Debian, Arch */
	"/etc/pki/tls/certs/ca-bundle.crt",		/* Fedora */
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/ca-bundle.pem",			/* SUSE */
	"/etc/ssl/cert.pem",				/* Alpine, BSD */
};

/* ---- what is trusted ---- */

static int
from_hex(uint8_t pin[static TLS_PIN_LEN], const char *text)
{
	for (size_t i = 0; i < TLS_PIN_LEN; i++) {
		char pair[3] = { text[2 * i], text[2 * i + 1], '\0' }, *end;

		if (strchr("+- \t", pair[0]) != NULL)
			return SW_ERR_FORMAT;
		pin[i] = (uint8_t)strtoul(pair, &end, 16);
		if (*end != '\0')
			return SW_ERR_FORMAT;
	}
	return SW_OK;
}

/* "sha256:" (or nothing) and 44 of base64 or 64 of hex. */
static int
parse_pin(uint8_t pin[static TLS_PIN_LEN], const char *text)
{
	size_t n;

	if (strncasecmp(text, "sha256:", 7) == 0)
		text += 7;
	else if (strncasecmp(text, "sha256//", 8) == 0)	/* as curl has it */
		text += 8;
	if (strlen(text) == (size_t)2 * TLS_PIN_LEN)
		return from_hex(pin, text);
	if (mbedtls_base64_decode(pin, TLS_PIN_LEN, &n,
	    (const unsigned char *)text, strlen(text)) != 0 || n != TLS_PIN_LEN)
		return SW_ERR_FORMAT;
	return SW_OK;
}

static int
load_store(struct tls_trust *t, char why[static TRANSPORT_WHY_LEN])
{
	const char *own = getenv("SSL_CERT_FILE");

	/* Some of a store may be of kinds that we do not read: that counts as
	 * read.  Less than nothing is an error. */
	if (own != NULL && mbedtls_x509_crt_parse_file(&t->ca, own) >= 0)
		return SW_OK;
	for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++)
		if (mbedtls_x509_crt_parse_file(&t->ca, stores[i]) >= 0)
			return SW_OK;
	snprintf(why, TRANSPORT_WHY_LEN, "this machine has no store of "
	    "certificate authorities: install ca-certificates, or use --tls-ca "
	    "or --tls-pin");
	return SW_ERR_CONFIG;
}

int
tls_trust_init(struct tls_trust *t, const struct transport_options *o,
    char why[static TRANSPORT_WHY_LEN])
{
	*t = (struct tls_trust){ .by_ca = false };
	mbedtls_x509_crt_init(&t->ca);
	if (o->tls.pin != NULL) {
		t->by_pin = true;
		if (parse_pin(t->pin, o->tls.pin) != SW_OK) {
			snprintf(why, TRANSPORT_WHY_LEN, "a pin is \"sha256:\" "
			    "and the SHA-256 of the server's public key (SPKI) "
			    "in base64 or hex");
			return SW_ERR_CONFIG;
		}
	}
	if (o->tls.ca != NULL) {
		t->by_ca = true;
		if (mbedtls_x509_crt_parse_file(&t->ca, o->tls.ca) != 0) {
			snprintf(why, TRANSPORT_WHY_LEN, "\"%.150s\" is not a "
			    "file of certificates in PEM form", o->tls.ca);
			return SW_ERR_CONFIG;
		}
		return SW_OK;
	}
	if (t->by_pin || o->tls.insecure)
		return SW_OK;
	t->by_ca = true;
	return load_store(t, why);
}

void
tls_trust_wipe(struct tls_trust *t)
{
	mbedtls_x509_crt_free(&t->ca);
}

/* ---- one connection ---- */

void
tls_check_init(struct tls_check *c, const struct tls_trust *t,
    const char *name)
{
	*c = (struct tls_check){ .trust = t, .name = name };
	if (inet_pton(AF_INET, name, c->literal) == 1)
		c->literal_len = 4;
	else if (inet_pton(AF_INET6, name, c->literal) == 1)
		c->literal_len = 16;
}

static bool
has_address(const mbedtls_x509_crt *crt, const struct tls_check *c)
{
	const mbedtls_x509_sequence *s = &crt->subject_alt_names;

	for (; s != NULL; s = s->next)
		if ((s->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) ==
		    MBEDTLS_X509_SAN_IP_ADDRESS &&
		    s->buf.len == c->literal_len &&
		    memcmp(s->buf.p, c->literal, s->buf.len) == 0)
			return true;
	return false;
}

static void
check_pin(struct tls_check *c, const mbedtls_x509_crt *crt)
{
	uint8_t hash[TLS_PIN_LEN];
	size_t n;

	c->seen = true;
	c->pin_failed = c->trust->by_pin;
	if (mbedtls_sha256(crt->pk_raw.p, crt->pk_raw.len, hash, 0) != 0)
		return;
	(void)mbedtls_base64_encode((unsigned char *)c->pin, sizeof(c->pin), &n,
	    hash, sizeof(hash));
	c->pin_failed = c->trust->by_pin &&
	    !sw_equal_ct(hash, c->trust->pin, sizeof(hash));
}

int
tls_check_step(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	struct tls_check *c = arg;

	if (depth == 0) {
		check_pin(c, crt);
		if (c->literal_len > 0 && !has_address(crt, c))
			*flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
	}
	if (!c->trust->by_ca)
		*flags = 0;
	if (depth == 0 && c->pin_failed)
		*flags |= MBEDTLS_X509_BADCERT_OTHER;
	c->faults |= *flags;
	return 0;
}

/* The gravest first. */
static void
explain(const struct tls_check *c, char why[static TRANSPORT_WHY_LEN])
{
	const uint32_t f = c->faults;

	if (c->pin_failed)
		snprintf(why, TRANSPORT_WHY_LEN, "THE SERVER'S KEY IS NOT THE "
		    "PINNED ONE: \"%.80s\" shows sha256:%s; somebody may be "
		    "posing as it, or its key was changed", c->name, c->pin);
	else if (f & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
		snprintf(why, TRANSPORT_WHY_LEN, "no authority that is trusted "
		    "here vouches for the certificate of \"%.60s\"; give its "
		    "authority with --tls-ca FILE, or trust just its key: "
		    "--tls-pin sha256:%s", c->name, c->pin);
	else if (f & MBEDTLS_X509_BADCERT_CN_MISMATCH)
		snprintf(why, TRANSPORT_WHY_LEN, "the certificate is not made "
		    "out to \"%.60s\"; if it is the right server, say its name "
		    "with --tls-server-name NAME, or --tls-pin sha256:%s",
		    c->name, c->pin);
	else if (f & MBEDTLS_X509_BADCERT_EXPIRED)
		snprintf(why, TRANSPORT_WHY_LEN, "the certificate of \"%.80s\" "
		    "has expired: its owner must renew it (or this machine's "
		    "clock is wrong)", c->name);
	else if (f & MBEDTLS_X509_BADCERT_FUTURE)
		snprintf(why, TRANSPORT_WHY_LEN, "the certificate of \"%.80s\" "
		    "is not valid yet: is this machine's clock right?", c->name);
	else if (f & (MBEDTLS_X509_BADCERT_BAD_KEY |
	    MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK))
		snprintf(why, TRANSPORT_WHY_LEN, "the certificate of \"%.80s\" "
		    "uses a key or a signature that is too weak", c->name);
	else
		snprintf(why, TRANSPORT_WHY_LEN, "the certificate of \"%.80s\" "
		    "is not one for a server", c->name);
}

int
tls_check_result(const struct tls_check *c, bool resumed,
    char why[static TRANSPORT_WHY_LEN])
{
	if (c->faults == 0 && !c->pin_failed && (c->seen || resumed))
		return SW_OK;
	if (!c->seen)
		snprintf(why, TRANSPORT_WHY_LEN, "the server showed no "
		    "certificate");
	else
		explain(c, why);
	return SW_ERR_AUTH;
}
