/*
 * splice.h - lwIP as the far end: accepts any TCP flow that arrives as IP
 * packets, whatever its destination, and joins it to a dialer's stream; hands
 * UDP datagrams to its user.  One per session.
 *
 * The truth about a destination comes first: a SYN is held until the dialer
 * has opened the stream.  Then the handshake completes; a failure becomes a
 * RST (refused) or an ICMP error (everything else), so the program that
 * connects sees the errno a direct connection would have given.
 */
#ifndef SW_STACK_SPLICE_H
#define SW_STACK_SPLICE_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/loop.h"
#include "stack/dialer.h"

struct splice;

struct splice_ops {
	/* One or more whole IP packets towards inner address `dst`; borrowed
	 * until return.  May drop, as a network may. */
	void (*output)(void *arg, const struct sw_addr *dst,
	    const uint8_t *pkt, size_t len);

	/*
	 * Name the dial target of a flow from src to dst: fills *out (a name
	 * for a virtual address, numeric text otherwise).  SW_OK, or an
	 * SW_ERR_* to refuse the flow with (DENIED, UNREACH_NET, ...).
	 */
	int (*target)(void *arg, const struct sw_addr *src,
	    const struct sw_addr *dst, struct dial_target *out);

	/* A flow to (dst) that the session serves itself (DNS over TCP): takes
	 * the dialer to use instead of the tunnel's, or NULL for the tunnel's. */
	struct dialer *(*local)(void *arg, const struct sw_addr *dst,
	    const struct dialer_ops **ops);

	/* A datagram.  SW_OK when taken; else it is answered with the ICMP
	 * error that fits (UNREACH_NET, REFUSED = port unreachable, ...). */
	int (*udp)(void *arg, const struct sw_addr *src,
	    const struct sw_addr *dst, const uint8_t *data, size_t len);
};

/* The tunnel's dialer may be set or replaced (reconnect) at any time. */
struct splice *splice_new(struct loop *l, const struct splice_ops *ops,
    void *arg);
void splice_free(struct splice *s);	/* NULL is fine */
void splice_set_dialer(struct splice *s, struct dialer *d,
    const struct dialer_ops *ops);

/* Packets from a link: whole IP packets, back to back (one frame). */
void splice_input(struct splice *s, const uint8_t *frame, size_t len);

/* Send a datagram from `src` (any address) to inner address `dst`. */
void splice_send_udp(struct splice *s, const struct sw_addr *src,
    const struct sw_addr *dst, const uint8_t *data, size_t len);

/*
 * An inbound stream (SSH remote forwarding): connect from `src` to inner
 * address `dst` and join it to `d`, an opened dial whose events the splice
 * takes over through the returned cookie.  Answers SW_OK or an SW_ERR_*.
 */
int splice_connect(struct splice *s, const struct sw_addr *src,
    const struct sw_addr *dst, struct dial *d, const struct dialer_ops *ops,
    const struct dial_events **ev, void **ev_arg) SW_MUST_CHECK;

/* Every flow of inner address `inner` ends with a reset (its process died). */
void splice_forget(struct splice *s, const struct sw_addr *inner);

/* Flows now joined or being opened. */
size_t splice_count_flows(const struct splice *s);

#endif
