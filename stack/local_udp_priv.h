/*
 * local_udp_priv.h - what local_udp.c (life, requests) and local_udp_move.c
 * (datagrams) share.
 */
#ifndef SW_STACK_LOCAL_UDP_PRIV_H
#define SW_STACK_LOCAL_UDP_PRIV_H

#include "base/addr.h"
#include "stack/local_udp.h"

#define LOCAL_DRAIN_MAX 4096	/* records: more than a pair holds */

struct local_udp {
	struct local_udp *prev, *next;
	struct local_udp_set *set;
	uint64_t cookie;		/* of the program's end */
	struct loop_fd pair, real;	/* the real one is never given away */
	struct sw_addr peer;
	int error;			/* pending errno */
	bool v6, connected;
};

void local_udp_free(struct local_udp *u);

/* local_udp_move.c */

/* Loopback, and nobody there who would carry a name on. */
bool local_udp_may_reach(const struct sw_addr *to);

/* Send what the program wrote, `limit` records at most; `events` as its end
 * polls.  False when the program is gone and all is sent. */
bool local_udp_drain(struct local_udp *u, uint32_t events, int limit);

/* Callbacks of the two descriptors. */
void local_udp_pair_ready(struct loop_fd *w, uint32_t events);
void local_udp_real_ready(struct loop_fd *w, uint32_t events);

#endif
