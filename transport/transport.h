/*
 * transport.h - makes one duplex byte stream, a descriptor, to a peer.
 *
 *   tcp    tcp.c         a socket
 *   tls    tls_client.c  a pair; a thread moves bytes between it and TLS
 *   iroh   iroh_*.c      a pair; the endpoint's thread does.  Provided by
 *                        whoever links it: transport_provide()
 *
 * Each reaches its peer directly, through a proxy (proxy.h), or through another
 * tunnel (through.h); never by another way than the one it was given.  SSH sees
 * only the descriptor.
 *
 * A transport is an object because there is something to keep between two
 * connections: the store of authorities, TLS tickets, the iroh endpoint.
 * Blocking, with deadlines: called on threads that may wait, never on a loop's.
 *
 * On a descriptor that is one end of a pair: end of file is the peer's orderly
 * end of its direction; a failure below is end of file and EPIPE.
 */
#ifndef SW_TRANSPORT_TRANSPORT_H
#define SW_TRANSPORT_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TRANSPORT_WHY_LEN 256
#define TRANSPORT_NAME_LEN 256

struct through;

enum transport_kind {
	TRANSPORT_TCP, TRANSPORT_TLS, TRANSPORT_IROH,
	TRANSPORT_KINDS
};

/* Strings are copied.  NULL and false are the defaults. */
struct transport_options {
	enum transport_kind kind;
	const char *proxy;		/* URL, see proxy.h; holds a secret */
	struct through *through;	/* another tunnel; a reference is taken.
					 * Not together with `proxy` */
	struct {
		const char *ca;		/* PEM file, instead of the system's */
		const char *pin;	/* "sha256:" and base64 or hex of the
					 * server key's SPKI.  It decides alone,
					 * unless there is `ca` as well */
		const char *name;	/* instead of the host, in SNI and
					 * certificate */
		const char *alpn;	/* NULL: "http/1.1"; "": none */
		bool insecure;		/* take any certificate */
	} tls;
	struct {
		const char *key;	/* identity file */
		const char *relay;	/* URL */
		const char *address;	/* "IP:PORT[,IP:PORT...]" */
		const char *alpn;
	} iroh;
};

/* What a wait obeys. */
struct transport_limit {
	int64_t deadline_ms;		/* monotonic */
	int cancel_fd;			/* readable: give up; -1: none */
};

struct transport;

/* One kind of transport. */
struct transport_ops {
	enum transport_kind kind;
	const char *name;		/* "tcp", in logs and in status */
	uint16_t port;			/* the usual one */
	/* What is to be kept between connections, in *state.  SW_OK, or
	 * SW_ERR_CONFIG or SW_ERR_NOMEM with why[].  NULL: nothing. */
	int (*start)(const struct transport_options *o, void **state,
	    char why[static TRANSPORT_WHY_LEN]);
	void (*stop)(void *state);
	/* As transport_connect(), of which it is the work. */
	int (*connect)(void *state, const struct transport_options *o,
	    const char *host, uint16_t port, const struct transport_limit *until,
	    int *fd, char why[static TRANSPORT_WHY_LEN]);
	/* As transport_peer_name(); NULL: the host itself. */
	int (*peer_name)(const char *host, char name[static TRANSPORT_NAME_LEN]);
};

/* Make a kind known; `ops` is borrowed for good.  tcp and tls are.  Before the
 * first transport is made, on one thread. */
void transport_provide(const struct transport_ops *ops);

/*
 * SW_OK and *out, with one reference; else SW_ERR_CONFIG (an option is wrong),
 * SW_ERR_UNSUPPORTED (nobody provides the kind) or SW_ERR_NOMEM, with one line
 * of English in why[].
 */
int transport_new(struct transport **out, const struct transport_options *o,
    char why[static TRANSPORT_WHY_LEN]) SW_MUST_CHECK;
struct transport *transport_ref(struct transport *t);
void transport_unref(struct transport *t);	/* NULL is fine; wipes secrets */

/*
 * A new stream to `host`: a name, an address, or an iroh endpoint id or ticket.
 * port 0: the usual one.  Any thread, several at once.
 *
 * SW_OK and the descriptor in *fd (the caller's; CLOEXEC, blocking), or an
 * SW_ERR_* with one line of English in why[] (no newline): SW_ERR_NO_NAME,
 * SW_ERR_REFUSED, SW_ERR_UNREACH_*, SW_ERR_TIMEOUT, SW_ERR_DENIED (the proxy
 * will not), SW_ERR_AUTH (the certificate; trying again cannot help),
 * SW_ERR_CLOSED (cancelled), SW_ERR_DOWN, SW_ERR_CONFIG.
 */
int transport_connect(struct transport *t, const char *host, uint16_t port,
    int64_t deadline_ms, int *fd, char why[static TRANSPORT_WHY_LEN])
    SW_MUST_CHECK;

/* For good: every connection that is being made, now or later, ends with
 * SW_ERR_CLOSED.  Those made before go on.  Any thread. */
void transport_cancel(struct transport *t);

enum transport_kind transport_kind(const struct transport *t);

/* TCP, and neither a proxy nor another tunnel in between. */
bool transport_is_direct(const struct transport *t);
bool transport_is_through(const struct transport *t);	/* another tunnel */

/* The one name of a peer that may be called many: what its keys are remembered
 * by.  Letters, digits, '.', '-', ':'; labels of at most 63 bytes.  SW_OK or
 * SW_ERR_CONFIG: `host` is no peer's name. */
int transport_peer_name(const struct transport *t, const char *host,
    char name[static TRANSPORT_NAME_LEN]) SW_MUST_CHECK;
const char *transport_name(const struct transport *t);

/* ---- for those who implement one ---- */

/*
 * The plain stream below TLS, and all there is of tcp: every resolved address
 * is tried, both families in turn (RFC 8305); or the proxy; or the other tunnel.
 * Sets TCP_NODELAY, CLOEXEC, blocking.  As transport_connect().
 */
int transport_reach(const struct transport_options *o, const char *host,
    uint16_t port, const struct transport_limit *until, int *fd,
    char why[static TRANSPORT_WHY_LEN]) SW_MUST_CHECK;

/* Wait for poll(2) events on fd.  SW_OK, SW_ERR_TIMEOUT, SW_ERR_CLOSED. */
int transport_wait(int fd, short events, const struct transport_limit *until)
    SW_MUST_CHECK;

extern const struct transport_ops transport_tcp, transport_tls;

#endif
