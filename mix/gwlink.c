#include "mix/gwlink.h"

#include <string.h>

#include "base/wipe.h"
#include "base/wire.h"
#include "base/blake3.h"

#define SEALED_SIG_LEN (ED25519_SIG_LEN + GCM_SIV_TAG_LEN)

static void
new_ephemeral(struct gwlink *l, struct rng *rng)
{
	rng_fill(rng, l->sk, sizeof(l->sk));
	prim_x25519_base(l->ours, l->sk);
}

static int
derive(struct gwlink *l)
{
	uint8_t shared[X25519_KEY_LEN];
	int r;

	if ((r = prim_x25519(shared, l->sk, l->theirs)) == SW_OK)
		blake3_hkdf(l->key, sizeof(l->key), l->salt, sizeof(l->salt),
		    shared, sizeof(shared));
	sw_wipe(shared, sizeof(shared));
	return r;
}

/* Signature over both ephemerals, the signer's first; sealed, then nonce. */
static void
put_proof(struct gwlink *l, struct rng *rng,
    uint8_t out[static GWLINK_CLIENT_LEN])
{
	uint8_t both[2 * X25519_KEY_LEN];
	uint8_t *nonce = out + SEALED_SIG_LEN;

	memcpy(both, l->ours, X25519_KEY_LEN);
	memcpy(both + X25519_KEY_LEN, l->theirs, X25519_KEY_LEN);
	prim_ed25519_sign(out, l->seed, both, sizeof(both));
	rng_fill(rng, nonce, GCM_SIV_NONCE_LEN);
	gcm_siv_seal(l->key, nonce, NULL, 0, out, ED25519_SIG_LEN,
	    out + ED25519_SIG_LEN);
}

static int
check_proof(struct gwlink *l, const uint8_t in[static GWLINK_CLIENT_LEN])
{
	uint8_t both[2 * X25519_KEY_LEN], sig[ED25519_SIG_LEN];

	memcpy(both, l->theirs, X25519_KEY_LEN);
	memcpy(both + X25519_KEY_LEN, l->ours, X25519_KEY_LEN);
	memcpy(sig, in, sizeof(sig));
	if (gcm_siv_open(l->key, in + SEALED_SIG_LEN, NULL, 0, sig,
	    sizeof(sig), in + ED25519_SIG_LEN) != SW_OK)
		return SW_ERR_AUTH;
	return prim_ed25519_verify(sig, l->peer, both, sizeof(both));
}

void
gwlink_start(struct gwlink *l, const uint8_t seed[static 32],
    const uint8_t gateway[static 32], struct rng *rng,
    uint8_t out[static GWLINK_INIT_LEN])
{
	memset(l, 0, sizeof(*l));
	memcpy(l->seed, seed, sizeof(l->seed));
	memcpy(l->peer, gateway, sizeof(l->peer));
	new_ephemeral(l, rng);
	rng_fill(rng, l->salt, sizeof(l->salt));
	prim_ed25519_public(out, seed);
	memcpy(out + 32, l->ours, 32);
	memcpy(out + 64, l->salt, sizeof(l->salt));
}

int
gwlink_answer(struct gwlink *l, const uint8_t seed[static 32],
    const uint8_t *in, size_t n, struct rng *rng,
    uint8_t out[static GWLINK_GATEWAY_LEN])
{
	int r;

	memset(l, 0, sizeof(*l));
	if (n != GWLINK_INIT_LEN || !prim_ed25519_is_point(in))
		return SW_ERR_FORMAT;
	memcpy(l->seed, seed, sizeof(l->seed));
	memcpy(l->peer, in, 32);
	memcpy(l->theirs, in + 32, 32);
	memcpy(l->salt, in + 64, sizeof(l->salt));
	new_ephemeral(l, rng);
	if ((r = derive(l)) != SW_OK) {
		sw_wipe(l, sizeof(*l));
		return r;
	}
	memcpy(out, l->ours, 32);
	put_proof(l, rng, out + 32);
	return SW_OK;
}

