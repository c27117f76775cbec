/*
 *   SNIFFING --0x16--> SHAKING --done--> a plain descriptor; bytes move on
 *       |                 `--error, deadline--> closed
 *       `--anything else--> given back as it is
 */
#include "transport/tls_server.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/psa_util.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/wipe.h"
#include "transport/tls_identity.h"
#include "transport/tls_stream.h"

#define TLS_HANDSHAKE_RECORD 0x16
#define SSLV2_BIT 0x80			/* of its records' first byte */

/* RFC 8446 section 6.2 */
enum { ALERT_UNEXPECTED_MESSAGE = 10, ALERT_PROTOCOL_VERSION = 70 };
#define TICKET_LIFE_S 86400

/* The files' names, and what they hold now. */
struct tls_server {
	struct shared shares;		/* itself, and connections */
	struct tls_server_options o;	/* strings are ours */
	struct tls_server_cert certs[TLS_SERVER_CERTS_MAX];
	struct tls_identity *id;
	mbedtls_ssl_ticket_context tickets;
};

/* A handshake, and then the connection for as long as it lives. */
struct tls_accept {
	struct loop *l;
	struct tls_server *server;
	struct tls_identity *id;
	struct tls_stream *s;		/* NULL while sniffing */
	struct loop_fd w;		/* until the handshake is over */
	uint32_t events;
	struct loop_timer deadline;
	const struct tls_accept_events *ev;
	void *arg;
	struct tls_peer peer;
};

/* ---- the server ---- */

/* The name that the client asks for decides on the certificate. */
static int
on_name(void *arg, mbedtls_ssl_context *ssl, const unsigned char *name,
    size_t len)
{
	struct tls_accept *a = mbedtls_ssl_get_user_data_p(ssl);
	struct tls_pair *p;

	(void)arg;
	if (len > TLS_NAME_MAX || memchr(name, '\0', len) != NULL)
		return -1;
	for (size_t i = 0; i < len; i++)
		a->peer.name[i] = (char)tolower(name[i]);
	a->peer.name[len] = '\0';
	p = tls_identity_find(a->id, a->peer.name);
	return mbedtls_ssl_set_hs_own_cert(ssl, &p->chain, &p->sk);
}

/* The files as they are now. */
static int
read_files(struct tls_server *s, struct tls_identity **id,
    char why[static TLS_WHY_LEN])
{
	int r = tls_identity_new(id, &s->o, &s->tickets, why);

	if (r == SW_OK)
		mbedtls_ssl_conf_sni(&(*id)->conf, on_name, NULL);
	return r;
}

static void
server_unref(struct tls_server *s)
{
	if (!shared_unref(&s->shares))
		return;
	tls_identity_unref(s->id);
	mbedtls_ssl_ticket_free(&s->tickets);
	for (size_t i = 0; i < s->o.ncerts; i++) {
		free((char *)(uintptr_t)s->certs[i].cert);
		free((char *)(uintptr_t)s->certs[i].key);
	}
	free((char *)(uintptr_t)s->o.alpn);
	free(s);
}

static bool
copy_options(struct tls_server *s, const struct tls_server_options *o)
{
	s->o.certs = s->certs;
	for (; s->o.ncerts < o->ncerts; s->o.ncerts++) {
		struct tls_server_cert *c = &s->certs[s->o.ncerts];

		c->cert = strdup(o->certs[s->o.ncerts].cert);
		c->key = strdup(o->certs[s->o.ncerts].key);
		if (c->cert == NULL || c->key == NULL) {
			s->o.ncerts++;
			return false;
		}
	}
	return o->alpn == NULL || (s->o.alpn = strdup(o->alpn)) != NULL;
}

int
tls_server_new(struct tls_server **out, const struct tls_server_options *o,
    char why[static TLS_WHY_LEN])
{
	struct tls_server *s;
	int r = SW_ERR_NOMEM;

	*out = NULL;
	if (o->ncerts == 0 || o->ncerts > TLS_SERVER_CERTS_MAX) {
		snprintf(why, TLS_WHY_LEN, "give between 1 and %d certificates",
		    TLS_SERVER_CERTS_MAX);
		return SW_ERR_CONFIG;
	}
	snprintf(why, TLS_WHY_LEN, "out of memory");
	if ((s = calloc(1, sizeof(*s))) == NULL)
		return r;
	shared_init(&s->shares, 1);
	mbedtls_ssl_ticket_init(&s->tickets);
	if (copy_options(s, o) && tls_library_init() == SW_OK &&
	    mbedtls_ssl_ticket_setup(&s->tickets, mbedtls_psa_get_random,
	    MBEDTLS_PSA_RANDOM_STATE, MBEDTLS_CIPHER_AES_256_GCM,
	    TICKET_LIFE_S) == 0)
		r = read_files(s, &s->id, why);
	if (r != SW_OK) {
		server_unref(s);
		return r;
	}
	*out = s;
	return SW_OK;
}

int
tls_server_reload(struct tls_server *s, char why[static TLS_WHY_LEN])
{
	struct tls_identity *id;
	int r = read_files(s, &id, why);

	if (r != SW_OK)
		return r;
	tls_identity_unref(s->id);
	s->id = id;
	return SW_OK;
}

size_t
tls_server_count(const struct tls_server *s)
{
	return shared_count(&s->shares) - 1;
}

void
tls_server_free(struct tls_server *s)
{
	if (s != NULL)
		server_unref(s);
}

