/*
 * nympkt.h - sizes, types and labels of Nym's Sphinx packets, and the frames
 * that carry them: between nodes (a stream of frames) and from a client to
 * its gateway (one MixPacket).
 */
#ifndef SW_MIX_NYMPKT_H
#define SW_MIX_NYMPKT_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/wire.h"
#include "mix/sphinx.h"

enum nympkt_size {			/* code bytes on the wire */
	NYMPKT_REGULAR = 1,
	NYMPKT_ACK = 2,
	NYMPKT_EXTENDED32 = 3,
	NYMPKT_EXTENDED8 = 4,
	NYMPKT_EXTENDED16 = 5,
	NYMPKT_SIZES			/* one more than the last; 0 is none */
};

#define NYMPKT_TYPE_MIX 0		/* Outfox, 2, is refused */

enum nympkt_rotation {			/* which Sphinx key a packet is for */
	NYMPKT_ROTATION_UNKNOWN = 0,
	NYMPKT_ROTATION_ODD = 1,
	NYMPKT_ROTATION_EVEN = 2,
};

#define NYMPKT_ACK_PLAIN_LEN 21
#define NYMPKT_MAX_PLAIN_LEN 32768
#define NYMPKT_MAX_LEN (NYMPKT_MAX_PLAIN_LEN + SPHINX_OVERHEAD)
#define NYMPKT_LEN(plain) ((plain) + SPHINX_OVERHEAD)
#define NYMPKT_ACK_LEN NYMPKT_LEN(NYMPKT_ACK_PLAIN_LEN)

_Static_assert(NYMPKT_ACK_LEN == 386, "ack packet");

/* Room for a message inside a packet of this size; 0 for an unknown code. */
size_t nympkt_plain_len(uint8_t size);
/* The code whose packets are `len` bytes; 0 if there is none. */
uint8_t nympkt_size_of(size_t len);
/* The label of a rotation id: 0 and 2^32 - 1 mean unknown. */
uint8_t nympkt_rotation_of(uint32_t rotation_id);

/* What is said about a packet beside it. */
struct nympkt_frame {
	uint8_t version;		/* 7, or 8 which has the label */
	uint8_t size;
	uint8_t rotation;
};

#define NYMPKT_FRAME_MAX_HEAD 4

/* Write a frame's head (3 or 4 bytes); the packet follows it. */
int nympkt_put_frame(struct wbuf *w, const struct nympkt_frame *f)
    SW_MUST_CHECK;

/*
 * nympkt_get_frame() - take one whole frame off a stream.
 *
 * r    in/out.  Consumed only on SW_OK.
 * f    out.
 * pkt  out, *pkt_len bytes, borrowed from r's memory.
 *
 * SW_OK; SW_AGAIN when more bytes are needed; SW_ERR_FORMAT when the stream
 * is corrupt and has to be closed.
 */
int nympkt_get_frame(struct rbuf *r, struct nympkt_frame *f,
    const uint8_t **pkt, size_t *pkt_len) SW_MUST_CHECK;

/* The head of what a client sends its gateway: type, label (absent in the
 * old form, labelled == false), first hop.  The packet follows. */
#define NYMPKT_MIX_MAX_HEAD (2 + 19)
int nympkt_put_mix(struct wbuf *w, bool labelled, uint8_t rotation,
    const struct sw_addr *first) SW_MUST_CHECK;

/* Read a whole MixPacket; *pkt is borrowed.  SW_ERR_FORMAT unless the packet
 * has one of the known lengths. */
int nympkt_get_mix(const uint8_t *in, size_t n, bool labelled,
    uint8_t *rotation, struct sw_addr *first, const uint8_t **pkt,
    size_t *pkt_len) SW_MUST_CHECK;

#endif
