/*
 * serve_match.h - patterns: names with `*` and `?`, and ranges of addresses.
 */
#ifndef SW_TRANSPORT_SERVE_MATCH_H
#define SW_TRANSPORT_SERVE_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"

/* Does `text` match, without regard to case?  `*`: any run, `?`: any one. */
bool serve_match_glob(const char *text, const char *pattern, size_t len);

/* An address range; one address is a range too. */
struct serve_range {
	struct sw_addr net;		/* bits behind `bits` are zero */
	unsigned bits;			/* 0..128, counted as IPv6 */
};

/* "10.0.0.0/8", "fd00::/8", "10.1.2.3".  SW_OK or SW_ERR_FORMAT (also when bits
 * behind the prefix are set). */
int serve_range_parse(struct serve_range *out, const char *text, size_t len)
    SW_MUST_CHECK;
bool serve_range_has(const struct serve_range *g, const struct sw_addr *a);

/*
 * OpenSSH's from= and source-address lists: patterns and ranges between commas,
 * `!` in front negates; a negated match decides.  text: the peer's address.
 * ranges_only: a member that is no range makes it SW_ERR_FORMAT.
 * SW_OK: matches.  SW_ERR_DENIED: it does not.
 */
int serve_match_from(const char *list, const struct sw_addr *peer,
    bool ranges_only) SW_MUST_CHECK;

/*
 * Does an address lead to this machine, its own network, or nowhere sensible:
 * loopback, unspecified, private, link-local, shared, multicast, reserved,
 * also inside NAT64's and 6to4's IPv6 addresses?
 */
bool serve_match_inside(const struct sw_addr *a);

#endif
