/*
 * iroh_socks.h - the header of datagrams through a SOCKS5 proxy (RFC 1928, 7).
 */
#ifndef SW_TRANSPORT_IROH_SOCKS_H
#define SW_TRANSPORT_IROH_SOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

#define SOCKS_UDP_HEAD_MAX 22

/* The header in front of a datagram to `to`; its length. */
size_t socks_udp_put(uint8_t out[static SOCKS_UDP_HEAD_MAX],
    const struct sw_addr *to);

/* Take the header off a datagram from the proxy: *from gets who sent it, *p and
 * *n what is left.  SW_OK, or SW_ERR_FORMAT (a fragment, a name, too short). */
int socks_udp_get(struct sw_addr *from, const uint8_t **p, size_t *n)
    SW_MUST_CHECK;

#endif
