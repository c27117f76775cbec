/*
 * prim_x86.h - AES, SHA-256 and POLYVAL by the processor's own instructions.
 *
 * Behind prim.h and polyval.c; nobody else includes it.  On other machines
 * x86_detect() answers "nothing" and the rest must not be called.
 */
#ifndef SW_MIX_PRIM_X86_H
#define SW_MIX_PRIM_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct x86_features {
	bool aes;
	bool sha;
	bool clmul;
};

/* Of this processor; elsewhere than on x86-64: none. */
struct x86_features x86_detect(void);

/* Round keys of an AES key of 16 or 32 bytes, 15 * 16 bytes at most. */
struct x86_aes {
	_Alignas(16) uint8_t round[15][16];
	int rounds;
};

/* key_len is 16 or 32.  `blocks` of 16 bytes each, also in place. */
void x86_aes_init(struct x86_aes *a, const uint8_t *key, size_t key_len);
void x86_aes_encrypt(const struct x86_aes *a, uint8_t *out, const uint8_t *in,
    size_t blocks);
/* Counter mode; iv is a 128-bit big-endian counter.  n is any length. */
void x86_aes_ctr(const struct x86_aes *a, uint8_t *out, const uint8_t *in,
    size_t n, const uint8_t iv[static 16]);

/* The SHA-256 compression function over whole 64-byte blocks. */
void x86_sha256_blocks(uint32_t state[static 8], const uint8_t *in,
    size_t blocks);

/* acc := (acc ^ block) * h, for each 16-byte block, in POLYVAL's field. */
void x86_polyval(uint8_t acc[static 16], const uint8_t h[static 16],
    const uint8_t *in, size_t blocks);

#endif
