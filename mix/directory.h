/*
 * directory.h - the directory service of a private network: what Nym clients
 * and nodes ask a nym-api for, answered from one topology.
 *
 * The epoch stands still, so that keys are not rotated.  Answers are JSON.
 */
#ifndef SW_MIX_DIRECTORY_H
#define SW_MIX_DIRECTORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mix/topology.h"

#define DIRECTORY_REQUEST_MAX 16384

struct directory {
	const struct topology *topology;
	const struct recipient *exit;	/* an IPR to announce; may be NULL */
	int64_t started;		/* Unix seconds: when the epoch began */
};

/*
 * directory_answer() - answer one HTTP request.
 *
 * in   the bytes so far.
 * out  a whole HTTP answer, malloced, *n bytes.
 *
 * SW_OK; SW_AGAIN when the request is not complete; SW_ERR_FORMAT when it is
 * no HTTP; SW_ERR_NOMEM.
 */
int directory_answer(const struct directory *d, const void *in, size_t len,
    char **out, size_t *n) SW_MUST_CHECK;

#endif
