/*
 * launch.h - from parsed options to the program running in this process, or
 * to a session without one.
 */
#ifndef SW_PRELOAD_LAUNCH_H
#define SW_PRELOAD_LAUNCH_H

#include "preload/options.h"
#include "preload/start_proto.h"

/* Exit statuses of our own (env(1)'s). */
#define LAUNCH_FAILED 125
#define LAUNCH_CANNOT_RUN 126
#define LAUNCH_NOT_FOUND 127

/* Run o->argv in place.  Returns only on failure, with the exit status; the
 * reason has been said. */
int launch_run(const struct options *o);

/* --socks, -L, -R and no program: serve until interrupted.  The exit status;
 * said. */
int launch_serve(const struct options *o);

/* `up`: start a session and leave it.  0, or the exit status; said. */
int launch_up(const struct options *o);

#endif
