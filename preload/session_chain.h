/*
 * session_chain.h - the tunnels of a session, each reached through the one
 * before it (--via A --via B).  Owners use the last.
 */
#ifndef SW_PRELOAD_SESSION_CHAIN_H
#define SW_PRELOAD_SESSION_CHAIN_H

#include <stddef.h>

#include "base/err.h"
#include "preload/session.h"

/* Make all of them; s->tunnel is the last.  SW_OK, or an SW_ERR_* with one line
 * of English in why[] and none of them left. */
int chain_open(struct session *s, char why[static 256]) SW_MUST_CHECK;

/* The last first.  Fine when there is none. */
void chain_close(struct session *s);

/* "hop" lines for those before the last: number, kind, state. */
size_t chain_status(const struct session *s, char *buf, size_t cap);

#endif
