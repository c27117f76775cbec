/*
 * serve_sandbox.h - what the server gives up before it speaks to strangers.
 */
#ifndef SW_TRANSPORT_SERVE_SANDBOX_H
#define SW_TRANSPORT_SERVE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Become `user` (NULL: stay), for good; no core files, as many descriptors as
 * allowed.  SW_OK, or one line in why[]. */
int serve_sandbox_drop(const char *user, char why[static 256]) SW_MUST_CHECK;

/*
 * No new privileges, and a filter that leaves the system calls of a network
 * server: no exec, no new files, no other processes.  What is not on the list
 * fails with ENOSYS.  For every thread of the process.
 */
int serve_sandbox_enter(char why[static 256]) SW_MUST_CHECK;

/* Log lines go to /dev/log from here on. */
int serve_log_to_syslog(bool verbose) SW_MUST_CHECK;

#endif
