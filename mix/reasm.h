/*
 * reasm.h - putting fragments together again, strictly and in bounded memory.
 *
 * Beyond the format's rules: all fragments of a set must announce the same
 * total; links must agree from both sides; a message has at most
 * REASM_MAX_CHAIN sets.  When there is no room for a fragment, the set that
 * has been silent longest goes.  Sets of finished messages are remembered, so
 * that repeated fragments are dropped.
 */
#ifndef SW_MIX_REASM_H
#define SW_MIX_REASM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define REASM_MAX_CHAIN 64

struct reasm;

struct reasm_stats {
	uint64_t fragments, messages;
	uint64_t bad;			/* broke a rule */
	uint64_t duplicate;
	uint64_t evicted;		/* sets dropped: too old, or no room */
};

/*
 * room       largest fragment with its header, of the packet sizes in use.
 * fragments  how many fragments to hold at once.
 * idle_ms    a set without news for so long is dropped.
 * NULL: no memory.
 */
struct reasm *reasm_new(size_t room, size_t fragments, int64_t idle_ms);
void reasm_free(struct reasm *r);	/* wipes; NULL is fine */

/*
 * reasm_add() - take one decrypted fragment.
 *
 * SW_OK: a message is complete; *msg (borrowed until the next call) and *n
 * describe it without its padding.  SW_AGAIN: more fragments are needed, or
 * it was a duplicate.  SW_ERR_FORMAT: it, or the message it completed, broke
 * a rule.  SW_ERR_NOMEM: the message was complete and could not be held.
 */
int reasm_add(struct reasm *r, const uint8_t *frag, size_t len,
    int64_t now_ms, const uint8_t **msg, size_t *n) SW_MUST_CHECK;

/* Drop what has been idle too long. */
void reasm_tick(struct reasm *r, int64_t now_ms);

/* Kept up to date; as long-lived as r. */
const struct reasm_stats *reasm_stats(const struct reasm *r);

#endif
