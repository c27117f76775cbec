/*
 * gcm_alt.h - AES-GCM in place of mbedTLS's own (MBEDTLS_GCM_ALT), which takes
 * one block at a time: on x86-64 eight are encrypted and hashed together, some
 * ten times as fast.  The functions are those of mbedtls/gcm.h.
 */
#ifndef SW_TRANSPORT_MBEDTLS_GCM_ALT_H
#define SW_TRANSPORT_MBEDTLS_GCM_ALT_H

#include <stddef.h>
#include <stdint.h>

#include <mbedtls/aes.h>

#define GCM_ALT_POWERS 8

/* Holds a key. */
typedef struct mbedtls_gcm_context {
	mbedtls_aes_context aes;
	/* The hash's key, as it is; for the quick way, its first powers, as
	 * gcm_alt.c wants them: power[i] is the (i+1)th. */
	uint8_t key[16];
	uint8_t power[GCM_ALT_POWERS][16];
	uint8_t first[16];	/* the encrypted first counter, for the tag */
	uint8_t counter[16];	/* of the block encrypted last */
	uint8_t stream[16];	/* its key stream: len % 16 bytes are used */
	uint8_t hash[16];	/* so far; a part block is in it, not multiplied */
	uint64_t len, add_len;	/* bytes so far */
	int mode;		/* MBEDTLS_GCM_ENCRYPT or _DECRYPT */
	int quick;
} mbedtls_gcm_context;

/* For tests: the slow way even where there is a quick one. */
void gcm_alt_set_portable(int portable);

#endif
