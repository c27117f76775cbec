/*
 * junction.h - a local stream socket and a dial, joined on the loop.
 *
 * Bytes go both ways with back-pressure, half-close goes through, and an end
 * that was no clean end resets the socket, so that half a file never looks
 * whole.  Behind SOCKS, -L and -R, and behind a tunnel that is reached through
 * another one (one end of a socketpair is the socket then).
 *
 * Life:  junction_dial() -> opened -> ended, once
 *                     -> failed
 *        junction_adopt() (an opened dial) -> ended, once
 */
#ifndef SW_TRANSPORT_JUNCTION_H
#define SW_TRANSPORT_JUNCTION_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "stack/dialer.h"

#define JUNCTION_SAY_MAX 512	/* bytes of junction_say() in all */

struct junction;

/* Any callback may free the junction it is about. */
struct junction_events {
	/* The far side answered; bytes move from here on.  junction_say() now puts
	 * words before the far side's own.  May be NULL. */
	void (*opened)(void *arg);
	/* It did not: an SW_ERR_*.  The socket is still open: junction_say() and
	 * then junction_free() close it after an answer.  NULL: just freed. */
	void (*failed)(void *arg, int err);
	/* Both directions are done (SW_OK) or it broke; the socket is closed.
	 * junction_free() is still due. */
	void (*ended)(void *arg, int err);
};

/*
 * Join fd to a dial of `to` that is opened now.
 *
 * fd      a connected stream socket; taken unless NULL; made non-blocking.
 * early   bytes already read from it, `early_len` of them, which go first;
 *         copied.
 * ev      borrowed for the junction's life; arg is passed back.
 *
 * NULL when out of memory or the dialer says no at once: *err says why, and fd
 * is still the caller's.  No callback comes from within.
 */
struct junction *junction_dial(struct loop *l, int fd, struct dialer *d,
    const struct dialer_ops *ops, const struct dial_target *to,
    const void *early, size_t early_len, const struct junction_events *ev,
    void *arg, int *err);

/*
 * Join fd to a dial that is open already (an inbound one).  *dial_ev and
 * *dial_arg are what the dial's events must be from now on.  NULL: no memory;
 * neither fd nor the dial is touched.
 */
struct junction *junction_adopt(struct loop *l, int fd, struct dial *d,
    const struct dialer_ops *ops, const struct junction_events *ev, void *arg,
    const struct dial_events **dial_ev, void **dial_arg);

/* Send our own words to the socket, before what the far side sends: from
 * within opened(), or after failed().  At most JUNCTION_SAY_MAX bytes. */
void junction_say(struct junction *j, const void *buf, size_t len);

/* End it: the dial is aborted if it lives, the socket closed (after failed():
 * cleanly; while bytes move: by a reset).  NULL is fine. */
void junction_free(struct junction *j);

#endif
