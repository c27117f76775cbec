/*
 * fe25519.h - arithmetic modulo 2^255 - 19, for comb.c alone.
 *
 * Five limbs of 51 bits.  Products leave limbs of little more than 51 bits; a
 * sum or a difference of two such may be an operand of the next product
 * without being reduced, and so may the sum of a sum and a difference.
 */
#ifndef SW_MIX_FE25519_H
#define SW_MIX_FE25519_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct fe {
	uint64_t v[5];
};

__extension__ typedef unsigned __int128 fe_wide;

#define FE_MASK ((UINT64_C(1) << 51) - 1)

static inline struct fe
fe_small(uint64_t n)
{
	return (struct fe){ { n } };
}

static inline struct fe
fe_add(struct fe a, struct fe b)
{
	for (int i = 0; i < 5; i++)
		a.v[i] += b.v[i];
	return a;
}

/* Four times the modulus keeps every limb above zero. */
static inline struct fe
fe_sub(struct fe a, struct fe b)
{
	a.v[0] += 0x1fffffffffffb4 - b.v[0];
	for (int i = 1; i < 5; i++)
		a.v[i] += 0x1ffffffffffffc - b.v[i];
	return a;
}

static inline struct fe
fe_carry(fe_wide r0, fe_wide r1, fe_wide r2, fe_wide r3, fe_wide r4)
{
	struct fe o;

	r1 += (uint64_t)(r0 >> 51);
	r2 += (uint64_t)(r1 >> 51);
	r3 += (uint64_t)(r2 >> 51);
	r4 += (uint64_t)(r3 >> 51);
	r0 = (r0 & FE_MASK) + (r4 >> 51) * 19;
	o.v[0] = (uint64_t)r0 & FE_MASK;
	o.v[1] = ((uint64_t)r1 & FE_MASK) + (uint64_t)(r0 >> 51);
	o.v[2] = (uint64_t)r2 & FE_MASK;
	o.v[3] = (uint64_t)r3 & FE_MASK;
	o.v[4] = (uint64_t)r4 & FE_MASK;
	return o;
}

static inline struct fe
fe_mul(struct fe x, struct fe y)
{
	const uint64_t *a = x.v, *b = y.v;
	uint64_t b1 = 19 * b[1], b2 = 19 * b[2], b3 = 19 * b[3];
	uint64_t b4 = 19 * b[4];

	return fe_carry(
	    (fe_wide)a[0] * b[0] + (fe_wide)a[1] * b4 + (fe_wide)a[2] * b3 +
	    (fe_wide)a[3] * b2 + (fe_wide)a[4] * b1,
	    (fe_wide)a[0] * b[1] + (fe_wide)a[1] * b[0] +
	    (fe_wide)a[2] * b4 + (fe_wide)a[3] * b3 + (fe_wide)a[4] * b2,
	    (fe_wide)a[0] * b[2] + (fe_wide)a[1] * b[1] +
	    (fe_wide)a[2] * b[0] + (fe_wide)a[3] * b4 + (fe_wide)a[4] * b3,
	    (fe_wide)a[0] * b[3] + (fe_wide)a[1] * b[2] +
	    (fe_wide)a[2] * b[1] + (fe_wide)a[3] * b[0] + (fe_wide)a[4] * b4,
	    (fe_wide)a[0] * b[4] + (fe_wide)a[1] * b[3] +
	    (fe_wide)a[2] * b[2] + (fe_wide)a[3] * b[1] +
	    (fe_wide)a[4] * b[0]);
}

static inline struct fe
fe_square(struct fe x)
{
	const uint64_t *a = x.v;
	uint64_t d0 = 2 * a[0], d1 = 2 * a[1];
	uint64_t t3 = 19 * a[3], t4 = 19 * a[4];

	return fe_carry(
	    (fe_wide)a[0] * a[0] + (fe_wide)d1 * t4 +
	    (fe_wide)(2 * a[2]) * t3,
	    (fe_wide)d0 * a[1] + (fe_wide)(2 * a[2]) * t4 +
	    (fe_wide)a[3] * t3,
	    (fe_wide)d0 * a[2] + (fe_wide)a[1] * a[1] +
	    (fe_wide)(2 * a[3]) * t4,
	    (fe_wide)d0 * a[3] + (fe_wide)d1 * a[2] + (fe_wide)a[4] * t4,
	    (fe_wide)d0 * a[4] + (fe_wide)d1 * a[3] + (fe_wide)a[2] * a[2]);
}

