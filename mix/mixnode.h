/*
 * mixnode.h - what a node does with packets: open, check for replay, peel,
 * delay, pass on; or, as the last hop, deliver and release the ack.
 *
 * No descriptors and no clock.  Packets wait in a heap by due time, in a queue
 * of fixed length; when it is full, packets are dropped and counted.
 */
#ifndef SW_MIX_MIXNODE_H
#define SW_MIX_MIXNODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "mix/nympkt.h"
#include "mix/sphinx.h"

#define MIXNODE_MAX_DELAY_MS 10000

struct mixnode_events {
	/* Send this packet to the node at `next`; borrowed until return. */
	void (*emit)(void *arg, const struct sw_addr *next,
	    const struct nympkt_frame *f, const uint8_t *pkt, size_t len);
	/* A payload for the client named `dest`, without its ack part. */
	void (*deliver)(void *arg, const uint8_t dest[static SPHINX_DEST_LEN],
	    uint8_t *data, size_t n);
	/* May packets go to this node?  NULL: to any. */
	bool (*allowed)(void *arg, const struct sw_addr *next);
};

struct mixnode_config {
	uint8_t sk[X25519_KEY_LEN];	/* secret, of the current rotation */
	uint32_t rotation_id;
	bool mix, gateway;		/* forward hops; final hops */
	size_t queue;			/* packets that may wait */
	size_t replay_limit;
	const struct mixnode_events *events;	/* static */
	void *arg;
};

struct mixnode_stats {
	uint64_t taken, forwarded, delivered;
	uint64_t bad_mac, replayed, malformed, wrong_role;
	uint64_t wrong_rotation;	/* its label is none of our keys' */
	uint64_t refused, full;
};

struct mixnode;

/* The configuration is copied, its key wiped from the copy once expanded.  NULL:
 * no memory. */
struct mixnode *mixnode_new(const struct mixnode_config *cfg);
void mixnode_free(struct mixnode *m);	/* wipes; NULL is fine */

/* A new key: the present one becomes the secondary.  mixnode_retire() drops
 * the secondary and its tags. */
int mixnode_rotate(struct mixnode *m, const uint8_t sk[static X25519_KEY_LEN],
    uint32_t rotation_id) SW_MUST_CHECK;
void mixnode_retire(struct mixnode *m);

/* Packets from the wire, at most MIXNODE_BATCH; changed in place.  Many at
 * once cost less each. */
#define MIXNODE_BATCH SPHINX_BATCH
struct mixnode_packet {
	struct nympkt_frame frame;
	uint8_t *pkt;
	size_t len;
};

/* What becomes of each is told by events, now or by a later tick, and counted;
 * the bytes are free for other use on return. */
void mixnode_take(struct mixnode *m, const struct mixnode_packet *p, size_t n,
    int64_t now_ms);

/* A packet that starts here, from a client of ours: no delay, no peeling. */
void mixnode_forward(struct mixnode *m, const struct sw_addr *next,
    uint8_t rotation, const uint8_t *pkt, size_t len);

/* Emit what is due; when that is next (ms), SW_NEVER while nothing waits. */
void mixnode_tick(struct mixnode *m, int64_t now_ms);
int64_t mixnode_deadline(const struct mixnode *m);

/* Kept up to date; as long-lived as m. */
const struct mixnode_stats *mixnode_stats(const struct mixnode *m);

#endif
