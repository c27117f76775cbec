#include "tests/rig/unit.h"

#include <string.h>

#include "preload/session_resolv.h"

static void
takes_the_servers_and_nothing_else(void **state)
{
	struct resolv r = { .n = 7 };
	char text[SW_ADDR_TEXT_LEN];

	(void)state;
	resolv_parse(&r, "# nameserver 1.1.1.1\nsearch x\n"
	    "nameserver 192.0.2.53\nnameserver\t 2001:db8::53 # far\n"
	    "nameserver fe80::1%eth0\nnameserver name\nnameserver\n"
	    "nameservers 1.1.1.1\nnameserver 192.0.2.54");
	assert_int_equal(r.n, 4);
	assert_string_equal(addr_ip_text(&r.servers[0], text), "192.0.2.53");
	assert_string_equal(addr_ip_text(&r.servers[1], text), "2001:db8::53");
	assert_string_equal(addr_ip_text(&r.servers[2], text), "fe80::1");
	assert_string_equal(addr_ip_text(&r.servers[3], text), "192.0.2.54");
}

static void
takes_no_more_than_it_can_hold(void **state)
{
	char text[4096] = "";
	struct resolv r = { .n = 0 };

	(void)state;
	for (int i = 0; i < 50; i++)
		strcat(text, "nameserver 10.0.0.1\n");
	resolv_parse(&r, text);
	assert_int_equal(r.n, RESOLV_SERVERS_MAX);
	resolv_parse(&r, "");
	assert_int_equal(r.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_servers_and_nothing_else),
		cmocka_unit_test(takes_no_more_than_it_can_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
