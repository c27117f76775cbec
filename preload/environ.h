/*
 * environ.h - the environment a wrapped program starts with.
 */
#ifndef SW_PRELOAD_ENVIRON_H
#define SW_PRELOAD_ENVIRON_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "preload/options.h"

struct environ_facts {
	const char *library;	/* absolute path of libsmolwrap.so; NULL: this
				 * program cannot load it */
	bool isolated;		/* in a network namespace of its own */
	const char *path;	/* socket to reach the session again */
	int ctl_fd;		/* the control channel, at its final number */
	ino_t ctl_ino;
	const struct options *options;
};

/*
 * environ_build() - a new vector: `old` (borrowed, as are its strings) with
 * LD_PRELOAD led by our library and the SMOLWRAP_* variables of
 * session_proto.h set.  Lives for the rest of the process; NULL when out of
 * memory.
 */
char **environ_build(char *const *old, const struct environ_facts *f);

/* The first variable of `env` that names a proxy on this machine's loopback
 * (NAME=VALUE), or NULL: what goes there leaves by the machine's own network. */
const char *environ_local_proxy(char *const *env);

/* May this path stand in LD_PRELOAD, whose separators are ' ' and ':'? */
bool environ_may_preload(const char *path);

#endif
