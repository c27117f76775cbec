#include "mix/prim_x86.h"

#include <stdlib.h>
#include <string.h>

#include "base/wipe.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define WITH_AES __attribute__((target("aes,sse4.1")))
#define WITH_SHA __attribute__((target("sha,sse4.1")))
#define WITH_CLMUL __attribute__((target("pclmul,sse4.1")))
#define AES_BATCH 8

static __m128i
load(const void *p)
{
	return _mm_loadu_si128((const __m128i *)p);
}

static void
store(void *p, __m128i v)
{
	_mm_storeu_si128((__m128i *)p, v);
}

/* __builtin_cpu_supports() of gcc 12 and clang 14 does not know "sha". */
static bool
has_sha(void)
{
	unsigned a, b, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 &&
	    (b >> 29 & 1) != 0;
}

struct x86_features
x86_detect(void)
{
	bool sse41;

	__builtin_cpu_init();
	sse41 = __builtin_cpu_supports("sse4.1") != 0;
	return (struct x86_features){
		.aes = sse41 && __builtin_cpu_supports("aes") != 0,
		.sha = sse41 && has_sha(),
		.clmul = sse41 && __builtin_cpu_supports("pclmul") != 0,
	};
}

/* S-box of each byte of a word: a lane of the key generation instruction. */
WITH_AES static uint32_t
sub_word(uint32_t w)
{
	return (uint32_t)_mm_cvtsi128_si32(_mm_aeskeygenassist_si128(
	    _mm_set_epi32(0, 0, (int)w, 0), 0));
}

/* FIPS 197 section 5.2, on little-endian words. */
WITH_AES void
x86_aes_init(struct x86_aes *a, const uint8_t *key, size_t key_len)
{
	size_t nk = key_len / 4;
	uint32_t w[60], t, rcon = 1;

	a->rounds = (int)nk + 6;
	memcpy(w, key, key_len);
	for (size_t i = nk; i < 4 * (nk + 7); i++) {
		t = w[i - 1];
		if (i % nk == 0) {
			t = sub_word(t);
			t = (t >> 8 | t << 24) ^ rcon;
			rcon = rcon << 1 ^ (rcon >> 7) * 0x11b;
		} else if (nk > 6 && i % nk == 4) {
			t = sub_word(t);
		}
		w[i] = w[i - nk] ^ t;
	}
	memcpy(a->round, w, 16 * (nk + 7));
	sw_wipe(w, sizeof(w));
	sw_wipe(&t, sizeof(t));
}

/* Several blocks at once keep the pipelined unit busy. */
WITH_AES static void
encrypt_batch(const struct x86_aes *a, __m128i b[AES_BATCH], size_t n)
{
	__m128i k = load(a->round[0]);

	for (size_t i = 0; i < n; i++)
		b[i] = _mm_xor_si128(b[i], k);
	for (int r = 1; r < a->rounds; r++) {
		k = load(a->round[r]);
		for (size_t i = 0; i < n; i++)
			b[i] = _mm_aesenc_si128(b[i], k);
	}
	k = load(a->round[a->rounds]);
	for (size_t i = 0; i < n; i++)
		b[i] = _mm_aesenclast_si128(b[i], k);
}

WITH_AES void
x86_aes_encrypt(const struct x86_aes *a, uint8_t *out, const uint8_t *in,
    size_t blocks)
{
	__m128i b[AES_BATCH];

	while (blocks > 0) {
		size_t n = blocks < AES_BATCH ? blocks : AES_BATCH;

		for (size_t i = 0; i < n; i++)
			b[i] = load(in + 16 * i);
		if (n == AES_BATCH)
			encrypt_batch(a, b, AES_BATCH);
		else
			encrypt_batch(a, b, n);
		for (size_t i = 0; i < n; i++)
			store(out + 16 * i, b[i]);
		in += 16 * n;
		out += 16 * n;
		blocks -= n;
	}
}

WITH_AES void
x86_aes_ctr(const struct x86_aes *a, uint8_t *out, const uint8_t *in,
    size_t n, const uint8_t iv[static 16])
{
	uint8_t stream[16 * AES_BATCH];
	__m128i b[AES_BATCH];
	uint64_t hi, lo;

	memcpy(&hi, iv, 8);
	memcpy(&lo, iv + 8, 8);
	hi = __builtin_bswap64(hi);
	lo = __builtin_bswap64(lo);
	while (n > 0) {
		size_t take = n < sizeof(stream) ? n : sizeof(stream);

		for (size_t i = 0; i < AES_BATCH; i++) {
			b[i] = _mm_set_epi64x(
			    (long long)__builtin_bswap64(lo),
			    (long long)__builtin_bswap64(hi));
			if (++lo == 0)
				hi++;
		}
		if (take == sizeof(stream)) {
			encrypt_batch(a, b, AES_BATCH);
			for (size_t i = 0; i < AES_BATCH; i++)
				store(out + 16 * i, _mm_xor_si128(b[i],
				    load(in + 16 * i)));
		} else {
			encrypt_batch(a, b, (take + 15) / 16);
			for (size_t i = 0; i < AES_BATCH; i++)
				store(stream + 16 * i, b[i]);
			for (size_t i = 0; i < take; i++)
				out[i] = in[i] ^ stream[i];
		}
		in += take;
		out += take;
		n -= take;
	}
	sw_wipe(stream, sizeof(stream));
	sw_wipe(b, sizeof(b));
}

