/*
 * AES-GCM (NIST SP 800-38D) for mbedTLS's TLS records.
 *
 * GHASH has its bits the wrong way round for a carry-less multiplication.  With
 * the bytes of every block reversed and the key multiplied by x it becomes
 * POLYVAL (RFC 8452, appendix A), where a product is divided by x^128.  Powers
 * of the key let eight blocks share one such reduction:
 *
 *   hash' = (hash + b0) k^8 + b1 k^7 + ... + b7 k
 */
#include <string.h>

#include <mbedtls/gcm.h>
#include <mbedtls/platform_util.h>

#define BLOCK ((size_t)16)
#define TAG_MIN 4
#define LEN_MAX 0xfffffffe0ull		/* 2^36 - 32 bytes under one IV */

static int portable_only;

void
gcm_alt_set_portable(int portable)
{
	portable_only = portable;
}

static void
put_u64be(uint8_t *p, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

static uint64_t
get_u64be(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static void
add_bytes(uint8_t *to, const uint8_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] ^= from[i];
}

/* The last four bytes count, modulo 2^32. */
static void
count_up(uint8_t counter[BLOCK])
{
	for (int i = 15; i >= 12; i--)
		if (++counter[i] != 0)
			return;
}

/* a := a * key, bit by bit; the same time for all operands. */
static void
multiply(uint8_t a[BLOCK], const uint8_t key[BLOCK])
{
	uint64_t vh = get_u64be(key), vl = get_u64be(key + 8), zh = 0, zl = 0;

	for (int i = 0; i < 128; i++) {
		uint64_t take = -(uint64_t)(a[i / 8] >> (7 - i % 8) & 1);
		uint64_t low = -(vl & 1);

		zh ^= vh & take;
		zl ^= vl & take;
		vl = vl >> 1 | vh << 63;
		vh = vh >> 1 ^ (low & 0xe100000000000000ull);
	}
	put_u64be(a, zh);
	put_u64be(a + 8, zl);
}

/* ---- the quick way ---- */

#if defined(__x86_64__)

#include <immintrin.h>

#define QUICK __attribute__((target("aes,pclmul,sse4.1")))
#define ROUNDS_MAX 14

static int
is_quick(void)
{
	__builtin_cpu_init();
	return !portable_only && __builtin_cpu_supports("aes") &&
	    __builtin_cpu_supports("pclmul") &&
	    __builtin_cpu_supports("sse4.1");
}

QUICK static inline __m128i
load(const uint8_t *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

QUICK static inline void
store(uint8_t *p, __m128i v)
{
	_mm_storeu_si128((__m128i *)(void *)p, v);
}

/* The bytes of a block the other way round. */
QUICK static inline __m128i
turn(__m128i v)
{
	return _mm_shuffle_epi8(v, _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
	    10, 11, 12, 13, 14, 15));
}

/* A product of 256 bits that is not reduced yet, and sums of such. */
struct wide {
	__m128i lo, mid, hi;
};

QUICK static inline void
add_product(struct wide *w, __m128i a, __m128i b)
{
	w->lo = _mm_xor_si128(w->lo, _mm_clmulepi64_si128(a, b, 0x00));
	w->hi = _mm_xor_si128(w->hi, _mm_clmulepi64_si128(a, b, 0x11));
	w->mid = _mm_xor_si128(w->mid, _mm_xor_si128(
	    _mm_clmulepi64_si128(a, b, 0x01),
	    _mm_clmulepi64_si128(a, b, 0x10)));
}

/* Divided by x^128 modulo x^128 + x^127 + x^126 + x^121 + 1: the low half is
 * folded upwards, a word at a time. */
QUICK static inline __m128i
reduce(const struct wide *w)
{
	const __m128i poly = _mm_set_epi64x(0,
	    (long long)0xc200000000000000ull);
	__m128i lo = _mm_xor_si128(w->lo, _mm_slli_si128(w->mid, 8));
	__m128i hi = _mm_xor_si128(w->hi, _mm_srli_si128(w->mid, 8));

	for (int i = 0; i < 2; i++)
		lo = _mm_xor_si128(_mm_shuffle_epi32(lo, 0x4e),
		    _mm_clmulepi64_si128(lo, poly, 0x00));
	return _mm_xor_si128(hi, lo);
}

QUICK static void
make_powers(mbedtls_gcm_context *g)
{
	uint64_t hi = get_u64be(g->key), lo = get_u64be(g->key + 8);
	uint64_t over = -(hi >> 63);
	__m128i one, k;

	hi = (hi << 1 | lo >> 63) ^ (over & 0xc200000000000000ull);
	lo = lo << 1 ^ (over & 1);
	one = k = _mm_set_epi64x((long long)hi, (long long)lo);
	for (int i = 0;; i++) {
		struct wide w = { _mm_setzero_si128(), _mm_setzero_si128(),
			_mm_setzero_si128() };

		store(g->power[i], k);
		if (i == GCM_ALT_POWERS - 1)
			break;
		add_product(&w, k, one);
		k = reduce(&w);
	}
}

/* Eight times sixteen bytes at a time; what `hashed` points to is what the
 * other side sees: `in` or `out`. */
QUICK static void
crypt_quick(mbedtls_gcm_context *g, uint8_t *out, const uint8_t *in,
    size_t eights)
{
	const uint8_t *rk = (const uint8_t *)(g->aes.MBEDTLS_PRIVATE(buf) +
	    g->aes.MBEDTLS_PRIVATE(rk_offset));
	const size_t rounds = (size_t)g->aes.MBEDTLS_PRIVATE(nr);
	const int opens = g->mode == MBEDTLS_GCM_DECRYPT;
	const __m128i one = _mm_set_epi32(0, 0, 0, 1);
	__m128i key[ROUNDS_MAX + 1], power[8], hash = turn(load(g->hash));
	__m128i counter = turn(load(g->counter));

	for (size_t r = 0; r <= rounds; r++)
		key[r] = load(rk + BLOCK * r);
	for (size_t i = 0; i < 8; i++)
		power[i] = load(g->power[7 - i]);
	for (; eights > 0; eights--, in += 8 * BLOCK, out += 8 * BLOCK) {
		struct wide w = { _mm_setzero_si128(), _mm_setzero_si128(),
			_mm_setzero_si128() };
		__m128i b[8], text[8];

#pragma GCC unroll 8
		for (size_t i = 0; i < 8; i++) {
			counter = _mm_add_epi32(counter, one);
			b[i] = _mm_xor_si128(turn(counter), key[0]);
		}
		for (size_t r = 1; r < rounds; r++) {
#pragma GCC unroll 8
			for (size_t i = 0; i < 8; i++)
				b[i] = _mm_aesenc_si128(b[i], key[r]);
		}
#pragma GCC unroll 8
		for (size_t i = 0; i < 8; i++) {
			__m128i plain = load(in + BLOCK * i), made;

			made = _mm_xor_si128(plain, _mm_aesenclast_si128(b[i],
			    key[rounds]));
			store(out + BLOCK * i, made);
			text[i] = turn(opens ? plain : made);
		}
		text[0] = _mm_xor_si128(text[0], hash);
#pragma GCC unroll 8
		for (size_t i = 0; i < 8; i++)
			add_product(&w, text[i], power[i]);
		hash = reduce(&w);
	}
	store(g->counter, turn(counter));
	store(g->hash, turn(hash));
	mbedtls_platform_zeroize(key, sizeof(key));
	mbedtls_platform_zeroize(power, sizeof(power));
}

QUICK static void
multiply_quick(mbedtls_gcm_context *g)
{
	struct wide w = { _mm_setzero_si128(), _mm_setzero_si128(),
		_mm_setzero_si128() };

	add_product(&w, turn(load(g->hash)), load(g->power[0]));
	store(g->hash, turn(reduce(&w)));
}

#else

static int
is_quick(void)
{
	return 0;
}

static void
make_powers(mbedtls_gcm_context *g)
{
	(void)g;
}

static void
crypt_quick(mbedtls_gcm_context *g, uint8_t *out, const uint8_t *in,
    size_t eights)
{
	(void)g;
	(void)out;
	(void)in;
	(void)eights;
}

static void
multiply_quick(mbedtls_gcm_context *g)
{
	(void)g;
}

#endif

/* ---- both ---- */

static void
close_block(mbedtls_gcm_context *g)
{
	if (g->quick)
		multiply_quick(g);
	else
		multiply(g->hash, g->key);
}

static int
next_stream(mbedtls_gcm_context *g)
{
	count_up(g->counter);
	return mbedtls_aes_crypt_ecb(&g->aes, MBEDTLS_AES_ENCRYPT, g->counter,
	    g->stream);
}

void
mbedtls_gcm_init(mbedtls_gcm_context *g)
{
	memset(g, 0, sizeof(*g));
	mbedtls_aes_init(&g->aes);
}

void
mbedtls_gcm_free(mbedtls_gcm_context *g)
{
	if (g == NULL)
		return;
	mbedtls_aes_free(&g->aes);
	mbedtls_platform_zeroize(g, sizeof(*g));
}

int
mbedtls_gcm_setkey(mbedtls_gcm_context *g, mbedtls_cipher_id_t cipher,
    const unsigned char *key, unsigned int keybits)
{
	int r;

	if (cipher != MBEDTLS_CIPHER_ID_AES)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	if ((r = mbedtls_aes_setkey_enc(&g->aes, key, keybits)) != 0)
		return r;
	memset(g->key, 0, sizeof(g->key));
	r = mbedtls_aes_crypt_ecb(&g->aes, MBEDTLS_AES_ENCRYPT, g->key, g->key);
	g->quick = is_quick();
	if (r == 0 && g->quick)
		make_powers(g);
	return r;
}

/* An IV of another length than 12 is hashed. */
static void
hash_iv(mbedtls_gcm_context *g, const unsigned char *iv, size_t len)
{
	uint8_t bits[BLOCK] = { 0 };

	put_u64be(bits + 8, (uint64_t)len * 8);
	for (; len > 0; close_block(g)) {
		size_t n = len < BLOCK ? len : BLOCK;

		add_bytes(g->hash, iv, n);
		iv += n;
		len -= n;
	}
	add_bytes(g->hash, bits, BLOCK);
	close_block(g);
	memcpy(g->counter, g->hash, BLOCK);
	memset(g->hash, 0, BLOCK);
}

int
mbedtls_gcm_starts(mbedtls_gcm_context *g, int mode, const unsigned char *iv,
    size_t iv_len)
{
	if (iv_len == 0 || (uint64_t)iv_len >> 61 != 0)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	memset(g->hash, 0, sizeof(g->hash));
	memset(g->counter, 0, sizeof(g->counter));
	g->mode = mode;
	g->len = g->add_len = 0;
	if (iv_len == 12) {
		memcpy(g->counter, iv, 12);
		g->counter[15] = 1;
	} else {
		hash_iv(g, iv, iv_len);
	}
	return mbedtls_aes_crypt_ecb(&g->aes, MBEDTLS_AES_ENCRYPT, g->counter,
	    g->first);
}

int
mbedtls_gcm_update_ad(mbedtls_gcm_context *g, const unsigned char *add,
    size_t add_len)
{
	if (g->len > 0 || (uint64_t)add_len >> 61 != 0)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	while (add_len > 0) {
		size_t at = g->add_len % BLOCK, n = BLOCK - at;

		if (n > add_len)
			n = add_len;
		add_bytes(g->hash + at, add, n);
		g->add_len += n;
		add += n;
		add_len -= n;
		if (g->add_len % BLOCK == 0)
			close_block(g);
	}
	return 0;
}

/* Up to the end of the block that is begun. */
static size_t
crypt_part(mbedtls_gcm_context *g, uint8_t *out, const uint8_t *in, size_t len)
{
	size_t at = g->len % BLOCK, n = BLOCK - at;

	if (n > len)
		n = len;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = in[i], made = c ^ g->stream[at + i];

		g->hash[at + i] ^= g->mode == MBEDTLS_GCM_DECRYPT ? c : made;
		out[i] = made;
	}
	g->len += n;
	if (g->len % BLOCK == 0)
		close_block(g);
	return n;
}

