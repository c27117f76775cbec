/*
 * comb_mul.h - the multiplication by a table, for comb.c and comb_x86.c alone,
 * which compile it for any processor and for newer ones.
 */
#ifndef SW_MIX_COMB_MUL_H
#define SW_MIX_COMB_MUL_H

#include "base/wipe.h"
#include "mix/comb.h"
#include "mix/fe25519.h"

#define ROWS 32
#define ENTRIES 8
#define DIGITS 64

struct point {				/* x = X/Z, y = Y/Z, T = X Y / Z */
	struct fe x, y, z, t;
};

/* What is looked at as a whole: a register at a time. */
typedef uint64_t lane __attribute__((vector_size(16)));
#define LANES 8

struct entry {				/* an affine point, ready to be added */
	union {
		struct {
			struct fe plus, minus, t2d;	/* y + x, y - x,
							 * 2 d x y */
		};
		lane lane[LANES];
	};
};

struct comb {
	struct entry row[ROWS][ENTRIES];
	uint8_t u[32];			/* the point's coordinate */
};

static inline struct point
add_entry(const struct point *p, const struct entry *q)
{
	struct fe a = fe_mul(fe_sub(p->y, p->x), q->minus);
	struct fe b = fe_mul(fe_add(p->y, p->x), q->plus);
	struct fe c = fe_mul(p->t, q->t2d);
	struct fe d = fe_add(p->z, p->z);
	struct fe e = fe_sub(b, a), f = fe_sub(d, c);
	struct fe g = fe_add(d, c), h = fe_add(b, a);

	return (struct point){ fe_mul(e, f), fe_mul(g, h), fe_mul(f, g),
	    fe_mul(e, h) };
}

static inline struct point
double_point(const struct point *p)
{
	struct fe a = fe_square(p->x), b = fe_square(p->y);
	struct fe zz = fe_square(p->z), c = fe_add(zz, zz);
	struct fe sum = fe_square(fe_add(p->x, p->y));
	struct fe h = fe_mul(fe_add(a, b), fe_small(1));
	struct fe e = fe_sub(h, sum), g = fe_sub(a, b);
	struct fe f = fe_mul(fe_add(c, g), fe_small(1));

	return (struct point){ fe_mul(e, f), fe_mul(g, h), fe_mul(f, g),
	    fe_mul(e, h) };
}

/* 64 digits from -8 to 8.  k is below 2^255, so the last has room. */
static inline void
recode(int8_t digit[static DIGITS], const uint8_t k[static 32])
{
	int carry = 0, v;

	for (int i = 0; i < DIGITS; i++) {
		v = (k[i / 2] >> (i % 2 ? 4 : 0) & 15) + carry;
		carry = i < DIGITS - 1 ? (v + 8) >> 4 : 0;
		digit[i] = (int8_t)(v - (carry << 4));
	}
}

/* All ones if a == b, else zero. */
static inline uint64_t
mask_equal(uint64_t a, uint64_t b)
{
	return 0 - (((a ^ b) - 1) >> 63);
}

/* `digit` times the row's point, looking at every entry. */
static inline struct entry
pick(const struct entry row[static ENTRIES], int8_t digit)
{
	uint64_t negative = (uint64_t)0 - ((uint8_t)digit >> 7), none;
	uint8_t size = (uint8_t)((digit ^ (int8_t)negative) -
	    (int8_t)negative);
	struct fe swapped, minus;
	struct entry e = { .lane = { { 0 } } };

	for (unsigned i = 0; i < ENTRIES; i++) {
		uint64_t equal = mask_equal(size, i + 1);
		lane mask = { equal, equal };

		for (unsigned k = 0; k < LANES; k++)
			e.lane[k] |= mask & row[i].lane[k];
	}
	none = mask_equal(size, 0) & 1;	/* then it is zero: y = 1, x = 0 */
	e.plus.v[0] |= none;
	e.minus.v[0] |= none;
	swapped = e.plus;
	fe_move(&e.plus, &e.minus, negative);
	fe_move(&e.minus, &swapped, negative);
	minus = fe_sub(fe_small(0), e.t2d);
	fe_move(&e.t2d, &minus, negative);
	return e;
}

/* k times the table's point, as the fraction up / down of its coordinate. */
static inline void
multiply(struct fe *up, struct fe *down, const struct comb *c,
    const uint8_t k[static 32])
{
	struct point sum = { fe_small(0), fe_small(1), fe_small(1),
	    fe_small(0) };
	int8_t digit[DIGITS];
	struct entry e;

	recode(digit, k);
	for (int i = 1; i < DIGITS; i += 2) {
		e = pick(c->row[i / 2], digit[i]);
		sum = add_entry(&sum, &e);
	}
	for (int i = 0; i < 4; i++)
		sum = double_point(&sum);
	for (int i = 0; i < DIGITS; i += 2) {
		e = pick(c->row[i / 2], digit[i]);
		sum = add_entry(&sum, &e);
	}
	*up = fe_mul(fe_add(sum.z, sum.y), fe_small(1));
	*down = fe_mul(fe_sub(sum.z, sum.y), fe_small(1));
	sw_wipe(digit, sizeof(digit));
	sw_wipe(&e, sizeof(e));
	sw_wipe(&sum, sizeof(sum));
}

/* One inversion, a third of a multiplication, serves them all: it is that of
 * the product.  A zero, which only points of low order have, would spoil it,
 * so a one stands in for it. */
static inline int
multiply_many(struct comb_job *job, size_t n)
{
	struct fe up[COMB_BATCH], down[COMB_BATCH], before[COMB_BATCH];
	struct fe product = fe_small(1), one = fe_small(1), inverse;
	uint8_t zero[32] = { 0 };
	int r = SW_OK;

	for (size_t i = 0; i < n; i++) {
		multiply(&up[i], &down[i], job[i].table, job[i].k);
		fe_put(job[i].out, down[i]);
		if (sw_equal_ct(job[i].out, zero, sizeof(zero))) {
			up[i] = fe_small(0);
			down[i] = one;
		}
		before[i] = product;
		product = fe_mul(product, down[i]);
	}
	inverse = fe_invert(product);
	for (size_t i = n; i-- > 0;) {
		fe_put(job[i].out, fe_mul(up[i], fe_mul(inverse, before[i])));
		inverse = fe_mul(inverse, down[i]);
		if (sw_equal_ct(job[i].out, zero, sizeof(zero)))
			r = SW_ERR_FORMAT;
	}
	sw_wipe(up, sizeof(up));
	sw_wipe(down, sizeof(down));
	sw_wipe(before, sizeof(before));
	return r;
}

/* comb_x86.c: by AVX2 and BMI2; a quarter faster. */
int comb_mul_x86(struct comb_job *job, size_t n) SW_MUST_CHECK;
bool comb_x86_works(void);

#endif
