/*
 * forward.h - ports joined through a tunnel, as ssh -L and -R do.
 *
 * Local (forward_local.c): what connects to a socket of this machine is joined
 * to a dial of the target at the exit.  Remote (forward_remote.c): a stream that
 * arrived at a port of the exit is joined to a connection made from this
 * machine, outside the tunnel, because that is what was asked for: to one
 * target, or, as a proxy, to whatever the stream's first bytes ask for.
 */
#ifndef SW_TRANSPORT_FORWARD_H
#define SW_TRANSPORT_FORWARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "stack/dialer.h"

#define FORWARD_STREAMS_MAX 4096	/* of one forward, at once */

struct forward_local;
struct forward_remote;

/* Bind; host and port as for listener_open().  The target's host may be the
 * path of a socket at the exit (SSH only).  SW_OK, or a line in why[]. */
int forward_local_open(struct forward_local **out, struct loop *l,
    const char *host, uint16_t port, const struct dial_target *target,
    struct dialer *d, const struct dialer_ops *ops, char why[static 256])
    SW_MUST_CHECK;
int forward_local_start(struct forward_local *f, char why[static 256])
    SW_MUST_CHECK;
bool forward_local_is_public(const struct forward_local *f);
size_t forward_local_streams(const struct forward_local *f);
void forward_local_free(struct forward_local *f);	/* ends its streams;
							 * NULL is fine */

/*
 * The target of a remote forward: a path, or a host and a port.  A name is
 * looked up here and now, by this machine's own resolver; blocks.  An empty
 * host: a proxy, whose clients (SOCKS5, SOCKS4a, HTTP CONNECT) say where to; its
 * names are looked up by this machine too, when they are asked for.  SW_OK, or
 * a line in why[].
 */
int forward_remote_open(struct forward_remote **out, struct loop *l,
    const struct dial_target *target, char why[static 256]) SW_MUST_CHECK;
bool forward_remote_is_proxy(const struct forward_remote *f);

/* A stream has arrived: `d` is open.  SW_OK: it is the forward's, and its
 * events must go to *ev and *ev_arg; else the caller ends it. */
int forward_remote_take(struct forward_remote *f, struct dial *d,
    const struct dialer_ops *ops, const struct dial_events **ev,
    void **ev_arg) SW_MUST_CHECK;

size_t forward_remote_streams(const struct forward_remote *f);
void forward_remote_free(struct forward_remote *f);	/* likewise */

#endif
