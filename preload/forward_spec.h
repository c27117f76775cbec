/*
 * forward_spec.h - what -L, -R and --socks name, in OpenSSH's syntax.
 *
 *	-L [BIND:]PORT:HOST:HOSTPORT	-L [BIND:]PORT:SOCKET
 *	-L SOCKET:HOST:HOSTPORT		-L SOCKET:SOCKET
 *	-R the same, listening at the exit; -R [BIND:]PORT alone is a proxy
 *	   there that leads out here: its target has an empty host
 *	--socks [BIND:]PORT
 *
 * IPv6 addresses stand in brackets; BIND is empty or "*" for every address;
 * without BIND, it is the loopback.  A SOCKET is a path with a '/'.
 */
#ifndef SW_PRELOAD_FORWARD_SPEC_H
#define SW_PRELOAD_FORWARD_SPEC_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define FORWARD_TEXT_MAX 512	/* bytes of a specification, its NUL included */

/* One side of a forward. */
struct forward_end {
	/* Where to listen: an address or name, "" for every address; where to
	 * connect: a host, "" for wherever a proxy's clients ask for; or a
	 * socket's path, which has a '/'. */
	char host[256];
	uint16_t port;		/* 0: any free port (-R only), or a socket */
};

struct forward_spec {
	struct forward_end listen, target;
};

/* SW_OK or SW_ERR_CONFIG.  `remote`: -R, where port 0 may be asked for. */
int forward_spec_parse(struct forward_spec *out, const char *text, int remote)
    SW_MUST_CHECK;

/* [BIND:]PORT, the way it is written for --socks. */
int forward_listen_parse(struct forward_end *out, const char *text)
    SW_MUST_CHECK;

/* Is it a socket of the file system? */
int forward_is_path(const struct forward_end *e);

#endif
