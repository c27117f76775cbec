/*
 * serve_policy.h - where clients may be forwarded to.
 *
 * Two questions, both must be answered with yes, for the address that is going
 * to be dialled (so a name cannot lead round them):
 *   1. The rules, in order: the first whose target and port match decides.  None
 *      does: yes.
 *   2. Is it a public address?  Private, loopback, link-local and reserved ones
 *      are refused, unless private_too, or a rule allows a range with it.
 *
 * A rule's target is `*`, a name with `*` and `?`, an address or a range:
 *	example.org   *.example.org:443   10.0.0.0/8:80-90   [fd00::/8]:22   *:25
 * A name rule matches what the client asked for, as it wrote it.
 */
#ifndef SW_TRANSPORT_SERVE_POLICY_H
#define SW_TRANSPORT_SERVE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "transport/serve_match.h"

#define SERVE_RULES_MAX 1024

struct serve_rule {
	bool allow;
	bool is_range;
	struct serve_range range;
	char *pattern;			/* of names, else NULL */
	uint16_t port_from, port_to;
};

struct serve_policy {
	struct serve_rule *rule;
	size_t n;
	bool private_too;
};

/* Append a rule.  SW_OK, SW_ERR_FORMAT, SW_ERR_NOMEM or SW_ERR_LIMIT. */
int serve_policy_add(struct serve_policy *p, bool allow, const char *text)
    SW_MUST_CHECK;
void serve_policy_wipe(struct serve_policy *p);

/* May a client that asked for host:port reach it at addr?  addr NULL: nobody
 * here knows (an outbound proxy resolves): names alone decide. */
bool serve_policy_allows(const struct serve_policy *p, const char *host,
    const struct sw_addr *addr, uint16_t port);

#endif
