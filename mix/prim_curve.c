/* X25519, and Ed25519's signatures. */
#include "mix/prim_priv.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/wipe.h"
#include "mix/x25519_ifma.h"

/* libsodium uses its output as scratch for the scalar, so an output that is
 * also the point would change the point first: always a temporary. */
int
prim_x25519(uint8_t out[static X25519_KEY_LEN],
    const uint8_t k[static X25519_KEY_LEN],
    const uint8_t u[static X25519_KEY_LEN])
{
	uint8_t q[X25519_KEY_LEN];
	int r;

	r = crypto_scalarmult(q, k, u) == 0 ? SW_OK : SW_ERR_FORMAT;
	if (r == SW_OK)
		memcpy(out, q, sizeof(q));
	else
		memset(out, 0, sizeof(q));
	sw_wipe(q, sizeof(q));
	return r;
}

static void
clamp(uint8_t k[static X25519_KEY_LEN])
{
	k[0] &= 248;
	k[31] &= 127;
	k[31] |= 64;
}

unsigned
prim_x25519_many(struct prim_lanes *l, size_t n)
{
	static const uint8_t zero[X25519_KEY_LEN];
	unsigned refused = 0;

	assert(n <= PRIM_LANES);
	if (n < X25519_IFMA_WORTH || !prim_hardware.ifma) {
		for (size_t i = 0; i < n; i++)
			if (prim_x25519(l->out[i], l->k[i], l->u[i]) != SW_OK)
				refused |= 1u << i;
		return refused;
	}
	for (size_t i = 0; i < n; i++)
		clamp(l->k[i]);
	/* The others have to be something. */
	for (size_t i = n; i < PRIM_LANES; i++) {
		memset(l->k[i], 0, sizeof(l->k[i]));
		memset(l->u[i], 0, sizeof(l->u[i]));
	}
	x25519_ifma(l);
	for (size_t i = 0; i < n; i++)
		if (sw_equal_ct(l->out[i], zero, sizeof(zero)))
			refused |= 1u << i;
	return refused;
}

void
prim_x25519_job(struct comb_job *job, const uint8_t k[static X25519_KEY_LEN],
    const struct comb *table)
{
	job->table = table != NULL ? table : prim_base_table;
	memcpy(job->k, k, sizeof(job->k));
	clamp(job->k);
}

void
prim_x25519_base(uint8_t out[static X25519_KEY_LEN],
    const uint8_t k[static X25519_KEY_LEN])
{
	struct comb_job job;
	int r;

	prim_x25519_job(&job, k, NULL);
	r = comb_mul_many(&job, 1);
	assert(r == SW_OK);		/* the base point has prime order */
	memcpy(out, job.out, sizeof(job.out));
	sw_wipe(&job, sizeof(job));
}

static void
chain_reduce(uint8_t out[static 32], const uint8_t k[static X25519_KEY_LEN])
{
	uint8_t wide[crypto_core_ed25519_NONREDUCEDSCALARBYTES] = { 0 };

	memcpy(wide, k, X25519_KEY_LEN);
	wide[0] &= 248;
	wide[31] &= 127;
	wide[31] |= 64;
	crypto_core_ed25519_scalar_reduce(out, wide);
	sw_wipe(wide, sizeof(wide));
}

void
prim_chain_init(struct prim_chain *c, const uint8_t k[static X25519_KEY_LEN])
{
	chain_reduce(c->product, k);
}

void
prim_chain_mul(struct prim_chain *c, const uint8_t k[static X25519_KEY_LEN])
{
	uint8_t s[32], p[32];

	chain_reduce(s, k);
	crypto_core_ed25519_scalar_mul(p, c->product, s);
	memcpy(c->product, p, sizeof(p));
	sw_wipe(s, sizeof(s));
	sw_wipe(p, sizeof(p));
}

/*
 * Find a clamped scalar that acts as the product s does.  With l the group's
 * order, t = s/8 mod l gives 8t = s (mod l), and 8t kills the small-order
 * part of a point just as any clamped scalar does.  Clamped means that t has
 * bit 251 set and none above: take l - t when it has not, which only negates
 * the point and leaves its u coordinate alone.  (t in the 2^-127 part of
 * [0, l) where neither fits cannot be met.)
 */
