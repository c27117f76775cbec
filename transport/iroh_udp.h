/*
 * iroh_udp.h - an endpoint's UDP socket, in batches.
 *
 * One socket for both families (addresses as struct sw_addr).  Datagrams are
 * never fragmented.  The kernel splits and joins runs of equal datagrams where
 * it can (UDP_SEGMENT, UDP_GRO).  Behind a SOCKS5 proxy every datagram goes to
 * its UDP ASSOCIATE port with the header of RFC 1928 section 7.
 */
#ifndef SW_TRANSPORT_IROH_UDP_H
#define SW_TRANSPORT_IROH_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

#define UDP_BATCH_MAX 65000u	/* bytes of one send */
#define UDP_SEGMENTS_MAX 64	/* datagrams of one send: the kernel's limit */

struct iroh_udp {
	int fd;			/* -1: closed */
	uint16_t port;		/* host order */
	bool v4_only;		/* the machine has no IPv6 */
	bool no_segment;	/* the kernel cannot split: learnt by trying */
	bool proxied;
	struct sw_addr proxy;	/* where datagrams go when proxied */
};

/* Bind to `bind` (numeric, NULL: any) and `port` (0: any).  SW_OK; SW_ERR_CONFIG,
 * SW_ERR_IN_USE or SW_ERR_SYS with one line in why[]. */
int iroh_udp_open(struct iroh_udp *u, const char *bind, uint16_t port,
    char why[static 256]) SW_MUST_CHECK;
void iroh_udp_close(struct iroh_udp *u);

/*
 * Send `n` bytes as datagrams of `segment` bytes each, the last one perhaps
 * shorter.  `local` is the source address, or NULL or any for the kernel's choice.
 * What cannot be sent now is lost, as any datagram may be.
 */
void iroh_udp_send(struct iroh_udp *u, const struct sw_addr *local,
    const struct sw_addr *to, const uint8_t *data, size_t n, size_t segment);

/* One datagram: `local` is the address it came to (port: ours). */
typedef void iroh_udp_fn(void *arg, const struct sw_addr *local,
    const struct sw_addr *from, const uint8_t *data, size_t n);

/* Read what waits, but at most UDP_READS_MAX times: the loop comes back. */
#define UDP_READS_MAX 16
void iroh_udp_read(struct iroh_udp *u, iroh_udp_fn *fn, void *arg);

#endif
