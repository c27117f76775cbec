/*
 * owner_proto.h - what the shim says to a stack owner.
 *
 * The owner channel is an AF_UNIX SEQPACKET pair.  The program's side is held
 * by the shim; the other side (the "server end") is read by whoever owns the
 * stack: the thread in the same process, or the session.  The server end can
 * be moved from the first to the second (handover); messages that wait in the
 * kernel's queue move with it, so the shim never learns and never cares.
 *
 * One message is one struct owner_msg, then `len` payload bytes, with up to
 * one descriptor attached.  Messages of one process are handled in order.
 * A message that wants an answer carries the far end of a fresh SEQPACKET
 * pair (the "reply end"); exactly one struct owner_reply comes back on it, or
 * end of file when the owner has died.  Nothing is shared, so requests may be
 * made from any thread, from a signal handler, and in a forked child.
 *
 * Requests about a socket that another owner runs (inherited, passed) go to
 * the session, which forwards them; see preload/session_proto.h.
 */
#ifndef SW_STACK_OWNER_PROTO_H
#define SW_STACK_OWNER_PROTO_H

#include <stdint.h>

#include "base/addr.h"

#define OWNER_MAGIC 0x53774d31u		/* "SwM1" */
#define OWNER_MSG_MAX 4096		/* whole message, bytes */

/* The owner of datagram sockets on this machine's loopback, which are the
 * session's (local_udp.h).  No other owner has this id. */
#define OWNER_LOCAL 0xffffffffu

enum owner_op {
	/*
	 * A socket was born.  Descriptor: the far end of its pair (taken by
	 * the owner).  flags: OWNER_DGRAM, OWNER_V6.  No answer.
	 */
	OWNER_OPEN = 1,

	/*
	 * Connect `cookie` to `addr`.
	 * Stream: no answer.  arg = bytes now queued in the program's end,
	 * filler included, all of them to be discarded; the last of them
	 * becomes the kept unread byte.  Success: the filler is read, so the
	 * program's end becomes writable.  Failure: the far end is closed with
	 * filler unread and the error kept for OWNER_STATE.
	 * Datagram: answered.  From then on records carry no frame.  addr all
	 * zero with port 0: dissolve the association, frames again.
	 */
	OWNER_CONNECT,

	/* Bind to addr (ip any or an inner address; port 0: choose one).
	 * flags: OWNER_REUSE.  Answer: error; addr = what was bound. */
	OWNER_BIND,

	/*
	 * Listen.  arg = backlog.  Answer: error.  Each accepted connection is
	 * written to the far end as one struct owner_accepted with the new
	 * program's end attached, so accept() is one recvmsg(2) of exactly
	 * that size in whatever process holds the listening descriptor.
	 */
	OWNER_LISTEN,

	/* Store an option: arg = level, arg2 = name, payload = value.  No
	 * answer; the shim has already judged that it is allowed. */
	OWNER_SETOPT,

	/* Read an option: arg = level, arg2 = name.  Answer: payload = value.
	 * error ENOENT when it was never set and the stack has no value. */
	OWNER_GETOPT,

	/* Answer: struct owner_state as payload.  flags: OWNER_TAKE_ERROR
	 * clears the pending error. */
	OWNER_STATE,

	/* Answer when all that the program wrote has been acknowledged by the
	 * peer, or after arg milliseconds (error EAGAIN): for SO_LINGER. */
	OWNER_DRAIN,
};

enum owner_flag {
	OWNER_DGRAM = 1 << 0,
	OWNER_V6 = 1 << 1,		/* AF_INET6 socket */
	OWNER_REUSE = 1 << 2,
	OWNER_TAKE_ERROR = 1 << 3,
	OWNER_HAS_REPLY = 1 << 4,	/* the attached descriptor is a reply end */
};

struct owner_msg {
	uint32_t magic;
	uint16_t op;			/* enum owner_op */
	uint16_t flags;			/* enum owner_flag */
	uint64_t cookie;		/* SO_COOKIE of the program's end */
	uint32_t owner;			/* id of the owner it is meant for */
	uint32_t arg, arg2;
	uint32_t len;			/* payload bytes that follow */
	struct sw_addr addr;
};

struct owner_reply {
	uint32_t magic;
	int32_t error;			/* 0 or an errno value */
	uint32_t len;			/* payload bytes that follow */
	uint32_t spare;
	struct sw_addr addr;
};

enum owner_flow_state {
	OWNER_NEW, OWNER_CONNECTING, OWNER_CONNECTED, OWNER_LISTENING,
	OWNER_FAILED,			/* connect failed; retry needs a new pair */
	OWNER_ENDED,			/* reset, or finished both ways */
};

struct owner_state {
	uint32_t state;			/* enum owner_flow_state */
	int32_t error;			/* pending errno, 0 for none */
	struct sw_addr local, peer;
	uint32_t unsent;		/* taken from the program, not yet acked */
	uint32_t mss;
	uint32_t rtt_ms, rto_ms, cwnd, rexmits;
	uint64_t tx_bytes, rx_bytes;
};

struct owner_accepted {
	uint32_t magic;
	uint32_t flags;			/* OWNER_V6 */
	uint64_t tag;			/* spare for the shim; 0 */
	struct sw_addr local, peer;
};

/*
 * The frame before every datagram of an unconnected socket, both directions.
 * On send, `addr` is the destination (from the program); on receive the source.
 */
#define OWNER_FRAME_MAGIC 0x53774652u	/* "SwFR" */
struct owner_frame {
	uint32_t magic;
	uint8_t kind;			/* enum owner_frame_kind */
	uint8_t tos;
	uint8_t hop_limit;		/* 0: default */
	uint8_t error;			/* of OWNER_FRAME_ERROR: an errno value */
	struct sw_addr addr;
};

enum owner_frame_kind {
	OWNER_FRAME_DATA = 0,
	/* To the program, on an unconnected socket with IP_RECVERR set: a
	 * frame alone; addr: where the datagram had been sent. */
	OWNER_FRAME_ERROR = 1,
	/* To the owner: a datagram that was queued for the program when it
	 * chose its peer, with its source; it comes again without frame if
	 * that is the peer. */
	OWNER_FRAME_AGAIN = 2,
};

/*
 * A connected datagram socket learns of an ICMP error so: the error becomes
 * the flow's pending one (OWNER_STATE with OWNER_TAKE_ERROR) and an empty
 * record wakes whoever reads.  A receive wrapper that gets 0 bytes asks for
 * the state: an error, or else the datagram really was empty.
 *
 * A framed record (by its magic) sent on a connected one goes to the frame's
 * address; replies from there are not delivered.
 */

_Static_assert(sizeof(struct sw_addr) == 24, "address size is part of frames");
_Static_assert(sizeof(struct owner_frame) == 32, "frame size (spec 9.2)");

#endif
