/*
 * dns_upstream.h - DNS to servers at the exit: over UDP where the tunnel carries
 * it and the server is given by its address, over TCP when the answer does not
 * fit, and where there is no UDP.
 */
#ifndef SW_TRANSPORT_DNS_UPSTREAM_H
#define SW_TRANSPORT_DNS_UPSTREAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "stack/datagram.h"
#include "stack/dialer.h"

struct dns_upstream;
struct dns_ask;

/* SW_OK: a response whose id and question are the query's; msg may be changed
 * in place, until return.  Else msg is NULL: TIMEOUT, REFUSED, DOWN, ... */
typedef void dns_upstream_fn(void *arg, int err, uint8_t *msg, size_t len);

/* udp: NULL for none.  NULL without memory. */
struct dns_upstream *dns_upstream_new(struct loop *l, struct dialer *d,
    const struct dialer_ops *ops, struct datagrams *udp,
    const struct datagram_ops *udp_ops);
/* No callback; NULL is fine. */
void dns_upstream_free(struct dns_upstream *u);

/* Send a query; `done` comes once, never from within, unless cancelled.  NULL
 * when out of memory or too many are on their way. */
struct dns_ask *dns_upstream_ask(struct dns_upstream *u,
    const struct dial_target *server, const uint8_t *msg, size_t len,
    dns_upstream_fn *done, void *arg);
void dns_upstream_cancel(struct dns_ask *a);

/* Every connection is dropped; what waits fails with `err`. */
void dns_upstream_reset(struct dns_upstream *u, int err);

#endif
