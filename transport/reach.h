/*
 * reach.h - tcp_reach() for a loop: a connection to a host of this machine's
 * own network, made on a thread, told of on the loop.
 */
#ifndef SW_TRANSPORT_REACH_H
#define SW_TRANSPORT_REACH_H

#include <stdint.h>

#include "base/loop.h"

#define REACH_MS 25000		/* look-up and connection together */

struct reach;

/* SW_OK and a connected socket, the callee's, CLOEXEC and blocking; or why not
 * (as transport_connect()), and -1. */
typedef void reach_done_fn(void *arg, int err, int fd);

/*
 * Begin.  `host` (a name or an address, at most 255 bytes) is copied; `done`
 * comes exactly once, from the loop, never from within, unless reach_cancel()
 * comes first; the reach is gone then.  NULL without memory, descriptors or
 * threads.
 */
struct reach *reach_start(struct loop *l, const char *host, uint16_t port,
    reach_done_fn *done, void *arg);

/* No callback follows.  NULL is fine. */
void reach_cancel(struct reach *r);

#endif
