/*
 * topology.h - the nodes of a network, and routes through them.
 *
 * Read from Nym's offline file (also what smolnode writes) or made from what
 * a directory service says (nymapi.h), all at once and never changed
 * afterwards: a refresh makes a new one.
 *
 * In the file three members of a node are ours, which other readers ignore:
 * "performance" (percent; 100 if there is none), "ip_packet_router" (the
 * address of its exit) and "ip_packet_router_version" (the newest it speaks).
 */
#ifndef SW_MIX_TOPOLOGY_H
#define SW_MIX_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "mix/nymaddr.h"
#include "mix/rng.h"
#include "mix/sphinx.h"

#define TOPOLOGY_LAYERS 3
#define TOPOLOGY_MAX_NODES 4096
#define TOPOLOGY_HOST_MAX 253
#define TOPOLOGY_TABLES 1024		/* nodes that get a table, 30 KB each */

struct topology_node {
	uint32_t id;
	struct sw_addr mix;		/* where it takes packets */
	uint8_t identity[NYM_KEY_LEN];
	uint8_t sphinx[X25519_KEY_LEN];	/* of the current rotation */
	bool mixnode, entry, exit;	/* what it can be */
	uint8_t performance;		/* percent */
	bool has_ipr;			/* exit: it has an IP packet router, */
	uint8_t ipr_version;		/* which speaks this; 0: unknown */
	struct recipient ipr;		/* at this address */
	struct sw_addr ws;		/* entry: where clients connect; port 0
					 * when it takes none */
	uint16_t wss_port;		/* 0: none */
	char host[TOPOLOGY_HOST_MAX + 1];	/* for wss; may be empty */
	bool has_noise;			/* links with other such nodes are */
	uint8_t noise[X25519_KEY_LEN];	/* encrypted under this key; not in
					 * files */
	struct comb *table;		/* of sphinx; NULL: none.  Last member */
};

struct topology {
	uint32_t rotation_id;
	uint64_t epoch_id;
	size_t n;
	struct topology_node *node;
	/* Indices into node. */
	size_t n_layer[TOPOLOGY_LAYERS];
	size_t *layer[TOPOLOGY_LAYERS];
};

/*
 * topology_parse() - read the JSON of an offline topology file.
 *
 * *out is new, freed by the caller, or NULL.  SW_ERR_FORMAT (what and where
 * is logged at debug), SW_ERR_TOO_LONG, SW_ERR_NOMEM.  A node whose Sphinx
 * key is not on the curve is left out, as no honest one has such a key.
 */
int topology_parse(struct topology **out, const char *text, size_t n)
    SW_MUST_CHECK;
void topology_free(struct topology *t);	/* NULL is fine */

/* Check node i's Sphinx key and make its table.  SW_ERR_FORMAT for a key that
 * is not on the curve.  For topologies made by hand. */
int topology_prepare(struct topology *t, size_t i) SW_MUST_CHECK;

/* Is it a host name, by its letters and its length?  Names end up in what
 * clients send and in what people read. */
bool topology_is_host(const char *s);

/* Write the same form.  *text is malloced, NUL-terminated. */
int topology_write(const struct topology *t, char **text) SW_MUST_CHECK;

/* The node with this identity; NULL if there is none. */
const struct topology_node *topology_find(const struct topology *t,
    const uint8_t identity[static NYM_KEY_LEN]);

/* Does every layer have a node? */
bool topology_is_routable(const struct topology *t);

/*
 * topology_route() - a fresh random route: one node of each layer, then the
 * gateway of `to`, whose identity becomes the destination.
 *
 * mean_delay_ns  of each hop's exponential delay; 0 for none.
 *
 * SW_OK, or SW_ERR_UNREACH_HOST if the gateway is not known, or
 * SW_ERR_UNREACH_NET if a layer is empty.
 */
int topology_route(const struct topology *t, const struct recipient *to,
    uint64_t mean_delay_ns, struct rng *rng, struct sphinx_route *route)
    SW_MUST_CHECK;
/* It in two steps: a random node of each layer, and the route by those. */
int topology_draw(const struct topology *t, struct rng *rng,
    uint16_t node[static TOPOLOGY_LAYERS]) SW_MUST_CHECK;
int topology_route_by(const struct topology *t, const struct recipient *to,
    const uint16_t node[static TOPOLOGY_LAYERS], uint64_t mean_delay_ns,
    struct rng *rng, struct sphinx_route *route) SW_MUST_CHECK;

#endif
