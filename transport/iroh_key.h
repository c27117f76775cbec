/*
 * iroh_key.h - the file that holds an endpoint's secret: an Ed25519 seed as 64
 * hex digits (or base32, as iroh's own tools take it too) on one line.
 */
#ifndef SW_TRANSPORT_IROH_KEY_H
#define SW_TRANSPORT_IROH_KEY_H

#include <stdint.h>

#include "base/err.h"

#define IROH_SEED_LEN 32

/*
 * Read the seed from `file`; when there is no such file, make one with a new
 * seed, mode 0600.  A file that others may read is refused.
 *
 * SW_OK and the seed, the caller's to wipe; SW_ERR_CONFIG, SW_ERR_SYS and zeros
 * with one line in why[], which never holds what the file held.
 */
int iroh_key_load(uint8_t seed[static IROH_SEED_LEN], const char *file,
    char why[static 256]) SW_MUST_CHECK;

#endif
