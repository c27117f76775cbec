/*
 * manage.h - smolwrap down, status and check.
 */
#ifndef SW_PRELOAD_MANAGE_H
#define SW_PRELOAD_MANAGE_H

#include "preload/options.h"

/* Each answers the exit status: 0, or 1 when there is no such session, or the
 * program cannot be wrapped.  Results go to standard output. */
int manage_down(const struct options *o);
int manage_status(const struct options *o);
int manage_check(const struct options *o);

#endif
