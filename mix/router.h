/*
 * router.h - the IP packet router of an exit: a mixnet client inside the node,
 * and the exit's half of the IPR protocol on top of it, run by the loop.
 */
#ifndef SW_MIX_ROUTER_H
#define SW_MIX_ROUTER_H

#include "base/err.h"
#include "base/loop.h"
#include "mix/iprexit.h"
#include "mix/node.h"

struct router_config {
	struct loop *loop;		/* borrowed for life */
	struct rng *rng;
	struct mixclient_keys keys;	/* secret */
	uint8_t gateway[NYM_KEY_LEN];	/* the node's identity */
	const struct exitpolicy *policy;	/* borrowed for life */
	/* The world: packets from clients go to events->packet. */
	const struct iprexit_events *events;
	void *arg;
	bool ahead;			/* prepare acks ahead (preparer.h) */
};

struct router;

/* NULL: no memory.  The configuration is copied. */
struct router *router_new(const struct router_config *cfg);
void router_free(struct router *r);	/* NULL is fine */

/* It lives on this node from now on; NULL: on none. */
void router_attach(struct router *r, struct node *n);
/* Borrowed until the next call. */
void router_set_topology(struct router *r, const struct topology *t);

/* The exit's address, and its counts, kept up to date.  Borrowed from r. */
const struct recipient *router_address(const struct router *r);

const struct iprexit_stats *router_stats(const struct router *r);

/* A packet from the world to an inner address: see iprexit_send(). */
int router_send(struct router *r, const struct sw_addr *to,
    const uint8_t *pkt, size_t len) SW_MUST_CHECK;

#endif
