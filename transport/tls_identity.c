#include "transport/tls_identity.h"

#include <mbedtls/oid.h>
#include <mbedtls/psa_util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "transport/tls_stream.h"

/* ---- reading ---- */

static int
complain(char why[static TLS_WHY_LEN], const char *file, const char *what)
{
	snprintf(why, TLS_WHY_LEN, "\"%.150s\" %s", file, what);
	return SW_ERR_CONFIG;
}

static int
read_pair(struct tls_pair *p, const struct tls_server_cert *from,
    char why[static TLS_WHY_LEN])
{
	int r = mbedtls_x509_crt_parse_file(&p->chain, from->cert);

	if (r == MBEDTLS_ERR_PK_FILE_IO_ERROR)
		return complain(why, from->cert, "cannot be read");
	if (r != 0)
		return complain(why, from->cert, "holds no certificate chain "
		    "in PEM form (RSA or ECDSA)");
	r = mbedtls_pk_parse_keyfile(&p->sk, from->key, NULL,
	    mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
	if (r == MBEDTLS_ERR_PK_FILE_IO_ERROR)
		return complain(why, from->key, "cannot be read");
	if (r != 0)
		return complain(why, from->key, "holds no private key in PEM "
		    "form without a passphrase (RSA or ECDSA)");
	if (mbedtls_pk_check_pair(&p->chain.pk, &p->sk,
	    mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE) != 0)
		return complain(why, from->key, "is not the key of that "
		    "certificate");
	return SW_OK;
}

/* ---- who is asked for ---- */

static bool
covers(const char *pattern, size_t len, const char *name)
{
	const char *rest;

	if (strlen(name) == len && strncasecmp(pattern, name, len) == 0)
		return true;
	/* "*.example.org" stands for one label (RFC 6125). */
	if (len < 3 || pattern[0] != '*' || pattern[1] != '.')
		return false;
	rest = strchr(name, '.');
	return rest != NULL && rest != name && strlen(rest) == len - 1 &&
	    strncasecmp(pattern + 1, rest, len - 1) == 0;
}

static bool
is_for(const mbedtls_x509_crt *crt, const char *name)
{
	const mbedtls_x509_sequence *s = &crt->subject_alt_names;
	const mbedtls_x509_name *n = &crt->subject;
	bool any = false;

	for (; s != NULL; s = s->next) {
		if (s->buf.len == 0 || (s->buf.tag &
		    MBEDTLS_ASN1_TAG_VALUE_MASK) != MBEDTLS_X509_SAN_DNS_NAME)
			continue;
		any = true;
		if (covers((const char *)s->buf.p, s->buf.len, name))
			return true;
	}
	/* The common name counts only where there are no others. */
	for (; n != NULL && !any; n = n->next)
		if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &n->oid) == 0 &&
		    covers((const char *)n->val.p, n->val.len, name))
			return true;
	return false;
}

struct tls_pair *
tls_identity_find(struct tls_identity *id, const char *name)
{
	for (size_t i = 0; i < id->n; i++)
		if (is_for(&id->pair[i].chain, name))
			return &id->pair[i];
	return &id->pair[0];
}

/* ---- life ---- */

static int
configure(struct tls_identity *id, const struct tls_server_options *o,
    mbedtls_ssl_ticket_context *tickets)
{
	const char *alpn = o->alpn != NULL ? o->alpn : "http/1.1";
	char *rest;
	size_t n = 0;

	if (tls_config_init(&id->conf, MBEDTLS_SSL_IS_SERVER) != SW_OK ||
	    strlen(alpn) >= sizeof(id->alpn))
		return SW_ERR_NOMEM;
	memcpy(id->alpn, alpn, strlen(alpn) + 1);
	for (rest = id->alpn; rest != NULL && n < TLS_PROTOCOLS_MAX; n++)
		id->protocols[n] = strsep(&rest, ",");
	mbedtls_ssl_conf_session_tickets_cb(&id->conf, mbedtls_ssl_ticket_write,
	    mbedtls_ssl_ticket_parse, tickets);
	mbedtls_ssl_conf_new_session_tickets(&id->conf, 2);
	if (mbedtls_ssl_conf_own_cert(&id->conf, &id->pair[0].chain,
	    &id->pair[0].sk) != 0 || (alpn[0] != '\0' &&
	    mbedtls_ssl_conf_alpn_protocols(&id->conf, id->protocols) != 0))
		return SW_ERR_NOMEM;
	return SW_OK;
}

int
tls_identity_new(struct tls_identity **out, const struct tls_server_options *o,
    mbedtls_ssl_ticket_context *tickets, char why[static TLS_WHY_LEN])
{
	struct tls_identity *id = calloc(1, sizeof(*id));
	int r = SW_ERR_NOMEM;

	*out = NULL;
	snprintf(why, TLS_WHY_LEN, "TLS could not be set up");
	if (id == NULL)
		return r;
	shared_init(&id->shares, 1);
	mbedtls_ssl_config_init(&id->conf);
	for (id->n = 0; id->n < o->ncerts;) {
		struct tls_pair *p = &id->pair[id->n];

		mbedtls_x509_crt_init(&p->chain);
		mbedtls_pk_init(&p->sk);
		r = read_pair(p, &o->certs[id->n++], why);
		if (r != SW_OK)
			goto fail;
	}
	if ((r = configure(id, o, tickets)) != SW_OK)
		goto fail;
	why[0] = '\0';
	*out = id;
	return SW_OK;
fail:
	tls_identity_unref(id);
	return r;
}

struct tls_identity *
tls_identity_ref(struct tls_identity *id)
{
	shared_ref(&id->shares);
	return id;
}

void
tls_identity_unref(struct tls_identity *id)
{
	if (id == NULL || !shared_unref(&id->shares))
		return;
	mbedtls_ssl_config_free(&id->conf);
	for (size_t i = 0; i < id->n; i++) {
		mbedtls_x509_crt_free(&id->pair[i].chain);
		mbedtls_pk_free(&id->pair[i].sk);
	}
	free(id);
}
