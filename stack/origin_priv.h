/*
 * origin_priv.h - what the files of the origin share.
 *
 *   origin.c      life, packets in and out, local ports
 *   origin_tcp.c  streams
 *   origin_udp.c  UDP ports
 */
#ifndef SW_STACK_ORIGIN_PRIV_H
#define SW_STACK_ORIGIN_PRIV_H

#include <stdbool.h>

#include "stack/origin.h"
#include "stack/stack.h"

/*
 * A stream.  lwIP's callbacks note what happened; the work, callbacks of our
 * own among it, is done soon after (dial_work).
 */
struct dial {
	struct dial *prev, *next, *dirty_next;
	struct origin *o;
	const struct dial_events *ev;
	void *arg;
	struct tcp_pcb *pcb;		/* NULL: gone */
	struct sw_addr local, peer;
	bool dirty;
	bool open, open_told;
	bool want;			/* write() took less than it was given */
	bool paused;			/* data() did */
	bool shut;			/* our FIN is on its way */
	bool fin, fin_told;		/* theirs has come */
	bool over;			/* pcb is gone, with `err` */
	int err;
	struct pbuf *rx, *rx_last;	/* received, not yet delivered */
	uint32_t rx_off;		/* of rx, already delivered */
};

struct datagram_port {
	struct datagram_port *prev, *next;
	struct origin *o;
	const struct datagram_events *ev;
	void *arg;
	uint16_t number;
};

struct origin {
	struct loop *loop;
	origin_output_fn *output;
	void *arg;
	struct link_config path;
	struct loop_timer soon;		/* dials wait in dirty */
	struct dial *dirty, *dials;
	struct dial *working;		/* its callbacks may end it */
	struct datagram_port *ports;
	size_t dial_n, port_n;
	uint16_t last_port;
};

/* The one of this process, as lwIP is. */
extern struct origin *the_origin;

/* The code for an errno that an ICMP error became. */
int origin_code(int err);
/* Our own address of the family of `to`; false: not carried, or down. */
bool origin_address(const struct origin *o, const struct sw_addr *to,
    struct sw_addr *out);
/* A free local port, 0 when there is none. */
uint16_t origin_take_port(struct origin *o);

/* origin_tcp.c */
void dial_work_soon(struct loop_timer *t);
void dial_icmp(struct origin *o, const struct packet *quoted, int err);
void dial_end_all(struct origin *o, int err);
void dial_free(struct dial *d);		/* resets what is left */

/* origin_udp.c */
void port_input(const struct packet *head, const struct pbuf *p);
void port_icmp(struct origin *o, const struct packet *quoted, int err);
void port_end_all(struct origin *o, int err);
void port_free(struct datagram_port *p);

#endif
