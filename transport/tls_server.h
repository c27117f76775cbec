/*
 * tls_server.h - takes TLS connections: TLS 1.3 and 1.2, certificates from
 * files, chosen by the name that the client asks for (SNI), reloaded while
 * connections live.
 *
 * Everything runs on the caller's loop; nothing blocks, and no connection waits
 * for another.
 */
#ifndef SW_TRANSPORT_TLS_SERVER_H
#define SW_TRANSPORT_TLS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"

#define TLS_SERVER_CERTS_MAX 16
#define TLS_NAME_MAX 255
#define TLS_WHY_LEN 256

struct tls_server_cert {
	const char *cert;	/* PEM: the chain, the server's own first */
	const char *key;	/* PEM: its private key (RSA or ECDSA) */
};

/* Strings are copied. */
struct tls_server_options {
	const struct tls_server_cert *certs;	/* the first one is shown to
						 * those who ask for no name
						 * that we have */
	size_t ncerts;				/* 1 .. TLS_SERVER_CERTS_MAX */
	const char *alpn;	/* parted by commas, the best first, at most 4;
				 * NULL: "http/1.1".  A client that offers none
				 * is taken; one that offers others only is not */
};

struct tls_server;

/* SW_OK and *out; or SW_ERR_CONFIG, SW_ERR_NOMEM with one line in why[] that
 * names the file. */
int tls_server_new(struct tls_server **out, const struct tls_server_options *o,
    char why[static TLS_WHY_LEN]) SW_MUST_CHECK;

/* Read the files again.  On failure everything stays as it was.  Connections
 * keep the certificate that they began with. */
int tls_server_reload(struct tls_server *s, char why[static TLS_WHY_LEN])
    SW_MUST_CHECK;

/* Connections that live, those that shake hands included.  Any thread. */
size_t tls_server_count(const struct tls_server *s);

/* Connections that live go on, and need their loop for that.  The keys are wiped
 * with the last.  NULL is fine. */
void tls_server_free(struct tls_server *s);

/* What a handshake told. */
struct tls_peer {
	char name[TLS_NAME_MAX + 1];	/* SNI, lower case; empty: none */
	char alpn[32];			/* agreed upon; empty: none */
	const char *version;		/* "TLSv1.3" */
};

struct tls_accept;

struct tls_accept_events {
	/*
	 * The handshake is over.  SW_OK: `fd` is the plain end of a pair, the
	 * caller's to close (CLOEXEC, blocking); the bytes are moved on the
	 * loop until both directions have ended.  shutdown(SHUT_WR) sends
	 * close_notify, the client's reads as end of file; a lost connection is
	 * end of file and EPIPE.
	 *
	 * SW_ERR_FORMAT: the first byte is not TLS; `fd` is the connection
	 * itself, nothing read, given back for an answer in its own language.
	 * Else fd is -1, the connection is closed and `why` is one line
	 * (SW_ERR_TIMEOUT, SW_ERR_RESET, SW_ERR_AUTH, SW_ERR_NOMEM).
	 *
	 * The handle is gone.  Comes once, never from within tls_accept_start().
	 */
	void (*done)(void *arg, int err, int fd, const struct tls_peer *peer,
	    const char *why);
};

/* Begin to shake hands on `fd` (a connected socket; taken, also on failure).
 * deadline_ms: monotonic, of the handshake.  `ev` is borrowed until done.  NULL
 * without memory. */
struct tls_accept *tls_accept_start(struct loop *l, struct tls_server *s,
    int fd, int64_t deadline_ms, const struct tls_accept_events *ev, void *arg);

/* Give up a handshake; done() does not come. */
void tls_accept_cancel(struct tls_accept *a);

#endif
