/*
 * launch_session.h - the session that holds a program's tunnel: found, or made.
 *
 * What fails is said on standard error.
 */
#ifndef SW_PRELOAD_LAUNCH_SESSION_H
#define SW_PRELOAD_LAUNCH_SESSION_H

#include "preload/options.h"
#include "preload/rendezvous.h"

/*
 * launch_join() - a control channel to the session that a program is to have:
 * the named one, the one around us, the one called "default", or a new one.
 *
 * ctl   out: this end of the channel, the caller's to close.
 * path  out: where the session listens.
 *
 * 0, or the exit status (launch.h).  Waits until a new session's tunnel is up.
 */
int launch_join(const struct options *o, int *ctl,
    char path[static RENDEZVOUS_MAX]) SW_MUST_CHECK;

/*
 * launch_start() - start a session without a program.
 *
 * ctl   out: a control channel, the caller's to close; the session ends with
 *       this process.  NULL: it stays, by o->name or as "default".
 *
 * SW_OK once its tunnel is up, or an SW_ERR_*.
 */
int launch_start(const struct options *o, int *ctl) SW_MUST_CHECK;

#endif