static void
chain_clamped(uint8_t out[static 32], const struct prim_chain *c)
{
	static const uint8_t eighth[32] = {
		0x79, 0x2f, 0xdc, 0xe2, 0x29, 0xe5, 0x06, 0x61,
		0xd0, 0xda, 0x1c, 0x7d, 0xb3, 0x9d, 0xd3, 0x07,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x06,
	};
	uint8_t t[32], neg[32], keep;
	unsigned carry = 0;

	crypto_core_ed25519_scalar_mul(t, c->product, eighth);
	crypto_core_ed25519_scalar_negate(neg, t);
	keep = (uint8_t)(0 - (t[31] >> 3 & 1));
	for (size_t i = 0; i < sizeof(t); i++) {
		unsigned v = (unsigned)(t[i] & keep) |
		    (unsigned)(neg[i] & (uint8_t)~keep);

		out[i] = (uint8_t)(v << 3 | carry);
		carry = v >> 5;
	}
	sw_wipe(t, sizeof(t));
	sw_wipe(neg, sizeof(neg));
}

int
prim_chain_apply(uint8_t out[static X25519_KEY_LEN],
    const struct prim_chain *c, const uint8_t u[static X25519_KEY_LEN])
{
	uint8_t k[32];
	int r;

	chain_clamped(k, c);
	r = prim_x25519(out, k, u);
	sw_wipe(k, sizeof(k));
	return r;
}

void
prim_chain_job(struct comb_job *job, const struct prim_chain *c,
    const struct comb *table)
{
	job->table = table;
	chain_clamped(job->k, c);
}

/* The one-multiplication form agrees with the two-step form exactly on the
 * curve: on the twist the product would have to be taken modulo another
 * order.  Fixed scalars suffice, since nothing here is secret. */
bool
prim_x25519_is_on_curve(const uint8_t u[static X25519_KEY_LEN])
{
	static const uint8_t k1[X25519_KEY_LEN] = { 0x29, 0x31, 0x17, 0x4c };
	static const uint8_t k2[X25519_KEY_LEN] = { 0xc1, 0x08, 0x5b, 0x9e };
	uint8_t steps[X25519_KEY_LEN], once[X25519_KEY_LEN];
	struct prim_chain c;

	prim_chain_init(&c, k1);
	prim_chain_mul(&c, k2);
	return prim_x25519(steps, k1, u) == SW_OK &&
	    prim_x25519(steps, k2, steps) == SW_OK &&
	    prim_chain_apply(once, &c, u) == SW_OK &&
	    sw_equal_ct(steps, once, sizeof(steps));
}

void
prim_ed25519_public(uint8_t pk[static ED25519_PK_LEN],
    const uint8_t seed[static ED25519_SEED_LEN])
{
	uint8_t sk[crypto_sign_SECRETKEYBYTES];

	crypto_sign_seed_keypair(pk, sk, seed);
	sw_wipe(sk, sizeof(sk));
}

void
prim_ed25519_sign(uint8_t sig[static ED25519_SIG_LEN],
    const uint8_t seed[static ED25519_SEED_LEN], const void *m, size_t n)
{
	uint8_t sk[crypto_sign_SECRETKEYBYTES], pk[ED25519_PK_LEN];

	crypto_sign_seed_keypair(pk, sk, seed);
	crypto_sign_detached(sig, NULL, m, n, sk);
	sw_wipe(sk, sizeof(sk));
}

int
prim_ed25519_verify(const uint8_t sig[static ED25519_SIG_LEN],
    const uint8_t pk[static ED25519_PK_LEN], const void *m, size_t n)
{
	return crypto_sign_verify_detached(sig, m, n, pk) == 0 ?
	    SW_OK : SW_ERR_AUTH;
}

bool
prim_ed25519_is_point(const uint8_t pk[static ED25519_PK_LEN])
{
	return crypto_core_ed25519_is_valid_point(pk) == 1;
}
