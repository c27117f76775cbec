/*
 * session_services.h - what a session serves besides programs: a SOCKS and
 * HTTP proxy, -L and -R.  They use the tunnel's dialer and datagrams, whatever
 * kind of tunnel it is.
 */
#ifndef SW_PRELOAD_SESSION_SERVICES_H
#define SW_PRELOAD_SESSION_SERVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "preload/session.h"
#include "stack/dialer.h"

struct services;

/*
 * Bind everything that start asks for; nothing is accepted yet.  *out is NULL
 * when it asks for nothing.  SW_OK, or SW_ERR_* and a line in `why`.
 */
int services_open(struct services **out, struct session *s,
    char why[static 256]) SW_MUST_CHECK;

/* The tunnel is up for the first time: accept from now on.  Again: nothing. */
int services_start(struct services *v, char why[static 256]) SW_MUST_CHECK;

/* The exit chose `port` for the i-th -R, which asked for none. */
void services_settle(struct services *v, size_t i, uint16_t port);

/* A stream has come to `port` of the exit: is it one of -R's?  Then it is
 * taken, and its events go to *ev. */
bool services_take(struct services *v, uint16_t port, struct dial *d,
    const struct dialer_ops *ops, const struct dial_events **ev,
    void **ev_arg);

/* "key value" lines: how many there are, and how busy.  The length. */
size_t services_status(const struct services *v, char *buf, size_t cap);

void services_free(struct services *v);		/* NULL is fine */

#endif
