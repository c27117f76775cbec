#include "mix/gcm_siv.h"

#include <string.h>

#include "base/wipe.h"
#include "mix/polyval.h"
#include "mix/prim.h"

#define CTR_BATCH 8

/* The two keys of one message.  Holds secrets. */
struct message_keys {
	uint8_t auth[POLYVAL_LEN];
	struct prim_aes aes;
};

static void
put_u32le(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t
get_u32le(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

/* RFC 8452 section 4: the first halves of six encrypted counter blocks. */
static void
derive(struct message_keys *k, const uint8_t key[static GCM_SIV_KEY_LEN],
    const uint8_t nonce[static GCM_SIV_NONCE_LEN])
{
	uint8_t blocks[6][AES_BLOCK_LEN], enc[AES256_KEY_LEN];
	struct prim_aes master;

	for (uint32_t i = 0; i < 6; i++) {
		put_u32le(blocks[i], i);
		memcpy(blocks[i] + 4, nonce, GCM_SIV_NONCE_LEN);
	}
	prim_aes_init(&master, key, GCM_SIV_KEY_LEN);
	prim_aes_encrypt(&master, blocks[0], blocks[0], 6);
	for (size_t i = 0; i < 2; i++)
		memcpy(k->auth + 8 * i, blocks[i], 8);
	for (size_t i = 0; i < 4; i++)
		memcpy(enc + 8 * i, blocks[2 + i], 8);
	prim_aes_init(&k->aes, enc, sizeof(enc));
	prim_aes_wipe(&master);
	sw_wipe(blocks, sizeof(blocks));
	sw_wipe(enc, sizeof(enc));
}

static void
put_bits(uint8_t out[static 8], size_t n)
{
	uint64_t bits = (uint64_t)n * 8;

	put_u32le(out, (uint32_t)bits);
	put_u32le(out + 4, (uint32_t)(bits >> 32));
}

static void
make_tag(const struct message_keys *k,
    const uint8_t nonce[static GCM_SIV_NONCE_LEN], const void *aad,
    size_t aad_len, const uint8_t *plain, size_t n,
    uint8_t tag[static GCM_SIV_TAG_LEN])
{
	uint8_t lengths[16];
	struct polyval p;

	put_bits(lengths, aad_len);
	put_bits(lengths + 8, n);
	polyval_init(&p, k->auth);
	if (aad_len > 0)
		polyval_update(&p, aad, aad_len);
	if (n > 0)
		polyval_update(&p, plain, n);
	polyval_update(&p, lengths, sizeof(lengths));
	for (size_t i = 0; i < GCM_SIV_NONCE_LEN; i++)
		p.acc[i] ^= nonce[i];
	p.acc[15] &= 0x7f;
	prim_aes_encrypt(&k->aes, tag, p.acc, 1);
	sw_wipe(&p, sizeof(p));
}

/* Counter mode whose counter is the first word, little endian. */
static void
crypt(const struct message_keys *k, const uint8_t tag[static GCM_SIV_TAG_LEN],
    uint8_t *buf, size_t n)
{
	uint8_t stream[CTR_BATCH][AES_BLOCK_LEN] = { { 0 } };
	uint32_t counter = get_u32le(tag);

	while (n > 0) {
		size_t take = n < sizeof(stream) ? n : sizeof(stream);
		size_t blocks = (take + AES_BLOCK_LEN - 1) / AES_BLOCK_LEN;

		for (size_t i = 0; i < blocks; i++) {
			memcpy(stream[i], tag, AES_BLOCK_LEN);
			put_u32le(stream[i], counter++);
			stream[i][15] |= 0x80;
		}
		prim_aes_encrypt(&k->aes, stream[0], stream[0], blocks);
		for (size_t i = 0; i < take; i++)
			buf[i] ^= stream[i / AES_BLOCK_LEN][i % AES_BLOCK_LEN];
		buf += take;
		n -= take;
	}
	sw_wipe(stream, sizeof(stream));
}

void
gcm_siv_seal(const uint8_t key[static GCM_SIV_KEY_LEN],
    const uint8_t nonce[static GCM_SIV_NONCE_LEN], const void *aad,
    size_t aad_len, uint8_t *buf, size_t n,
    uint8_t tag[static GCM_SIV_TAG_LEN])
{
	struct message_keys k;

	derive(&k, key, nonce);
	make_tag(&k, nonce, aad, aad_len, buf, n, tag);
	crypt(&k, tag, buf, n);
	sw_wipe(&k, sizeof(k));
}

int
gcm_siv_open(const uint8_t key[static GCM_SIV_KEY_LEN],
    const uint8_t nonce[static GCM_SIV_NONCE_LEN], const void *aad,
    size_t aad_len, uint8_t *buf, size_t n,
    const uint8_t tag[static GCM_SIV_TAG_LEN])
{
	uint8_t expected[GCM_SIV_TAG_LEN];
	struct message_keys k;
	int r = SW_OK;

	derive(&k, key, nonce);
	crypt(&k, tag, buf, n);
	make_tag(&k, nonce, aad, aad_len, buf, n, expected);
	if (!sw_equal_ct(expected, tag, sizeof(expected))) {
		sw_wipe(buf, n);
		r = SW_ERR_MAC;
	}
	sw_wipe(&k, sizeof(k));
	sw_wipe(expected, sizeof(expected));
	return r;
}
