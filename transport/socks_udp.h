/*
 * socks_udp.h - one UDP association of a SOCKS5 client (RFC 1928 section 7).
 */
#ifndef SW_TRANSPORT_SOCKS_UDP_H
#define SW_TRANSPORT_SOCKS_UDP_H

#include "base/addr.h"
#include "base/loop.h"
#include "stack/datagram.h"

struct socks_udp;

/*
 * Open a local UDP socket on the address that the client's connection `fd`
 * came to, and a port at the exit.  *bound is where the client may send to.
 * Only datagrams from the client's own address are taken, and once the first
 * has come, only those from its port.
 *
 * ended: the port at the exit is gone; socks_udp_free() is due.
 * NULL: *err says why.
 */
struct socks_udp *socks_udp_open(struct loop *l, int fd, struct datagrams *d,
    const struct datagram_ops *ops, void (*ended)(void *arg), void *arg,
    struct sw_addr *bound, int *err);
void socks_udp_free(struct socks_udp *u);	/* NULL is fine */

#endif
