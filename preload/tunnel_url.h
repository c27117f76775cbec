/*
 * tunnel_url.h - what --via names.
 *
 *	ssh://[user@]host[:port]	SSH over TCP
 *	ssh+tls://[user@]host[:port]	SSH over TLS
 *	ssh+iroh://[user@]ENDPOINT	SSH over iroh; an endpoint id or a ticket
 *	mix:				the Nym mixnet, by its directory service
 *	mix:FILE			a network given by its topology file
 *	mix:local			a whole network made for this session
 */
#ifndef SW_PRELOAD_TUNNEL_URL_H
#define SW_PRELOAD_TUNNEL_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define TUNNEL_USER_MAX 128
#define TUNNEL_HOST_MAX 255
#define TUNNEL_PLACE_MAX 1023	/* an iroh ticket, or a file's path */

enum tunnel_kind {
	TUNNEL_SSH, TUNNEL_SSH_TLS, TUNNEL_SSH_IROH,
	TUNNEL_MIX, TUNNEL_MIX_FILE, TUNNEL_MIX_LOCAL,
};

struct tunnel_url {
	enum tunnel_kind kind;
	char user[TUNNEL_USER_MAX + 1];	/* empty: not given */
	/* ssh, ssh+tls: the host, IPv6 without its brackets; ssh+iroh: the
	 * endpoint; mix:FILE: the path; else empty. */
	char host[TUNNEL_PLACE_MAX + 1];
	uint16_t port;			/* 0: not given */
};

/*
 * Take `text` apart.  SW_OK or SW_ERR_CONFIG, and then `why` holds one line of
 * English that says what is wrong with it, without quoting a user part (which
 * might be a mistyped password).
 */
int tunnel_url_parse(struct tunnel_url *out, const char *text,
    char why[static 128]) SW_MUST_CHECK;

static inline bool
tunnel_is_mix(const struct tunnel_url *u)
{
	return u->kind >= TUNNEL_MIX;
}

#endif
