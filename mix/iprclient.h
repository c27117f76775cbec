/*
 * iprclient.h - a client of an IP packet router: whole IP packets out, whole
 * IP packets in, through a mixclient.
 *
 *	new -> connecting (a few tries, each on a stream of its own) -> up
 *	up -> connecting -> up: it dropped us or no longer answers, though its
 *	gateway takes what we send; unless our addresses have changed, this is
 *	no news
 *	connecting -> down: it does not answer at all
 *
 * An exit drops requests of a version that it does not speak without a word,
 * so the tries go through the versions: 9, which all but the oldest speak, 10
 * and 8.
 *
 * Packets that wait together leave in one bundle.  SURBs ride in the room
 * that a message leaves in its last packet; when the exit has few and there
 * is nothing to say, they are sent alone.
 *
 * Mixing reorders; bundles are handed up as they come, since TCP above is
 * prepared for it (stack_reorder.c) and holding any makes its sender slower.
 */
#ifndef SW_MIX_IPRCLIENT_H
#define SW_MIX_IPRCLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mix/iprmsg.h"
#include "mix/mixclient.h"

#define IPRCLIENT_TRY_MS 5000
#define IPRCLIENT_TRIES 5
#define IPRCLIENT_KEEPALIVE_MS 45000	/* exits forget us after 60 s */

struct iprclient_events {
	void (*up)(void *arg, const uint8_t ip4[static 4],
	    const uint8_t ip6[static 16], uint16_t mtu);
	/* Borrowed until return. */
	void (*packet)(void *arg, const uint8_t *pkt, size_t len);
	/* Room again; once after SW_AGAIN. */
	void (*writable)(void *arg);
	void (*down)(void *arg, int err);
};

struct iprclient_config {
	struct mixclient *mix;		/* borrowed for life */
	struct recipient exit;
	uint8_t version;		/* IPRMSG_V*; 0: find one that works */
	uint8_t likely;			/* then: to be tried first; 0: none */
	const struct iprclient_events *events;	/* static */
	void *arg;
	struct rng *rng;
	/* Unix time in seconds, for the requests. */
	int64_t (*unix_now)(void *arg);
};

struct iprclient;

/* The configuration is copied.  NULL: no memory.  Nothing is said yet. */
struct iprclient *iprclient_new(const struct iprclient_config *cfg);
void iprclient_free(struct iprclient *c);	/* NULL is fine */

/* Ask the exit to let us in: up() follows, or down() when it does not answer. */
void iprclient_start(struct iprclient *c, int64_t now_ms);

/* There was no way to the mixnet for a while: silence until now means
 * nothing. */
void iprclient_relinked(struct iprclient *c, int64_t now_ms);

/* A message that the mixclient received. */
void iprclient_take(struct iprclient *c, const struct nymmsg *m);

/* Copies.  SW_OK, SW_AGAIN (writable() follows), SW_ERR_DOWN,
 * SW_ERR_TOO_LONG. */
int iprclient_send(struct iprclient *c, const uint8_t *pkt, size_t len)
    SW_MUST_CHECK;

/* Let what was bundled go, and do what time asks.  At each turn's end. */
void iprclient_tick(struct iprclient *c, int64_t now_ms);
/* mixclient's slot would go to cover: rather what waits here, or SURBs. */
void iprclient_fill_slot(struct iprclient *c);
int64_t iprclient_deadline(const struct iprclient *c);

/* Tell the exit goodbye, as far as one message may. */
void iprclient_stop(struct iprclient *c);

#endif
