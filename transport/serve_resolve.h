/*
 * serve_resolve.h - getaddrinfo(3) for an event loop: a few threads, a bounded
 * queue, and no more than a share of the threads for any one client, so that
 * somebody's slow names delay nobody else's.
 *
 * Called on the loop's thread; answers come there.
 */
#ifndef SW_TRANSPORT_SERVE_RESOLVE_H
#define SW_TRANSPORT_SERVE_RESOLVE_H

#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/loop.h"

#define SERVE_ADDRS_MAX 16

struct serve_resolver;
struct serve_query;

/* SW_OK with n addresses (port 0), in the order to try them; or SW_ERR_NO_NAME,
 * SW_ERR_TIMEOUT (no server answers, or none gave its word), SW_ERR_NOMEM. */
typedef void serve_resolved(void *arg, int err, const struct sw_addr *addrs,
    size_t n);

/* Starts the threads.  NULL without memory or threads. */
struct serve_resolver *serve_resolver_new(struct loop *l);
/* Waits for no look-up: threads end when theirs does.  NULL is fine. */
void serve_resolver_free(struct serve_resolver *r);

/*
 * Ask.  `owner` stands for the client, for fairness; `name` is copied.  done
 * comes once, never from within, unless serve_resolve_cancel() is called.
 * NULL: too many wait, or no memory.
 */
struct serve_query *serve_resolve(struct serve_resolver *r, const void *owner,
    const char *name, serve_resolved *done, void *arg);
void serve_resolve_cancel(struct serve_query *q);

#endif
