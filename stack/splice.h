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
#include "stack/link.h"

struct splice;

#define SPLICE_FLOWS_MAX 16384	/* beyond: new ones are refused */

struct splice_ops {
	/*
	 * One whole IP packet towards inner address `dst`, in `n` pieces (what
	 * link_send() takes); borrowed until return.  SW_OK: taken, or dropped
	 * because nobody has that address.  SW_AGAIN: no room; segments stay
	 * queued and splice_writable() is due when there is.
	 */
	int (*output)(void *arg, const struct sw_addr *dst,
	    const struct iovec *iov, int n);

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

	/* A datagram; borrowed.  SW_OK when taken; else it is answered with
	 * the ICMP error that fits (UNREACH_NET, REFUSED = port unreachable,
	 * ...). */
	int (*udp)(void *arg, const struct sw_addr *src,
	    const struct sw_addr *dst, const uint8_t *data, size_t len);

	/* Is `inner` the address of another TCP than ours, on a path that may
	 * lose packets: the kernel's, behind a device?  NULL: none is. */
	bool (*foreign)(void *arg, const struct sw_addr *inner);
};

/*
 * ops are borrowed; arg is passed back.  NULL: no memory, or this process has
 * a splice already.  Dialers are called from the loop, never from within
 * splice_input().
 *
 * The tunnel's dialer may be set or replaced (reconnect) at any time; without
 * one, flows that need it are refused with "network unreachable".
 */
struct splice *splice_new(struct loop *l, const struct splice_ops *ops,
    void *arg);
void splice_free(struct splice *s);	/* NULL is fine */
void splice_set_dialer(struct splice *s, struct dialer *d,
    const struct dialer_ops *ops);

/* What lies behind `output`, when it is not a local hop: packets of at most
 * `mtu` bytes, with checksums filled in and verified. */
void splice_set_path(struct splice *s, uint16_t mtu);

/* A frame from a link: whole IP packets, back to back.  Borrowed; memory in it
 * is kept by reference where that saves a copy, and may be written to. */
void splice_input(struct splice *s, struct link_frame *f);

/* There is room towards `inner` again (NULL: towards everybody), after output
 * answered SW_AGAIN. */
void splice_writable(struct splice *s, const struct sw_addr *inner);

/* Send a datagram from `src` (any address) to inner address `dst`. */
void splice_send_udp(struct splice *s, const struct sw_addr *src,
    const struct sw_addr *dst, const uint8_t *data, size_t len);

/* A datagram that inner address `src` had sent to `dst` was refused there: tell
 * it by the ICMP error that fits. */
void splice_refuse_udp(struct splice *s, const struct sw_addr *src,
    const struct sw_addr *dst, int err);

/*
 * An inbound stream (SSH remote forwarding): connect from `src` to inner
 * address `dst` and join it to `d`, an opened dial whose events the splice
 * takes over through the returned cookie.  Answers SW_OK or an SW_ERR_*.
 */
int splice_connect(struct splice *s, const struct sw_addr *src,
    const struct sw_addr *dst, struct dial *d, const struct dialer_ops *ops,
    const struct dial_events **ev, void **ev_arg) SW_MUST_CHECK;

/*
 * The process at inner address `inner` is gone.  Every flow ends with a reset,
 * except those whose stream it had ended: what it sent still arrives, for up to
 * a minute.
 */
void splice_forget(struct splice *s, const struct sw_addr *inner);

/* Flows now joined or being opened. */
size_t splice_count_flows(const struct splice *s);

#endif
