/*
 * X25519's curve is the Edwards curve -x^2 + y^2 = 1 + d x^2 y^2 in other
 * coordinates: u = (1 + y) / (1 - y).  There, addition has one formula for
 * all points, so a multiple can be the sum of table entries.
 *
 * The scalar is written with 64 digits from -8 to 8 to the base 16.  Row i of
 * the table holds 1 to 8 times 256^i P: the odd digits' entries are added
 * first, the sum is multiplied by 16, then those of the even digits follow.
 *
 * Which of the two points with coordinate u the table is for does not matter:
 * they are each other's negative, and so are their multiples, with the same
 * u.  The whole integer k is used, not k modulo the group's order, so a point
 * with a part of small order is treated as X25519 treats it.
 */
#include "mix/comb.h"

#include <stdlib.h>

#include "base/wipe.h"
#include "mix/fe25519.h"

#define ROWS 32
#define ENTRIES 8
#define DIGITS 64

struct point {				/* x = X/Z, y = Y/Z, T = X Y / Z */
	struct fe x, y, z, t;
};

struct entry {				/* an affine point, ready to be added */
	struct fe plus, minus, t2d;	/* y + x, y - x, 2 d x y */
};

struct comb {
	struct entry row[ROWS][ENTRIES];
};

/* d = -121665 / 121666 */
static struct fe
curve_d(void)
{
	return fe_mul(fe_sub(fe_small(0), fe_small(121665)),
	    fe_invert(fe_small(121666)));
}

static struct point
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

static struct point
add_point(const struct point *p, const struct point *q, struct fe d2)
{
	struct fe a = fe_mul(fe_sub(p->y, p->x), fe_sub(q->y, q->x));
	struct fe b = fe_mul(fe_add(p->y, p->x), fe_add(q->y, q->x));
	struct fe c = fe_mul(fe_mul(p->t, q->t), d2);
	struct fe d = fe_mul(fe_add(p->z, p->z), q->z);
	struct fe e = fe_sub(b, a), f = fe_sub(d, c);
	struct fe g = fe_add(d, c), h = fe_add(b, a);

	return (struct point){ fe_mul(e, f), fe_mul(g, h), fe_mul(f, g),
	    fe_mul(e, h) };
}

static struct point
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

/* x from y; false if there is none, that is if u was on the twist. */
static bool
recover_x(struct fe y, struct fe d, struct fe *x)
{
	struct fe yy = fe_square(y), one = fe_small(1);
	struct fe u = fe_sub(yy, one), v = fe_add(fe_mul(d, yy), one);
	struct fe v3 = fe_mul(fe_square(v), v), check, root;

	*x = fe_mul(fe_mul(u, v3), fe_pow_p58(fe_mul(u,
	    fe_mul(fe_square(v3), v))));
	check = fe_mul(v, fe_square(*x));
	if (fe_equal(check, u))
		return true;
	/* A square root of -1 is 2^((p - 1) / 4). */
	root = fe_mul(fe_square(fe_pow_p58(fe_small(2))), fe_small(2));
	*x = fe_mul(*x, root);
	return fe_equal(fe_mul(v, fe_square(*x)), u);
}

/* Bring n points to z = 1 by one inversion, and into their table form. */
static int
normalise(struct entry *out, const struct point *p, size_t n, struct fe d2)
{
	struct fe *product = malloc(n * sizeof(*product)), inverse, x, y, zi;

	if (product == NULL)
		return SW_ERR_NOMEM;
	product[0] = p[0].z;
	for (size_t i = 1; i < n; i++)
		product[i] = fe_mul(product[i - 1], p[i].z);
	inverse = fe_invert(product[n - 1]);
	for (size_t i = n; i-- > 0;) {
		zi = i > 0 ? fe_mul(inverse, product[i - 1]) : inverse;
		inverse = fe_mul(inverse, p[i].z);
		x = fe_mul(p[i].x, zi);
		y = fe_mul(p[i].y, zi);
		out[i].plus = fe_mul(fe_add(y, x), fe_small(1));
		out[i].minus = fe_mul(fe_sub(y, x), fe_small(1));
		out[i].t2d = fe_mul(fe_mul(x, y), d2);
	}
	free(product);
	return SW_OK;
}

