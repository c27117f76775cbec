/*
 * session_ports.h - who has which local port of an address pair that many
 * owners share.
 *
 * An owner gets a block of ports when it attaches, for connections whose port
 * it chooses itself.  Blocks go round, so that one is not reused while the
 * exit may still remember connections of its last user; they get smaller when
 * many are out.  A port that a program asked for by number is its owner's from
 * the first packet on, if nobody else has it.
 */
#ifndef SW_PRELOAD_SESSION_PORTS_H
#define SW_PRELOAD_SESSION_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PORTS_FIRST 16384u	/* blocks lie from here to the end; below are
				 * the ports that programs choose themselves */
#define PORTS_GRANULE 32u	/* the smallest block */
#define PORTS_BLOCK_MAX 512u	/* ports of a block while few are out */

struct ports {
	void *user[65536];	/* NULL: nobody */
	uint32_t at;		/* where the search for a block begins */
	uint32_t given;		/* ports in blocks */
};

/* A block for `user`: [*lo, *hi].  SW_OK or SW_ERR_LIMIT. */
int ports_give(struct ports *p, void *user, uint16_t *lo, uint16_t *hi)
    SW_MUST_CHECK;

/* `user` is gone, with its block [lo, hi] and whatever it claimed. */
void ports_take_back(struct ports *p, void *user, uint16_t lo, uint16_t hi);

/* Is `port` the user's?  One that nobody has becomes it. */
bool ports_claim(struct ports *p, void *user, uint16_t port);

static inline void *
ports_user(const struct ports *p, uint16_t port)
{
	return p->user[port];
}

#endif
