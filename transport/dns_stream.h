/*
 * dns_stream.h - DNS over TCP to servers at the exit, through a dialer.
 *
 * Connections are kept and shared: queries are pipelined under ids of our own
 * (RFC 7766).  A server that closed an idle connection costs one retry.
 */
#ifndef SW_TRANSPORT_DNS_STREAM_H
#define SW_TRANSPORT_DNS_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "stack/dialer.h"

#define DNS_STREAM_TIMEOUT_MS 10000

struct dns_stream;
struct dns_stream_ask;

/* SW_OK: a response whose id and question are the query's; msg may be changed
 * in place, until return.  Else msg is NULL: TIMEOUT, REFUSED, DOWN, ... */
typedef void dns_stream_fn(void *arg, int err, uint8_t *msg, size_t len);

/* All borrowed for life.  NULL: no memory. */
struct dns_stream *dns_stream_new(struct loop *l, struct dialer *d,
    const struct dialer_ops *ops);
void dns_stream_free(struct dns_stream *u);	/* no callback; NULL is fine */

/* Send a query; `done` comes once, never from within, unless cancelled.  NULL
 * when out of memory or too many are on their way. */
struct dns_stream_ask *dns_stream_ask(struct dns_stream *u,
    const struct dial_target *server, const uint8_t *msg, size_t len,
    dns_stream_fn *done, void *arg);
void dns_stream_cancel(struct dns_stream_ask *a);

/* Every connection is dropped; what waits fails with `err`. */
void dns_stream_reset(struct dns_stream *u, int err);

#endif
