/*
 * tunnel_url.h - what --via names: ssh://[user@]host[:port].
 */
#ifndef SW_PRELOAD_TUNNEL_URL_H
#define SW_PRELOAD_TUNNEL_URL_H

#include <stdint.h>

#include "base/err.h"

#define TUNNEL_USER_MAX 128
#define TUNNEL_HOST_MAX 255

struct tunnel_url {
	char user[TUNNEL_USER_MAX + 1];	/* empty: not given */
	char host[TUNNEL_HOST_MAX + 1];	/* IPv6 without its brackets */
	uint16_t port;			/* 0: not given */
};

/*
 * Take `text` apart.  SW_OK; SW_ERR_UNSUPPORTED for the schemes of tunnels
 * that this build does not have; SW_ERR_CONFIG otherwise.  On failure `why`
 * holds one line of English that says what is wrong with it, without quoting
 * a user part (which might be a mistyped password).
 */
int tunnel_url_parse(struct tunnel_url *out, const char *text,
    char why[static 128]) SW_MUST_CHECK;

#endif