static int
fill(struct comb *c, struct point base, struct fe d2)
{
	size_t n = (size_t)ROWS * ENTRIES;
	struct point *p = malloc(n * sizeof(*p));
	int r;

	if (p == NULL)
		return SW_ERR_NOMEM;
	for (size_t row = 0; row < ROWS; row++) {
		struct point *at = p + row * ENTRIES;

		at[0] = base;
		for (size_t i = 1; i < ENTRIES; i++)
			at[i] = add_point(&at[i - 1], &base, d2);
		for (int i = 0; i < 8; i++)
			base = double_point(&base);
	}
	r = normalise(c->row[0], p, n, d2);
	free(p);
	return r;
}

int
comb_new(struct comb **out, const uint8_t u[static 32])
{
	struct fe one = fe_small(1), d = curve_d(), fu = fe_get(u), y, x;
	struct comb *c;
	int r;

	*out = NULL;
	/* y = (u - 1) / (u + 1).  u = -1 is on the twist. */
	if (fe_equal(fe_add(fu, one), fe_small(0)))
		return SW_ERR_FORMAT;
	y = fe_mul(fe_sub(fu, one), fe_invert(fe_add(fu, one)));
	if (!recover_x(y, d, &x))
		return SW_ERR_FORMAT;
	if ((c = malloc(sizeof(*c))) == NULL)
		return SW_ERR_NOMEM;
	r = fill(c, (struct point){ x, y, one, fe_mul(x, y) },
	    fe_mul(fe_add(d, d), one));
	if (r != SW_OK) {
		free(c);
		return r;
	}
	*out = c;
	return SW_OK;
}

void
comb_free(struct comb *c)
{
	free(c);
}

/* 64 digits from -8 to 8.  k is below 2^255, so the last has room. */
static void
recode(int8_t digit[static DIGITS], const uint8_t k[static 32])
{
	int carry = 0, v;

	for (int i = 0; i < DIGITS; i++) {
		v = (k[i / 2] >> (i % 2 ? 4 : 0) & 15) + carry;
		carry = i < DIGITS - 1 ? (v + 8) >> 4 : 0;
		digit[i] = (int8_t)(v - (carry << 4));
	}
}

/* `digit` times the row's point, looking at every entry. */
static struct entry
pick(const struct entry row[static ENTRIES], int8_t digit)
{
	uint64_t negative = (uint64_t)0 - ((uint8_t)digit >> 7);
	uint8_t size = (uint8_t)((digit ^ (int8_t)negative) -
	    (int8_t)negative);
	struct entry e = { fe_small(1), fe_small(1), fe_small(0) };
	struct fe swapped, minus;

	for (unsigned i = 0; i < ENTRIES; i++) {
		uint64_t differ = size ^ (i + 1);
		uint64_t mask = (differ - 1) >> 63;

		mask = 0 - mask;
		fe_move(&e.plus, &row[i].plus, mask);
		fe_move(&e.minus, &row[i].minus, mask);
		fe_move(&e.t2d, &row[i].t2d, mask);
	}
	swapped = e.plus;
	fe_move(&e.plus, &e.minus, negative);
	fe_move(&e.minus, &swapped, negative);
	minus = fe_sub(fe_small(0), e.t2d);
	fe_move(&e.t2d, &minus, negative);
	return e;
}

int
comb_mul(uint8_t out[static 32], const struct comb *c,
    const uint8_t k[static 32])
{
	static const uint8_t zero[32];
	struct point sum = { fe_small(0), fe_small(1), fe_small(1),
	    fe_small(0) };
	int8_t digit[DIGITS];
	struct entry e;
	int r;

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
	fe_put(out, fe_mul(fe_add(sum.z, sum.y),
	    fe_invert(fe_sub(sum.z, sum.y))));
	r = sw_equal_ct(out, zero, sizeof(zero)) ? SW_ERR_FORMAT : SW_OK;
	sw_wipe(digit, sizeof(digit));
	sw_wipe(&e, sizeof(e));
	sw_wipe(&sum, sizeof(sum));
	return r;
}
