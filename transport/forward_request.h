/*
 * forward_request.h - a client of the proxy at the exit (-R PORT): what it
 * asks for, the connection that it gets, and the words in between.  For
 * forward_remote.c.
 */
#ifndef SW_TRANSPORT_FORWARD_REQUEST_H
#define SW_TRANSPORT_FORWARD_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "stack/dialer.h"

struct forward_request;

/* Over, once, from the loop or from within forward_request_data().  fd >= 0: the
 * client has been told that it is connected; what it said early has been passed
 * on; fd is the callee's.  fd < 0: it has been refused; the dial is to be
 * ended.  forward_request_free() is still due. */
typedef void forward_request_fn(void *arg, int fd);

/* `d` is open; its data goes to forward_request_data() until it is over.
 * *reaching counts those that have a thread.  NULL without memory. */
struct forward_request *forward_request_new(struct loop *l, struct dial *d,
    const struct dialer_ops *ops, size_t *reaching, forward_request_fn *over,
    void *arg);

/* As dial_events.data().  The request may be over, and freed, on return. */
size_t forward_request_data(struct forward_request *q, const uint8_t *buf,
    size_t len);

/* The client will say no more.  Who has asked for nothing is refused. */
void forward_request_eof(struct forward_request *q);

void forward_request_free(struct forward_request *q);	/* NULL is fine */

#endif
