/*
 * replay.h - the tags of all packets a node has taken under one key.
 *
 * A chain of hash tables, each twice the size of the one before, of 32-bit
 * prints of tags (which are a KDF's output): some 5 to 11 bytes a packet, and
 * one honest packet in 10^8 taken for a replay.  Tables are added as packets
 * come, up to a limit of memory; beyond it nothing is let through until the
 * key is changed, since forgetting tags would let old packets in again.
 */
#ifndef SW_MIX_REPLAY_H
#define SW_MIX_REPLAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mix/sphinx.h"

struct replay;

/* limit: bytes of all tables together.  NULL: no memory, or too low. */
struct replay *replay_new(size_t limit);
void replay_free(struct replay *r);	/* NULL is fine */

/* SW_OK: new, and noted.  SW_ERR_REPLAY.  SW_ERR_LIMIT: no room. */
int replay_add(struct replay *r, const uint8_t tag[static SPHINX_TAG_LEN])
    SW_MUST_CHECK;

/* Tags noted, and bytes that they take. */
size_t replay_count(const struct replay *r);
size_t replay_bytes(const struct replay *r);

#endif
