/*
 * netreg.h - the nodes that have told a directory of themselves, and the
 * topology that they make.  No clock, no descriptors.
 *
 * Who may: identities on a list, or, with an empty list, everybody.  A mix gets
 * the layer with the fewest mixes when it comes first, and keeps it.  Who is
 * silent for a while is left out.
 */
#ifndef SW_MIX_NETREG_H
#define SW_MIX_NETREG_H

#include <stdint.h>

#include "base/err.h"
#include "mix/announce.h"
#include "mix/topology.h"

#define NETREG_NODES_MAX 1024
#define NETREG_SKEW_S 120		/* between a node's clock and ours */

struct netreg;

/* silent_s: seconds after which a node is left out.  NULL: no memory. */
struct netreg *netreg_new(int64_t silent_s);
void netreg_free(struct netreg *r);	/* NULL is fine */

/* Only who is named may announce itself from now on. */
int netreg_admit(struct netreg *r, const uint8_t identity[static NYM_KEY_LEN])
    SW_MUST_CHECK;

/* An announcement.  SW_OK; SW_ERR_DENIED (not on the list), SW_ERR_REPLAY (no
 * newer than the last one, or too far from now), SW_ERR_LIMIT, SW_ERR_FORMAT,
 * SW_ERR_AUTH. */
int netreg_take(struct netreg *r, const char *text, size_t n, int64_t unix_s)
    SW_MUST_CHECK;

/* The nodes that are there now, with their keys of a rotation; who has none is
 * left out.  *out is new, maybe without any node.  It is for the directory's
 * answers: no tables are made. */
int netreg_topology(const struct netreg *r, uint32_t rotation_id,
    uint64_t epoch, int64_t unix_s, struct topology **out) SW_MUST_CHECK;

#endif
