/*
 * iroh_addr.h - where an endpoint can be reached, and tickets, its text form.
 *
 * A ticket is "endpoint" and the base32 of a postcard-encoded body: a zero, the
 * id, and a list of relay URLs, IPv4 and IPv6 addresses with ports.
 */
#ifndef SW_TRANSPORT_IROH_ADDR_H
#define SW_TRANSPORT_IROH_ADDR_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "transport/iroh_id.h"

#define IROH_DIRECT_MAX 16
#define IROH_URL_LEN 256		/* with its NUL */
#define IROH_TICKET_LEN 1280		/* with its NUL; more than any of ours */

struct iroh_addr {
	struct iroh_id id;
	char relay[IROH_URL_LEN];	/* "" when there is none */
	struct sw_addr direct[IROH_DIRECT_MAX];
	size_t ndirect;
};

/*
 * Parse an id in any of its forms, or a ticket.  Of several relays the first
 * is kept, of direct addresses the first IROH_DIRECT_MAX; what a ticket has of
 * other kinds is passed over.  SW_OK, or SW_ERR_FORMAT and zeros.
 */
int iroh_addr_parse(struct iroh_addr *out, const char *text, size_t n)
    SW_MUST_CHECK;

/* Add "1.2.3.4:5", "[v6]:5".  SW_OK, SW_ERR_FORMAT or SW_ERR_LIMIT. */
int iroh_addr_add_direct(struct iroh_addr *a, const char *text) SW_MUST_CHECK;

/*
 * Set the relay: "http://" or "https://", a host, perhaps a port; a path is
 * cut down to "/" as iroh's own does.  SW_OK, SW_ERR_FORMAT, SW_ERR_TOO_LONG.
 */
int iroh_addr_set_relay(struct iroh_addr *a, const char *url) SW_MUST_CHECK;

/* Print a ticket that iroh 1.x parses; returns buf. */
const char *iroh_addr_ticket(const struct iroh_addr *a,
    char buf[static IROH_TICKET_LEN]);

#endif
