/*
 * spawn.h - starts a session process and waits until its tunnel is up.
 */
#ifndef SW_PRELOAD_SPAWN_H
#define SW_PRELOAD_SPAWN_H

#include "base/err.h"
#include "preload/start_proto.h"
#include "preload/rendezvous.h"

/*
 * spawn_session() - run `exe` (smolwrap-session) detached: in a session of
 * its own, never seen as a child, holding none of the caller's descriptors.
 *
 * ctl_fd  out: the program's end of the control channel, the caller's to
 *         close.  NULL: no channel is made (`up`).
 * path    out: where the session listens.
 *
 * Returns SW_OK once the tunnel is up.  Otherwise an SW_ERR_*, and the reason
 * has been said on standard error.  Progress is shown on a terminal only.
 */
int spawn_session(const char *exe, const struct start *s, int *ctl_fd,
    char path[static RENDEZVOUS_MAX]) SW_MUST_CHECK;

#endif
