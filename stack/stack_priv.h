/*
 * stack_priv.h - what the files of the stack share.
 *
 *   stack.c          life, addresses
 *   stack_port.c     what lwIP asks of its platform
 *   stack_input.c    packets in
 *   stack_find.c     which connection is a segment's
 *   stack_output.c   packets out
 *   stack_time.c     TCP's clock
 *   stack_reorder.c  what TCP takes for a loss
 */
#ifndef SW_STACK_STACK_PRIV_H
#define SW_STACK_STACK_PRIV_H

#include "stack/stack.h"

struct raw_pcb;

struct stack_end {
	struct netif netif;
	const struct stack_ops *ops;	/* NULL: closed */
	struct raw_pcb *udp, *icmp, *icmp6;
};

/* All of it; lwIP's own state is as global as this. */
struct stack_state {
	struct loop *loop;		/* NULL: lwIP is not up */
	struct stack_end sides[STACK_SIDES];
	struct loop_timer tick;
	struct loop_turn turn;
	int64_t ticked_ms;		/* when the last tick was due */
	int64_t fragments_ms;		/* fragments may wait until then */
	int64_t aged_ms;
	struct stack_end *route;	/* where packets without a pcb go */
	uint64_t secret[2];
	uint64_t random;
	uint32_t forced_isn;
	bool force_isn, broken, broken_told;
	bool ticks_now, has_ticked;	/* in this turn: until its end, then */
};
extern struct stack_state stack;

/* stack_port.c */
void stack_seed(void);

/* stack_input.c: raw callbacks get the packet from its IP header on, and eat
 * it. */
u8_t stack_raw_udp(void *arg, struct raw_pcb *pcb, struct pbuf *p,
    const ip_addr_t *from);
u8_t stack_raw_icmp(void *arg, struct raw_pcb *pcb, struct pbuf *p,
    const ip_addr_t *from);
/* Fragments that wait for others: let their time run out now. */
void stack_drop_fragments(void);

/* stack_output.c */
err_t stack_output4(struct netif *n, struct pbuf *p, const ip4_addr_t *to);
err_t stack_output6(struct netif *n, struct pbuf *p, const ip6_addr_t *to);

/* stack_find.c: ip_input() for a whole TCP segment with head `h`, of a side
 * whose callbacks end no connection but their own. */
void stack_find_input(struct pbuf *q, struct netif *n, const struct packet *h);
/* The same for a SYN of a connection that is not there, nor lingers. */
void stack_find_accept(struct pbuf *q, struct netif *n, const struct packet *h);
/* In a forked child: all of lwIP is forgotten. */
void stack_find_forget(void);

/* stack_reorder.c: retransmit what has become late; at each tick. */
void stack_check_late(void);

/* stack_time.c */
void stack_tick(struct loop_timer *t);
void stack_end_turn(struct loop_turn *h);
/* Before a connection may begin: set TCP's clock if it stands still. */
void stack_catch_up(void);

#endif
