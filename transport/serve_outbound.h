/*
 * serve_outbound.h - asks an upstream proxy for a stream on a connection to it,
 * on the loop (the words are transport/proxy.h's).
 */
#ifndef SW_TRANSPORT_SERVE_OUTBOUND_H
#define SW_TRANSPORT_SERVE_OUTBOUND_H

#include "base/loop.h"
#include "stack/dialer.h"
#include "transport/proxy.h"

struct serve_outbound;

/* SW_OK, and the connection is the stream now; else why the proxy would not.
 * The descriptor stays the caller's in any case. */
typedef void serve_outbound_done(void *arg, int err);

/* `fd`: connected, non-blocking; borrowed, as is `proxy`.  done comes once, never
 * from within, unless freed before.  NULL without memory. */
struct serve_outbound *serve_outbound_start(struct loop *l, int fd,
    const struct proxy_url *proxy, const struct dial_target *to,
    serve_outbound_done *done, void *arg);
void serve_outbound_free(struct serve_outbound *o);	/* NULL is fine */

#endif
