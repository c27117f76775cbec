/*
 * frag.h - cutting messages into fragments that each fill one packet.
 *
 * A message is padded (one byte 01, then zeros) so that its last fragment is
 * full too, and cut into sets of at most 255 fragments.  A set has a random
 * 31-bit id; where a message needs several sets, the fragments at the seams
 * name the neighbouring set and are 3 bytes shorter for it.
 */
#ifndef SW_MIX_FRAG_H
#define SW_MIX_FRAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/wire.h"
#include "mix/rng.h"

#define FRAG_HEAD_LEN 7
#define FRAG_LINKED_HEAD_LEN 10
#define FRAG_SET_MAX 255	/* fragments of one set */
#define FRAG_MAX_SETS 64	/* our own limit: 26 MB in regular packets */
#define FRAG_ID_LEN 5

/* Names one fragment: what an ack carries.  Zero stands for cover traffic. */
struct frag_id {
	uint32_t set;
	uint8_t pos;		/* from 1 */
};

struct frag_head {
	struct frag_id id;
	uint8_t total;
	bool linked;
	uint32_t link;		/* set before (pos 1) or after (pos 255) */
};

/* How one message will be cut. */
struct frag_plan {
	size_t msg_len;
	size_t room;		/* encrypted fragment, header included */
	size_t sets;
	size_t count;		/* fragments of all sets */
	uint32_t id[FRAG_MAX_SETS];
};

void frag_put_id(uint8_t out[static FRAG_ID_LEN], const struct frag_id *id);
/* SW_ERR_FORMAT for a set id with its top bit set. */
int frag_get_id(struct frag_id *id, const uint8_t in[static FRAG_ID_LEN])
    SW_MUST_CHECK;

int frag_put_head(struct wbuf *w, const struct frag_head *h) SW_MUST_CHECK;
/* Every rule of the format is checked.  Nothing is consumed on error. */
int frag_get_head(struct rbuf *r, struct frag_head *h) SW_MUST_CHECK;

/*
 * frag_plan_init() - decide the sets and draw their ids.
 *
 * room  bytes of one fragment with its header: nymseal_room().
 *
 * SW_OK, or SW_ERR_TOO_LONG for more than FRAG_MAX_SETS sets.
 */
int frag_plan_init(struct frag_plan *p, size_t msg_len, size_t room,
    struct rng *rng) SW_MUST_CHECK;

/* Write fragment `i` < p->count, exactly p->room bytes; its name in *id.
 * msg is the whole message of p->msg_len bytes. */
void frag_cut(const struct frag_plan *p, size_t i, const uint8_t *msg,
    uint8_t *out, struct frag_id *id);

#endif
