/* Noise between nodes: the transcript of nym-network.md A.5, whose generator
 * reproduces the published vectors of this protocol; and that nothing else is
 * taken for it. */
#include "tests/rig/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/container.h"
#include "mix/noise.h"

struct fixed_rng {
	struct rng rng;
	uint8_t byte;
};

static void
fill_fixed(struct rng *self, void *out, size_t n)
{
	memset(out, CONTAINER_OF(self, struct fixed_rng, rng)->byte, n);
}

static struct noise ini, res;
static struct fixed_rng ini_rng = { { fill_fixed }, 0x33 };
static struct fixed_rng res_rng = { { fill_fixed }, 0x44 };

static void
begin(void)
{
	uint8_t i_sk[32], r_sk[32], r_pk[32];

	memset(i_sk, 0x11, sizeof(i_sk));
	memset(r_sk, 0x22, sizeof(r_sk));
	prim_x25519_base(r_pk, r_sk);
	noise_wipe(&ini);
	noise_wipe(&res);
	noise_init(&ini, true, i_sk, r_pk, &ini_rng.rng);
	noise_init(&res, false, r_sk, r_pk, &res_rng.rng);
}

static void
expect_bytes(const uint8_t *p, size_t n, const char *hex)
{
	char text[3];

	assert_int_equal(strlen(hex), 2 * n);
	for (size_t i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%02x", p[i]);
		assert_memory_equal(text, hex + 2 * i, 2);
	}
}

static int
give(struct noise *to, uint8_t *p, size_t n)
{
	struct rbuf r = { p, n };
	uint8_t *plain;
	size_t len;
	int err = noise_take(to, &r, &plain, &len);

	if (err == SW_OK || err == SW_AGAIN)
		assert_int_equal(r.left, err == SW_AGAIN ? n : 0);
	assert_int_equal(len, 0);
	return err;
}

/* Both ends up; the frames are left in `f`. */
static void
shake(uint8_t f[3][NOISE_HANDSHAKE_MAX], size_t len[3])
{
	begin();
	assert_int_equal(noise_say(&res, f[0], &len[0]), SW_OK);
	assert_int_equal(len[0], 0);	/* not its turn */
	for (int i = 0; i < 3; i++) {
		struct noise *from = i == 1 ? &res : &ini;
		struct noise *to = i == 1 ? &ini : &res;
		uint8_t copy[NOISE_HANDSHAKE_MAX];

		assert_int_equal(noise_say(from, f[i], &len[i]), SW_OK);
		memcpy(copy, f[i], len[i]);
		assert_int_equal(give(to, copy, len[i]), SW_OK);
	}
	assert_true(ini.done && res.done);
}

static void
the_transcript_is_that_of_the_vector(void **state)
{
	uint8_t f[3][NOISE_HANDSHAKE_MAX], data[100];
	struct wbuf w = { data, sizeof(data) };
	struct rbuf r;
	size_t len[3], n;
	uint8_t *plain;

	(void)state;
	shake(f, len);
	expect_bytes(f[0], len[0],
	    "01010000300000007b0d47d93427f8311160781c7c733fd89f88970aef490d8a"
	    "a0ee19a4cb8a1b144f21c41df45000ea8021f542e30fa07b");
	expect_bytes(f[1], len[1],
	    "0101000030000000ff2ee45601ec1b67310c7790404585ae697331eee1c1f8cf"
	    "2419731c1fff3e6b7077dac2c97e56a6fe6ca1efd2c2656d");
	expect_bytes(f[2], len[2],
	    "0101000040000000f9c9d42a5a2a5d1b68c2c383cb205aea7f69848117171b44"
	    "bcab4b3d0181f08b579ae900caf2392d78a2cdce56e6068c904c157d38d932b0"
	    "c55026b283c16888");
	expect_bytes(ini.h, sizeof(ini.h),
	    "2949032c0a24a68863249f16c623e67b8af8b8f64f5cb02cccd240c3beee7e85");
	assert_memory_equal(res.h, ini.h, sizeof(ini.h));
	assert_int_equal(noise_seal(&ini, &w, "hello", 5), SW_OK);
	n = sizeof(data) - w.left;
	expect_bytes(data, n,
	    "01010100150000009d03195e246971e3a709dabd4cc2413cbef421ff3f");
	r = (struct rbuf){ data, n };
	assert_int_equal(noise_take(&res, &r, &plain, &n), SW_OK);
	assert_int_equal(n, 5);
	assert_memory_equal(plain, "hello", 5);
	expect_bytes(res.peer_s, 32,
	    "7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13");
}

static void
frames_may_come_in_pieces(void **state)
{
	uint8_t f[3][NOISE_HANDSHAKE_MAX], copy[NOISE_HANDSHAKE_MAX];
	size_t len[3];

	(void)state;
	shake(f, len);
	begin();
	for (size_t n = 0; n < len[0]; n++) {
		memcpy(copy, f[0], len[0]);
		assert_int_equal(give(&res, copy, n), SW_AGAIN);
	}
	assert_int_equal(give(&res, copy, len[0]), SW_OK);
}

