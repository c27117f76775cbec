/*
 * guard.h - a process that stays in a network namespace of ours beside the
 * programs there: it knows whether any are left, and resets their connections
 * when the session is gone.
 *
 * It speaks with the session over a stream pair:
 *
 *	session		any byte	do programs remain?
 *	guard		GUARD_SOME or GUARD_NONE
 *	session gone			all connections are reset, the guard ends
 */
#ifndef SW_PRELOAD_GUARD_H
#define SW_PRELOAD_GUARD_H

#include "base/err.h"

#define GUARD_SOME 's'
#define GUARD_NONE 'n'

/* Start it in the namespace of the caller, which has no threads.  session: its
 * end of the pair; diag: a NETLINK_SOCK_DIAG socket made there.  Both stay the
 * caller's.  SW_OK or SW_ERR_SYS with errno. */
int guard_start(int session, int diag) SW_MUST_CHECK;

#endif
