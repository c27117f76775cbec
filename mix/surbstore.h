/*
 * surbstore.h - both ends of anonymous replies.
 *
 * replykeys: the keys inside the SURBs that we gave away, found again by the
 * digest that a reply starts with.  Single use.
 *
 * surbstore: the SURBs that others gave us, by sender tag, first in first
 * out.  Bounded: the oldest SURB, or the peer silent longest, goes.
 */
#ifndef SW_MIX_SURBSTORE_H
#define SW_MIX_SURBSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mix/nymmsg.h"
#include "mix/surb.h"

struct replykeys;

/* One that holds the last `n` keys.  NULL: no memory. */
struct replykeys *replykeys_new(size_t n);
void replykeys_free(struct replykeys *k);	/* wipes; NULL is fine */
void replykeys_add(struct replykeys *k,
    const uint8_t key[static SURB_KEY_LEN]);
/* Find, copy out and forget the key with this digest. */
bool replykeys_take(struct replykeys *k,
    const uint8_t digest[static SURB_DIGEST_LEN],
    uint8_t key[static SURB_KEY_LEN]);

#define SURBSTORE_PER_PEER 512
#define SURBSTORE_AGE 4096	/* SURBs of a peer until one is too old: who
				 * made it keeps the last 8192 keys */

struct surbstore;

/* What is known of a peer; owned by the store, valid until the next add. */
struct surbstore_peer {
	uint8_t tag[NYMMSG_TAG_LEN];
	size_t have;			/* SURBs */
	int64_t last_ms;		/* when SURBs came last */
	int64_t asked_ms;		/* our last request for more */
	size_t asked;			/* how many are still to come */
	unsigned fruitless;		/* requests without an answer */
};

/* For so many peers, SURBSTORE_PER_PEER of each at most.  NULL: no memory. */
struct surbstore *surbstore_new(size_t peers);
void surbstore_free(struct surbstore *s);	/* wipes; NULL is fine */

/* Store the SURBs of a message; returns the peer, NULL if it has none and
 * there is no room. */
struct surbstore_peer *surbstore_add(struct surbstore *s,
    const struct nymmsg *m, int64_t now_ms);
struct surbstore_peer *surbstore_find(struct surbstore *s,
    const uint8_t tag[static NYMMSG_TAG_LEN]);

/*
 * Take the newest SURB and its label: its route is the one most likely to live.
 * (With the oldest first, a peer that avoids a dead node by now would go on
 * being answered by way of it until hundreds are used up.)  SW_ERR_LIMIT if
 * there is none.
 */
int surbstore_take(struct surbstore *s, struct surbstore_peer *p,
    struct reply_surb *out, uint8_t *rotation) SW_MUST_CHECK;

#endif
