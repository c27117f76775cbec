/*
 * ipflow.h - the ends of an IP packet, and the ICMP error that answers one.
 */
#ifndef SW_MIX_IPFLOW_H
#define SW_MIX_IPFLOW_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct ipflow {
	struct sw_addr src, dst;	/* ports 0 where the packet has none */
	uint8_t proto;			/* of the transport header, if whole */
};

/* Read a whole packet.  SW_ERR_FORMAT if it is none, or its length is not what
 * it says. */
int ipflow_read(struct ipflow *f, const uint8_t *pkt, size_t n) SW_MUST_CHECK;

/* Longest error that ipflow_refuse() writes. */
#define IPFLOW_ERROR_MAX (40 + 8 + 512)

/*
 * ipflow_refuse() - "administratively prohibited" (RFC 792 type 3 code 13, RFC
 * 4443 type 1 code 1), from the packet's destination to its source.
 *
 * Returns the error's length; 0 when the packet must not be answered: it is
 * an ICMP error itself, no first fragment, or for many.
 */
size_t ipflow_refuse(uint8_t out[static IPFLOW_ERROR_MAX],
    const struct ipflow *f, const uint8_t *pkt, size_t n);

#endif
