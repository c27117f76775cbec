/* Primitives of mix/, each in the portable and in the hardware form. */
#include "tests/rig/unit.h"

#include "base/blake3.h"
#include "mix/gcm_siv.h"
#include "mix/polyval.h"
#include "mix/prim.h"
#include "mix/rng.h"
#include "tests/unit/vec.h"

static void
blake3_agrees_with_the_official_crate(void **state)
{
	static uint8_t in[102400];
	uint8_t want[32], got[32];
	size_t count = 0;
	struct vec v;

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i % 251);
	vec_open(&v, "blake3.txt");
	while (vec_next(&v)) {
		size_t n = vec_num(&v, "len");

		vec_bytes(&v, "hash", want, sizeof(want));
		blake3_hash(got, in, n);
		assert_memory_equal(got, want, 32);
		count++;
	}
	vec_close(&v);
	assert_int_equal(count, 27);
}

static void
blake3_in_pieces_equals_blake3_at_once(void **state)
{
	uint8_t in[5000], once[32], pieces[32];
	struct rng_seeded r;
	struct blake3 b;

	(void)state;
	rng_seeded_init(&r, (const uint8_t[32]){ 1 });
	rng_fill(&r.rng, in, sizeof(in));
	blake3_hash(once, in, sizeof(in));
	for (int round = 0; round < 50; round++) {
		size_t at = 0;

		blake3_init(&b);
		while (at < sizeof(in)) {
			size_t n = 1 + rng_below(&r.rng, 1500);

			if (n > sizeof(in) - at)
				n = sizeof(in) - at;
			blake3_update(&b, in + at, n);
			at += n;
		}
		blake3_final(&b, pieces);
		assert_memory_equal(pieces, once, 32);
	}
}

static void
gcm_siv_agrees_with_rfc_8452(void **state)
{
	uint8_t key[32], nonce[12], aad[64], plain[128], sealed[144];
	uint8_t buf[128], tag[16];
	size_t count = 0;
	struct vec v;

	(void)state;
	vec_open(&v, "gcm_siv.txt");
	while (vec_next(&v)) {
		size_t aad_len = vec_bytes(&v, "aad", aad, sizeof(aad));
		size_t n = vec_bytes(&v, "plain", plain, sizeof(plain));

		vec_bytes(&v, "key", key, sizeof(key));
		vec_bytes(&v, "nonce", nonce, sizeof(nonce));
		assert_int_equal(vec_bytes(&v, "sealed", sealed,
		    sizeof(sealed)), n + 16);
		for (int portable = 0; portable < 2; portable++) {
			prim_set_portable(portable);
			polyval_set_portable(portable);
			memcpy(buf, plain, n);
			gcm_siv_seal(key, nonce, aad, aad_len, buf, n, tag);
			assert_memory_equal(buf, sealed, n);
			assert_memory_equal(tag, sealed + n, 16);
			assert_int_equal(gcm_siv_open(key, nonce, aad, aad_len,
			    buf, n, tag), SW_OK);
			assert_memory_equal(buf, plain, n);
		}
		count++;
	}
	vec_close(&v);
	assert_int_equal(count, 26);
}

static void
gcm_siv_refuses_every_flipped_byte_and_leaves_nothing(void **state)
{
	static const uint8_t zero[100];
	uint8_t key[32] = { 7 }, nonce[12] = { 9 }, sealed[116], buf[116];

	(void)state;
	memset(sealed, 'x', 100);
	gcm_siv_seal(key, nonce, NULL, 0, sealed, 100, sealed + 100);
	for (size_t i = 0; i < sizeof(sealed); i++) {
		memcpy(buf, sealed, sizeof(buf));
		buf[i] ^= 0x40;
		assert_int_equal(gcm_siv_open(key, nonce, NULL, 0, buf, 100,
		    buf + 100), SW_ERR_MAC);
		assert_memory_equal(buf, zero, 100);
	}
	memcpy(buf, sealed, sizeof(buf));
	assert_int_equal(gcm_siv_open(key, nonce, NULL, 0, buf, 100,
	    buf + 100), SW_OK);
}

