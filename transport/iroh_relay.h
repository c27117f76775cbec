/*
 * iroh_relay.h - a link to one of iroh's relays, kept up: a websocket (through
 * TLS for https) over which datagrams go to endpoints by their id.
 *
 * Connecting blocks and so has a thread for each attempt; the link itself runs
 * on the loop.  When it is lost it is made again, after 10 ms to 16 s.
 *
 *	connecting -> greeting (the relay's challenge) -> up -> lost -> waiting
 *	  -> connecting ...
 */
#ifndef SW_TRANSPORT_IROH_RELAY_H
#define SW_TRANSPORT_IROH_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "transport/iroh_crypto.h"
#include "transport/transport.h"

#define RELAY_QUEUE_MAX (1u << 20)	/* bytes that may wait to be sent */
#define RELAY_CONNECT_MS 10000
#define RELAY_PING_MS 15000
#define RELAY_SILENCE_MS 5000		/* after a ping: the link is dead */

struct iroh_relay;

struct iroh_relay_options {
	const char *url;	/* as of iroh_addr_set_relay() */
	const char *ca;		/* NULL: the system's */
	const char *proxy;	/* NULL: none */
	struct through *through;	/* another tunnel, or NULL */
	const struct iroh_identity *identity;	/* borrowed for life */
};

struct iroh_relay_events {
	void (*up)(void *arg, struct iroh_relay *r);
	/* `why`: one line, the first time after it was up or made. */
	void (*lost)(void *arg, struct iroh_relay *r, const char *why);
	/* From `from`, which the relay has authenticated. */
	void (*datagram)(void *arg, struct iroh_relay *r,
	    const struct iroh_id *from, const uint8_t *p, size_t n);
};

/* Start.  Strings are copied; l, ev and identity are borrowed.  NULL: one line
 * in why[] (an option is wrong, no memory). */
struct iroh_relay *iroh_relay_new(struct loop *l,
    const struct iroh_relay_options *o, const struct iroh_relay_events *ev,
    void *arg, char why[static TRANSPORT_WHY_LEN]);

/* End; no event follows.  Not from within one.  NULL is fine. */
void iroh_relay_free(struct iroh_relay *r);

/* The url of its options; is the link up now? */
const char *iroh_relay_url(const struct iroh_relay *r);
bool iroh_relay_is_up(const struct iroh_relay *r);

/* Datagrams of `segment` bytes each (the last one perhaps shorter) to `to`;
 * lost when the link is down or RELAY_QUEUE_MAX bytes wait. */
void iroh_relay_send(struct iroh_relay *r, const struct iroh_id *to,
    const uint8_t *p, size_t n, size_t segment);

#endif
