/*
 * session_proto.h - what wrapped processes (and the smolwrap command) say to
 * the session.
 *
 * The control channel is an AF_UNIX SEQPACKET connection that every wrapped
 * process inherits (environment SMOLWRAP_CTL=FD:INODE, SMOLWRAP_PATH=socket
 * path to reconnect to when the descriptor was closed or overwritten).  Many
 * processes share it: a message is complete in itself, and one that wants an
 * answer carries the far end of a fresh SEQPACKET pair as its FIRST descriptor.
 * Exactly one struct session_reply comes back there, or end of file.
 */
#ifndef SW_PRELOAD_SESSION_PROTO_H
#define SW_PRELOAD_SESSION_PROTO_H

#include <stdint.h>

#include "base/addr.h"
#include "stack/owner_proto.h"

#define SESSION_MAGIC 0x53775331u	/* "SwS1" */
#define SESSION_MSG_MAX 65536

enum session_op {
	/*
	 * Attach an owner.  owner = its id, pid in arg.  Descriptors: reply end
	 * (answered once attached), link.  With SESSION_HOST a third one, the
	 * server end of the owner channel: the session runs the flows itself.
	 * With SESSION_IF_BETTER too, only where that is the better place, and
	 * the answer is SW_ERR_UNSUPPORTED where it is not.
	 */
	SESSION_ATTACH = 1,

	/* Take over an owner: owner_export() follows on the one descriptor
	 * (besides no reply end).  owner = its id. */
	SESSION_HANDOVER,

	/* payload is a whole owner_msg for owner `owner`; its reply end is the
	 * first descriptor.  The session forwards it. */
	SESSION_REQUEST,

	/*
	 * Resolve.  payload: the name (no NUL).  arg: AF_UNSPEC, AF_INET,
	 * AF_INET6.  Answer: error = an SW_ERR_* (NO_NAME, DOWN, TIMEOUT...),
	 * arg = TTL seconds, payload = struct sw_addr[].  SW_OK with no
	 * address: the name exists without such a record.
	 */
	SESSION_RESOLVE,

	/* Name of an address.  addr.  Answer: payload = the name. */
	SESSION_REVERSE,

	/* payload: one raw DNS query message.  Answer: payload = the response
	 * message, unchanged; error = SW_ERR_TIMEOUT, SW_ERR_DOWN... */
	SESSION_DNS,

	/* A socket confined to this machine's loopback.  arg = family, arg2 =
	 * type with SOCK_NONBLOCK/SOCK_CLOEXEC bits, arg3 = protocol.  Answer:
	 * the descriptor; an errno in `error`.  For a datagram socket it is one
	 * end of a pair, owner OWNER_LOCAL.
	 * SESSION_OPEN: a stream bound to the wildcard address and the port of
	 * addr, which the local network may reach; EACCES unless the session
	 * was started for that.  SESSION_V6ONLY goes with it. */
	SESSION_LOOPBACK,

	/* Launcher only: serve the TUN device of a network namespace.  arg =
	 * its index there; descriptors as for device_new().  Answer: payload =
	 * struct link_config. */
	SESSION_DEVICE,

	/* Command line only. */
	SESSION_STATUS,			/* payload: text, one "key value" a line */
	SESSION_STOP,			/* end the session; answered when it will */

	/* Something was refused: arg = enum session_reason.  The session logs
	 * each reason once.  Answer, if wanted: arg = 1 for the first time. */
	SESSION_NOTE,

	/* A NETLINK_ROUTE socket that tells of the tunnel.  owner = who asks;
	 * arg = type, with SOCK_NONBLOCK.  Answer: the descriptor, or an errno
	 * in `error`. */
	SESSION_VIEW,
};

/* Why a program did not get what it asked for.  No more is told: the log holds
 * no destination, name or path. */
enum session_reason {
	REASON_FAMILY = 1,	/* socket() of a family or type that is refused */
	REASON_DESTINATION,	/* an address that policy refuses */
	REASON_PROGRAM,		/* exec of a static or foreign program */
	REASON_ENVIRONMENT,	/* exec with an environment without ours */
	REASON_PASSED,		/* it was sent an internet socket */
	REASON_RING,		/* io_uring */
	REASON_OPTION,		/* a socket option nobody knows */
	REASON_PATH,		/* a local socket that acts for others */
	REASON_SET_ID,		/* exec of a set-user-ID program */
	REASON_NETLINK,		/* it reads this machine's interfaces and routes */
	REASON_STRAY,		/* a datagram without an address was dropped */
	REASON_DATAGRAM,	/* the tunnel carries none but DNS */
	REASON_OUTSIDE,		/* one of its kind that runs outside the tunnel */
	REASON_MOUNT,		/* a network file system */
	REASONS
};

enum session_flag {
	SESSION_HOST = 1 << 0,
	SESSION_OPEN = 1 << 1,
	SESSION_V6ONLY = 1 << 3,
	SESSION_HAS_REPLY = 1 << 2,	/* the first descriptor is a reply end */
	SESSION_IF_BETTER = 1 << 4,
};

struct session_msg {
	uint32_t magic;
	uint16_t op;
	uint16_t flags;
	uint32_t owner;
	uint32_t arg, arg2, arg3;
	uint32_t len;			/* payload bytes that follow */
	struct sw_addr addr;
};

struct session_reply {
	uint32_t magic;
	int32_t error;			/* SW_ERR_*, or errno for LOOPBACK */
	uint32_t arg;
	uint32_t len;
};

/*
 * What every wrapped process must know without asking is in the environment,
 * written by the launcher, all decimal or plain words:
 *   SMOLWRAP_CTL=FD:INODE      the control channel
 *   SMOLWRAP_PATH=/path        where it can be opened again (mode 0600 socket)
 *   SMOLWRAP_POLICY=listen=loopback,stack=auto,ipv6=1,labels=1,loopback=1[,strict=1][,isolated=1]
 *   SMOLWRAP_LOG=LEVEL         only if the user set it
 *   LD_PRELOAD=.../libsmolwrap.so[:others]
 */

#endif
