/*
 * dialing.h - transport_connect() for whoever runs a loop: the wait is a
 * thread's, the answer comes on the loop.
 */
#ifndef SW_TRANSPORT_DIALING_H
#define SW_TRANSPORT_DIALING_H

#include "base/loop.h"
#include "transport/transport.h"

struct dialing;

/* SW_OK: fd is the receiver's (CLOEXEC, blocking).  Else it is -1, and `why`
 * one line of English, borrowed until return.  The handle is gone. */
typedef void dialing_done(void *arg, int err, int fd, const char *why);

/* As transport_connect(); the host is copied, a reference to `t` taken.
 * done() comes once, from the loop.  NULL without memory, descriptors or
 * threads. */
struct dialing *dialing_start(struct loop *l, struct transport *t,
    const char *host, uint16_t port, int64_t deadline_ms, dialing_done *done,
    void *arg);

/* done() does not come; what is connected nevertheless is closed.  Does not
 * wait for the thread, which ends at its deadline or by transport_cancel().
 * NULL is fine. */
void dialing_cancel(struct dialing *d);

#endif
