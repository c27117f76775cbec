/*
 * directory.h - the directory service of a private network: what Nym clients
 * and nodes ask a nym-api for, answered from one topology.  Answers are JSON.
 *
 * Beyond what a nym-api has, a node of ours tells the directory of itself by a
 * POST to DIRECTORY_ANNOUNCE_PATH; see netreg.h.  DIRECTORY_TOPOLOGY_PATH gives
 * the network in the form of an offline topology file.
 */
#ifndef SW_MIX_DIRECTORY_H
#define SW_MIX_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mix/topology.h"

#define DIRECTORY_ANNOUNCE_PATH "/v1/smolnode/nodes"
#define DIRECTORY_TOPOLOGY_PATH "/v1/smolnode/topology"

struct directory {
	const struct topology *topology;	/* never NULL */
	/* The present epoch.  Where it stands still, keys stay as they are. */
	uint64_t epoch;
	int64_t epoch_start;		/* Unix seconds */
	uint32_t epoch_s;		/* its length; 0: an hour */
	uint32_t rotation_epochs;	/* epochs that a key lasts; 0: 24 */
	/* What a node says of itself; NULL: nobody may. */
	int (*announce)(void *arg, const char *body, size_t n);
	void *arg;
};

/*
 * directory_answer() - answer one HTTP request.
 *
 * in    the bytes so far.
 * took  bytes of them that were the request.
 * out   a whole HTTP answer, malloced, *n bytes; an error's, too.
 * last  nothing is to follow: close when it is written.
 *
 * SW_OK; SW_AGAIN when the request is not complete; SW_ERR_NOMEM.
 */
int directory_answer(const struct directory *d, const void *in, size_t len,
    size_t *took, char **out, size_t *n, bool *last) SW_MUST_CHECK;

#endif