/* Any bit of a handshake frame changed, but for the reserved bytes, and the
 * handshake fails, at once or at the next frame. */
static void
a_changed_handshake_ends_nowhere(void **state)
{
	uint8_t f[3][NOISE_HANDSHAKE_MAX], g[NOISE_HANDSHAKE_MAX];
	size_t len[3], n;

	(void)state;
	shake(f, len);
	for (int which = 0; which < 3; which++)
		for (size_t i = 0; i < len[which]; i++) {
			int r = SW_OK;

			if (i >= 5 && i < 8)
				continue;
			begin();
			for (int k = 0; k < 3 && r == SW_OK; k++) {
				struct noise *from = k == 1 ? &res : &ini;
				struct noise *to = k == 1 ? &ini : &res;

				r = noise_say(from, g, &n);
				if (r == SW_OK && k == which)
					g[i] ^= (uint8_t)(1 << (i % 8));
				if (r == SW_OK)
					r = give(to, g, n);
			}
			/* The top bit of a coordinate is not part of it, yet
			 * it is hashed. */
			assert_int_not_equal(r, SW_OK);
		}
}

static void
data_is_taken_once_in_order_and_whole(void **state)
{
	uint8_t f[3][NOISE_HANDSHAKE_MAX], data[2][60], copy[60], *plain;
	size_t len[3], n[2], got;
	struct rbuf r;

	(void)state;
	for (size_t i = 0; i < 40; i++) {
		shake(f, len);
		for (int k = 0; k < 2; k++) {
			struct wbuf w = { data[k], sizeof(data[k]) };

			assert_int_equal(noise_seal(&ini, &w, "0123456789abcdef",
			    16), SW_OK);
			n[k] = sizeof(data[k]) - w.left;
		}
		memcpy(copy, data[0], n[0]);
		if (i >= n[0]) {	/* the second before the first */
			memcpy(copy, data[1], n[1]);
		} else if (i < 5 || i >= 8) {
			copy[i] ^= 1;
			if (i == 3 || i == 4)	/* longer: it waits */
				continue;
		}
		r = (struct rbuf){ copy, n[0] };
		if (i >= 5 && i < 8)
			assert_int_equal(noise_take(&res, &r, &plain, &got),
			    SW_OK);
		else
			assert_in_range(-noise_take(&res, &r, &plain, &got),
			    1, 100);
	}
	/* The same frame again. */
	shake(f, len);
	for (int k = 0; k < 2; k++) {
		struct wbuf w = { data[0], sizeof(data[0]) };

		if (k == 0)
			assert_int_equal(noise_seal(&ini, &w, "x", 1), SW_OK);
		memcpy(copy, data[0], 25);
		r = (struct rbuf){ copy, 25 };
		assert_int_equal(noise_take(&res, &r, &plain, &got),
		    k == 0 ? SW_OK : SW_ERR_MAC);
	}
}

static void
data_before_the_end_of_the_handshake_is_refused(void **state)
{
	uint8_t data[8 + 20] = { 1, 1, 1, 0, 20 };
	uint8_t big[8] = { 1, 1, 0, 0xff, 0xff };

	(void)state;
	begin();
	assert_int_equal(give(&ini, data, 0), SW_AGAIN);
	struct rbuf r = { data, sizeof(data) };
	uint8_t *plain;
	size_t n;

	assert_int_equal(noise_take(&res, &r, &plain, &n), SW_ERR_FORMAT);
	r = (struct rbuf){ big, sizeof(big) };
	assert_int_equal(noise_take(&res, &r, &plain, &n), SW_ERR_FORMAT);
}

static void
the_key_of_another_is_not_enough(void **state)
{
	uint8_t sk[32], other[32], out[NOISE_HANDSHAKE_MAX];
	size_t n;

	(void)state;
	begin();
	memset(sk, 0x11, sizeof(sk));
	memset(other, 0x55, sizeof(other));
	prim_x25519_base(other, other);
	noise_wipe(&ini);
	noise_init(&ini, true, sk, other, &ini_rng.rng);
	assert_int_equal(noise_say(&ini, out, &n), SW_OK);
	assert_int_equal(give(&res, out, n), SW_ERR_MAC);
}

static int
teardown(void **state)
{
	static const struct noise zero;

	(void)state;
	noise_wipe(&ini);
	noise_wipe(&res);
	return memcmp(&ini, &zero, sizeof(zero));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_transcript_is_that_of_the_vector),
		cmocka_unit_test(frames_may_come_in_pieces),
		cmocka_unit_test(a_changed_handshake_ends_nowhere),
		cmocka_unit_test(data_is_taken_once_in_order_and_whole),
		cmocka_unit_test(
		    data_before_the_end_of_the_handshake_is_refused),
		cmocka_unit_test(the_key_of_another_is_not_enough),
	};

	return prim_init() == SW_OK ?
	    cmocka_run_group_tests(tests, NULL, teardown) : 1;
}
