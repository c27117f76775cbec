/* tcp.h - a TCP connection to a host of the machine's own network. */
#ifndef SW_TRANSPORT_TCP_H
#define SW_TRANSPORT_TCP_H

#include "transport/transport.h"

/*
 * Resolve `host` and try every address, both families in turn, each joining in
 * a little after the one before.  The resolver too is held to the deadline.
 * As transport_reach().
 */
int tcp_reach(const char *host, uint16_t port,
    const struct transport_limit *until, int *fd,
    char why[static TRANSPORT_WHY_LEN]) SW_MUST_CHECK;

/* The loss of the other side is noticed: bytes that nobody acknowledges for
 * this long end the connection. */
#define TCP_LOSS_MS 15000

#endif
