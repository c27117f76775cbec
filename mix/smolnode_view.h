/*
 * smolnode_view.h - how a node keeps up with its directory: which rotation it
 * is, what it says of itself, who the others are.  Asked in this order, again
 * and again, on the loop.
 */
#ifndef SW_MIX_SMOLNODE_VIEW_H
#define SW_MIX_SMOLNODE_VIEW_H

#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "mix/topology.h"

struct smolnode_view;

/* Where the network is in time. */
struct smolnode_epoch {
	uint64_t epoch;
	uint32_t rotation_id;
	bool first, last;		/* of the rotation's epochs */
};

struct smolnode_view_ops {
	/* It is this epoch.  Before what follows in the same round. */
	void (*epoch)(void *arg, const struct smolnode_epoch *e);
	/* What to announce: malloced text; NULL: no memory. */
	char *(*describe)(void *arg);
	/* The network, when it has changed.  The receiver owns *t. */
	void (*topology)(void *arg, struct topology *t);
};

/* url: "http://HOST[:PORT]/" or "https://...".  ca: PEM file of the authorities
 * for the latter; NULL: this machine's.  *out is NULL unless SW_OK;
 * SW_ERR_CONFIG was told on stderr. */
int smolnode_view_new(struct smolnode_view **out, struct loop *l,
    const char *url, const char *ca, const struct smolnode_view_ops *ops,
    void *arg) SW_MUST_CHECK;
void smolnode_view_start(struct smolnode_view *v);
void smolnode_view_free(struct smolnode_view *v);	/* NULL is fine */

/* Read the answer of v1/epoch/key-rotation-info.  *epoch_s: its length. */
int smolnode_read_epoch(struct smolnode_epoch *e, int64_t *epoch_s,
    const char *text, size_t n) SW_MUST_CHECK;

#endif
