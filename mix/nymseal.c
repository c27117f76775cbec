#include "mix/nymseal.h"

#include <assert.h>
#include <string.h>

#include "base/wipe.h"
#include "base/blake3.h"
#include "mix/comb.h"
#include "mix/prim.h"

/* Cannot be a fragment: those start with a byte of 0x80 or more. */
static const char cover[] = "The cake is a lie!";
#define COVER_LEN (sizeof(cover) - 1)

static const uint8_t zero_iv[AES_BLOCK_LEN];

static void
derive(uint8_t key[static NYMSEAL_KEY_LEN],
    const uint8_t shared[static X25519_KEY_LEN])
{
	blake3_hkdf(key, NYMSEAL_KEY_LEN, NULL, 0, shared, X25519_KEY_LEN);
}

int
nymseal_key(uint8_t key[static NYMSEAL_KEY_LEN],
    const uint8_t sk[static X25519_KEY_LEN],
    const uint8_t pk[static X25519_KEY_LEN])
{
	uint8_t shared[X25519_KEY_LEN];
	int r;

	memset(key, 0, NYMSEAL_KEY_LEN);
	if ((r = prim_x25519(shared, sk, pk)) == SW_OK)
		derive(key, shared);
	sw_wipe(shared, sizeof(shared));
	return r;
}

int
nymseal_agree(struct nymseal_pair *p, size_t n,
    const uint8_t to[static X25519_KEY_LEN], const struct comb *table,
    struct rng *rng)
{
	struct comb_job job[2 * NYMSEAL_BATCH];
	uint8_t sk[X25519_KEY_LEN];
	size_t each = table != NULL ? 2 : 1;
	int r = SW_OK;

	assert(n <= NYMSEAL_BATCH);
	memset(p, 0, n * sizeof(*p));
	for (size_t i = 0; i < n && r == SW_OK; i++) {
		rng_fill(rng, sk, sizeof(sk));
		prim_x25519_job(&job[i * each], sk, NULL);
		if (table != NULL)
			prim_x25519_job(&job[i * each + 1], sk, table);
		else
			r = nymseal_key(p[i].key, sk, to);
	}
	if (r == SW_OK)
		r = comb_mul_many(job, n * each);
	for (size_t i = 0; i < n && r == SW_OK; i++) {
		memcpy(p[i].pk, job[i * each].out, sizeof(p[i].pk));
		if (table != NULL)
			derive(p[i].key, job[i * each + 1].out);
	}
	if (r != SW_OK)
		sw_wipe(p, n * sizeof(*p));
	sw_wipe(sk, sizeof(sk));
	sw_wipe(job, n * each * sizeof(*job));
	return r;
}

void
nymseal_put(uint8_t *out, size_t n, const struct nymseal_pair *p)
{
	memcpy(out, p->pk, sizeof(p->pk));
	prim_aes128_ctr(out + NYMSEAL_HEAD_LEN, out + NYMSEAL_HEAD_LEN, n,
	    p->key, zero_iv);
}

void
nymseal_put_reply(uint8_t *out, size_t n,
    const uint8_t key[static SURB_KEY_LEN])
{
	surb_digest(out, key);
	prim_aes128_ctr(out + NYMSEAL_HEAD_LEN, out + NYMSEAL_HEAD_LEN, n, key,
	    zero_iv);
}

int
nymseal_open(uint8_t *in, size_t n, const uint8_t *reply_key,
    const uint8_t sk[static X25519_KEY_LEN])
{
	uint8_t key[NYMSEAL_KEY_LEN];
	int r = SW_OK;

	if (n < NYMSEAL_HEAD_LEN)
		return SW_ERR_TRUNCATED;
	if (reply_key != NULL)
		memcpy(key, reply_key, sizeof(key));
	else
		r = nymseal_key(key, sk, in);
	if (r == SW_OK)
		prim_aes128_ctr(in + NYMSEAL_HEAD_LEN, in + NYMSEAL_HEAD_LEN,
		    n - NYMSEAL_HEAD_LEN, key, zero_iv);
	sw_wipe(key, sizeof(key));
	return r;
}

void
nymseal_put_cover(uint8_t *frag, size_t n)
{
	memset(frag, 0, n);
	memcpy(frag, cover, COVER_LEN);
	frag[COVER_LEN] = 1;
}

bool
nymseal_is_cover(const uint8_t *frag, size_t n)
{
	return n >= COVER_LEN && memcmp(frag, cover, COVER_LEN) == 0;
}
