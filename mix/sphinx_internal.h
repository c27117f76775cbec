/* sphinx_internal.h - the layout shared by sphinx_create.c and
 * sphinx_unwrap.c; nobody else includes it. */
#ifndef SW_MIX_SPHINX_INTERNAL_H
#define SW_MIX_SPHINX_INTERNAL_H

#include "mix/sphinx.h"

#define VERSION_LEN 3
#define META_LEN 44		/* flag, version, address, delay */
#define STEP_LEN 60		/* one hop's share of beta: META and MAC */
#define FINAL_META_LEN 52	/* flag, version, destination, identifier */
#define STREAM_LEN 360		/* STEP_LEN more than beta */
#define GAMMA_AT 32
#define BETA_AT 48
#define FLAG_FORWARD 1
#define FLAG_FINAL 2
#define LEADING_ZEROS 16
#define PAYLOAD_MARKER 1

_Static_assert(STEP_LEN == META_LEN + SPHINX_MAC_LEN, "hop share");
_Static_assert(SPHINX_BETA_LEN == STEP_LEN * SPHINX_MAX_HOPS, "beta");
_Static_assert(STREAM_LEN == SPHINX_BETA_LEN + STEP_LEN, "keystream");
_Static_assert(SPHINX_HEADER_LEN == BETA_AT + SPHINX_BETA_LEN, "header");
_Static_assert(SPHINX_OVERHEAD == 365, "overhead");

/* The keystream that hides a hop's view of beta. */
void sphinx_keystream(const struct sphinx_keys *k,
    uint8_t out[static STREAM_LEN]);
void sphinx_mac(const struct sphinx_keys *k, uint8_t out[static SPHINX_MAC_LEN],
    const uint8_t beta[static SPHINX_BETA_LEN]);

#endif
