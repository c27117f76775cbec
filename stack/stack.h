/*
 * stack.h - the one lwIP instance of this process.  Only files in stack/
 * include this.
 *
 * lwIP keeps its state in globals, so there is one of it, on one loop, for
 * everything here: all owners share the near side's interface, the splice has
 * the far side's, and the origin (flows of the session's own) a third.  An
 * interface takes packets for ANY destination: its own
 * address is set to each packet's destination before lwIP sees it.  Every pcb
 * is bound to the interface of its side, so that they never meet even when all
 * live in one process (the session; tests).
 */
#ifndef SW_STACK_STACK_H
#define SW_STACK_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/loop.h"
#include "stack/link.h"
#include "stack/packet.h"

#include "lwip/ip.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/tcp.h"

enum stack_side {
	STACK_NEAR, STACK_FAR, STACK_SELF,	/* owners, splice, origin */
	STACK_SIDES
};

struct stack_ops {
	/* Send one packet.  SW_OK, or SW_AGAIN: a TCP segment then stays
	 * queued; call tcp_output() when there is room again. */
	int (*output)(const struct packet *head, const struct iovec *iov,
	    int n);
	/* A datagram arrived (src, dst with ports).  `p` is the UDP payload,
	 * borrowed. */
	void (*udp)(const struct packet *head, const struct pbuf *p);
	/* An ICMP error arrived about a packet that we sent. */
	void (*icmp)(const struct packet *quoted, int err);
	/* lwIP broke an assumption of its own: end every flow. */
	void (*broken)(void);
};

/* Bring a side up on `l`; the first brings lwIP up.  ops is borrowed until
 * stack_close().  SW_OK, SW_ERR_NOMEM, or SW_ERR_LIMIT when the other side
 * runs on another loop. */
int stack_open(struct loop *l, enum stack_side side,
    const struct stack_ops *ops) SW_MUST_CHECK;
void stack_close(enum stack_side side);

/* MTU of the side's interface; 65535 to begin with. */
void stack_set_mtu(enum stack_side side, uint16_t mtu);
/*
 * How many bytes a connection should have under way.  On a hop inside this
 * machine half of the window: all of it does not stay in the cache (a tenth more
 * processor time for a download), a quarter wakes both ends twice as often.
 */
uint32_t stack_tx_limit(enum stack_side side);
/* Fill in and verify checksums (a path that is not a local hop). */
void stack_set_checksums(enum stack_side side, bool on);

/* After work at the end of a turn: see that TCP's clock goes if it is needed. */
void stack_settle(void);

/* lwIP broke an assumption of its own; nothing works any more. */
bool stack_is_broken(void);
void stack_assert_failed(const char *what, int line);	/* lwIP calls it */

/* Feed one packet: `len` bytes at `p` within `f`, which is kept by reference
 * if lwIP keeps the packet. */
void stack_input(enum stack_side side, struct link_frame *f,
    const uint8_t *p, size_t len);

/* Feed a SYN for whose addresses stack_lingers() says no and that the caller
 * knows to be no other connection's either: nobody need look for it. */
void stack_accept(enum stack_side side, struct link_frame *f,
    const uint8_t *p, size_t len);

/* The connection from `remote` to `local` that still lingers (TIME_WAIT) on
 * that side, or NULL. */
struct tcp_pcb *stack_lingers(enum stack_side side,
    const struct sw_addr *remote, const struct sw_addr *local);

/* Send what TCP holds back towards (STACK_FAR) or from (the others) inner
 * address `inner`, NULL for all: there is room again. */
void stack_kick(enum stack_side side, const struct sw_addr *inner);

/* A connection's control block on that side; NULL: no memory. */
struct tcp_pcb *stack_tcp_new(enum stack_side side);

/* Send a datagram; fragmented where the MTU asks for it.  SW_OK, SW_AGAIN (it
 * was dropped), SW_ERR_NOMEM, SW_ERR_TOO_LONG. */
int stack_send_udp(enum stack_side side, const struct sw_addr *src,
    const struct sw_addr *dst, const struct iovec *iov, int n, uint8_t tos,
    uint8_t ttl) SW_MUST_CHECK;

/* The next connection starts with this sequence number (handover); NULL: one
 * of our choice again. */
void stack_force_isn(const uint32_t *isn);

/* Between our addresses and lwIP's. */
ip_addr_t stack_ip(const struct sw_addr *a);
struct sw_addr stack_addr(const ip_addr_t *ip, uint16_t port);

/* Parts of stack_forget() (owner.h). */
void owner_forget_all(void);
void splice_forget_all(void);

#endif
