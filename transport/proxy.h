/*
 * proxy.h - asks a proxy for a stream: SOCKS5 (RFC 1928, 1929) and HTTP CONNECT
 * (RFC 9110, 9.3.6).  An engine without descriptors: bytes in, bytes out; and
 * proxy_connect(), which drives it on a socket.
 *
 * The target's name goes to the proxy as it is; nothing is resolved here.
 */
#ifndef SW_TRANSPORT_PROXY_H
#define SW_TRANSPORT_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "transport/transport.h"

#define PROXY_HOST_MAX 255
#define PROXY_TEXT_MAX 255		/* user and password (RFC 1929) */
#define PROXY_HEAD_MAX 8192		/* of an HTTP answer */

enum proxy_kind { PROXY_SOCKS5, PROXY_HTTP };

/* Holds a secret: proxy_url_wipe(). */
struct proxy_url {
	enum proxy_kind kind;
	char host[PROXY_HOST_MAX + 1];	/* IPv6 without its brackets */
	uint16_t port;
	bool has_user;
	char user[PROXY_TEXT_MAX + 1], password[PROXY_TEXT_MAX + 1];
};

/*
 * Take "socks5://[user:password@]host[:port]" (socks5h:// means the same) or
 * "http://..." apart; user and password may hold %xx.  Ports: 1080, 8080.
 * SW_OK, or SW_ERR_CONFIG with one line in why[] that quotes no secret.
 */
int proxy_url_parse(struct proxy_url *out, const char *text,
    char why[static 128]) SW_MUST_CHECK;
void proxy_url_wipe(struct proxy_url *u);

enum proxy_state {
	PROXY_METHOD, PROXY_PASSWORD, PROXY_REPLY, PROXY_HEAD, PROXY_DONE,
	PROXY_FAILED,
};

/* One conversation.  Holds a secret until it is over. */
struct proxy_talk {
	const struct proxy_url *url;
	enum proxy_state state;
	uint8_t out[2048];		/* what is to be sent: out_at..out_len */
	size_t out_at, out_len;
	uint8_t request[4 + 1 + PROXY_HOST_MAX + 2];	/* socks5 */
	size_t request_len;
	uint8_t in[4 + 1 + 255 + 2];	/* an answer that is not whole yet */
	size_t in_len;			/* http: of the status line */
	size_t head_len;		/* http: bytes of the head so far */
	bool line_empty;		/* http: nothing in this line yet */
	/* Where a SOCKS5 proxy says it listens for us (UDP). */
	char bound_host[PROXY_HOST_MAX + 1];
	uint16_t bound_port;
	char why[160];
};

/* Ask for a stream to host:port (a name, or an address without brackets).  `u`
 * is borrowed.  SW_OK, or SW_ERR_CONFIG: the name is too long or has no form
 * that may be sent. */
int proxy_begin(struct proxy_talk *t, const struct proxy_url *u,
    const char *host, uint16_t port) SW_MUST_CHECK;

/* Ask a SOCKS5 proxy to carry datagrams (UDP ASSOCIATE).  When it is done,
 * bound_host and bound_port say where to send them; the connection must stay. */
void proxy_begin_udp(struct proxy_talk *t, const struct proxy_url *u);

/* What is to be sent now; *len may be 0. */
const uint8_t *proxy_output(const struct proxy_talk *t, size_t *len);
void proxy_sent(struct proxy_talk *t, size_t n);

/*
 * What the proxy said.  *used: how much of it was the proxy's; when it is less
 * than len, the rest is the target's already.
 *
 * SW_AGAIN: send what proxy_output() has, feed more.  SW_OK: the stream is
 * there.  Else it is over and t->why says so: SW_ERR_REFUSED, _UNREACH_HOST,
 * _UNREACH_NET, _TIMEOUT, _DENIED, _AUTH, _FORMAT, _TOO_LONG, _UNSUPPORTED, _DOWN.
 */
int proxy_input(struct proxy_talk *t, const uint8_t *buf, size_t len,
    size_t *used) SW_MUST_CHECK;

void proxy_wipe(struct proxy_talk *t);

/*
 * Connect to the proxy and ask it for host:port; as transport_reach().  Nothing
 * that follows the proxy's answer has been read from *fd.
 */
int proxy_connect(const struct proxy_url *u, const char *host, uint16_t port,
    const struct transport_limit *until, int *fd,
    char why[static TRANSPORT_WHY_LEN]) SW_MUST_CHECK;

/* Connect and associate for datagrams: *fd must stay open for as long; relay:
 * where to send, 256 bytes of a numeric address (the proxy's own, if it said
 * "any") and a port. */
int proxy_associate(const struct proxy_url *u,
    const struct transport_limit *until, int *fd,
    char relay[static PROXY_HOST_MAX + 1], uint16_t *relay_port,
    char why[static TRANSPORT_WHY_LEN]) SW_MUST_CHECK;

#endif
