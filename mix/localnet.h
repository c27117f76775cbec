/*
 * localnet.h - a whole network on loopback, in one process and on one loop:
 * three mixes, two gateways, an exit at the second.  For tests, for `smolnode
 * local`, and as the default of --via mix:local.
 */
#ifndef SW_MIX_LOCALNET_H
#define SW_MIX_LOCALNET_H

#include <stdbool.h>

#include "base/err.h"
#include "base/loop.h"
#include "mix/iprexit.h"
#include "mix/node.h"
#include "mix/topology.h"

#define LOCALNET_NODES 5		/* mixes 0 to 2, gateways 3 and 4 */
#define LOCALNET_ENTRY 3
#define LOCALNET_EXIT 4

struct localnet_config {
	struct loop *loop;		/* borrowed for life */
	struct rng *rng;
	struct sw_addr addr;		/* all listen here, at any port; all
					 * zeros: 127.0.0.1 */
	/* Gateways also take clients over TLS, by this name; or NULL.
	 * Borrowed for life. */
	struct tls_server *tls;
	const char *host;
	const struct exitpolicy *policy;	/* exit's; borrowed for life */
	/* The world beyond the exit: packets from clients go to
	 * events->packet; answers come by localnet_send(). */
	const struct iprexit_events *events;
	void *arg;
	bool ahead;			/* the exit's: see router.h */
};

struct localnet;

/* All of it up and listening; *out is NULL unless SW_OK.  What it binds and
 * where fails with node_new()'s errors. */
int localnet_new(struct localnet **out, const struct localnet_config *cfg)
    SW_MUST_CHECK;
void localnet_free(struct localnet *n);	/* NULL is fine */

/* Its nodes as a directory would tell them; the exit's address; node i, NULL
 * while it is stopped.  All borrowed from n. */
const struct topology *localnet_topology(const struct localnet *n);
const struct recipient *localnet_exit(const struct localnet *n);
struct node *localnet_node(const struct localnet *n, size_t i);

/* Of the exit's router: kept up to date. */
const struct iprexit_stats *localnet_routed(const struct localnet *n);

/* A packet from the world to an inner address: see iprexit_send(). */
int localnet_send(struct localnet *n, const struct sw_addr *to,
    const uint8_t *pkt, size_t len) SW_MUST_CHECK;

/* Stop node i, and start it again with the same keys and ports. */
int localnet_restart(struct localnet *n, size_t i) SW_MUST_CHECK;

#endif
