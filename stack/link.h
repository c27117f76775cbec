/*
 * link.h - the packet hop between a stack owner and the session.
 *
 * An AF_UNIX SEQPACKET connection.  Each message is a frame:
 *   first nibble 4 or 6: one or more whole IP packets, back to back; their own
 *                        length fields say where each ends;
 *   first byte 0x00:     a control message, struct link_control + payload,
 *                        with at most one descriptor.
 * Packets that do not fit the socket's queue wait in a bounded backlog; when
 * it is full link_send() says SW_AGAIN and `writable` follows once.
 */
#ifndef SW_STACK_LINK_H
#define SW_STACK_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/loop.h"

#define LINK_FRAME_MAX 65535	/* largest frame, bytes */

enum link_control_op {
	/* session -> owner, first message: struct link_config as payload. */
	LINK_CONFIG = 1,
	/* session -> owner: payload is an owner_msg from a process that does
	 * not own the flow; descriptor: its reply end, if any. */
	LINK_REQUEST,
	/* session -> owner: the tunnel is up (arg 1) or down (arg 0).  While
	 * down, new connections fail with ENETUNREACH at once. */
	LINK_TUNNEL,
	/* owner -> session: accept inbound for addr.port (arg 1) or stop (arg
	 * 0): --publish and --listen=tunnel. */
	LINK_LISTEN,
};

struct link_control {
	uint8_t zero;			/* 0: tells it from an IP packet */
	uint8_t op;
	uint16_t arg;
	uint32_t len;			/* payload bytes that follow */
	struct sw_addr addr;
};

/* What an owner needs to know of its place in the network. */
struct link_config {
	struct sw_addr inner4, inner6;	/* port 0; all zero: family not carried */
	struct sw_addr dns;		/* where the session answers queries */
	uint16_t mtu;
	uint16_t port_lo, port_hi;	/* local ports this owner may use */
	uint16_t flags;			/* enum link_config_flag */
};

enum link_config_flag {
	LINK_UDP = 1 << 0,		/* the tunnel carries UDP, not just DNS */
	LINK_UP = 1 << 1,		/* the tunnel is up now */
	LINK_INBOUND = 1 << 2,		/* the tunnel can deliver connections */
};

#endif
