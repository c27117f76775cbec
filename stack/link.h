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
#define LINK_PAYLOAD_MAX 8192	/* of a control message, bytes */
#define LINK_BACKLOG_MAX ((size_t)512 * 1024)	/* bytes that wait for the socket */
#define LINK_IOV_MAX 32		/* pieces of one packet */
#define LINK_LATE_MS 10		/* what nobody waits for, waits */

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
	/* owner -> session, once: a datagram without a frame came from a
	 * socket that is not connected, and was dropped. */
	LINK_STRAY,
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
	/* Packets go on as they are: fill in checksums, verify those that come.
	 * (A splice needs none.)  The same for all owners of a process. */
	LINK_CHECKSUMS = 1 << 3,
	/* A splice is at the other end and nothing between.  It takes its
	 * SYN-ACK as acknowledged when it sends it, so the owner need not say
	 * so: a packet and a wake-up less for each connection. */
	LINK_SPLICED = 1 << 4,
};

/*
 * A received frame.  Whoever gets one in a callback borrows it; to keep it (or
 * memory inside it) longer, take a reference.
 */
struct link_frame {
	struct link_frame *next;	/* the link's, like the next two */
	int fd;				/* that leaves with it, or -1 */
	uint32_t refs;
	uint32_t len;
	uint8_t data[];
};

/* A frame of `len` bytes, one reference: a copy of `data`, or undefined if that
 * is NULL.  NULL: too long or no memory. */
struct link_frame *link_frame_new(const uint8_t *data, size_t len);
void link_frame_ref(struct link_frame *f);
void link_frame_unref(struct link_frame *f);	/* NULL is fine */

struct link;

/* Any callback may close the link it is about. */
struct link_events {
	/* One frame of whole IP packets (not verified). */
	void (*frame)(void *arg, struct link_frame *f);
	/* A control message.  payload is borrowed, c->len bytes; fd (or -1) is
	 * the callee's to close. */
	void (*control)(void *arg, const struct link_control *c,
	    const uint8_t *payload, int fd);
	/* Room again; once after each SW_AGAIN. */
	void (*writable)(void *arg);
	/* The peer is gone.  No callback follows; link_close() is still due. */
	void (*dead)(void *arg);
};

/*
 * link_open() - serve one end of a hop on a loop.
 *
 * fd   taken; made non-blocking, send queue made as large as allowed.
 * ev   borrowed for the link's life.  arg is passed back.
 *
 * Packets sent in one turn of the loop leave together at its end (or before,
 * when a frame is full).  NULL: no memory or descriptors; fd is then closed.
 */
struct link *link_open(struct loop *l, int fd, const struct link_events *ev,
    void *arg);

/*
 * link_open_near() - one end of a hop whose other end is on the same loop.
 *
 * peer  the other end, or NULL for the first of the two; that one's packets
 *       wait until there is a second.
 *
 * Frames pass in memory: in their order, bounded as in a socket, and looked at
 * later, so nothing is called from within a send.  NULL: no memory.
 */
struct link *link_open_near(struct loop *l, struct link *peer,
    const struct link_events *ev, void *arg);

/* Send what waits if it goes without blocking, close, free.  NULL is fine. */
void link_close(struct link *k);

/*
 * Send one whole IP packet, given in at most LINK_IOV_MAX pieces; copied or
 * gone before return.  Several whole packets back to back count as one.
 *
 * SW_OK; SW_AGAIN: not taken, `writable` will follow; SW_ERR_TOO_LONG;
 * SW_ERR_CLOSED after `dead`.
 */
int link_send(struct link *k, const struct iovec *iov, int n) SW_MUST_CHECK;

/*
 * The same for a packet that nobody waits for: it leaves with the next one, or
 * after LINK_LATE_MS.
 */
int link_send_late(struct link *k, const struct iovec *iov, int n)
    SW_MUST_CHECK;

/*
 * Send a control message, after all packets sent so far.  c->len bytes of
 * payload.  fd is borrowed (-1: none).  SW_OK (it may still wait for room),
 * SW_ERR_TOO_LONG, SW_ERR_NOMEM or SW_ERR_CLOSED.
 */
int link_send_control(struct link *k, const struct link_control *c,
    const void *payload, int fd) SW_MUST_CHECK;

/*
 * Let no more than about `bytes` wait on this side, and cut frames to it: what
 * a slow path cannot take is better kept by TCP, which knows which packet is
 * worth sending first.  16 KiB at least.
 */
void link_set_room(struct link *k, size_t bytes);

/*
 * Stop reading, or go on: the peer's packets then wait in the socket and in its
 * backlog, and its link_send() says SW_AGAIN when those are full.  When it is
 * gone, what it had sent is read all the same.
 */
void link_pause(struct link *k, bool on);

/* Send now what was to leave at the end of the turn, or late. */
void link_flush(struct link *k);

/* Send what is to leave at the end of the turn. */
void link_end_turn(struct link *k);

/*
 * Give the descriptor up: returns it (non-blocking; -1 from a near end) with
 * whatever waits unread in its queue, and frees the link.  Packets still in our
 * backlog are dropped; call link_flush() before.
 */
int link_detach(struct link *k);

#endif
