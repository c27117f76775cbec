/*
 * shim_resolve_kept.h - names that were just looked up, for a second.
 *
 * Programs that open several connections ask for the same name each time.
 * Only virtual addresses are kept: they stand for their name as long as the
 * session lives, which is checked, and the session itself believes for longer
 * that the name exists.  What an exit has resolved is never kept.
 */
#ifndef SW_PRELOAD_SHIM_RESOLVE_KEPT_H
#define SW_PRELOAD_SHIM_RESOLVE_KEPT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

/* family as in SESSION_RESOLVE; *n in: room, out: how many.  True: found. */
bool kept_find(const char *name, int family, struct sw_addr *addr, size_t *n);

/* What the session has answered. */
void kept_put(const char *name, int family, const struct sw_addr *addr,
    size_t n);

#endif
