/*
 * RFC 7748's ladder with a different scalar and point in each lane.
 *
 * Five limbs of 51 bits, as in fe25519.h.  The instructions multiply the low
 * 52 bits of their operands and give the low or the high 52 bits of the
 * product; the high ones weigh 2^52, twice the next limb.  Every function here
 * takes and gives limbs below 2^51 + 2^16.
 */
#include "mix/x25519_ifma.h"

#include <stdlib.h>

#if defined(__x86_64__)

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target( \
    "avx512f,avx512ifma,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512ifma,bmi2")
/* At -O2 its loops over limbs stay loops, through memory: a quarter the
 * speed. */
#pragma GCC optimize("O3")
#endif

#include "base/wipe.h"
#include "mix/fe25519.h"

#define LIMBS 5
#define A24 121665

struct fe8 {
	__m512i v[LIMBS];
};

/* All of the ladder's state.  Secret. */
struct ladder {
	struct fe8 x1, x2, z2, x3, z3;
	__m512i k[4];
};

static inline __m512i
all(uint64_t n)
{
	return _mm512_set1_epi64((long long)n);
}

static inline __m512i
times_19(__m512i a)
{
	return _mm512_add_epi64(_mm512_add_epi64(a, _mm512_slli_epi64(a, 1)),
	    _mm512_slli_epi64(a, 4));
}

/* Each limb hands what is above 51 bits to the next, the last to the first. */
static inline struct fe8
carry(struct fe8 a)
{
	__m512i mask = all(FE_MASK), c[LIMBS];

	for (size_t i = 0; i < LIMBS; i++)
		c[i] = _mm512_srli_epi64(a.v[i], 51);
	a.v[0] = _mm512_add_epi64(_mm512_and_si512(a.v[0], mask),
	    times_19(c[4]));
	for (size_t i = 1; i < LIMBS; i++)
		a.v[i] = _mm512_add_epi64(_mm512_and_si512(a.v[i], mask),
		    c[i - 1]);
	return a;
}

static inline struct fe8
add(struct fe8 a, struct fe8 b)
{
	for (size_t i = 0; i < LIMBS; i++)
		a.v[i] = _mm512_add_epi64(a.v[i], b.v[i]);
	return carry(a);
}

/* Four times the modulus keeps every limb above zero. */
static inline struct fe8
sub(struct fe8 a, struct fe8 b)
{
	for (size_t i = 0; i < LIMBS; i++)
		a.v[i] = _mm512_add_epi64(a.v[i], _mm512_sub_epi64(
		    all(i == 0 ? 0x1fffffffffffb4 : 0x1ffffffffffffc),
		    b.v[i]));
	return carry(a);
}

/* From the low and the high halves of the products, by weight; below 2^56
 * each, so the sums are below 2^61. */
static inline struct fe8
gather(const __m512i lo[static 9], const __m512i hi[static 9])
{
	__m512i z[10];
	struct fe8 r;

	z[0] = lo[0];
	for (size_t i = 1; i < 9; i++)
		z[i] = _mm512_add_epi64(lo[i], _mm512_slli_epi64(hi[i - 1],
		    1));
	z[9] = _mm512_slli_epi64(hi[8], 1);
	for (size_t i = 0; i < LIMBS; i++)
		r.v[i] = _mm512_add_epi64(z[i], times_19(z[i + LIMBS]));
	return carry(r);
}

static inline struct fe8
mul(struct fe8 a, struct fe8 b)
{
	__m512i lo[9], hi[9];

	for (size_t i = 0; i < 9; i++)
		lo[i] = hi[i] = _mm512_setzero_si512();
	for (size_t i = 0; i < LIMBS; i++)
		for (size_t k = 0; k < LIMBS; k++) {
			lo[i + k] = _mm512_madd52lo_epu64(lo[i + k], a.v[i],
			    b.v[k]);
			hi[i + k] = _mm512_madd52hi_epu64(hi[i + k], a.v[i],
			    b.v[k]);
		}
	return gather(lo, hi);
}

/* What is there twice is added to itself. */
static inline struct fe8
square(struct fe8 a)
{
	__m512i lo[9], hi[9];

	for (size_t i = 0; i < 9; i++)
		lo[i] = hi[i] = _mm512_setzero_si512();
	for (size_t i = 0; i < LIMBS; i++)
		for (size_t k = i + 1; k < LIMBS; k++) {
			lo[i + k] = _mm512_madd52lo_epu64(lo[i + k], a.v[i],
			    a.v[k]);
			hi[i + k] = _mm512_madd52hi_epu64(hi[i + k], a.v[i],
			    a.v[k]);
		}
	for (size_t i = 0; i < 9; i++) {
		lo[i] = _mm512_add_epi64(lo[i], lo[i]);
		hi[i] = _mm512_add_epi64(hi[i], hi[i]);
	}
	for (size_t i = 0; i < LIMBS; i++) {
		lo[2 * i] = _mm512_madd52lo_epu64(lo[2 * i], a.v[i], a.v[i]);
		hi[2 * i] = _mm512_madd52hi_epu64(hi[2 * i], a.v[i], a.v[i]);
	}
	return gather(lo, hi);
}

