/*
 * Elements of GF(2^128) are two little-endian words, bit i being x^i.
 *
 * The portable product is made of ordinary multiplications, which take the
 * same time for all operands on every processor we care about.  Bits are
 * spread so far apart (every fourth) that sums of at most 16 products cannot
 * carry into the next used position; four such classes per operand give the
 * 16 partial products.  Only the low word of a product comes out that way;
 * the high word is the low word of the bit-reversed operands, reversed.
 */
#include "mix/polyval.h"

#include <string.h>

#include "mix/prim_x86.h"

static struct {
	bool asked;
	bool clmul;
} hardware;

void
polyval_set_portable(bool portable)
{
	hardware.clmul = !portable && x86_detect().clmul;
	hardware.asked = true;
}

static uint64_t
low_product(uint64_t a, uint64_t b)
{
	const uint64_t every4 = 0x1111111111111111;
	uint64_t r = 0, sum;

	for (int out = 0; out < 4; out++) {
		sum = 0;
		for (int i = 0; i < 4; i++)
			sum ^= (a & every4 << i) *
			    (b & every4 << ((out - i) & 3));
		r |= sum & every4 << out;
	}
	return r;
}

static uint64_t
reverse(uint64_t x)
{
	x = (x & 0x5555555555555555) << 1 | (x >> 1 & 0x5555555555555555);
	x = (x & 0x3333333333333333) << 2 | (x >> 2 & 0x3333333333333333);
	x = (x & 0x0f0f0f0f0f0f0f0f) << 4 | (x >> 4 & 0x0f0f0f0f0f0f0f0f);
	return __builtin_bswap64(x);
}

/* hi:lo := a * b without carries. */
static void
product(uint64_t a, uint64_t b, uint64_t *lo, uint64_t *hi)
{
	*lo = low_product(a, b);
	*hi = reverse(low_product(reverse(a), reverse(b))) >> 1;
}

/* One word of the reduction by x^-64: see prim_x86.c. */
static void
fold(uint64_t a[2])
{
	uint64_t lo, hi;

	product(a[0], 0xc200000000000000, &lo, &hi);
	hi ^= a[0];
	a[0] = a[1] ^ lo;
	a[1] = hi;
}

static void
multiply(uint64_t a[2], const uint64_t b[2])
{
	uint64_t low[2], high[2], lo, hi;

	product(a[0], b[0], &low[0], &low[1]);
	product(a[1], b[1], &high[0], &high[1]);
	product(a[0] ^ a[1], b[0] ^ b[1], &lo, &hi);
	lo ^= low[0] ^ high[0];
	hi ^= low[1] ^ high[1];
	low[1] ^= lo;
	high[0] ^= hi;
	fold(low);
	fold(low);
	a[0] = high[0] ^ low[0];
	a[1] = high[1] ^ low[1];
}

static uint64_t
get_word(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

static void
put_word(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static void
absorb(struct polyval *p, const uint8_t *in, size_t blocks)
{
	uint64_t h[2], s[2];

	if (hardware.clmul) {
		x86_polyval(p->acc, p->h, in, blocks);
		return;
	}
	h[0] = get_word(p->h);
	h[1] = get_word(p->h + 8);
	s[0] = get_word(p->acc);
	s[1] = get_word(p->acc + 8);
	for (; blocks > 0; blocks--, in += POLYVAL_LEN) {
		s[0] ^= get_word(in);
		s[1] ^= get_word(in + 8);
		multiply(s, h);
	}
	put_word(p->acc, s[0]);
	put_word(p->acc + 8, s[1]);
}

void
polyval_init(struct polyval *p, const uint8_t key[static POLYVAL_LEN])
{
	if (!hardware.asked)
		polyval_set_portable(false);
	memcpy(p->h, key, sizeof(p->h));
	memset(p->acc, 0, sizeof(p->acc));
}

void
polyval_update(struct polyval *p, const void *in, size_t n)
{
	uint8_t last[POLYVAL_LEN] = { 0 };
	size_t whole = n / POLYVAL_LEN, rest = n % POLYVAL_LEN;

	absorb(p, in, whole);
	if (rest > 0) {
		memcpy(last, (const uint8_t *)in + whole * POLYVAL_LEN, rest);
		absorb(p, last, 1);
	}
}
