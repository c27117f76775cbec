/*
 * socks_server.h - a proxy on this machine that leads into a tunnel: SOCKS5
 * with CONNECT and UDP ASSOCIATE, SOCKS4, SOCKS4a and HTTP CONNECT, told apart
 * by their first byte.  Names go to the exit as they are.
 *
 * While the tunnel is down a request is answered with an error, never kept
 * waiting.  No destination is logged.
 */
#ifndef SW_TRANSPORT_SOCKS_SERVER_H
#define SW_TRANSPORT_SOCKS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "stack/datagram.h"
#include "stack/dialer.h"

#define SOCKS_CLIENTS_MAX 4096	/* at once; more are closed at once */

/* Where a tunnel's streams and datagrams come from. */
struct exit_doors {
	struct dialer *dialer;
	const struct dialer_ops *dialer_ops;
	struct datagrams *datagrams;	/* may be NULL: no UDP */
	const struct datagram_ops *datagram_ops;
};

struct socks_server_options {
	const char *host;		/* as for listener_open() */
	uint16_t port;
	/* Lines of "name:password"; one of them must be given.  NULL: nobody
	 * is asked.  Copied. */
	const char *passwords;
	struct exit_doors exit;
};

struct socks_server;

/* Bind.  SW_OK, or SW_ERR_* with a line in why[]. */
int socks_server_open(struct socks_server **out, struct loop *l,
    const struct socks_server_options *o, char why[static 256]) SW_MUST_CHECK;
int socks_server_start(struct socks_server *s, char why[static 256])
    SW_MUST_CHECK;
bool socks_server_is_public(const struct socks_server *s);
size_t socks_server_clients(const struct socks_server *s);

/* Ends every connection through it.  NULL is fine. */
void socks_server_free(struct socks_server *s);

#endif
