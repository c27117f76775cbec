/*
 * iprsent.h - the packets lately sent that began something, so that an exit's
 * word of refusal becomes the ICMP error that the sender understands.
 *
 * Nym's exits say of a packet that their policy forbids only where it was to
 * go ("192.0.2.1:25", "[2001:db8::1]:0"), and send no ICMP.  Exits of ours do
 * both; whichever comes first counts.
 */
#ifndef SW_MIX_IPRSENT_H
#define SW_MIX_IPRSENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mix/ipflow.h"

#define IPRSENT_KEPT 64
#define IPRSENT_HEAD 96			/* bytes kept of each, to be quoted */

struct iprsent {
	struct {
		struct ipflow flow;
		size_t len;		/* 0: none */
		bool refused;		/* the sender has been told */
		uint8_t head[IPRSENT_HEAD];
	} kept[IPRSENT_KEPT];
	size_t next;
};

/* A packet went out.  Segments within a connection are not kept. */
void iprsent_note(struct iprsent *s, const uint8_t *pkt, size_t len);

/* What the exit named.  The length of the error for the sender; 0 when there
 * is nothing to say, or it was said. */
size_t iprsent_refuse(struct iprsent *s, const char *where,
    uint8_t out[static IPFLOW_ERROR_MAX]);

/* A packet came in: is it the exit's own error for what was refused already?
 * Otherwise it stands for the exit's word. */
bool iprsent_is_told(struct iprsent *s, const uint8_t *pkt, size_t len);

#endif
