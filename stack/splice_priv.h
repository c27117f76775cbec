/*
 * splice_priv.h - what the files of the splice share.
 *
 *   splice.c        life, packets in and out, datagrams
 *   splice_flow.c   a joint: one TCP flow, a pcb joined to a dial
 *   splice_dial.c   its dialer's side
 *   splice_tcp.c    its TCP side
 */
#ifndef SW_STACK_SPLICE_PRIV_H
#define SW_STACK_SPLICE_PRIV_H

#include "stack/splice.h"
#include "stack/stack.h"

#define SPLICE_HASH 4096

/*
 *   DIALING     the SYN is held, the dialer works on it
 *   ACCEPTING   opened: lwIP has the SYN, its answer is on the way
 *   CONNECTING  inbound: our SYN is on the way
 *   JOINED      bytes flow
 *   OVER        free at the next opportunity
 */
enum joint_state { DIALING, ACCEPTING, CONNECTING, JOINED, OVER };

/* What TCP sends from memory of the dialer's, in order; b is NULL for bytes
 * that lwIP has copied. */
struct lent {
	struct lent *next;
	struct dial_block *b;
	size_t left;			/* bytes not acknowledged */
};

struct joint {
	struct joint *hash_next, *prev, *next, *dirty_next;
	struct splice *splice;
	struct sw_addr src, dst;	/* the program's end; the destination */
	enum joint_state state;
	bool dirty;
	bool orphan;			/* the program is gone, regularly */
	struct loop_timer timer;	/* then: until when */
	struct tcp_pcb *pcb;		/* NULL: not yet, or finished */
	struct link_frame *syn;		/* while DIALING */
	struct dialer *dialer;
	const struct dialer_ops *ops;
	struct dial *dial;		/* NULL: gone */
	int dial_error;			/* why it failed or closed */
	bool dial_opened, dial_failed, dial_closed, dial_eof;
	bool by_address, by_host;	/* what is dialled of a target with both */
	bool alone;			/* by_address: as in struct dial_target */
	bool denied;			/* by_host: the address might not be */
	bool write_full;		/* it took less than it was given */
	bool data_full;			/* we took less; resume() is due */
	struct lent *lent, *lent_last;	/* lwIP refers to it: see joint_acked */
	bool fin_sent;
	bool reset;			/* the program reset, or TCP gave up */
	struct pbuf *rx, *rx_last;	/* from the program, not yet written */
	uint32_t rx_held, rx_off;
	bool rx_fin, rx_fin_done;
};

struct splice {
	struct loop *loop;
	const struct splice_ops *ops;
	void *arg;
	struct dialer *dialer;
	const struct dialer_ops *dialer_ops;
	struct tcp_pcb *listener;
	bool far_path;			/* `output` is no local hop */
	bool by_host;			/* the dialer lets addresses not pass */
	struct loop_timer soon;		/* joints wait in dirty */
	struct joint *dirty;
	struct joint *joints;
	size_t count;
	struct joint *by_key[SPLICE_HASH];
};

struct joint *joint_find(const struct splice *s, const struct sw_addr *src,
    const struct sw_addr *dst);
/* A SYN nobody knows yet: begin to dial, or refuse.  `p` is the packet. */
void joint_begin(struct splice *s, const struct packet *head,
    const uint8_t *p, size_t len);
void joint_touch(struct joint *j);
void joint_work(struct joint *j);	/* may free it */
/* The program is gone, and its address with it.  What it had sent before it
 * ended the stream still goes to the dialer; a stream not ended is reset. */
void joint_orphan(struct joint *j);
void joint_free(struct joint *j);	/* resets and aborts what is left */
struct joint *joint_new(struct splice *s, const struct sw_addr *src,
    const struct sw_addr *dst);

/* splice_dial.c */
extern const struct dial_events joint_dial_events;
void joint_dial(struct joint *j);	/* start; may free it */
void joint_refuse(struct joint *j, int code);	/* while DIALING; frees */
/* Is there enough room in TCP to make resume() worth it? */
bool joint_has_room(const struct joint *j);
/* TCP needs `n` bytes no more.  As long as j->lent is not NULL the joint must
 * not let go of its pcb, unless that ends. */
void joint_acked(struct joint *j, size_t n);
void joint_take_back(struct joint *j);	/* the pcb is gone: all of them */

/* splice_tcp.c */
err_t joint_accepted(void *arg, struct tcp_pcb *pcb, err_t e);
/* The stream is open: let lwIP answer the SYN.  May free. */
void joint_accept_syn(struct joint *j);
void joint_drop_pcb(struct joint *j);	/* it ends by itself */
void joint_taken(struct joint *j, size_t n);	/* bytes of rx */

/* Tell the sender of `p` that its SYN or datagram failed. */
void splice_refuse(struct splice *s, const struct packet *head,
    const uint8_t *p, size_t len, int code);

#endif
