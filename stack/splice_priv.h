/*
 * splice_priv.h - what the files of the splice share.
 *
 *   splice.c        life, packets in and out, datagrams
 *   splice_flow.c   one TCP flow: a pcb joined to a dial
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

struct joint {
	struct joint *hash_next, *prev, *next, *dirty_next;
	struct splice *splice;
	struct sw_addr src, dst;	/* the program's end; the destination */
	enum joint_state state;
	bool dirty;
	struct tcp_pcb *pcb;		/* NULL: not yet, or finished */
	struct link_frame *syn;		/* while DIALING */
	struct dialer *dialer;
	const struct dialer_ops *ops;
	struct dial *dial;		/* NULL: gone */
	int dial_error;			/* why it failed or closed */
	bool dial_opened, dial_failed, dial_closed, dial_eof;
	bool write_again;		/* the dialer has room again */
	bool write_full;		/* it took less than it was given */
	bool data_full;			/* we took less; resume() is due */
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
void joint_free(struct joint *j);	/* resets and aborts what is left */
err_t joint_accepted(void *arg, struct tcp_pcb *pcb, err_t e);

/* Tell the sender of `p` that its SYN or datagram failed. */
void splice_refuse(struct splice *s, const struct packet *head,
    const uint8_t *p, size_t len, int code);

#endif
