/*
 * ws.h - a websocket (RFC 6455) without a socket: bytes in, bytes out.
 *
 * The upgrade is here, the frames are wslay's.  No extensions, no
 * subprotocols; a server takes any path.  Pings are answered by themselves.
 */
#ifndef SW_MIX_WS_H
#define SW_MIX_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/wire.h"
#include "mix/rng.h"

#define WS_MESSAGE_MAX 131072
#define WS_OUT_MAX (1u << 20)	/* bytes that may wait to be sent */

struct ws;

struct ws_events {
	/* The upgrade is done; messages may be sent. */
	void (*open)(void *arg);
	/* A whole message; `data` may be changed, borrowed until return. */
	void (*message)(void *arg, bool binary, uint8_t *data, size_t n);
};

/* host is what a client writes as Host, NULL for a server; rng is borrowed
 * for life.  NULL: no memory. */
struct ws *ws_new(const char *host, const struct ws_events *events,
    void *arg, struct rng *rng);
void ws_free(struct ws *w);		/* NULL is fine */

/*
 * Take bytes from the peer; all that can be are consumed from `in`, the rest
 * has to be given again with what follows.  SW_OK; SW_ERR_FORMAT or
 * SW_ERR_REFUSED (no upgrade): close; SW_ERR_CLOSED: the peer said goodbye.
 * A callback must not free the ws.
 */
int ws_feed(struct ws *w, struct rbuf *in) SW_MUST_CHECK;

/* Queue a message.  SW_AGAIN when WS_OUT_MAX bytes wait already. */
int ws_send(struct ws *w, bool binary, const void *data, size_t n)
    SW_MUST_CHECK;

/* Bytes for the peer, borrowed until the next call; say how many went. */
const uint8_t *ws_out(struct ws *w, size_t *n);
void ws_sent(struct ws *w, size_t n);

#endif
