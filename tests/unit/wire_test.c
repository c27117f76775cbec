/* Cursors refuse, zero the output and keep their place; what was put is got. */
#include "tests/rig/unit.h"

#include "base/wire.h"

static void
get_u16be_refuses_one_byte_and_keeps_it(void **state)
{
	const uint8_t in[] = { 0xab };
	struct rbuf r = { .p = in, .left = sizeof(in) };
	uint16_t v = 7;

	(void)state;
	assert_int_equal(wire_get_u16be(&r, &v), SW_ERR_TRUNCATED);
	assert_int_equal(v, 0);
	assert_int_equal(r.left, 1);
	assert_ptr_equal(r.p, in);
}

static void
get_bytes_zeroes_the_output_it_cannot_fill(void **state)
{
	const uint8_t in[] = { 1, 2 };
	uint8_t out[3] = { 9, 9, 9 };
	struct rbuf r = { .p = in, .left = sizeof(in) };

	(void)state;
	assert_int_equal(wire_get_bytes(&r, out, 3), SW_ERR_TRUNCATED);
	assert_memory_equal(out, "\0\0\0", 3);
	assert_int_equal(r.left, 2);
}

static void
put_refuses_and_writes_nothing(void **state)
{
	uint8_t out[3] = { 9, 9, 9 };
	struct wbuf w = { .p = out, .left = sizeof(out) };

	(void)state;
	assert_int_equal(wire_put_u32be(&w, 1), SW_ERR_TOO_LONG);
	assert_memory_equal(out, "\x09\x09\x09", 3);
	assert_int_equal(w.left, 3);
}

static void
both_byte_orders_are_the_named_ones(void **state)
{
	uint8_t out[14];
	struct wbuf w = { .p = out, .left = sizeof(out) };
	struct rbuf r = { .p = out, .left = sizeof(out) };
	uint16_t be, le;
	uint64_t v;

	(void)state;
	assert_int_equal(wire_put_u16be(&w, 0x0102), SW_OK);
	assert_int_equal(wire_put_u16le(&w, 0x0102), SW_OK);
	assert_int_equal(wire_put_u64le(&w, 0x1122334455667788u), SW_OK);
	assert_int_equal(wire_put_u16be(&w, 0xffff), SW_OK);
	assert_memory_equal(out, "\x01\x02\x02\x01\x88\x77", 6);
	assert_int_equal(wire_get_u16be(&r, &be), SW_OK);
	assert_int_equal(wire_get_u16le(&r, &le), SW_OK);
	assert_int_equal(wire_get_u64le(&r, &v), SW_OK);
	assert_int_equal(be, 0x0102);
	assert_int_equal(le, 0x0102);
	assert_true(v == 0x1122334455667788u);
	assert_int_equal(r.left, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(get_u16be_refuses_one_byte_and_keeps_it),
		cmocka_unit_test(get_bytes_zeroes_the_output_it_cannot_fill),
		cmocka_unit_test(put_refuses_and_writes_nothing),
		cmocka_unit_test(both_byte_orders_are_the_named_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