static inline struct fe8
times_a24(struct fe8 a)
{
	__m512i zero = _mm512_setzero_si512(), n = all(A24), hi[LIMBS];
	struct fe8 r;

	for (size_t i = 0; i < LIMBS; i++)
		hi[i] = _mm512_slli_epi64(_mm512_madd52hi_epu64(zero, a.v[i],
		    n), 1);
	r.v[0] = _mm512_madd52lo_epu64(times_19(hi[4]), a.v[0], n);
	for (size_t i = 1; i < LIMBS; i++)
		r.v[i] = _mm512_madd52lo_epu64(hi[i - 1], a.v[i], n);
	return carry(r);
}

static inline void
swap(struct fe8 *a, struct fe8 *b, __mmask8 lanes)
{
	for (size_t i = 0; i < LIMBS; i++) {
		__m512i t = a->v[i];

		a->v[i] = _mm512_mask_mov_epi64(t, lanes, b->v[i]);
		b->v[i] = _mm512_mask_mov_epi64(b->v[i], lanes, t);
	}
}

static inline void
step(struct ladder *s)
{
	struct fe8 a = add(s->x2, s->z2), b = sub(s->x2, s->z2);
	struct fe8 aa = square(a), bb = square(b), e = sub(aa, bb);
	struct fe8 da = mul(sub(s->x3, s->z3), a);
	struct fe8 cb = mul(add(s->x3, s->z3), b);

	s->x3 = square(add(da, cb));
	s->z3 = mul(s->x1, square(sub(da, cb)));
	s->x2 = mul(aa, bb);
	s->z2 = mul(e, add(aa, times_a24(e)));
}

static struct fe8
square_n(struct fe8 a, int n)
{
	while (n-- > 0)
		a = square(a);
	return a;
}

/* fe_invert() of all lanes. */
static struct fe8
invert(struct fe8 z)
{
	struct fe8 z2 = square(z), z9 = mul(square_n(z2, 2), z);
	struct fe8 z11 = mul(z9, z2), p5 = mul(square(z11), z9);
	struct fe8 p10 = mul(square_n(p5, 5), p5);
	struct fe8 p20 = mul(square_n(p10, 10), p10);
	struct fe8 p40 = mul(square_n(p20, 20), p20);
	struct fe8 p50 = mul(square_n(p40, 10), p10);
	struct fe8 p100 = mul(square_n(p50, 50), p50);
	struct fe8 p200 = mul(square_n(p100, 100), p100);

	return mul(square_n(mul(square_n(p200, 50), p50), 5), z11);
}

static struct fe8
load(const struct prim_lanes *l)
{
	uint64_t limb[LIMBS][PRIM_LANES];
	struct fe8 r;

	for (size_t lane = 0; lane < PRIM_LANES; lane++) {
		struct fe f = fe_get(l->u[lane]);

		for (size_t i = 0; i < LIMBS; i++)
			limb[i][lane] = f.v[i];
	}
	for (size_t i = 0; i < LIMBS; i++)
		r.v[i] = _mm512_loadu_si512(limb[i]);
	return r;
}

static void
store(struct prim_lanes *l, struct fe8 a)
{
	uint64_t limb[LIMBS][PRIM_LANES];

	for (size_t i = 0; i < LIMBS; i++)
		_mm512_storeu_si512(limb[i], a.v[i]);
	for (size_t lane = 0; lane < PRIM_LANES; lane++) {
		struct fe f;

		for (size_t i = 0; i < LIMBS; i++)
			f.v[i] = limb[i][lane];
		fe_put(l->out[lane], f);
	}
	sw_wipe(limb, sizeof(limb));
}

static void
load_scalars(struct ladder *s, const struct prim_lanes *l)
{
	uint64_t word[4][PRIM_LANES];

	for (size_t lane = 0; lane < PRIM_LANES; lane++)
		for (size_t i = 0; i < 4; i++)
			memcpy(&word[i][lane], l->k[lane] + 8 * i, 8);
	for (size_t i = 0; i < 4; i++)
		s->k[i] = _mm512_loadu_si512(word[i]);
	sw_wipe(word, sizeof(word));
}

void
x25519_ifma(struct prim_lanes *l)
{
	struct ladder s = { .x1 = load(l) };
	__mmask8 swapped = 0, bit;

	load_scalars(&s, l);
	s.x3 = s.x1;
	s.x2.v[0] = s.z3.v[0] = all(1);
	for (int i = 254; i >= 0; i--) {
		bit = _mm512_test_epi64_mask(s.k[i / 64],
		    all(UINT64_C(1) << (i % 64)));
		swap(&s.x2, &s.x3, swapped ^ bit);
		swap(&s.z2, &s.z3, swapped ^ bit);
		swapped = bit;
		step(&s);
	}
	swap(&s.x2, &s.x3, swapped);
	swap(&s.z2, &s.z3, swapped);
	store(l, mul(s.x2, invert(s.z2)));
	sw_wipe(&s, sizeof(s));
}

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

bool
x25519_ifma_works(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx512f") != 0 &&
	    __builtin_cpu_supports("avx512ifma") != 0 &&
	    __builtin_cpu_supports("bmi2") != 0;
}

#else	/* not x86-64 */

bool
x25519_ifma_works(void)
{
	return false;
}

void
x25519_ifma(struct prim_lanes *l)
{
	(void)l;
	abort();
}

#endif
