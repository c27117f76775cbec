/*
 * datagram.h - UDP ports at the exit, as the session sees them.
 *
 * What dialer.h is for streams.  A port is one UDP port beyond the tunnel, not
 * connected to anybody: it sends to any peer, and hears hosts it has sent to
 * (what else it hears is the exit's affair; a NAT there may let nobody else
 * in).  Everything happens on the loop's thread.  Implementations:
 * preload/session_mix.c (the mix tunnel); for SSH, smolserve's UDP channel.
 *
 * A datagram is carried whole or not at all, and may be lost, repeated or
 * overtaken.  Nothing waits for long: what cannot be sent within about a
 * second is dropped, and each port's queues are bounded.
 *
 * Life of a port:  open() -> packet*, refused* -> closed, once
 * After closed, or the caller's close(), the port is gone and no callback
 * follows.
 */
#ifndef SW_STACK_DATAGRAM_H
#define SW_STACK_DATAGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

#define DATAGRAM_MAX 65507	/* bytes; tunnels may carry less: TOO_LONG */

/*
 * The other end of a datagram.  A name is resolved at the exit.  What comes
 * back from a peer that was named carries the same name, so that the answer
 * can be told from others.
 */
struct datagram_peer {
	const char *name;	/* NULL: addr says it all.  Borrowed */
	struct sw_addr addr;	/* its port always counts; with a name, the
				 * address may be all zero: not known */
};

struct datagrams;	/* an implementation's own, as struct dialer */
struct datagram_port;

struct datagram_events {
	/* A datagram from a peer; all is borrowed until return. */
	void (*packet)(void *arg, const struct datagram_peer *from,
	    const uint8_t *data, size_t len);
	/* One sent to this peer came back: REFUSED (nobody has that port),
	 * UNREACH_HOST, UNREACH_NET, NO_NAME, DENIED, TOO_LONG, TIMEOUT. */
	void (*refused)(void *arg, const struct datagram_peer *to, int err);
	/* The port is gone: SW_ERR_DOWN with the tunnel, LIMIT, RESET. */
	void (*closed)(void *arg, int err);
};

struct datagram_ops {
	/* Open a port at the exit; the number is the exit's choice.  Sending
	 * may begin at once.  NULL: err says why (DOWN, NOMEM, LIMIT,
	 * UNSUPPORTED: this tunnel has no UDP).  No callback comes from within
	 * open() or send(). */
	struct datagram_port *(*open)(struct datagrams *,
	    const struct datagram_events *, void *arg, int *err);
	/* Copies.  SW_OK: on its way, or lost as in a network.  SW_AGAIN: no
	 * room, dropped.  SW_ERR_TOO_LONG; SW_ERR_DOWN. */
	int (*send)(struct datagram_port *, const struct datagram_peer *to,
	    const uint8_t *data, size_t len);
	void (*close)(struct datagram_port *);
};

#endif
