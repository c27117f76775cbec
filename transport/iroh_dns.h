/*
 * iroh_dns.h - where an endpoint is, as it has published it in the DNS: TXT
 * records at _iroh.<z-base-32 of its id>.dns.iroh.link, one fact each:
 * "relay=URL", "addr=IP:PORT".
 *
 * What it says is not believed further than that: whoever answers there has to
 * prove the id.
 */
#ifndef SW_TRANSPORT_IROH_DNS_H
#define SW_TRANSPORT_IROH_DNS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "transport/iroh_addr.h"

#define IROH_DNS_ORIGIN "dns.iroh.link"

/*
 * Ask this machine's resolver for the endpoint a->id, and add what is known to
 * `a`.  Blocks, 12 s at most.  The resolver learns whom we want to reach.
 *
 * SW_OK, SW_ERR_NO_NAME (nothing is published), SW_ERR_DOWN (no resolver answers)
 * with one line in why[].
 */
int iroh_dns_lookup(struct iroh_addr *a, char why[static 256]) SW_MUST_CHECK;

/* Add the facts of a DNS answer to `a`; foreign and broken ones are passed over.
 * SW_OK, or SW_ERR_FORMAT: this is no answer. */
int iroh_dns_parse(struct iroh_addr *a, const uint8_t *msg, size_t n)
    SW_MUST_CHECK;

#endif