int
gwlink_finish(struct gwlink *l, const uint8_t *in, size_t n, struct rng *rng,
    uint8_t out[static GWLINK_CLIENT_LEN])
{
	int r = SW_ERR_FORMAT;

	if (n != GWLINK_GATEWAY_LEN)
		goto out;
	memcpy(l->theirs, in, 32);
	if ((r = derive(l)) != SW_OK ||
	    (r = check_proof(l, in + 32)) != SW_OK)
		goto out;
	put_proof(l, rng, out);
out:
	if (r != SW_OK)
		sw_wipe(l, sizeof(*l));
	return r;
}

int
gwlink_verify(struct gwlink *l, const uint8_t *in, size_t n)
{
	int r = n == GWLINK_CLIENT_LEN ? check_proof(l, in) : SW_ERR_FORMAT;

	if (r != SW_OK)
		sw_wipe(l, sizeof(*l));
	return r;
}

/* version, identity, address, nonce, time: what the client signs. */
#define SIGNED_LEN (1 + 32 + 48 + GCM_SIV_NONCE_LEN + 8)

static void
signed_bytes(uint8_t out[static SIGNED_LEN], const struct gwmsg_auth *a,
    uint8_t version)
{
	uint8_t *p = out;

	*p++ = version;
	memcpy(p, a->identity, sizeof(a->identity));
	p += sizeof(a->identity);
	memcpy(p, a->address, sizeof(a->address));
	p += sizeof(a->address);
	memcpy(p, a->nonce, sizeof(a->nonce));
	p += sizeof(a->nonce);
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(a->timestamp >> (56 - 8 * i));
}

void
gwlink_prove(struct gwmsg_auth *a, uint8_t version,
    const uint8_t seed[static 32], const uint8_t key[static GWLINK_KEY_LEN],
    uint64_t timestamp, struct rng *rng)
{
	uint8_t m[SIGNED_LEN];

	memset(a, 0, sizeof(*a));
	prim_ed25519_public(a->identity, seed);
	memcpy(a->address, a->identity, sizeof(a->identity));
	rng_fill(rng, a->nonce, sizeof(a->nonce));
	gcm_siv_seal(key, a->nonce, NULL, 0, a->address, 32, a->address + 32);
	a->timestamp = timestamp;
	signed_bytes(m, a, version);
	prim_ed25519_sign(a->signature, seed, m, sizeof(m));
}

int
gwlink_check(const struct gwmsg_auth *a, uint8_t version,
    const uint8_t key[static GWLINK_KEY_LEN])
{
	uint8_t m[SIGNED_LEN], address[32];

	signed_bytes(m, a, version);
	if (prim_ed25519_verify(a->signature, a->identity, m, sizeof(m)) !=
	    SW_OK)
		return SW_ERR_AUTH;
	memcpy(address, a->address, sizeof(address));
	if (gcm_siv_open(key, a->nonce, NULL, 0, address, sizeof(address),
	    a->address + 32) != SW_OK ||
	    memcmp(address, a->identity, sizeof(address)) != 0)
		return SW_ERR_AUTH;
	return SW_OK;
}

void
gwlink_seal(uint8_t *frame, size_t n, uint8_t kind,
    const uint8_t key[static GWLINK_KEY_LEN], struct rng *rng)
{
	uint8_t *plain = frame + GWLINK_FRAME_HEAD_LEN;

	frame[0] = kind;
	frame[1] = 1;				/* encrypted */
	rng_fill(rng, frame + 2, GCM_SIV_NONCE_LEN);
	gcm_siv_seal(key, frame + 2, NULL, 0, plain, n, plain + n);
}

int
gwlink_open(uint8_t *frame, size_t len, uint8_t *kind,
    const uint8_t key[static GWLINK_KEY_LEN], uint8_t **plain, size_t *n)
{
	*plain = NULL;
	*n = 0;
	*kind = 0;
	if (len < GWLINK_FRAME_OVERHEAD || frame[1] != 1)
		return SW_ERR_FORMAT;
	*kind = frame[0];
	len -= GWLINK_FRAME_OVERHEAD;
	if (gcm_siv_open(key, frame + 2, NULL, 0,
	    frame + GWLINK_FRAME_HEAD_LEN, len,
	    frame + GWLINK_FRAME_HEAD_LEN + len) != SW_OK)
		return SW_ERR_MAC;
	*plain = frame + GWLINK_FRAME_HEAD_LEN;
	*n = len;
	return SW_OK;
}
