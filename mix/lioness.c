/*
 * Four Feistel rounds over a left part of 32 bytes and the rest: the stream
 * cipher keyed by the left part changes the right, the keyed hash of the
 * right changes the left.  The key is k1 (32), k2 (64), k3 (32), k4 (64).
 */
#include "mix/lioness.h"

#include <assert.h>

#include "base/wipe.h"
#include "mix/prim.h"

#define LEFT_LEN 32
#define K2 32
#define K3 96
#define K4 128

static void
change_right(uint8_t *block, size_t n, const uint8_t key[static LEFT_LEN])
{
	uint8_t k[LEFT_LEN];

	for (size_t i = 0; i < LEFT_LEN; i++)
		k[i] = block[i] ^ key[i];
	prim_chacha20_xor(block + LEFT_LEN, n - LEFT_LEN, k);
	sw_wipe(k, sizeof(k));
}

static void
change_left(uint8_t *block, size_t n, const uint8_t key[static 64])
{
	uint8_t h[LEFT_LEN];

	prim_blake2b_keyed(h, key, block + LEFT_LEN, n - LEFT_LEN);
	for (size_t i = 0; i < LEFT_LEN; i++)
		block[i] ^= h[i];
	sw_wipe(h, sizeof(h));
}

void
lioness_encrypt(uint8_t *block, size_t n,
    const uint8_t key[static LIONESS_KEY_LEN])
{
	assert(n >= LIONESS_MIN_LEN);
	change_right(block, n, key);
	change_left(block, n, key + K2);
	change_right(block, n, key + K3);
	change_left(block, n, key + K4);
}

void
lioness_decrypt(uint8_t *block, size_t n,
    const uint8_t key[static LIONESS_KEY_LEN])
{
	assert(n >= LIONESS_MIN_LEN);
	change_left(block, n, key + K4);
	change_right(block, n, key + K3);
	change_left(block, n, key + K2);
	change_right(block, n, key);
}
