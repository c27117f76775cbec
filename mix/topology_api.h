/*
 * topology_api.h - a topology out of what a directory service (nym-api)
 * answers, text by text and page by page.  No I/O.
 *
 * A node that does not read is left out: one strange operator must not take
 * the network away from everybody.
 */
#ifndef SW_MIX_TOPOLOGY_API_H
#define SW_MIX_TOPOLOGY_API_H

#include <stddef.h>

#include "base/err.h"
#include "mix/topology.h"

#define TOPOLOGY_API_TEXT_MAX (24u << 20)	/* bytes of one answer */
#define TOPOLOGY_API_MIN_PERFORMANCE 50		/* percent; to be a mix */

struct topology_api;

/* NULL: no memory. */
struct topology_api *topology_api_new(void);
void topology_api_free(struct topology_api *a);	/* NULL is fine */

/*
 * One page of a list of nodes (v2/unstable/nym-nodes/skimmed..., or
 * semi-skimmed).  A node that is there already stays as it was.
 *
 * *left  elements that later pages of this list have; 0: this was the last.
 *
 * SW_OK; SW_ERR_FORMAT, also when epoch or key rotation are not those of the
 * pages and lists before: then begin anew; SW_ERR_TOO_LONG (too many nodes);
 * SW_ERR_NOMEM.
 */
int topology_api_add_nodes(struct topology_api *a, const char *text,
    size_t n, size_t *left) SW_MUST_CHECK;

/* One page of v2/nym-nodes/described: the addresses and versions of IP packet
 * routers, of nodes that are there already. */
int topology_api_add_described(struct topology_api *a, const char *text,
    size_t n, size_t *left) SW_MUST_CHECK;

/* v1/nym-nodes/rewarded-set: the layers.  Without it they are those that the
 * nodes' roles say. */
int topology_api_add_set(struct topology_api *a, const char *text, size_t n)
    SW_MUST_CHECK;

/*
 * The whole; `a` is empty afterwards.  Checks keys and makes tables, some 80
 * microseconds a node.  *out is new, or NULL.
 *
 * SW_OK; SW_ERR_FORMAT when there is no way through it (an empty layer);
 * SW_ERR_NOMEM.
 */
int topology_api_finish(struct topology_api *a, struct topology **out)
    SW_MUST_CHECK;

#endif
