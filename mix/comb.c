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

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mix/comb_mul.h"
#include "mix/x25519_ifma.h"

#define LANES_WORTH 4			/* eight ladders cost as four tables */

/* d = -121665 / 121666 */
static struct fe
curve_d(void)
{
	return fe_mul(fe_sub(fe_small(0), fe_small(121665)),
	    fe_invert(fe_small(121666)));
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
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return SW_ERR_NOMEM;
	r = fill(c, (struct point){ x, y, one, fe_mul(x, y) },
	    fe_mul(fe_add(d, d), one));
	if (r != SW_OK) {
		free(c);
		return r;
	}
	memcpy(c->u, u, sizeof(c->u));
	*out = c;
	return SW_OK;
}

void
comb_free(struct comb *c)
{
	free(c);
}

static struct {
	bool asked, x86, ifma;
} hardware;

void
comb_set_portable(bool portable)
{
	hardware.x86 = comb_x86_works() && !portable;
	hardware.ifma = x25519_ifma_works() && !portable;
	hardware.asked = true;
}

/* Eight ladders at once need no table. */
static int
mul_lanes(struct comb_job *job, size_t n)
{
	static const uint8_t zero[32];
	struct prim_lanes l;
	int r = SW_OK;

	memset(&l, 0, sizeof(l));
	for (size_t i = 0; i < n; i++) {
		memcpy(l.k[i], job[i].k, sizeof(l.k[i]));
		memcpy(l.u[i], job[i].table->u, sizeof(l.u[i]));
	}
	x25519_ifma(&l);
	for (size_t i = 0; i < n; i++) {
		memcpy(job[i].out, l.out[i], sizeof(job[i].out));
		if (sw_equal_ct(l.out[i], zero, sizeof(zero)))
			r = SW_ERR_FORMAT;
	}
	sw_wipe(&l, sizeof(l));
	return r;
}

int
comb_mul_many(struct comb_job *job, size_t n)
{
	int r = SW_OK, rest;
	size_t some;

	assert(n <= COMB_BATCH);
	if (!hardware.asked)
		comb_set_portable(false);
	for (; hardware.ifma && n >= LANES_WORTH; job += some, n -= some) {
		some = n < PRIM_LANES ? n : PRIM_LANES;
		if (mul_lanes(job, some) != SW_OK)
			r = SW_ERR_FORMAT;
	}
	rest = hardware.x86 ? comb_mul_x86(job, n) : multiply_many(job, n);
	return r != SW_OK ? r : rest;
}

int
comb_mul(uint8_t out[static 32], const struct comb *c,
    const uint8_t k[static 32])
{
	struct comb_job job = { .table = c };
	int r;

	memcpy(job.k, k, sizeof(job.k));
	r = comb_mul_many(&job, 1);
	memcpy(out, job.out, sizeof(job.out));
	sw_wipe(&job, sizeof(job));
	return r;
}
