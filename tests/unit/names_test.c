#include "tests/rig/unit.h"

#include <stdio.h>
#include <string.h>

#include "stack/names.h"

static struct sw_addr
ip(const char *text)
{
	struct sw_addr a;

	assert_int_equal(addr_parse_ip(&a, text), SW_OK);
	return a;
}

static void
addresses_come_in_sequence_and_stay(void **state)
{
	struct names *m = names_new(0);
	struct sw_addr v4, v6;

	(void)state;
	assert_int_equal(names_get(m, "One.Example.", &v4, &v6), SW_OK);
	assert_true(addr_same_ip(&v4, &(struct sw_addr){ 0 }) == false);
	v4.port = 0;
	assert_memory_equal(&v4, &(struct sw_addr[]){ ip("198.18.0.1") }[0],
	    sizeof(v4));
	assert_memory_equal(&v6,
	    &(struct sw_addr[]){ ip("fd73:6d6f:6c77:1::1") }[0], sizeof(v6));
	assert_int_equal(names_get(m, "two.example", &v4, NULL), SW_OK);
	assert_true(addr_same_ip(&v4, &(struct sw_addr[]){ ip("198.18.0.2") }[0]));
	assert_int_equal(names_get(m, "one.example", &v4, NULL), SW_OK);
	assert_true(addr_same_ip(&v4, &(struct sw_addr[]){ ip("198.18.0.1") }[0]));
	assert_string_equal(names_find(m, &v4), "one.example");
	assert_string_equal(names_find(m, &v6), "one.example");
	assert_int_equal(names_count(m), 2);
	names_free(m);
}

static void
every_address_of_the_range_is_used_and_leads_back(void **state)
{
	struct names *m = names_new(0);
	struct sw_addr v4, v6, last = { 0 };
	char name[32];

	(void)state;
	for (unsigned i = 0; i < NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "h%u.example", i);
		assert_int_equal(names_get(m, name, &v4, &v6), SW_OK);
		last = v4;
	}
	assert_true(addr_same_ip(&last,
	    &(struct sw_addr[]){ ip("198.19.255.254") }[0]));
	for (unsigned i = 0; i < NAMES_MAX; i += 997) {
		struct sw_addr a = addr_v4(0xc6120001u + i, 0);

		snprintf(name, sizeof(name), "h%u.example", i);
		assert_string_equal(names_find(m, &a), name);
	}
	names_free(m);
}

static void
when_full_the_least_recently_used_goes(void **state)
{
	struct names *m = names_new(3);
	struct sw_addr a, b, d;

	(void)state;
	assert_int_equal(names_get(m, "a.x", &a, NULL), SW_OK);
	assert_int_equal(names_get(m, "b.x", &b, NULL), SW_OK);
	assert_int_equal(names_get(m, "c.x", NULL, NULL), SW_OK);
	assert_non_null(names_find(m, &a));		/* used again */
	assert_int_equal(names_get(m, "d.x", &d, NULL), SW_OK);
	assert_true(addr_same_ip(&d, &b));
	assert_string_equal(names_find(m, &b), "d.x");
	assert_string_equal(names_find(m, &a), "a.x");
	assert_int_equal(names_get(m, "b.x", &b, NULL), SW_OK);
	assert_false(addr_same_ip(&d, &b));
	assert_int_equal(names_count(m), 3);
	names_free(m);
}

static void
only_host_names_are_taken(void **state)
{
	static const char *const bad[] = {
		"", ".", "a..b", "-a.b", "a b", "a;b", "a/b", "a'b", "$(a)", "a\nb",
		"a\"b", "\xc3\xa9.x", "*.x", ".a",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.x",
	};
	char out[DIAL_HOST_MAX + 1], longest[300];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(names_normalise(bad[i], strlen(bad[i]), out),
		    SW_ERR_FORMAT);
		assert_string_equal(out, "");
	}
	assert_int_equal(names_normalise("_srv.A-1.x.", 11, out), SW_OK);
	assert_string_equal(out, "_srv.a-1.x");
	memset(longest, 'a', sizeof(longest));
	for (int i = 63; i < 254; i += 64)
		longest[i] = '.';
	assert_int_equal(names_normalise(longest, 253, out), SW_OK);
	assert_int_equal(names_normalise(longest, 254, out), SW_ERR_FORMAT);
	assert_int_equal(names_normalise("a\0b", 3, out), SW_ERR_FORMAT);
}

static void
targets_are_names_or_numeric_text(void **state)
{
	struct names *m = names_new(0);
	struct dial_target t;
	struct sw_addr a;

	(void)state;
	assert_int_equal(names_get(m, "web.example", NULL, &a), SW_OK);
	a.port = 443;
	assert_int_equal(names_target(m, &a, &t), SW_OK);
	assert_string_equal(t.host, "web.example");
	assert_int_equal(t.port, 443);
	a = ip("2001:db8::5");
	a.port = 80;
	assert_int_equal(names_target(m, &a, &t), SW_OK);
	assert_string_equal(t.host, "2001:db8::5");
	a = ip("198.18.77.7");
	assert_int_equal(names_target(m, &a, &t), SW_ERR_UNREACH_HOST);
	a = ip("198.18.0.0");
	assert_true(names_is_virtual(&a));
	assert_null(names_find(m, &a));
	a = ip("198.17.255.255");
	assert_false(names_is_virtual(&a));
	a = ip("198.20.0.0");
	assert_false(names_is_virtual(&a));
	names_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_come_in_sequence_and_stay),
		cmocka_unit_test(every_address_of_the_range_is_used_and_leads_back),
		cmocka_unit_test(when_full_the_least_recently_used_goes),
		cmocka_unit_test(only_host_names_are_taken),
		cmocka_unit_test(targets_are_names_or_numeric_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