static const uint32_t sha_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
	0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
	0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
	0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
	0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* Four rounds, and the schedule words that are due sixteen rounds later. */
WITH_SHA static inline void
sha_rounds(__m128i s[2], __m128i *w0, __m128i w1, __m128i w2, __m128i w3,
    const uint32_t k[4])
{
	__m128i x = _mm_add_epi32(*w0, load(k));

	s[1] = _mm_sha256rnds2_epu32(s[1], s[0], x);
	s[0] = _mm_sha256rnds2_epu32(s[0], s[1], _mm_shuffle_epi32(x, 0x0e));
	x = _mm_add_epi32(_mm_sha256msg1_epu32(*w0, w1),
	    _mm_alignr_epi8(w3, w2, 4));
	*w0 = _mm_sha256msg2_epu32(x, w3);
}

/* The instructions want the state as words ABEF and CDGH. */
WITH_SHA void
x86_sha256_blocks(uint32_t state[static 8], const uint8_t *in, size_t blocks)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b,
	    0x0405060700010203);
	__m128i s[2], t, u;

	t = _mm_shuffle_epi32(load(state), 0xb1);
	u = _mm_shuffle_epi32(load(state + 4), 0x1b);
	s[0] = _mm_alignr_epi8(t, u, 8);
	s[1] = _mm_blend_epi16(u, t, 0xf0);

	for (; blocks > 0; blocks--, in += 64) {
		__m128i before[2] = { s[0], s[1] };
		__m128i w0 = _mm_shuffle_epi8(load(in), swap);
		__m128i w1 = _mm_shuffle_epi8(load(in + 16), swap);
		__m128i w2 = _mm_shuffle_epi8(load(in + 32), swap);
		__m128i w3 = _mm_shuffle_epi8(load(in + 48), swap);

		for (int r = 0; r < 64; r += 16) {
			sha_rounds(s, &w0, w1, w2, w3, sha_k + r);
			sha_rounds(s, &w1, w2, w3, w0, sha_k + r + 4);
			sha_rounds(s, &w2, w3, w0, w1, sha_k + r + 8);
			sha_rounds(s, &w3, w0, w1, w2, sha_k + r + 12);
		}
		s[0] = _mm_add_epi32(s[0], before[0]);
		s[1] = _mm_add_epi32(s[1], before[1]);
	}
	t = _mm_shuffle_epi32(s[0], 0x1b);
	u = _mm_shuffle_epi32(s[1], 0xb1);
	store(state, _mm_blend_epi16(t, u, 0xf0));
	store(state + 4, _mm_alignr_epi8(u, t, 8));
}

/*
 * The product of two elements has 256 bits, lo and hi.  POLYVAL wants it
 * divided by x^128, so the low half is reduced upwards: the modulus is
 * 1 + x^64 (x^57 + x^62 + x^63 + x^64), hence adding it a0 times moves the
 * lowest 64 bits a0 up by one word; twice is enough.
 */
WITH_CLMUL static __m128i
polyval_mul(__m128i a, __m128i b)
{
	const __m128i poly = _mm_set_epi64x(0,
	    (long long)0xc200000000000000ULL);
	__m128i lo = _mm_clmulepi64_si128(a, b, 0x00);
	__m128i hi = _mm_clmulepi64_si128(a, b, 0x11);
	__m128i mid = _mm_xor_si128(_mm_clmulepi64_si128(a, b, 0x01),
	    _mm_clmulepi64_si128(a, b, 0x10));

	lo = _mm_xor_si128(lo, _mm_slli_si128(mid, 8));
	hi = _mm_xor_si128(hi, _mm_srli_si128(mid, 8));
	for (int i = 0; i < 2; i++)
		lo = _mm_xor_si128(_mm_shuffle_epi32(lo, 0x4e),
		    _mm_clmulepi64_si128(lo, poly, 0x00));
	return _mm_xor_si128(hi, lo);
}

WITH_CLMUL void
x86_polyval(uint8_t acc[static 16], const uint8_t h[static 16],
    const uint8_t *in, size_t blocks)
{
	__m128i s = load(acc), key = load(h);

	for (; blocks > 0; blocks--, in += 16)
		s = polyval_mul(_mm_xor_si128(s, load(in)), key);
	store(acc, s);
}

#else	/* not x86-64 */

struct x86_features
x86_detect(void)
{
	return (struct x86_features){ false, false, false };
}

void
x86_aes_init(struct x86_aes *a, const uint8_t *key, size_t key_len)
{
	(void)a;
	(void)key;
	(void)key_len;
	abort();
}

void
x86_aes_encrypt(const struct x86_aes *a, uint8_t *out, const uint8_t *in,
    size_t blocks)
{
	(void)a;
	(void)out;
	(void)in;
	(void)blocks;
	abort();
}

void
x86_aes_ctr(const struct x86_aes *a, uint8_t *out, const uint8_t *in,
    size_t n, const uint8_t iv[static 16])
{
	(void)a;
	(void)out;
	(void)in;
	(void)n;
	(void)iv;
	abort();
}

void
x86_sha256_blocks(uint32_t state[static 8], const uint8_t *in, size_t blocks)
{
	(void)state;
	(void)in;
	(void)blocks;
	abort();
}

void
x86_polyval(uint8_t acc[static 16], const uint8_t h[static 16],
    const uint8_t *in, size_t blocks)
{
	(void)acc;
	(void)h;
	(void)in;
	(void)blocks;
	abort();
}

#endif
