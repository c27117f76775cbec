/*
 * iroh.h - byte streams to and from iroh 1.x endpoints: QUIC between peers
 * that are named by an Ed25519 key, directly or through a relay.
 *
 * An endpoint is one UDP socket, at most one relay and one identity.  It runs
 * on a thread of its own; every function here may be called from any thread
 * but that one, and only iroh_dial() and iroh_close() wait.
 *
 * A stream is one end of an AF_UNIX stream pair; the endpoint pumps the other
 * end.  It is one QUIC connection with one bidirectional stream, as SSH over
 * iroh wants it:
 *
 *   shutdown(SHUT_WR)              FIN
 *   end of file on the descriptor  the peer's FIN
 *   close()                        what was written is delivered (for a
 *                                  bounded time), then the connection closed
 *   RESET, STOP_SENDING, silence   end of file and EPIPE: the transport failed
 *
 * Paths: the dialler sends its first packets to every direct address at once,
 * and to the relay RELAY_LAG later; the first answer decides.  A relayed
 * connection moves to a direct address that answers later.  There is no hole
 * punching: two peers that are both behind NAT stay on the relay.
 */
#ifndef SW_TRANSPORT_IROH_H
#define SW_TRANSPORT_IROH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "transport/iroh_addr.h"
#include "transport/transport.h"

#define IROH_ALPN "smolwrap-ssh"
#define IROH_WHY_LEN 256

/* Strings are copied.  NULL, 0 and false are the defaults. */
struct iroh_options {
	const char *key_file;	/* the identity, made when absent, mode 0600;
				 * NULL: a new one for this endpoint */
	const char *alpn;	/* NULL: IROH_ALPN */
	const char *relay;	/* home relay, "https://host[:port]"; NULL: none */
	const char *relay_ca;	/* CA file for it instead of the system's */
	const char *proxy;	/* "socks5://" or "http://" URL.  The relay goes
				 * through it.  Datagrams too (socks5, if it
				 * carries any), or not at all: never past it */
	struct through *through;	/* another tunnel, for the relay; then
				 * there are no datagrams */
	const char *bind;	/* numeric address; NULL: any */
	uint16_t port;		/* of the UDP socket; 0: any */
	bool accept;		/* take connections: see iroh_accept() */
	size_t max_streams;	/* accepted, alive; 0: 1024 */
};

struct iroh_endpoint;

/*
 * Start an endpoint.  The relay is connected to in the background and again
 * whenever it is lost.
 *
 * Returns SW_OK and *out; or an SW_ERR_* with one line of English in why[]:
 * SW_ERR_CONFIG (key file, relay or proxy URL), SW_ERR_IN_USE (port), SW_ERR_SYS.
 */
int iroh_open(struct iroh_endpoint **out, const struct iroh_options *o,
    char why[static IROH_WHY_LEN]) SW_MUST_CHECK;

/* Send what streams still hold, for at most `linger_ms`, close every
 * connection, end the thread and free.  NULL is fine. */
void iroh_close(struct iroh_endpoint *ep, int linger_ms);

/* The same without a word to anybody, as if the process had died. */
void iroh_abandon(struct iroh_endpoint *ep);

/* iroh_close() if nobody holds a stream any more; else the endpoint goes on by
 * itself until its last stream has ended.  The handle is no longer valid. */
void iroh_finish(struct iroh_endpoint *ep, int linger_ms);

/* Our id, for peers to dial.  Never changes. */
void iroh_id(const struct iroh_endpoint *ep, struct iroh_id *out);

/* The UDP port. */
uint16_t iroh_port(const struct iroh_endpoint *ep);

/*
 * Open a stream to `peer`: waits for the QUIC handshake, in which the peer
 * proves its id.  Its descriptor in *fd is the caller's, blocking, CLOEXEC.
 *
 * Nothing is sent on the stream by itself, and the peer sees it only with the
 * first byte: the caller must speak first, as SSH clients do.
 *
 * Returns SW_OK; SW_ERR_TIMEOUT, SW_ERR_CLOSED (cancelled), SW_ERR_AUTH (another
 * identity answered), SW_ERR_REFUSED (no such ALPN, or refused), SW_ERR_CONFIG (no
 * address and no relay to try), SW_ERR_DOWN; with one line in why[].
 */
int iroh_dial(struct iroh_endpoint *ep, const struct iroh_addr *peer,
    const struct transport_limit *until, int *fd,
    char why[static IROH_WHY_LEN]) SW_MUST_CHECK;

/* An accepted stream: the peer's id is proven, and its first byte is here. */
struct iroh_incoming {
	int fd;			/* the caller's, as of iroh_dial() */
	struct iroh_id peer;
	bool relayed;
	struct sw_addr from;	/* UDP address; zeros when relayed */
};

/*
 * Readable while a stream waits; borrowed, for the caller's own loop.  -1
 * unless options.accept.
 */
int iroh_accept_fd(const struct iroh_endpoint *ep);

/* Take a stream.  SW_OK; SW_AGAIN: none waits.  Never blocks. */
int iroh_accept(struct iroh_endpoint *ep, struct iroh_incoming *out)
    SW_MUST_CHECK;

/* iroh as a kind of transport, for transport_provide(). */
extern const struct transport_ops transport_iroh;

#endif
