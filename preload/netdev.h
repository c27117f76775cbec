/*
 * netdev.h - a network device's address, size and route, by rtnetlink(7).
 *
 * `nl` is a NETLINK_ROUTE socket made in the network namespace that is meant;
 * it may be used from outside by whoever owns that namespace.  `index` is the
 * device's there.  Each call waits for the kernel's answer, which comes at
 * once: SW_OK, or SW_ERR_SYS with errno set.
 */
#ifndef SW_PRELOAD_NETDEV_H
#define SW_PRELOAD_NETDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define NETDEV_LOOPBACK 1	/* the index of `lo`, in every namespace */

/* Is this all that the caller's namespace has, besides `lo`? */
bool netdev_is_only(const char *name);

/* Switch it on.  mtu, queue (packets): 0 for as they are. */
int netdev_up(int nl, int index, uint32_t mtu, uint32_t queue) SW_MUST_CHECK;

/* Give it an address, or take one away; a host's, without a network. */
int netdev_address(int nl, int index, const struct sw_addr *a, bool add)
    SW_MUST_CHECK;

/* The default route of a family (AF_INET, AF_INET6) through it. */
int netdev_route(int nl, int index, int family, bool add) SW_MUST_CHECK;

/*
 * TCP connections of the namespace that have something left to send or to be
 * told.  diag: a NETLINK_SOCK_DIAG socket made there.  -1: it cannot be known.
 */
int netdev_count_unsent(int diag);

/*
 * Who listens on TCP port `port` there, for more than the namespace's own
 * loopback?  *at is the address, with the port.  False: nobody, or it cannot be
 * known.
 */
bool netdev_find_listener(int diag, uint16_t port, struct sw_addr *at);

/* End all TCP connections there, as a reset would; by their users they are
 * seen as ECONNABORTED.  As far as the kernel can (INET_DIAG_DESTROY). */
void netdev_reset(int diag);

#endif
