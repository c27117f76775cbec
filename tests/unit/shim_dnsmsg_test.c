#include "tests/rig/unit.h"

#include <string.h>


#include "preload/shim_dnsmsg.h"

/* An answer of a DNS server (dnsmasq 2.90) to alias.example.test A: a CNAME
 * to www.example.test and that one's address. */
static const uint8_t cname_answer[] = {
	0x12, 0x34, 0x85, 0x80, 0x00, 0x01, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00,
	0x05, 'a', 'l', 'i', 'a', 's', 0x07, 'e', 'x', 'a', 'm', 'p', 'l', 'e',
	0x04, 't', 'e', 's', 't', 0x00, 0x00, 0x01, 0x00, 0x01,
	0xc0, 0x0c, 0x00, 0x05, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x06,
	0x03, 'w', 'w', 'w', 0xc0, 0x12,
	0xc0, 0x30, 0x00, 0x01, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04,
	203, 0, 113, 80,
};

static void
query_has_the_bytes_of_rfc_1035(void **state)
{
	static const uint8_t want[] = { 0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0,
	    0, 1, 'a', 2, 'b', 'c', 0, 0, 28, 0, 1 };
	uint8_t msg[DNSMSG_QUERY_MAX];
	size_t len = sizeof(msg);

	(void)state;
	assert_int_equal(dnsmsg_put_query(msg, &len, 0xabcd, "a.bc", DNSMSG_IN,
	    DNSMSG_AAAA), SW_OK);
	assert_int_equal(len, sizeof(want));
	assert_memory_equal(msg, want, len);
}

static void
query_takes_root_final_dot_and_escapes(void **state)
{
	static const struct {
		const char *name;
		const char *wire;
		size_t len;
	} cases[] = {
		{ ".", "\0", 1 }, { "a.", "\1a\0", 3 },
		{ "a\\.b.c", "\3a.b\1c\0", 7 }, { "\\065", "\1A\0", 3 },
	};
	uint8_t msg[DNSMSG_QUERY_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = sizeof(msg);

		assert_int_equal(dnsmsg_put_query(msg, &len, 0, cases[i].name,
		    1, 1), SW_OK);
		assert_int_equal(len, DNSMSG_HEADER_LEN + cases[i].len + 4);
		assert_memory_equal(msg + DNSMSG_HEADER_LEN, cases[i].wire,
		    cases[i].len);
	}
}

static void
query_refuses_what_is_no_name(void **state)
{
	static const char *const bad[] = { "a..b", ".a", "..", "\\", "\\25",
	    "\\999" };
	char label[65 + 5], many[300];
	uint8_t msg[DNSMSG_QUERY_MAX];
	size_t len = sizeof(msg);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(dnsmsg_put_query(msg, &len, 0, bad[i], 1, 1),
		    SW_ERR_FORMAT);
	memset(label, 'x', 64);
	strcpy(label + 64, ".y");
	assert_int_equal(dnsmsg_put_query(msg, &len, 0, label, 1, 1),
	    SW_ERR_FORMAT);
	for (size_t i = 0; i < sizeof(many); i++)
		many[i] = i % 2 ? '.' : 'z';
	many[299] = '\0';
	assert_int_equal(dnsmsg_put_query(msg, &len, 0, many, 1, 1),
	    SW_ERR_FORMAT);
	len = 20;
	assert_int_equal(dnsmsg_put_query(msg, &len, 0, "www.example", 1, 1),
	    SW_ERR_TOO_LONG);
}

static void
canon_follows_the_chain(void **state)
{
	char name[64] = "untouched";

	(void)state;
	assert_int_equal(dnsmsg_get_canon(cname_answer, sizeof(cname_answer),
	    name, sizeof(name)), SW_OK);
	assert_string_equal(name, "www.example.test");
}

static void
canon_refuses_every_cut_and_keeps_the_name(void **state)
{
	char name[64] = "untouched";

	(void)state;
	/* The address record at the end is never needed. */
	for (size_t n = 0; n < sizeof(cname_answer) - 16; n++) {
		assert_int_not_equal(dnsmsg_get_canon(cname_answer, n, name,
		    sizeof(name)), SW_OK);
		assert_string_equal(name, "untouched");
	}
}

static void
canon_survives_loops(void **state)
{
	uint8_t msg[sizeof(cname_answer)];
	char name[64];

	(void)state;
	/* A compression pointer to itself. */
	memcpy(msg, cname_answer, sizeof(msg));
	msg[52] = 0xc0;
	msg[53] = 52;
	assert_int_not_equal(dnsmsg_get_canon(msg, sizeof(msg), name,
	    sizeof(name)), SW_OK);
	/* A CNAME to itself: the chain is cut, an answer there is. */
	memcpy(msg, cname_answer, sizeof(msg));
	msg[47] = 2;
	msg[48] = 0xc0;
	msg[49] = 0x0c;
	assert_int_not_equal(dnsmsg_get_canon(msg, 50, name, sizeof(name)),
	    SW_ERR_TOO_LONG);
}

static void
question_escapes_odd_bytes(void **state)
{
	static const uint8_t msg[] = { 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
	    4, '.', '\\', 1, 'a', 0, 0, 1, 0, 1 };
	char name[64];

	(void)state;
	assert_int_equal(dnsmsg_get_question(msg, sizeof(msg), name,
	    sizeof(name)), SW_OK);
	assert_string_equal(name, "\\.\\\\\\001a");
	assert_int_equal(dnsmsg_get_question(msg, sizeof(msg), name, 5),
	    SW_ERR_TOO_LONG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(query_has_the_bytes_of_rfc_1035),
		cmocka_unit_test(query_takes_root_final_dot_and_escapes),
		cmocka_unit_test(query_refuses_what_is_no_name),
		cmocka_unit_test(canon_follows_the_chain),
		cmocka_unit_test(canon_refuses_every_cut_and_keeps_the_name),
		cmocka_unit_test(canon_survives_loops),
		cmocka_unit_test(question_escapes_odd_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
