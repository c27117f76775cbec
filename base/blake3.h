/*
 * blake3.h - the BLAKE3 hash and its key derivation, 32 bytes out.
 *
 * Neither libsodium nor mbedTLS nor GnuTLS has it.  Only what the mixnet and
 * iroh's relays need: no keyed mode, no longer output.  HMAC over this hash, which
 * Nym uses for its key derivation, is here too: RFC 2104 with a block of 64.
 *
 * Nothing is allocated; time depends on lengths only.
 */
#ifndef SW_BASE_BLAKE3_H
#define SW_BASE_BLAKE3_H

#include <stddef.h>
#include <stdint.h>

#define BLAKE3_LEN 32
#define BLAKE3_BLOCK_LEN 64
#define BLAKE3_CHUNK_LEN 1024
#define BLAKE3_MAX_DEPTH 54	/* 2^54 chunks are 2^64 bytes */

/* A hash in progress.  May hold secret input: wiped by blake3_final(). */
struct blake3 {
	uint32_t start[8];		/* what each chunk begins with */
	uint32_t mode;			/* flag of every compression */
	uint32_t cv[8];			/* of the chunk being read */
	uint8_t block[BLAKE3_BLOCK_LEN];
	size_t block_len;
	uint32_t blocks_done;		/* of this chunk */
	uint64_t chunk;			/* number of this chunk */
	uint32_t stack[BLAKE3_MAX_DEPTH][8];
	size_t depth;
};

/* Begin; add n bytes, as often as wanted. */
void blake3_init(struct blake3 *b);
void blake3_update(struct blake3 *b, const void *in, size_t n);

/* Write the digest and wipe `b`. */
void blake3_final(struct blake3 *b, uint8_t out[static BLAKE3_LEN]);

/* The digest of one buffer. */
void blake3_hash(uint8_t out[static BLAKE3_LEN], const void *in, size_t n);

/* The derive_key mode: a key for the use named by `context` (a constant of the
 * protocol) from key material.  The caller wipes it. */
void blake3_derive_key(uint8_t out[static BLAKE3_LEN], const char *context,
    const void *material, size_t n);

/*
 * HKDF (RFC 5869) over HMAC-BLAKE3 with empty info and one block of output.
 *
 * salt  at most 64 bytes; length 0 means none.
 * out   caller's, `out_len` <= 32 bytes.  A key: the caller wipes it.
 */
void blake3_hkdf(uint8_t *out, size_t out_len, const void *salt,
    size_t salt_len, const void *ikm, size_t ikm_len);

#endif
