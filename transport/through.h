/*
 * through.h - a tunnel's streams as descriptors, for threads that may wait.
 *
 * A tunnel opens streams on its loop's thread (stack/dialer.h).  A transport
 * connects on a thread of its own and wants a descriptor.  This is the door
 * between them: the thread asks, the loop dials and then moves the bytes
 * between the dial and one end of a pair, of which the thread has the other.
 *
 * Names are resolved at the tunnel's exit.  Half-closes pass both ways; when
 * the dial is lost, the descriptor reads end of file and writes EPIPE.
 */
#ifndef SW_TRANSPORT_THROUGH_H
#define SW_TRANSPORT_THROUGH_H

#include "base/loop.h"
#include "stack/dialer.h"
#include "transport/transport.h"

struct through;

/* On the loop's thread.  All are borrowed until through_close().  One
 * reference.  NULL without memory or descriptors. */
struct through *through_new(struct loop *l, struct dialer *d,
    const struct dialer_ops *ops);

/* On the loop's thread, before the dialer goes: every stream ends, whoever
 * waits is told SW_ERR_DOWN, and so is whoever asks later.  Drops the caller's
 * reference.  NULL is fine. */
void through_close(struct through *t);

/* Any thread. */
struct through *through_ref(struct through *t);
void through_unref(struct through *t);	/* NULL is fine */

/* Not on the loop's thread: ask, and wait.  As transport_connect(). */
int through_connect(struct through *t, const char *host, uint16_t port,
    const struct transport_limit *until, int *fd,
    char why[static TRANSPORT_WHY_LEN]) SW_MUST_CHECK;

#endif
