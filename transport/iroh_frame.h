/*
 * iroh_frame.h - the frames of iroh's relays, one a websocket message.  Client
 * side; no descriptor, no state.
 *
 * The first byte is the type (formally a QUIC varint, but all are below 64).
 * Protocols iroh-relay-v1 and -v2 differ only in two texts of health.
 */
#ifndef SW_TRANSPORT_IROH_FRAME_H
#define SW_TRANSPORT_IROH_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "transport/iroh_id.h"

#define RELAY_FRAME_MAX 65536		/* without the type */
#define RELAY_HEAD_MAX (1 + IROH_ID_LEN + 1 + 2)
#define RELAY_CHALLENGE_LEN 16
#define RELAY_ANSWER_LEN (1 + IROH_ID_LEN + 1 + 64)
#define RELAY_PING_LEN 8

enum relay_kind {
	RELAY_CHALLENGE = 0,		/* bytes: RELAY_CHALLENGE_LEN */
	RELAY_ACCEPTED = 2,
	RELAY_DENIED = 3,		/* bytes: text of the relay's */
	RELAY_DATAGRAMS = 6,		/* peer, bytes, segment */
	RELAY_GONE = 8,			/* peer */
	RELAY_PING = 9,			/* bytes: RELAY_PING_LEN */
	RELAY_PONG = 10,
	RELAY_RESTART = 12,		/* wait_ms */
	RELAY_STATUS = 13,		/* status */
	RELAY_OTHER = -1,		/* of a later version: ignore */
};

enum { RELAY_STATUS_HEALTHY, RELAY_STATUS_REPLACED, RELAY_STATUS_SLOWED };

struct relay_frame {
	enum relay_kind kind;
	struct iroh_id peer;
	const uint8_t *bytes;		/* into the message */
	size_t len;
	size_t segment;			/* all but the last datagram are so long;
					 * at least 1, at most len */
	uint32_t wait_ms;
	uint8_t status;
};

/* Parse a message from the relay.  SW_OK, or SW_ERR_FORMAT and zeros. */
int relay_frame_parse(struct relay_frame *f, const uint8_t *msg, size_t n)
    SW_MUST_CHECK;

/*
 * The head of a message that carries datagrams to `peer`: `len` bytes that
 * follow it, of datagrams `segment` long but for the last.  Its length.
 */
size_t relay_frame_head(uint8_t out[static RELAY_HEAD_MAX],
    const struct iroh_id *peer, size_t len, size_t segment);

/* The answer to a challenge. */
void relay_frame_answer(uint8_t out[static RELAY_ANSWER_LEN],
    const struct iroh_id *id, const uint8_t signature[static 64]);

/* A ping or pong.  Its length is 1 + RELAY_PING_LEN. */
void relay_frame_echo(uint8_t out[static 1 + RELAY_PING_LEN],
    enum relay_kind kind, const uint8_t bytes[static RELAY_PING_LEN]);

#endif
