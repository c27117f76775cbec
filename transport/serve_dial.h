/*
 * serve_dial.h - connects to what a client asked for: look the name up, drop
 * addresses that the policy refuses, try the rest side by side (RFC 8305); or
 * hand the name to an outbound proxy.
 */
#ifndef SW_TRANSPORT_SERVE_DIAL_H
#define SW_TRANSPORT_SERVE_DIAL_H

#include "base/err.h"
#include "base/loop.h"
#include "stack/dialer.h"
#include "transport/proxy.h"
#include "transport/serve_policy.h"
#include "transport/serve_resolve.h"

#define SERVE_DIAL_MS 20000		/* all in all */

/* What dials share; borrowed by each.  The policy may be replaced between
 * turns of the loop. */
struct serve_dialing {
	struct loop *l;
	struct serve_resolver *resolver;
	const struct serve_policy *policy;
	const struct proxy_url *outbound;	/* NULL: none */
};

struct serve_dial;

/* SW_OK and a connected, non-blocking socket, the callee's to close; or REFUSED,
 * UNREACH_HOST, UNREACH_NET, TIMEOUT, NO_NAME, DENIED, LIMIT, NOMEM. */
typedef void serve_dialled(void *arg, int err, int fd);

/* done comes once, never from within, unless cancelled.  NULL without memory.
 * owner: as in serve_resolve(). */
struct serve_dial *serve_dial_start(const struct serve_dialing *g,
    const void *owner, const struct dial_target *to, serve_dialled *done,
    void *arg);
void serve_dial_cancel(struct serve_dial *d);

#endif
