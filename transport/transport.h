/*
 * transport.h - makes one duplex byte stream, a descriptor, to a peer.
 *
 * Blocking with a deadline; called on a thread that may block (the tunnel's
 * connecting thread), never on a loop.  SSH sees only the descriptor.
 */
#ifndef SW_TRANSPORT_TRANSPORT_H
#define SW_TRANSPORT_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct transport_options {
	const char *host;	/* name or numeric address */
	uint16_t port;
	const char *proxy;	/* "socks5://..." or NULL */
};

/*
 * Connect over TCP: every resolved address is tried, both families in turn,
 * each for a share of the time.  Sets TCP_NODELAY, CLOEXEC, blocking.
 *
 * Returns SW_OK and the descriptor in *fd (the caller's to close), or an
 * SW_ERR_* with one line of English in why[] (no newline).
 */
int transport_connect_tcp(const struct transport_options *o,
    int64_t deadline_ms, int *fd, char why[static 256]) SW_MUST_CHECK;

#endif
