/*
 * node.h - a running node: its sockets, peers, clients and inbox around a
 * struct mixnode.  Several may share one loop: smolnode local runs a whole
 * network so.
 *
 * Links between nodes are plain TCP here: the directory (our topology file)
 * names no Noise key, and then Nym's rule is plain TCP.
 */
#ifndef SW_MIX_NODE_H
#define SW_MIX_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/loop.h"
#include "mix/mixnode.h"
#include "mix/rng.h"

struct node;

struct node_config {
	uint8_t identity[32];		/* secret: Ed25519 seed */
	uint8_t sphinx[32];		/* secret: X25519 */
	uint32_t rotation_id;
	bool mix, gateway;
	struct sw_addr mix_addr;	/* listen here; port 0: any */
	struct sw_addr ws_addr;		/* gateway: clients connect here */
	struct rng *rng;		/* borrowed for life */
};

/* New and listening.  *out is NULL unless SW_OK. */
int node_new(struct node **out, struct loop *l,
    const struct node_config *cfg) SW_MUST_CHECK;
void node_free(struct node *n);		/* NULL is fine */

const struct sw_addr *node_mix_addr(const struct node *n);
const struct sw_addr *node_ws_addr(const struct node *n);

/* A client inside this process, such as an exit: payloads for `identity` go
 * to it.  One per node. */
void node_embed(struct node *n, const uint8_t identity[static 32],
    void (*deliver)(void *arg, uint8_t *data, size_t n), void *arg);

/* Send a packet of the embedded client into the network. */
void node_forward(struct node *n, const struct sw_addr *first,
    uint8_t rotation, const uint8_t *pkt, size_t len);

struct node_stats {
	struct mixnode_stats mix;
	size_t clients, peers, stored;
	uint64_t frames_bad, link_full;
};

void node_stats(const struct node *n, struct node_stats *out);

#endif
