/*
 * local_udp.h - datagram sockets of this machine's loopback, held for programs.
 *
 * A kernel UDP socket cannot be confined: pinned to the loopback device it
 * still sends by any other when the program says so in ancillary data (IPv4:
 * IP_PKTINFO), in the scope of a destination (IPv6: link-local, multicast), or
 * once connect(AF_UNSPEC) has taken the pin off.  So the program never gets
 * one.  It holds an end of a pair, as for a tunnelled socket and with the same
 * records (owner_proto.h, OWNER_LOCAL), and the session, which owns the other end, moves
 * datagrams between that and a socket of its own; it looks at each address.
 *
 * All of it happens on the thread of the loop.
 */
#ifndef SW_STACK_LOCAL_UDP_H
#define SW_STACK_LOCAL_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"

struct local_udp;

struct local_udp_set {
	struct loop *loop;		/* set before use; borrowed */
	struct local_udp *first;
	/* A datagram came around the shim, which knows where to, and was
	 * dropped.  May be NULL. */
	void (*stray)(void *arg);
	void *arg;
};

/* One more.  The program's end (CLOEXEC, blocking), which is the caller's to
 * pass on and close; or -errno. */
int local_udp_open(struct local_udp_set *set, bool v6);

/*
 * One struct owner_msg of `len` bytes about one of them; what it asks is
 * answered as an owner does.  reply_fd (-1: none) is taken.  Connecting,
 * sending and binding lead to loopback only: EACCES, and no resolver there.
 */
void local_udp_request(struct local_udp_set *set, const uint8_t *msg,
    size_t len, int reply_fd);

/* Send what they were given, and close all of them. */
void local_udp_wipe(struct local_udp_set *set);

#endif
