/*
 * Chunks of 1024 bytes are hashed as chains of 64-byte blocks; finished
 * chunks become leaves of a binary tree whose left subtrees are always full.
 * So the stack holds one chaining value for every 1 bit of the chunk count,
 * and adding chunk number c merges as many pairs as c has trailing zero bits.
 */
#include "base/blake3.h"

#include <assert.h>
#include <string.h>

#include "base/wipe.h"

enum {
	CHUNK_START = 1,
	CHUNK_END = 2,
	PARENT = 4,
	ROOT = 8,
	DERIVE_KEY_CONTEXT = 32,
	DERIVE_KEY_MATERIAL = 64,
};

static const uint32_t iv[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static const uint8_t shuffle[16] = {
	2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8,
};

static uint32_t
rotr(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static void
mix_column(uint32_t v[16], int a, int b, int c, int d, uint32_t x, uint32_t y)
{
	v[a] += v[b] + x;
	v[d] = rotr(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = rotr(v[b] ^ v[c], 12);
	v[a] += v[b] + y;
	v[d] = rotr(v[d] ^ v[a], 8);
	v[c] += v[d];
	v[b] = rotr(v[b] ^ v[c], 7);
}

/* cv becomes the first half of the compression function's output. */
static void
compress(uint32_t cv[8], const uint8_t block[BLAKE3_BLOCK_LEN], size_t len,
    uint64_t counter, uint32_t flags)
{
	uint32_t m[16], t[16], v[16];

	for (size_t i = 0; i < 16; i++)
		m[i] = (uint32_t)block[4 * i] |
		    (uint32_t)block[4 * i + 1] << 8 |
		    (uint32_t)block[4 * i + 2] << 16 |
		    (uint32_t)block[4 * i + 3] << 24;
	memcpy(v, cv, 8 * sizeof(*v));
	memcpy(v + 8, iv, 4 * sizeof(*v));
	v[12] = (uint32_t)counter;
	v[13] = (uint32_t)(counter >> 32);
	v[14] = (uint32_t)len;
	v[15] = flags;

	for (int round = 0; round < 7; round++) {
		mix_column(v, 0, 4, 8, 12, m[0], m[1]);
		mix_column(v, 1, 5, 9, 13, m[2], m[3]);
		mix_column(v, 2, 6, 10, 14, m[4], m[5]);
		mix_column(v, 3, 7, 11, 15, m[6], m[7]);
		mix_column(v, 0, 5, 10, 15, m[8], m[9]);
		mix_column(v, 1, 6, 11, 12, m[10], m[11]);
		mix_column(v, 2, 7, 8, 13, m[12], m[13]);
		mix_column(v, 3, 4, 9, 14, m[14], m[15]);
		for (int i = 0; i < 16; i++)
			t[i] = m[shuffle[i]];
		memcpy(m, t, sizeof(m));
	}
	for (int i = 0; i < 8; i++)
		cv[i] = v[i] ^ v[i + 8];
	sw_wipe(m, sizeof(m));
	sw_wipe(t, sizeof(t));
	sw_wipe(v, sizeof(v));
}

static void
put_words(uint8_t out[static 32], const uint32_t w[8])
{
	for (int i = 0; i < 32; i++)
		out[i] = (uint8_t)(w[i / 4] >> (8 * (i % 4)));
}

/* right becomes the chaining value of the node above left and right. */
static void
merge(const struct blake3 *b, const uint32_t left[8], uint32_t right[8],
    uint32_t flags)
{
	uint8_t block[BLAKE3_BLOCK_LEN];

	put_words(block, left);
	put_words(block + 32, right);
	memcpy(right, b->start, sizeof(b->start));
	compress(right, block, sizeof(block), 0, PARENT | b->mode | flags);
	sw_wipe(block, sizeof(block));
}

static void
start_chunk(struct blake3 *b)
{
	memcpy(b->cv, b->start, sizeof(b->start));
	b->block_len = 0;
	b->blocks_done = 0;
}

static void
finish_block(struct blake3 *b, uint32_t flags)
{
	memset(b->block + b->block_len, 0, sizeof(b->block) - b->block_len);
	if (b->blocks_done == 0)
		flags |= CHUNK_START;
	compress(b->cv, b->block, b->block_len, b->chunk, b->mode | flags);
	b->blocks_done++;
	b->block_len = 0;
}

static void
finish_chunk(struct blake3 *b)
{
	uint64_t n;

	finish_block(b, CHUNK_END);
	for (n = ++b->chunk; (n & 1) == 0; n >>= 1)
		merge(b, b->stack[--b->depth], b->cv, 0);
	memcpy(b->stack[b->depth++], b->cv, sizeof(b->cv));
	start_chunk(b);
}

void
blake3_init(struct blake3 *b)
{
	memset(b, 0, sizeof(*b));
	memcpy(b->start, iv, sizeof(iv));
	start_chunk(b);
}

/* A full block stays in the buffer until more arrives, since the last block
 * of a chunk and of the message are marked. */
void
blake3_update(struct blake3 *b, const void *in, size_t n)
{
	const uint8_t *p = in;

	while (n > 0) {
		size_t take;

		if (b->block_len == BLAKE3_BLOCK_LEN) {
			if (b->blocks_done == BLAKE3_CHUNK_LEN /
			    BLAKE3_BLOCK_LEN - 1)
				finish_chunk(b);
			else
				finish_block(b, 0);
		}
		take = BLAKE3_BLOCK_LEN - b->block_len;
		if (take > n)
			take = n;
		memcpy(b->block + b->block_len, p, take);
		b->block_len += take;
		p += take;
		n -= take;
	}
}

void
blake3_final(struct blake3 *b, uint8_t out[static BLAKE3_LEN])
{
	finish_block(b, b->depth == 0 ? CHUNK_END | ROOT : CHUNK_END);
	while (b->depth > 0) {
		b->depth--;
		merge(b, b->stack[b->depth], b->cv, b->depth == 0 ? ROOT : 0);
	}
	put_words(out, b->cv);
	sw_wipe(b, sizeof(*b));
}

void
blake3_hash(uint8_t out[static BLAKE3_LEN], const void *in, size_t n)
{
	struct blake3 b;

	blake3_init(&b);
	blake3_update(&b, in, n);
	blake3_final(&b, out);
}

void
blake3_derive_key(uint8_t out[static BLAKE3_LEN], const char *context,
    const void *material, size_t n)
{
	struct blake3 b;
	uint8_t key[BLAKE3_LEN];

	blake3_init(&b);
	b.mode = DERIVE_KEY_CONTEXT;
	blake3_update(&b, context, strlen(context));
	blake3_final(&b, key);

	blake3_init(&b);
	b.mode = DERIVE_KEY_MATERIAL;
	for (size_t i = 0; i < 8; i++)
		b.start[i] = (uint32_t)key[4 * i] |
		    (uint32_t)key[4 * i + 1] << 8 |
		    (uint32_t)key[4 * i + 2] << 16 |
		    (uint32_t)key[4 * i + 3] << 24;
	start_chunk(&b);
	blake3_update(&b, material, n);
	blake3_final(&b, out);
	sw_wipe(key, sizeof(key));
}

/* HMAC-BLAKE3 of one buffer under a key of at most 64 bytes. */
static void
hmac(uint8_t out[static BLAKE3_LEN], const void *key, size_t key_len,
    const void *in, size_t n)
{
	uint8_t pad[BLAKE3_BLOCK_LEN] = { 0 };
	uint8_t inner[BLAKE3_LEN];
	struct blake3 b;

	assert(key_len <= sizeof(pad));
	if (key_len > 0)
		memcpy(pad, key, key_len);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36;
	blake3_init(&b);
	blake3_update(&b, pad, sizeof(pad));
	blake3_update(&b, in, n);
	blake3_final(&b, inner);

	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	blake3_init(&b);
	blake3_update(&b, pad, sizeof(pad));
	blake3_update(&b, inner, sizeof(inner));
	blake3_final(&b, out);
	sw_wipe(pad, sizeof(pad));
	sw_wipe(inner, sizeof(inner));
}

void
blake3_hkdf(uint8_t *out, size_t out_len, const void *salt, size_t salt_len,
    const void *ikm, size_t ikm_len)
{
	static const uint8_t one = 1;
	uint8_t prk[BLAKE3_LEN], okm[BLAKE3_LEN];

	assert(out_len <= sizeof(okm));
	hmac(prk, salt, salt_len, ikm, ikm_len);
	hmac(okm, prk, sizeof(prk), &one, 1);
	memcpy(out, okm, out_len);
	sw_wipe(prk, sizeof(prk));
	sw_wipe(okm, sizeof(okm));
}