int
mbedtls_gcm_update(mbedtls_gcm_context *g, const unsigned char *in,
    size_t len, unsigned char *out, size_t room, size_t *out_len)
{
	if (room < len)
		return MBEDTLS_ERR_GCM_BUFFER_TOO_SMALL;
	*out_len = len;
	if (len == 0)
		return 0;
	if (g->len > LEN_MAX || len > LEN_MAX - g->len)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	if (g->len == 0 && g->add_len % BLOCK != 0)
		close_block(g);
	while (len > 0) {
		size_t n;
		int r;

		if (g->len % BLOCK == 0 && g->quick && len >= 8 * BLOCK) {
			n = len - len % (8 * BLOCK);
			crypt_quick(g, out, in, n / (8 * BLOCK));
			g->len += n;
		} else {
			if (g->len % BLOCK == 0 && (r = next_stream(g)) != 0)
				return r;
			n = crypt_part(g, out, in, len);
		}
		in += n;
		out += n;
		len -= n;
	}
	return 0;
}

int
mbedtls_gcm_finish(mbedtls_gcm_context *g, unsigned char *out, size_t room,
    size_t *out_len, unsigned char *tag, size_t tag_len)
{
	uint8_t bits[BLOCK];

	(void)out;
	(void)room;
	*out_len = 0;
	if (tag_len > BLOCK || tag_len < TAG_MIN)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	if (g->len % BLOCK != 0 || (g->len == 0 && g->add_len % BLOCK != 0))
		close_block(g);
	put_u64be(bits, g->add_len * 8);
	put_u64be(bits + 8, g->len * 8);
	add_bytes(g->hash, bits, BLOCK);
	close_block(g);
	memcpy(tag, g->first, tag_len);
	add_bytes(tag, g->hash, tag_len);
	return 0;
}

