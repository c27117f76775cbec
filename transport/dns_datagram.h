/*
 * dns_datagram.h - DNS over UDP to servers at the exit.
 *
 * Each query has a UDP port and an id of its own, and takes an answer only
 * from the server it was sent to, with its question (RFC 5452).  Sent again
 * after 2 and 5 seconds; SW_ERR_TIMEOUT after 9.
 */
#ifndef SW_TRANSPORT_DNS_DATAGRAM_H
#define SW_TRANSPORT_DNS_DATAGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "stack/datagram.h"

struct dns_datagram;
struct dns_datagram_ask;

/* As dns_upstream_fn; the response may be truncated. */
typedef void dns_datagram_fn(void *arg, int err, uint8_t *msg, size_t len);

/* All borrowed for life.  NULL: no memory. */
struct dns_datagram *dns_datagram_new(struct loop *l, struct datagrams *d,
    const struct datagram_ops *ops);
void dns_datagram_free(struct dns_datagram *u);	/* no callback; NULL is fine */

/* NULL: no memory, too many are on their way, or the tunnel is down. */
struct dns_datagram_ask *dns_datagram_ask(struct dns_datagram *u,
    const struct sw_addr *server, const uint8_t *msg, size_t len,
    dns_datagram_fn *done, void *arg);
void dns_datagram_cancel(struct dns_datagram_ask *a);

/* All that wait fail with `err`, soon. */
void dns_datagram_reset(struct dns_datagram *u, int err);

#endif
