/*
 * origin.h - flows that this process begins itself, over a tunnel that carries
 * IP packets: streams (dialer.h) and UDP ports (datagram.h) on lwIP.
 *
 * Targets are numeric; names are somebody else's affair.  It has a block of
 * local ports of its own at the tunnel's inner addresses.
 */
#ifndef SW_STACK_ORIGIN_H
#define SW_STACK_ORIGIN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/loop.h"
#include "stack/datagram.h"
#include "stack/dialer.h"
#include "stack/link.h"

#define ORIGIN_STREAMS_MAX 1024		/* beyond: SW_ERR_LIMIT */
#define ORIGIN_PORTS_MAX 256

struct origin;

/* Towards the exit: one whole IP packet, in `n` pieces; copied.  SW_OK, or
 * SW_AGAIN: origin_writable() is due. */
typedef int origin_output_fn(void *arg, const struct iovec *iov, int n);

/* NULL: no memory, or this process has an origin already. */
struct origin *origin_new(struct loop *l, origin_output_fn *output, void *arg);
void origin_free(struct origin *o);	/* no callback; NULL is fine */

/*
 * Where it is now: inner addresses, MTU, ports, and whether the tunnel is up
 * (LINK_UP).  While it is not, nothing new can be opened and what is open
 * waits; when the addresses are others than before, what is open ends
 * (SW_ERR_RESET, ports with SW_ERR_DOWN).
 */
void origin_set_path(struct origin *o, const struct link_config *c);

/* A whole packet from the exit, for one of its ports. */
void origin_input(struct origin *o, const uint8_t *pkt, size_t len);
/* The path has room again, after SW_AGAIN. */
void origin_writable(struct origin *o);

/* To be used with the ops below; as long-lived as o. */
struct dialer *origin_dialer(struct origin *o);
extern const struct dialer_ops origin_dialer_ops;

struct datagrams *origin_datagrams(struct origin *o);
extern const struct datagram_ops origin_datagram_ops;

#endif
