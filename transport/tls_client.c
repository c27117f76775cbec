/*
 * The transport "tls": TLS 1.3 (1.2 where a server has no other), as a browser
 * of one tab would speak it, on a stream that transport_reach() makes.
 *
 * After the handshake a thread of the connection's own moves the bytes between
 * TLS and the pair whose other end is the result; it holds the client's
 * settings until it is done.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "transport/detached.h"
#include "transport/shared.h"
#include "transport/tls_stream.h"
#include "transport/tls_verify.h"

#define HANDSHAKE_MS 10000

struct tls_client {
	struct shared shares;		/* the transport's, each connection's */
	pthread_mutex_t lock;
	bool has_ticket;		/* under lock, as are the next two */
	char ticket_name[256];		/* whose it is */
	mbedtls_ssl_session ticket;	/* secret */
	/* Constant from here on. */
	mbedtls_ssl_config conf;
	struct tls_trust trust;
	const char *protocols[2];
	char alpn[64];
};

/* A connection that lives. */
struct pump {
	struct tls_client *c;
	struct tls_stream *s;
	struct loop l;
	char name[256];
};

/* ---- what is kept ---- */

static void
client_unref(struct tls_client *c)
{
	if (!shared_unref(&c->shares))
		return;
	mbedtls_ssl_session_free(&c->ticket);
	mbedtls_ssl_config_free(&c->conf);
	tls_trust_wipe(&c->trust);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static struct tls_client *
client_ref(struct tls_client *c)
{
	shared_ref(&c->shares);
	return c;
}

static int
offer_protocol(struct tls_client *c, const char *alpn)
{
	if (alpn == NULL)
		alpn = "http/1.1";
	if (alpn[0] == '\0')
		return SW_OK;
	if (strlen(alpn) >= sizeof(c->alpn))
		return SW_ERR_CONFIG;
	memcpy(c->alpn, alpn, strlen(alpn) + 1);
	c->protocols[0] = c->alpn;
	return mbedtls_ssl_conf_alpn_protocols(&c->conf, c->protocols) == 0 ?
	    SW_OK : SW_ERR_CONFIG;
}

static void
stop(void *state)
{
	client_unref(state);
}

static int
start(const struct transport_options *o, void **state,
    char why[static TRANSPORT_WHY_LEN])
{
	struct tls_client *c = calloc(1, sizeof(*c));
	int r;

	if (c == NULL) {
		snprintf(why, TRANSPORT_WHY_LEN, "out of memory");
		return SW_ERR_NOMEM;
	}
	shared_init(&c->shares, 1);
	pthread_mutex_init(&c->lock, NULL);
	mbedtls_ssl_session_init(&c->ticket);
	mbedtls_ssl_config_init(&c->conf);
	if ((r = tls_trust_init(&c->trust, o, why)) != SW_OK)
		goto fail;
	if ((r = tls_config_init(&c->conf, MBEDTLS_SSL_IS_CLIENT)) != SW_OK ||
	    (r = offer_protocol(c, o->tls.alpn)) != SW_OK) {
		snprintf(why, TRANSPORT_WHY_LEN, "TLS could not be set up");
		goto fail;
	}
	/* Where no authority decides, tls_check_result() does. */
	mbedtls_ssl_conf_authmode(&c->conf, c->trust.by_ca ?
	    MBEDTLS_SSL_VERIFY_REQUIRED : MBEDTLS_SSL_VERIFY_OPTIONAL);
	mbedtls_ssl_conf_ca_chain(&c->conf, &c->trust.ca, NULL);
	mbedtls_ssl_conf_session_tickets(&c->conf,
	    MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
	mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(&c->conf,
	    MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
	if (o->tls.insecure && !c->trust.by_pin && !c->trust.by_ca)
		log_warn("tls: the server's certificate is not checked");
	*state = c;
	return SW_OK;
fail:
	client_unref(c);
	return r;
}

/* ---- tickets: used once, as browsers do ---- */

static bool
use_ticket(struct tls_client *c, struct tls_stream *s, const char *name)
{
	bool used;

	pthread_mutex_lock(&c->lock);
	used = c->has_ticket && strcmp(c->ticket_name, name) == 0;
	if (used) {
		(void)mbedtls_ssl_set_session(&s->ssl, &c->ticket);
		mbedtls_ssl_session_free(&c->ticket);
		mbedtls_ssl_session_init(&c->ticket);
		c->has_ticket = false;
	}
	pthread_mutex_unlock(&c->lock);
	return used;
}

static void
keep_ticket(struct tls_client *c, mbedtls_ssl_context *ssl, const char *name)
{
	pthread_mutex_lock(&c->lock);
	mbedtls_ssl_session_free(&c->ticket);
	mbedtls_ssl_session_init(&c->ticket);
	c->has_ticket = mbedtls_ssl_get_session(ssl, &c->ticket) == 0;
	snprintf(c->ticket_name, sizeof(c->ticket_name), "%s", name);
	pthread_mutex_unlock(&c->lock);
}

/* ---- the thread of one connection ---- */

static void
on_ticket(void *arg, mbedtls_ssl_context *ssl)
{
	struct pump *p = arg;

	keep_ticket(p->c, ssl, p->name);
}

static void
on_over(void *arg, int err)
{
	struct pump *p = arg;

	if (err != SW_OK)
		log_debug("tls: the connection was lost");
	p->l.stop = true;
}

static void
pump_free(struct pump *p)
{
	tls_stream_free(p->s);
	loop_wipe(&p->l);
	client_unref(p->c);
	free(p);
}

static void *
pump_main(void *arg)
{
	struct pump *p = arg;

	if (loop_run(&p->l) != SW_OK)
		log_err("tls: the loop failed");
	pump_free(p);
	return NULL;
}

static const struct tls_stream_events pump_events = {
	.ticket = on_ticket, .over = on_over,
};

/* Takes the stream, also on failure. */
static int
hand_over(struct tls_client *c, struct tls_stream *s, const char *name,
    int *fd)
{
	struct pump *p = calloc(1, sizeof(*p));

	if (p == NULL || loop_init(&p->l) != SW_OK) {
		free(p);
		tls_stream_free(s);
		return SW_ERR_NOMEM;
	}
	p->c = client_ref(c);
	p->s = s;
	snprintf(p->name, sizeof(p->name), "%s", name);
	if (tls_stream_open(s, fd) == SW_OK &&
	    tls_stream_run(s, &p->l, &pump_events, p) == SW_OK &&
	    detached_start(pump_main, p))
		return SW_OK;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	pump_free(p);
	return SW_ERR_NOMEM;
}

/* ---- connecting ---- */

static int
shake_hands(struct tls_stream *s, const struct transport_limit *until,
    struct tls_check *check, bool offered_ticket,
    char why[static TRANSPORT_WHY_LEN])
{
	char text[128];
	short events;
	int r, mbed_err = 0;

	while ((r = tls_stream_handshake(s, &events, &mbed_err)) == SW_AGAIN)
		if ((r = transport_wait(s->net.fd, events, until)) != SW_OK)
			break;
	/* Faults that mbedTLS finds by itself, after asking us. */
	if (mbed_err == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED &&
	    check->faults == 0)
		check->faults = MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
	if (r == SW_ERR_TIMEOUT) {
		snprintf(why, TRANSPORT_WHY_LEN, "\"%.100s\" did not finish the "
		    "TLS handshake in time", check->name);
	} else if (r == SW_ERR_CLOSED) {
		snprintf(why, TRANSPORT_WHY_LEN, "given up");
	} else if (check->faults != 0 || r == SW_OK) {
		r = tls_check_result(check, offered_ticket && !check->seen,
		    why);
	} else {
		tls_describe(mbed_err, text, sizeof(text));
		snprintf(why, TRANSPORT_WHY_LEN, "no TLS connection with "
		    "\"%.80s\": %s", check->name, text);
	}
	return r;
}

/* The name that goes into the hello and is looked for in the certificate; an
 * address is neither (RFC 6066, 3), and tls_verify.c looks for it. */
static int
set_name(struct tls_stream *s, const struct tls_check *check)
{
	return mbedtls_ssl_set_hostname(&s->ssl, check->literal_len > 0 ? NULL :
	    check->name) == 0 ? SW_OK : SW_ERR_NOMEM;
}

static int
connect_tls(void *state, const struct transport_options *o, const char *host,
    uint16_t port, const struct transport_limit *until, int *fd,
    char why[static TRANSPORT_WHY_LEN])
{
	struct tls_client *c = state;
	struct transport_limit limit = *until;
	struct tls_stream *s;
	struct tls_check check;
	bool offered;
	int r, net;

	if ((r = transport_reach(o, host, port, until, &net, why)) != SW_OK)
		return r;
	tls_check_init(&check, &c->trust,
	    o->tls.name != NULL ? o->tls.name : host);
	if (clock_now_ms() + HANDSHAKE_MS < limit.deadline_ms)
		limit.deadline_ms = clock_now_ms() + HANDSHAKE_MS;
	if ((s = tls_stream_new(net, &c->conf)) == NULL ||
	    set_name(s, &check) != SW_OK) {
		tls_stream_free(s);
		snprintf(why, TRANSPORT_WHY_LEN, "out of memory");
		return SW_ERR_NOMEM;
	}
	mbedtls_ssl_set_verify(&s->ssl, tls_check_step, &check);
	offered = use_ticket(c, s, check.name);
	if ((r = shake_hands(s, &limit, &check, offered, why)) != SW_OK) {
		tls_stream_free(s);
		return r;
	}
	mbedtls_ssl_set_verify(&s->ssl, NULL, NULL);	/* `check` ends here */
	log_debug("tls: %s%s", mbedtls_ssl_get_version(&s->ssl),
	    check.seen ? "" : ", resumed");
	/* 1.2 gives its ticket in the handshake. */
	if (mbedtls_ssl_get_version_number(&s->ssl) ==
	    MBEDTLS_SSL_VERSION_TLS1_2)
		keep_ticket(c, &s->ssl, check.name);
	if ((r = hand_over(c, s, check.name, fd)) != SW_OK)
		snprintf(why, TRANSPORT_WHY_LEN, "out of memory or threads");
	return r;
}

const struct transport_ops transport_tls = {
	.kind = TRANSPORT_TLS, .name = "tls", .port = 443,
	.start = start, .stop = stop, .connect = connect_tls,
};
