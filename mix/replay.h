/*
 * replay.h - the tags of all packets a node has taken under one key.
 *
 * Exact, not probabilistic: the first 64 bits of each tag, which is a KDF's
 * output.  16 bytes a packet, growing as packets come, up to a limit; beyond
 * it nothing is let through until the key is changed, since forgetting tags
 * would let old packets in again.
 */
#ifndef SW_MIX_REPLAY_H
#define SW_MIX_REPLAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mix/sphinx.h"

struct replay;

/* limit: tags at most; 16 to 32 bytes each.  NULL: no memory. */
struct replay *replay_new(size_t limit);
void replay_free(struct replay *r);	/* NULL is fine */

/* SW_OK: new, and noted.  SW_ERR_REPLAY.  SW_ERR_LIMIT: no room. */
int replay_add(struct replay *r, const uint8_t tag[static SPHINX_TAG_LEN])
    SW_MUST_CHECK;

#endif
