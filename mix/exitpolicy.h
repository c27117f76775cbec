/*
 * exitpolicy.h - where an exit lets packets go.
 *
 * Two stages, and both must let a packet pass, as in Nym's own exits:
 *	1 the destination is a public unicast address, unless `local` is set
 *	2 the first rule that fits says "accept"; without rules all are taken
 *
 * Rules are text, one a line, in Nym's (and Tor's) form:
 *	ExitPolicy accept|reject|accept6|reject6 ADDRESS[/BITS]:PORTS
 * ADDRESS is *, *4, *6, an address, or an IPv6 address in brackets; PORTS is
 * *, N or N-M.  The word ExitPolicy may be left out; # starts a comment.  When
 * no rule fits, the answer is no.
 */
#ifndef SW_MIX_EXITPOLICY_H
#define SW_MIX_EXITPOLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"

#define EXITPOLICY_RULES_MAX 4096

struct exitpolicy;

/* Without rules.  NULL: no memory. */
struct exitpolicy *exitpolicy_new(bool local);
void exitpolicy_free(struct exitpolicy *p);	/* NULL is fine */

/* Add rules.  SW_ERR_FORMAT: *line is the first bad one, from 1, and none was
 * added.  SW_ERR_LIMIT, SW_ERR_NOMEM. */
int exitpolicy_parse(struct exitpolicy *p, const char *text, size_t n,
    unsigned *line) SW_MUST_CHECK;

/* Port 0, of a packet that has none, fits every PORTS.  p == NULL: a policy
 * that is neither local nor has rules. */
bool exitpolicy_allows(const struct exitpolicy *p, const struct sw_addr *dst);

#endif
