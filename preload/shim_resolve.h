/*
 * shim_resolve.h - what the resolver calls share.
 *
 * Nothing here asks the host's resolver, reads nsswitch.conf or opens an
 * internet socket.  A name is answered, in this order, by
 *   1. /etc/hosts,
 *   2. the rules for names of this machine (localhost, our own host name),
 *   3. refusal, for names that must not leave (names_special(), single labels),
 *   4. the session.
 * No session means SW_ERR_DOWN.
 *
 * Not async-signal-safe: these may use malloc, as POSIX lets resolvers.
 */
#ifndef SW_PRELOAD_SHIM_RESOLVE_H
#define SW_PRELOAD_SHIM_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define NAME_LEN_MAX 255	/* of a DNS name, dots included, no final dot */
#define NAMES_ADDR_MAX 64	/* addresses of one name; the rest is dropped */
#define NAMES_ALIAS_ROOM 1024

struct names {
	bool asked;			/* the session was; no file knew it */
	size_t n;			/* 0 with SW_OK: no such record */
	struct sw_addr addr[NAMES_ADDR_MAX];
	char canon[NAME_LEN_MAX + 2];	/* the canonical name */
	size_t n_alias;
	char alias[NAMES_ALIAS_ROOM];	/* in a row, each with its NUL */
};

/* What the lookups need of the world; tests put their own here. */
struct names_source {
	const char *hosts_file;
	const char *own_name;		/* this machine's; "" for none */
	/* Names without a dot are asked for too: the exit may know them. */
	bool single_labels;
	/* Ask the tunnel.  family as in SESSION_RESOLVE; *n in: room, out:
	 * addresses.  SW_OK or SW_ERR_*. */
	int (*resolve)(const char *name, int family, struct sw_addr *addr,
	    size_t *n);
	/* Name of an address into name[NAME_LEN_MAX + 2]. */
	int (*reverse)(const struct sw_addr *a, char *name);
	/* One DNS message; *len in: room, out: full length of the answer,
	 * of which at most the room was copied. */
	int (*dns)(const uint8_t *query, size_t query_len, uint8_t *answer,
	    size_t *len);
};

/* Where answers come from: the session, this machine's files. */
void names_source_live(struct names_source *src);

/*
 * Addresses of `name` (not numeric).  family: AF_INET, AF_INET6, or AF_UNSPEC
 * for both in the order the session prefers.  want_canon: spend a question on
 * the canonical name if the hosts file does not know it.
 * SW_OK, SW_ERR_NO_NAME, SW_ERR_DOWN, SW_ERR_TIMEOUT, SW_ERR_FORMAT, ...
 */
int names_lookup(const struct names_source *src, const char *name, int family,
    bool want_canon, struct names *out) SW_MUST_CHECK;

/* The name of an address: out->canon, out->alias, and out->addr[0] = *a. */
int names_reverse(const struct names_source *src, const struct sw_addr *a,
    struct names *out) SW_MUST_CHECK;

/* Is `name` under a domain that is never asked for outside this machine:
 * .onion, .i2p, .alt, .local, localhost and its kin? */
bool names_special(const char *name);

/* The numbers for a result code. */
int names_eai(int code);	/* EAI_*, or 0 */
int names_h_errno(int code);	/* HOST_NOT_FOUND, TRY_AGAIN ... */

#endif
