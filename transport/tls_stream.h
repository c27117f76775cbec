/*
 * tls_stream.h - one TLS connection over a socket, and the bytes between it and
 * a plain descriptor.  For tls_client.c and tls_server.c alone.
 *
 *   new -> handshake (until SW_OK) -> open -> run, on a loop -> over
 */
#ifndef SW_TRANSPORT_TLS_STREAM_H
#define SW_TRANSPORT_TLS_STREAM_H

#include <mbedtls/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"

#define TLS_RECORD_MAX MBEDTLS_SSL_IN_CONTENT_LEN
#define TLS_BATCH ((size_t)4 * TLS_RECORD_MAX)	/* a system call moves so much */

struct tls_stream_events {
	/* The server gave a ticket: mbedtls_ssl_get_session().  May be NULL. */
	void (*ticket)(void *arg, mbedtls_ssl_context *ssl);
	/* Both directions have ended (SW_OK) or it broke.  The descriptors are
	 * closed; the stream is to be freed, here or later. */
	void (*over)(void *arg, int err);
};

/* Holds secrets. */
struct tls_stream {
	mbedtls_ssl_context ssl;
	struct loop *l;			/* while it runs */
	const struct tls_stream_events *ev;
	void *arg;
	struct loop_fd net, app;	/* the socket; our end of the pair */
	struct loop_timer again;	/* more to do than one turn allows */
	struct loop_timer linger;	/* the app is gone: how long to send */
	uint32_t net_events, app_events;	/* what they wait for */
	bool net_eof;			/* close_notify, or an end without one */
	bool told_app, told_net;	/* their ends, passed on */
	bool app_eof, app_gone;		/* shut down; closed altogether */
	bool has_sent;			/* anything to the socket */
	bool net_full, net_empty;	/* the socket takes, has no more now */
	struct tls_bytes {
		size_t at, len;		/* what is there: p[at..len) */
		uint8_t p[TLS_BATCH];
	} in,				/* plain, for the app */
	    out,			/* plain, from the app */
	    ahead,			/* read from the socket, not opened */
	    sealed;			/* for the socket */
};

/* `net` is taken, also on failure, and made non-blocking; `conf` is borrowed
 * until the stream is freed.  NULL without memory. */
struct tls_stream *tls_stream_new(int net, const mbedtls_ssl_config *conf);

/* Go on shaking hands.  SW_OK: done.  SW_AGAIN: once more when the socket has
 * *events (poll(2)'s).  SW_ERR_RESET: *mbed_err, of mbedTLS, says why. */
int tls_stream_handshake(struct tls_stream *s, short *events, int *mbed_err)
    SW_MUST_CHECK;

/* Make the pair.  *fd is its plain end, the caller's. */
int tls_stream_open(struct tls_stream *s, int *fd) SW_MUST_CHECK;

/* Move bytes on `l` from now on.  over() comes once, not from within. */
int tls_stream_run(struct tls_stream *s, struct loop *l,
    const struct tls_stream_events *ev, void *arg) SW_MUST_CHECK;

/* Closes what is open, wipes, frees.  NULL is fine. */
void tls_stream_free(struct tls_stream *s);

/* Once per process, before anything else of mbedTLS; any thread.  SW_OK or
 * SW_ERR_SYS. */
int tls_library_init(void) SW_MUST_CHECK;

/* Settings that both sides share: versions, suites, randomness.  ends:
 * MBEDTLS_SSL_IS_CLIENT or _SERVER. */
int tls_config_init(mbedtls_ssl_config *conf, int ends) SW_MUST_CHECK;

/* What an error of mbedTLS means, in English. */
void tls_describe(int mbed_err, char *out, size_t room);

#endif
