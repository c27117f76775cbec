/* One address type for both families: conversion, text and classes. */
#include "tests/rig/unit.h"

#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/addr.h"

static struct sw_addr
parse(const char *text)
{
	struct sw_addr a;

	assert_int_equal(addr_parse_ip(&a, text), SW_OK);
	return a;
}

static void
sockaddr_survives_the_round_trip(void **state)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(443), .sin6_scope_id = 3 }, back;
	socklen_t len = sizeof(back);
	struct sw_addr a;

	(void)state;
	inet_pton(AF_INET6, "fe80::1", &in6.sin6_addr);
	assert_int_equal(addr_from_sockaddr(&a, (struct sockaddr *)&in6,
	    sizeof(in6)), SW_OK);
	assert_int_equal(a.port, 443);
	addr_to_sockaddr(&a, AF_INET6, (struct sockaddr *)&back, &len);
	assert_int_equal(len, sizeof(back));
	assert_memory_equal(&in6, &back, sizeof(back));
}

static void
v4_becomes_mapped_in_a_v6_sockaddr(void **state)
{
	struct sw_addr a = addr_v4(0x01020304, 80);
	struct sockaddr_in6 in6;
	struct sockaddr_in in;
	socklen_t len = sizeof(in6);

	(void)state;
	addr_to_sockaddr(&a, AF_INET6, (struct sockaddr *)&in6, &len);
	assert_true(IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr));
	len = sizeof(in);
	addr_to_sockaddr(&a, AF_INET, (struct sockaddr *)&in, &len);
	assert_int_equal(ntohl(in.sin_addr.s_addr), 0x01020304);
	assert_int_equal(ntohs(in.sin_port), 80);
}

static void
short_room_is_filled_and_the_full_length_told(void **state)
{
	struct sw_addr a = addr_v4(0x01020304, 80);
	uint8_t room[8];
	socklen_t len = 4;

	(void)state;
	memset(room, 0xee, sizeof(room));
	addr_to_sockaddr(&a, AF_INET, (struct sockaddr *)(void *)room, &len);
	assert_int_equal(len, sizeof(struct sockaddr_in));
	assert_int_equal(room[4], 0xee);
}

static void
short_and_foreign_sockaddrs_are_refused(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr un = { .sa_family = AF_UNIX };
	struct sw_addr a;

	(void)state;
	assert_int_equal(addr_from_sockaddr(&a, (struct sockaddr *)&in, 15),
	    SW_ERR_TRUNCATED);
	assert_int_equal(addr_from_sockaddr(&a, (struct sockaddr *)&in, 1),
	    SW_ERR_TRUNCATED);
	assert_int_equal(addr_from_sockaddr(&a, &un, sizeof(un)),
	    SW_ERR_UNSUPPORTED);
}

static void
classes_follow_the_ranges(void **state)
{
	static const struct {
		const char *ip;
		int loopback, private, multicast, any;
	} t[] = {
		{ "127.3.2.1", 1, 0, 0, 0 }, { "::1", 1, 0, 0, 0 },
		{ "::ffff:127.0.0.1", 1, 0, 0, 0 }, { "::", 0, 0, 0, 1 },
		{ "0.0.0.0", 0, 0, 0, 1 }, { "10.1.1.1", 0, 1, 0, 0 },
		{ "172.31.255.1", 0, 1, 0, 0 }, { "172.32.0.1", 0, 0, 0, 0 },
		{ "192.168.0.1", 0, 1, 0, 0 }, { "169.254.1.1", 0, 1, 0, 0 },
		{ "100.127.0.1", 0, 1, 0, 0 }, { "100.128.0.1", 0, 0, 0, 0 },
		{ "fd00::1", 0, 1, 0, 0 }, { "fe80::1", 0, 1, 0, 0 },
		{ "224.0.0.1", 0, 0, 1, 0 }, { "255.255.255.255", 0, 0, 1, 0 },
		{ "ff02::fb", 0, 0, 1, 0 }, { "203.0.113.1", 0, 0, 0, 0 },
		{ "2001:db8::1", 0, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct sw_addr a = parse(t[i].ip);

		assert_int_equal(addr_is_loopback(&a), t[i].loopback);
		assert_int_equal(addr_is_private(&a), t[i].private);
		assert_int_equal(addr_is_multicast(&a), t[i].multicast);
		assert_int_equal(addr_is_any(&a), t[i].any);
	}
}

static void
text_is_what_was_parsed(void **state)
{
	static const char *const ips[] = { "1.2.3.4", "2001:db8::5", "::1" };
	char buf[SW_ADDR_TEXT_LEN];
	struct sw_addr a;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		a = parse(ips[i]);
		assert_string_equal(addr_ip_text(&a, buf), ips[i]);
	}
	assert_int_equal(addr_parse_ip(&a, "1.2.3"), SW_ERR_FORMAT);
	assert_int_equal(addr_parse_ip(&a, "host"), SW_ERR_FORMAT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockaddr_survives_the_round_trip),
		cmocka_unit_test(v4_becomes_mapped_in_a_v6_sockaddr),
		cmocka_unit_test(short_room_is_filled_and_the_full_length_told),
		cmocka_unit_test(short_and_foreign_sockaddrs_are_refused),
		cmocka_unit_test(classes_follow_the_ranges),
		cmocka_unit_test(text_is_what_was_parsed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
