/*
 * health.h - which nodes lose packets, as far as our own packets tell.
 *
 * A packet and its ack cross six nodes, and when the ack does not come any of
 * them may be to blame.  A node is shunned after a run of packets that were
 * lost with none in between that came through it, while others came through.
 * When nothing comes through at all, the fault is not a mix's.
 *
 * Shunning a node shows in our routes, and whoever can make honest nodes lose
 * packets could use it to draw us to his own: so at most half of a layer is
 * shunned at a time, and each node only for a while.
 *
 * No clock: times are parameters.  Nodes are indices into a topology's `node`.
 */
#ifndef SW_MIX_HEALTH_H
#define SW_MIX_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mix/rng.h"
#include "mix/topology.h"

#define HEALTH_RUN 12			/* packets lost in a row: shunned */
#define HEALTH_OTHERS 4			/* that came through meanwhile */
#define HEALTH_SHUN_MS 60000
#define HEALTH_HOPS ((size_t)2 * TOPOLOGY_LAYERS)

/* The nodes of a packet, one a layer, and those of its ack. */
struct health_path {
	uint16_t node[HEALTH_HOPS];
};

struct health;

/* For the nodes of `t`, borrowed for life.  NULL: no memory. */
struct health *health_new(const struct topology *t);
void health_free(struct health *h);	/* NULL is fine */

/* The ack of a packet sent at sent_ms came; or is overdue. */
void health_good(struct health *h, const struct health_path *p,
    int64_t sent_ms);
void health_bad(struct health *h, const struct health_path *p,
    int64_t sent_ms, int64_t now_ms);

/* One node of each layer, at random among those that are not shunned. */
void health_draw(struct health *h, struct rng *rng, int64_t now_ms,
    uint16_t node[static TOPOLOGY_LAYERS]);

/* Is one of these shunned? */
bool health_shuns(const struct health *h,
    const uint16_t node[static TOPOLOGY_LAYERS], int64_t now_ms);

/* How many nodes are shunned now. */
size_t health_count(const struct health *h, int64_t now_ms);

#endif