static void
hardware_and_portable_code_agree(void **state)
{
	uint8_t in[700], key[32], iv[16], a[700], b[700];
	struct polyval p, q;
	struct rng_seeded r;
	struct prim_aes aes;

	(void)state;
	rng_seeded_init(&r, (const uint8_t[32]){ 2 });
	for (size_t n = 0; n < sizeof(in); n += 1 + n / 9) {
		rng_fill(&r.rng, in, sizeof(in));
		rng_fill(&r.rng, key, sizeof(key));
		rng_fill(&r.rng, iv, sizeof(iv));
		if (n % 2 == 0)		/* make the low half overflow */
			memset(iv + 8, 0xff, 8);
		prim_set_portable(false);
		prim_aes128_ctr(a, in, n, key, iv);
		prim_set_portable(true);
		prim_aes128_ctr(b, in, n, key, iv);
		assert_memory_equal(a, b, n);

		prim_set_portable(false);
		prim_hmac_sha256(a, key, 32, in, n);
		prim_hkdf_sha256(a + 32, 288, iv, 16, in, n, key, n % 32);
		prim_sha256_pair(a + 320, in, n / 2, in + n / 2, n - n / 2);
		prim_set_portable(true);
		prim_hmac_sha256(b, key, 32, in, n);
		prim_hkdf_sha256(b + 32, 288, iv, 16, in, n, key, n % 32);
		prim_sha256(b + 320, in, n);
		assert_memory_equal(a, b, 352);

		prim_set_portable(false);
		prim_aes_init(&aes, key, 32);
		prim_aes_encrypt(&aes, a, in, n / 16);
		prim_set_portable(true);
		prim_aes_init(&aes, key, 32);
		prim_aes_encrypt(&aes, b, in, n / 16);
		assert_memory_equal(a, b, n / 16 * 16);

		polyval_set_portable(false);
		polyval_init(&p, key);
		polyval_update(&p, in, n);
		polyval_set_portable(true);
		polyval_init(&q, key);
		polyval_update(&q, in, n);
		assert_memory_equal(p.acc, q.acc, 16);
	}
	prim_set_portable(false);
	polyval_set_portable(false);
}

static void
aes_ctr_agrees_with_sp_800_38a(void **state)
{
	uint8_t key[16], iv[16], plain[64], want[64], got[64];

	(void)state;
	vec_hex("2b7e151628aed2a6abf7158809cf4f3c", key, 16);
	vec_hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", iv, 16);
	vec_hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45"
	    "af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be6"
	    "6c3710", plain, 64);
	vec_hex("874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9"
	    "fffdff5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3"
	    "009cee", want, 64);
	prim_aes128_ctr(got, plain, 64, key, iv);
	assert_memory_equal(got, want, 64);
}

static void
hkdf_agrees_with_rfc_5869(void **state)
{
	uint8_t ikm[22], salt[13], info[10], want[42], got[42];

	(void)state;
	memset(ikm, 0x0b, sizeof(ikm));
	vec_hex("000102030405060708090a0b0c", salt, 13);
	vec_hex("f0f1f2f3f4f5f6f7f8f9", info, 10);
	vec_hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4"
	    "c5bf34007208d5b887185865", want, 42);
	prim_hkdf_sha256(got, 42, salt, 13, ikm, 22, info, 10);
	assert_memory_equal(got, want, 42);
}

static void
a_chain_of_scalars_equals_one_multiplication_each(void **state)
{
	uint8_t sk[32], u[32], k[4][32], steps[32], once[32];
	struct prim_chain c;
	struct rng_seeded r;

	(void)state;
	rng_seeded_init(&r, (const uint8_t[32]){ 3 });
	for (int round = 0; round < 40; round++) {
		rng_fill(&r.rng, sk, 32);
		prim_x25519_base(u, sk);
		memcpy(steps, u, 32);
		for (int i = 0; i < 4; i++) {
			rng_fill(&r.rng, k[i], 32);
			if (i == 0)
				prim_chain_init(&c, k[i]);
			else
				prim_chain_mul(&c, k[i]);
			assert_int_equal(prim_x25519(steps, k[i], steps),
			    SW_OK);
			assert_int_equal(prim_chain_apply(once, &c, u), SW_OK);
			assert_memory_equal(once, steps, 32);
		}
	}
}