/* ---- one connection ---- */

static void
accept_free(struct tls_accept *a)
{
	loop_del(a->l, &a->w);
	loop_set_timer(a->l, &a->deadline, SW_NEVER);
	if (a->s == NULL && a->w.fd >= 0)
		close(a->w.fd);
	tls_stream_free(a->s);		/* closes the socket */
	tls_identity_unref(a->id);
	server_unref(a->server);
	free(a);
}

static void
report(struct tls_accept *a, int err, int fd, const char *why)
{
	const struct tls_accept_events *ev = a->ev;
	struct tls_peer peer = a->peer;
	void *arg = a->arg;

	a->ev = NULL;
	if (err != SW_OK)
		accept_free(a);
	ev->done(arg, err, fd, &peer, why);
}

static void
on_over(void *arg, int err)
{
	(void)err;
	accept_free(arg);
}

static const struct tls_stream_events stream_events = { .over = on_over };

static void
finish(struct tls_accept *a)
{
	const char *alpn = mbedtls_ssl_get_alpn_protocol(&a->s->ssl);
	int fd = -1;

	loop_del(a->l, &a->w);
	loop_set_timer(a->l, &a->deadline, SW_NEVER);
	a->peer.version = mbedtls_ssl_get_version(&a->s->ssl);
	if (alpn != NULL)
		snprintf(a->peer.alpn, sizeof(a->peer.alpn), "%s", alpn);
	if (tls_stream_open(a->s, &fd) != SW_OK ||
	    tls_stream_run(a->s, a->l, &stream_events, a) != SW_OK) {
		if (fd >= 0)
			close(fd);
		report(a, SW_ERR_NOMEM, -1, "out of memory or descriptors");
		return;
	}
	report(a, SW_OK, fd, "");
}

/* The last word to who never began a handshake: OpenSSL says it, mbedTLS goes
 * without. */
static void
say_alert(int fd, uint8_t what)
{
	const uint8_t record[] = { 0x15, 3, 3, 0, 2, 2, what };

	(void)send(fd, record, sizeof(record), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
shake(struct tls_accept *a)
{
	char why[TLS_WHY_LEN];
	short events;
	int mbed_err, r = tls_stream_handshake(a->s, &events, &mbed_err);

	if (r == SW_OK) {
		finish(a);
	} else if (r != SW_AGAIN) {
		tls_describe(mbed_err, why, sizeof(why));
		if (!a->s->has_sent && mbed_err != MBEDTLS_ERR_SSL_CONN_EOF)
			say_alert(a->s->net.fd, ALERT_UNEXPECTED_MESSAGE);
		report(a, mbed_err == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE ?
		    SW_ERR_AUTH : SW_ERR_RESET, -1, why);
	} else if (a->events != (uint32_t)events) {
		a->events = (uint32_t)events;	/* POLLIN is EPOLLIN */
		loop_mod(a->l, &a->w, a->events);
	}
}

static void
on_ready(struct loop_fd *w, uint32_t events)
{
	struct tls_accept *a = CONTAINER_OF(w, struct tls_accept, w);
	uint8_t first;
	ssize_t n;
	int fd = w->fd;

	(void)events;
	if (a->s != NULL) {
		shake(a);
		return;
	}
	n = recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		report(a, SW_ERR_RESET, -1, "the connection was closed");
		return;
	}
	if ((first & SSLV2_BIT) != 0) {
		say_alert(fd, ALERT_PROTOCOL_VERSION);
		(void)recv(fd, NULL, 65536, MSG_TRUNC | MSG_DONTWAIT);
		report(a, SW_ERR_RESET, -1, "it speaks an old SSL");
		return;
	}
	if (first != TLS_HANDSHAKE_RECORD) {
		loop_del(a->l, w);
		w->fd = -1;
		report(a, SW_ERR_FORMAT, fd, "it does not speak TLS");
		return;
	}
	a->s = tls_stream_new(fd, &a->id->conf);
	if (a->s == NULL) {
		w->fd = -1;
		report(a, SW_ERR_NOMEM, -1, "out of memory");
		return;
	}
	mbedtls_ssl_set_user_data_p(&a->s->ssl, a);
	shake(a);
}

static void
on_deadline(struct loop_timer *t)
{
	report(CONTAINER_OF(t, struct tls_accept, deadline), SW_ERR_TIMEOUT, -1,
	    "the handshake was not finished in time");
}

struct tls_accept *
tls_accept_start(struct loop *l, struct tls_server *s, int fd,
    int64_t deadline_ms, const struct tls_accept_events *ev, void *arg)
{
	struct tls_accept *a = calloc(1, sizeof(*a));
	const int one = 1;

	if (a == NULL)
		goto fail;
	a->l = l;
	a->ev = ev;
	a->arg = arg;
	a->w = (struct loop_fd){ .fd = fd, .ready = on_ready };
	a->events = EPOLLIN;
	a->deadline.fire = on_deadline;
	a->deadline.at_ms = SW_NEVER;
	a->peer.version = "";
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
	    loop_add(l, &a->w, EPOLLIN) != SW_OK)
		goto fail;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	a->server = s;
	shared_ref(&s->shares);
	a->id = tls_identity_ref(s->id);
	loop_set_timer(l, &a->deadline, deadline_ms);
	return a;
fail:
	free(a);
	close(fd);
	return NULL;
}

void
tls_accept_cancel(struct tls_accept *a)
{
	if (a != NULL)
		accept_free(a);
}