int
mbedtls_gcm_crypt_and_tag(mbedtls_gcm_context *g, int mode, size_t len,
    const unsigned char *iv, size_t iv_len, const unsigned char *add,
    size_t add_len, const unsigned char *in, unsigned char *out,
    size_t tag_len, unsigned char *tag)
{
	size_t n;
	int r;

	if ((r = mbedtls_gcm_starts(g, mode, iv, iv_len)) != 0 ||
	    (r = mbedtls_gcm_update_ad(g, add, add_len)) != 0 ||
	    (r = mbedtls_gcm_update(g, in, len, out, len, &n)) != 0)
		return r;
	return mbedtls_gcm_finish(g, NULL, 0, &n, tag, tag_len);
}

int
mbedtls_gcm_auth_decrypt(mbedtls_gcm_context *g, size_t len,
    const unsigned char *iv, size_t iv_len, const unsigned char *add,
    size_t add_len, const unsigned char *tag, size_t tag_len,
    const unsigned char *in, unsigned char *out)
{
	uint8_t right[BLOCK], bad = 0;
	int r;

	if ((r = mbedtls_gcm_crypt_and_tag(g, MBEDTLS_GCM_DECRYPT, len, iv,
	    iv_len, add, add_len, in, out, tag_len, right)) != 0)
		return r;
	for (size_t i = 0; i < tag_len; i++)	/* in the same time for all */
		bad |= right[i] ^ tag[i];
	if (bad == 0)
		return 0;
	mbedtls_platform_zeroize(out, len);
	return MBEDTLS_ERR_GCM_AUTH_FAILED;
}
