/*
 * node.h - a running node: its sockets, peers, clients and inbox around a
 * struct mixnode.  Several may share one loop: smolnode local runs a whole
 * network so.
 *
 * Links between nodes are encrypted (noise.h) where the directory says so: a
 * node is dialed under Noise when its address is listed with a key, and what
 * comes from an address that is listed with one has to be under Noise.
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
#include "mix/topology.h"

struct node;
struct tls_server;

#define NODE_REPLAY_BYTES ((size_t)512 << 20)

struct node_config {
	uint8_t identity[32];		/* secret: Ed25519 seed */
	uint8_t sphinx[32];		/* secret: X25519 */
	bool has_noise;			/* links may be encrypted, under */
	uint8_t noise[32];		/* this key; secret: X25519 */
	uint32_t rotation_id;
	bool mix, gateway;
	struct sw_addr mix_addr;	/* listen here; port 0: any */
	struct sw_addr ws_addr;		/* gateway: clients connect here */
	struct sw_addr wss_addr;	/* and here, over TLS, */
	struct tls_server *tls;		/* as this; borrowed; NULL: they do
					 * not */
	const char *accounts;		/* file of a gateway's clients, borrowed
					 * for life; NULL: in memory only */
	size_t replay_bytes;		/* for each key; 0: NODE_REPLAY_BYTES */
	struct rng *rng;		/* borrowed for life */
};

/* New and listening.  *out is NULL unless SW_OK; SW_ERR_FORMAT, _DENIED: the
 * clients' file is none, or others can read it. */
int node_new(struct node **out, struct loop *l,
    const struct node_config *cfg) SW_MUST_CHECK;
void node_free(struct node *n);		/* NULL is fine */

/* Where it listens: for nodes, for clients, for clients over TLS (port 0: it
 * does not).  Borrowed from n. */
const struct sw_addr *node_mix_addr(const struct node *n);
const struct sw_addr *node_ws_addr(const struct node *n);
const struct sw_addr *node_wss_addr(const struct node *n);

/* What the directory says; borrowed until the next call.  Packets go only to
 * addresses of nodes in it.  NULL, as at first: to any, over plain links. */
void node_set_view(struct node *n, const struct topology *t);

/* A key for the next rotation; the present one goes on being taken until
 * node_retire(). */
int node_rotate(struct node *n, const uint8_t sk[static 32],
    uint32_t rotation_id) SW_MUST_CHECK;
void node_retire(struct node *n);

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
	uint64_t frames_bad;		/* streams of other nodes that broke */
	uint64_t link_full;		/* packets that had no way on */
	uint64_t handshakes_bad;
	uint64_t inbox_full, push_full;	/* payloads thrown away */
};

/* As they are now. */
void node_stats(const struct node *n, struct node_stats *out);

#endif
