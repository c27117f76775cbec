/* resolve.h - getaddrinfo() with a deadline. */
#ifndef SW_TRANSPORT_RESOLVE_H
#define SW_TRANSPORT_RESOLVE_H

#include <netdb.h>

#include "transport/transport.h"

/*
 * The addresses of `host` for streams to `port`, in the resolver's order; a
 * literal address is its own, at once.  SW_OK and *list (freeaddrinfo() it), or
 * SW_ERR_NO_NAME, SW_ERR_DOWN, SW_ERR_TIMEOUT, SW_ERR_CLOSED, SW_ERR_NOMEM with
 * why[].
 */
int resolve_host(struct addrinfo **list, const char *host, uint16_t port,
    const struct transport_limit *until, char why[static TRANSPORT_WHY_LEN])
    SW_MUST_CHECK;

#endif
