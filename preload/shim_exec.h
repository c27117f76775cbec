/*
 * shim_exec.h - what the ways to start a program share.
 */
#ifndef SW_PRELOAD_SHIM_EXEC_H
#define SW_PRELOAD_SHIM_EXEC_H

#include <stdbool.h>

/*
 * execveat(2) with our environment put back, the control channel inherited and
 * live flows handed over.  argv and envp may be NULL, as for the kernel.
 * Returns -errno, or not at all.
 */
int shim_exec_at(int dirfd, const char *path, char *const *argv,
    char *const *envp, int flags);

/* Make sure that a child started from now on inherits the control channel. */
void shim_exec_prepare(void);

/* If the library cannot follow into this file (static, Go, made for another
 * machine or C library), or it loses a privilege: noted, and the first time in a
 * session one line to a person at a terminal.  False: it would not even start
 * with our library. */
bool exec_explain(int dirfd, const char *path, int flags);

#endif