static inline struct fe
fe_square_n(struct fe x, int n)
{
	while (n-- > 0)
		x = fe_square(x);
	return x;
}

/* z^(2^250 - 1); z11 gets z^11. */
static inline struct fe
fe_pow_250(struct fe z, struct fe *z11)
{
	struct fe z2 = fe_square(z);
	struct fe z9 = fe_mul(fe_square_n(z2, 2), z);
	struct fe p5, p10, p20, p40, p50, p100, p200;

	*z11 = fe_mul(z9, z2);
	p5 = fe_mul(fe_square(*z11), z9);
	p10 = fe_mul(fe_square_n(p5, 5), p5);
	p20 = fe_mul(fe_square_n(p10, 10), p10);
	p40 = fe_mul(fe_square_n(p20, 20), p20);
	p50 = fe_mul(fe_square_n(p40, 10), p10);
	p100 = fe_mul(fe_square_n(p50, 50), p50);
	p200 = fe_mul(fe_square_n(p100, 100), p100);
	return fe_mul(fe_square_n(p200, 50), p50);
}

/* 1/z; 0 for 0. */
static inline struct fe
fe_invert(struct fe z)
{
	struct fe z11, p = fe_pow_250(z, &z11);

	return fe_mul(fe_square_n(p, 5), z11);
}

/* z^((p - 5) / 8). */
static inline struct fe
fe_pow_p58(struct fe z)
{
	struct fe z11, p = fe_pow_250(z, &z11);

	return fe_mul(fe_square_n(p, 2), z);
}

/* The top bit is ignored, as X25519 has it. */
static inline struct fe
fe_get(const uint8_t in[static 32])
{
	uint64_t w[4] = { 0 };

	for (int i = 0; i < 32; i++)
		w[i / 8] |= (uint64_t)in[i] << (8 * (i % 8));
	return (struct fe){ {
		w[0] & FE_MASK,
		(w[0] >> 51 | w[1] << 13) & FE_MASK,
		(w[1] >> 38 | w[2] << 26) & FE_MASK,
		(w[2] >> 25 | w[3] << 39) & FE_MASK,
		w[3] >> 12 & FE_MASK,
	} };
}

/* The one representative below the modulus. */
static inline void
fe_put(uint8_t out[static 32], struct fe a)
{
	uint64_t w[4], q;

	a = fe_mul(a, fe_small(1));
	/* q = 1 if a >= p: what would carry out of a + 19. */
	q = (a.v[0] + 19) >> 51;
	for (int i = 1; i < 5; i++)
		q = (a.v[i] + q) >> 51;
	a.v[0] += 19 * q;
	for (int i = 0; i < 4; i++) {
		a.v[i + 1] += a.v[i] >> 51;
		a.v[i] &= FE_MASK;
	}
	a.v[4] &= FE_MASK;
	w[0] = a.v[0] | a.v[1] << 51;
	w[1] = a.v[1] >> 13 | a.v[2] << 38;
	w[2] = a.v[2] >> 26 | a.v[3] << 25;
	w[3] = a.v[3] >> 39 | a.v[4] << 12;
	for (int i = 0; i < 32; i++)
		out[i] = (uint8_t)(w[i / 8] >> (8 * (i % 8)));
}

/* For public values. */
static inline bool
fe_equal(struct fe a, struct fe b)
{
	uint8_t x[32], y[32];

	fe_put(x, a);
	fe_put(y, b);
	return memcmp(x, y, sizeof(x)) == 0;
}

/* a := b if mask is all ones; unchanged if it is zero. */
static inline void
fe_move(struct fe *a, const struct fe *b, uint64_t mask)
{
	for (int i = 0; i < 5; i++)
		a->v[i] ^= mask & (a->v[i] ^ b->v[i]);
}

#endif