static void
points_off_the_curve_are_recognised(void **state)
{
	uint8_t sk[32], u[32];
	struct rng_seeded r;
	int on = 0;

	(void)state;
	rng_seeded_init(&r, (const uint8_t[32]){ 4 });
	for (int i = 0; i < 20; i++) {
		rng_fill(&r.rng, sk, 32);
		prim_x25519_base(u, sk);
		assert_true(prim_x25519_is_on_curve(u));
	}
	/* 2 is a coordinate of the twist; 0 and 1 have low order. */
	memset(u, 0, 32);
	assert_false(prim_x25519_is_on_curve(u));
	u[0] = 1;
	assert_false(prim_x25519_is_on_curve(u));
	u[0] = 2;
	assert_false(prim_x25519_is_on_curve(u));
	u[0] = 9;
	assert_true(prim_x25519_is_on_curve(u));
	for (int i = 0; i < 200; i++) {
		rng_fill(&r.rng, u, 32);
		on += prim_x25519_is_on_curve(u);
	}
	assert_in_range(on, 60, 140);		/* about half of all */
}

static void
x25519_refuses_low_order_and_leaves_nothing(void **state)
{
	uint8_t sk[32] = { 5 }, u[32] = { 0 }, out[32], zero[32] = { 0 };

	(void)state;
	memset(out, 0xee, sizeof(out));
	assert_int_equal(prim_x25519(out, sk, u), SW_ERR_FORMAT);
	assert_memory_equal(out, zero, 32);
}

static void
exponential_samples_have_their_mean(void **state)
{
	struct rng_seeded r;
	double sum = 0;

	(void)state;
	rng_seeded_init(&r, (const uint8_t[32]){ 5 });
	for (int i = 0; i < 20000; i++)
		sum += (double)rng_exponential(&r.rng, 1000000);
	assert_in_range((uint64_t)(sum / 20000), 980000, 1020000);
	assert_int_equal(rng_exponential(&r.rng, 0), 0);
}

/* Random points, on the twist too, the extremes, and those of low order. */
static void
many_multiplications_are_as_many_single_ones(void **state)
{
	static const uint8_t zero[32];
	struct prim_lanes l;
	uint8_t k[PRIM_LANES][32], want[32];
	unsigned refused;

	(void)state;
	for (unsigned round = 0; round < 90; round++) {
		size_t n = round % (PRIM_LANES + 1);

		prim_set_portable(round % 4 == 3);
		rng_fill(&rng_system, &l, sizeof(l));
		if (round % 5 == 1)
			memset(l.u[0], 0xff, 32);
		if (round % 5 == 2)
			memset(l.k[0], 0xff, 32);
		if (round % 5 == 3)
			memset(l.k[0], 0, 32);
		if (round % 5 == 4 && n > 0)
			memset(l.u[n - 1], 0, 32);
		memcpy(k, l.k, sizeof(k));
		refused = prim_x25519_many(&l, n);
		prim_set_portable(false);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(prim_x25519(want, k[i], l.u[i]) !=
			    SW_OK, refused >> i & 1);
			assert_memory_equal(l.out[i], want, 32);
			if ((refused >> i & 1) != 0)
				assert_memory_equal(l.out[i], zero, 32);
		}
		assert_int_equal(refused >> n, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_multiplications_are_as_many_single_ones),
		cmocka_unit_test(blake3_agrees_with_the_official_crate),
		cmocka_unit_test(blake3_in_pieces_equals_blake3_at_once),
		cmocka_unit_test(gcm_siv_agrees_with_rfc_8452),
		cmocka_unit_test(
		    gcm_siv_refuses_every_flipped_byte_and_leaves_nothing),
		cmocka_unit_test(hardware_and_portable_code_agree),
		cmocka_unit_test(aes_ctr_agrees_with_sp_800_38a),
		cmocka_unit_test(hkdf_agrees_with_rfc_5869),
		cmocka_unit_test(
		    a_chain_of_scalars_equals_one_multiplication_each),
		cmocka_unit_test(points_off_the_curve_are_recognised),
		cmocka_unit_test(x25519_refuses_low_order_and_leaves_nothing),
		cmocka_unit_test(exponential_samples_have_their_mean),
	};

	return cmocka_run_group_tests(tests, unit_prim_init, NULL);
}
