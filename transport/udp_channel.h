/*
 * udp_channel.h - datagrams over a byte stream: the wire format of smolserve's
 * UDP channel, the same in both directions.
 *
 * One channel is one UDP port at the server.  It is opened as a channel of type
 * "udp@smolwrap"; or, by clients whose library cannot name a type, as a
 * "direct-tcpip" to the host "smolwrap-udp".  The bytes are frames:
 *
 *	u16	length of what follows, at most UDP_CHANNEL_FRAME_MAX
 *	u8	kind: 0 a datagram, 1 one that was refused
 *	u8	form of the address: 4, 6, or 0 for a name
 *	4 or 16 bytes; or u8 and so many bytes of a name
 *	u16	port
 *	rest	kind 0: the payload.  kind 1: u8 reason (UDP_CHANNEL_REFUSED...)
 *
 * All numbers in network order.  Client to server the address is where the
 * datagram is to go; names are looked up at the server.  Server to client it is
 * where it came from, in the form in which the client last wrote that peer: who
 * was named answers by name.  kind 1 goes to the client only.
 *
 * A frame that breaks these rules ends the channel.  A datagram may be lost on
 * either side when there is no room for it.
 */
#ifndef SW_TRANSPORT_UDP_CHANNEL_H
#define SW_TRANSPORT_UDP_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "stack/datagram.h"

#define UDP_CHANNEL_HOST "smolwrap-udp"
#define UDP_CHANNEL_HEAD_MAX (2 + 2 + 1 + 255 + 2)
#define UDP_CHANNEL_FRAME_MAX 65535

enum udp_channel_kind { UDP_CHANNEL_DATA = 0, UDP_CHANNEL_ERROR = 1 };

enum udp_channel_reason {
	UDP_CHANNEL_REFUSED = 1,	/* nobody has that port */
	UDP_CHANNEL_UNREACH_HOST = 2,
	UDP_CHANNEL_UNREACH_NET = 3,
	UDP_CHANNEL_NO_NAME = 4,
	UDP_CHANNEL_DENIED = 5,		/* the server's policy */
	UDP_CHANNEL_TOO_LONG = 6,
	UDP_CHANNEL_TIMEOUT = 7,	/* no answer to the name */
};

struct udp_channel_frame {
	enum udp_channel_kind kind;
	char name[256];			/* "" when the address says it all */
	struct sw_addr addr;		/* its port always counts */
	const uint8_t *data;		/* borrowed */
	size_t len;
	int err;			/* kind ERROR: an SW_ERR_* */
};

/* The head of a frame for `data_len` bytes of payload.  Its length; 0 when it
 * all does not fit a frame, or the name is no name. */
size_t udp_channel_put_head(uint8_t out[static UDP_CHANNEL_HEAD_MAX],
    const struct datagram_peer *peer, size_t data_len);

/* A whole frame that says that a datagram was refused; its length, or 0. */
size_t udp_channel_put_error(uint8_t out[static UDP_CHANNEL_HEAD_MAX + 1],
    const struct datagram_peer *peer, int err);

/* The first frame in p[0..len): SW_OK with its whole length in *used; SW_AGAIN:
 * not all there; SW_ERR_FORMAT. */
int udp_channel_take(struct udp_channel_frame *f, const uint8_t *p, size_t len,
    size_t *used) SW_MUST_CHECK;

#endif
