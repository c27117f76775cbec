/*
 * prim_priv.h - what the files of prim share.
 *
 *   prim_crypto.c        what the processor can; randomness, ciphers, base64
 *   prim_curve.c         X25519 and Ed25519
 *   prim_hash_crypto.c   SHA-256, SHA-1, BLAKE2b; HMAC and HKDF
 */
#ifndef SW_MIX_PRIM_PRIV_H
#define SW_MIX_PRIM_PRIV_H

#include "mix/comb.h"
#include "mix/prim.h"

/* Which instructions are used; prim_set_portable() decides. */
extern struct prim_hardware {
	bool aes, sha, ifma;
} prim_hardware;

/* Multiples of the base point, for the life of the process. */
extern struct comb *prim_base_table;

#endif
