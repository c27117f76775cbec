/*
 * iprsurbs.h - how many SURBs an exit has of us, and how many it should have.
 *
 * The exit does not tell, so this counts: those that we made, less those that
 * came back as replies, less those that must have been lost.  What it should
 * have follows the rate of replies.
 */
#ifndef SW_MIX_IPRSURBS_H
#define SW_MIX_IPRSURBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mix/mixclient.h"

struct iprsurbs {
	const struct mixclient *mix;	/* borrowed; it made them */
	size_t target;
	uint64_t written_off;		/* that we count as lost */
	uint32_t seq_high, seq_got;	/* of the exit's: the highest, how many */
	size_t shunned;			/* mixes, when we looked last */
	int64_t window_ms, heard_ms;
	uint64_t window_replies, requests_seen;
};

/* None given yet.  `mix` is borrowed for the life of s. */
void iprsurbs_init(struct iprsurbs *s, const struct mixclient *mix);

/* Has it fewer than it should have?  Fewer than half of that? */
bool iprsurbs_are_few(const struct iprsurbs *s);
bool iprsurbs_are_short(const struct iprsurbs *s);

/* A message of the exit's with this number.  Gaps are SURBs lost. */
void iprsurbs_note_seq(struct iprsurbs *s, uint32_t seq);

/* The exit let us in, and numbers its messages anew.  `again`: it may be
 * another life of it, which has only what the request brought, `brought`. */
void iprsurbs_note_entry(struct iprsurbs *s, bool again, unsigned brought);

/* Look at what came back.  At each turn; `sent_ms`: when the exit was last
 * written to. */
void iprsurbs_watch(struct iprsurbs *s, int64_t sent_ms, int64_t now_ms);

#endif
