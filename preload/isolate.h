/*
 * isolate.h - a network namespace of the program's own, whose only way out is
 * a TUN device that the session serves (design: isolation).
 *
 * For programs that no library can catch: static ones, Go, other C libraries.
 * There the kernel has no other device, so nothing can go elsewhere.
 */
#ifndef SW_PRELOAD_ISOLATE_H
#define SW_PRELOAD_ISOLATE_H

#include <stdbool.h>

#include "base/err.h"

#define ISOLATE_WHY_MAX 256

/*
 * Move this process into new network and mount namespaces (and, unless it is
 * root, a user namespace in which it keeps its ids), make the device there,
 * and have the session at `ctl` serve it.  Name look-ups that read
 * /etc/resolv.conf are led to the session, and sockets of this machine's own
 * resolvers are hidden.
 *
 * SW_OK, or SW_ERR_* and one line of English in `why`: then the process may be
 * half moved, and has no network at all; it should end.
 */
int isolate(int ctl, char why[static ISOLATE_WHY_MAX]) SW_MUST_CHECK;

/* Has it been done, by this process or one that led to it?  The kernel is asked:
 * an environment may outlive the namespace it tells of. */
bool isolate_is_here(void);

/* Would it work here?  Tried in a child.  SW_OK, or the reason in `why`. */
int isolate_try(char why[static ISOLATE_WHY_MAX]) SW_MUST_CHECK;

#endif
