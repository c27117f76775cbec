/*
 * prepare.h - the work on a packet that does not depend on what it carries:
 * a header along a fresh route, and a key for its recipient.
 *
 * It is nine tenths of all, so it may be done ahead, by whoever implements
 * struct prepared_source (preparer.h: by threads).  No thread here, no clock.
 */
#ifndef SW_MIX_PREPARE_H
#define SW_MIX_PREPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mix/nymaddr.h"
#include "mix/nymseal.h"
#include "mix/rng.h"
#include "mix/sphinx.h"
#include "mix/topology.h"

/* Good for one packet.  Holds secrets. */
struct prepared {
	struct sphinx_header header;
	uint8_t first[SPHINX_ADDR_LEN];	/* hop */
	uint16_t node[TOPOLOGY_LAYERS];	/* the mixes, in its topology */
	uint64_t delay_ns;		/* of all mixes together */
	struct nymseal_pair seal;	/* zero unless it was asked for */
};

/* What is wanted. */
struct prepare_job {
	const struct recipient *to;
	const struct comb *table;	/* of its encryption key, or NULL */
	bool seal;			/* a key for it, too */
	const uint16_t *node;		/* by these mixes, one a layer; NULL:
					 * by any */
};

/*
 * prepare_make() - prepare n packets, at most SPHINX_BATCH, now.
 *
 * hop_ns  mean of each mix's delay.
 *
 * SW_OK; SW_ERR_UNREACH_HOST or _NET (see topology_route()); SW_ERR_FORMAT
 * for a key of low order.  out is zeroed unless SW_OK; the caller wipes it.
 */
int prepare_make(struct prepared *out, const struct prepare_job *job, size_t n,
    const struct topology *t, uint64_t hop_ns, struct rng *rng) SW_MUST_CHECK;

/* Somebody who has some ready.  Embed it.  Calls come from one thread. */
struct prepared_source {
	/* From now on for this network: what was ready is wiped, and the
	 * topology used before is no longer touched when it returns.  t is
	 * borrowed until the next call; NULL: for none. */
	void (*use)(struct prepared_source *s, const struct topology *t,
	    uint64_t hop_ns);
	/* One for this job, whose table and nodes are not looked at, moved to
	 * *out.
	 * False: there is none ready. */
	bool (*take)(struct prepared_source *s, const struct prepare_job *job,
	    struct prepared *out);
};

#endif
