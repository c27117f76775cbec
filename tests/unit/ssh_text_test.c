#include "tests/rig/unit.h"

#include <string.h>

#include "transport/ssh_text.h"

static void
failure_line_is_split(void **state)
{
	uint32_t ch, reason;
	const char *words;

	(void)state;
	assert_int_equal(ssh_text_parse_failure("ssh_packet_channel_open_fail: "
	    "Channel opening failure: channel 47 error (2) Connection refused",
	    &ch, &reason, &words), SW_OK);
	assert_int_equal(ch, 47);
	assert_int_equal(reason, 2);
	assert_string_equal(words, "Connection refused");
	assert_int_equal(ssh_text_parse_failure(
	    "Channel opening failure: channel 1 error (1)", &ch, &reason,
	    &words), SW_OK);
	assert_string_equal(words, "");
}

static void
words_of_a_server_cannot_steer_a_terminal(void **state)
{
	char nasty[] = "a\033[2Jb\r\n\177\302\233c\303\244\302", plain[] = "so so";

	(void)state;
	ssh_text_clean(nasty);
	assert_string_equal(nasty, "a?[2Jb?????c\303\244\302");
	ssh_text_clean(plain);
	assert_string_equal(plain, "so so");
}

static void
other_lines_are_not_failures(void **state)
{
	static const char *const bad[] = {
		"", "channel 47 error (2) x",
		"Channel opening failure: channel x error (2) y",
		"Channel opening failure: channel 4 error 2 y",
		"Channel opening failure: channel 4 error (99999999999) y",
		"Channel opening failure: channel ",
	};
	uint32_t ch, reason;
	const char *words;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(ssh_text_parse_failure(bad[i], &ch, &reason,
		    &words), SW_ERR_FORMAT);
		assert_int_equal(ch, 0);
		assert_int_equal(reason, 0);
	}
}

static void
reasons_become_codes(void **state)
{
	static const struct { uint32_t reason; const char *words; int err; } t[] = {
		{ 1, "open failed", SW_ERR_DENIED },
		{ 2, "Connection refused", SW_ERR_REFUSED },
		{ 2, "No route to host", SW_ERR_UNREACH_HOST },
		{ 2, "Network is unreachable", SW_ERR_UNREACH_NET },
		{ 2, "Connection timed out", SW_ERR_TIMEOUT },
		{ 2, "Operation timed out", SW_ERR_TIMEOUT },
		{ 2, "Name or service not known", SW_ERR_NO_NAME },
		{ 2, "Temporary failure in name resolution", SW_ERR_NO_NAME },
		{ 2, "No address associated with hostname", SW_ERR_NO_NAME },
		{ 2, "Connection reset by peer", SW_ERR_RESET },
		{ 2, "something new", SW_ERR_REFUSED },
		{ 3, "unknown channel type", SW_ERR_DENIED },
		{ 4, "", SW_ERR_LIMIT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_int_equal(ssh_text_dial_error(t[i].reason, t[i].words),
		    t[i].err);
}

static void
resolver_lines_are_read(void **state)
{
	struct ssh_text_line l;
	struct sw_addr expected;

	(void)state;
	ssh_text_parse_line("smolwrap-names 1 0123abcd", &l);
	assert_int_equal(l.kind, SSH_TEXT_HELLO);
	assert_string_equal(l.token, "0123abcd");
	ssh_text_parse_line("n 127.0.0.53", &l);
	assert_int_equal(l.kind, SSH_TEXT_NAMESERVER);
	assert_true(addr_is_loopback(&l.server));
	ssh_text_parse_line("n fe80::1%eth0", &l);
	assert_int_equal(l.kind, SSH_TEXT_NAMESERVER);
	ssh_text_parse_line("n nonsense", &l);
	assert_int_equal(l.kind, SSH_TEXT_OTHER);
	ssh_text_parse_line(".", &l);
	assert_int_equal(l.kind, SSH_TEXT_READY);
	ssh_text_parse_line("-", &l);
	assert_int_equal(l.kind, SSH_TEXT_USELESS);
	ssh_text_parse_line("7 192.0.2.1 STREAM www.example 192.0.2.1 DGRAM",
	    &l);
	assert_int_equal(l.kind, SSH_TEXT_ANSWER);
	assert_int_equal(l.id, 7);
	assert_true(l.v4);
	assert_false(l.v6 || l.v6_first);
	expected = addr_v4(0xc0000201, 0);
	assert_memory_equal(&l.first4, &expected, sizeof(expected));
	assert_true(l.sole && addr_is_any(&l.first6));
	ssh_text_parse_line("8 2001:db8::1 STREAM x 192.0.2.1 STREAM 192.0.2.2",
	    &l);
	assert_true(l.v4 && l.v6 && l.v6_first && !l.sole);
	assert_memory_equal(&l.first4, &expected, sizeof(expected));
	ssh_text_parse_line("8 192.0.2.1 STREAM x 192.0.2.2 STREAM", &l);
	assert_true(l.v4 && !l.v6 && !l.sole);
	assert_memory_equal(&l.first4, &expected, sizeof(expected));
	ssh_text_parse_line("8 192.0.2.1 2001:db8::1 192.0.2.2 2001:db8::2", &l);
	assert_int_equal(addr_parse_ip(&expected, "2001:db8::1"), SW_OK);
	assert_memory_equal(&l.first6, &expected, sizeof(expected));
	ssh_text_parse_line("8 0.0.0.0 ::", &l);
	assert_true(l.v4 && l.v6 && !l.v6_first && addr_is_any(&l.first6));
	ssh_text_parse_line("8 :: 0.0.0.0", &l);
	assert_true(l.v6_first && addr_is_any(&l.first4));
	ssh_text_parse_line("9", &l);
	assert_int_equal(l.kind, SSH_TEXT_ANSWER);
	assert_false(l.v4 || l.v6);
	ssh_text_parse_line("9x", &l);
	assert_int_equal(l.kind, SSH_TEXT_OTHER);
	ssh_text_parse_line("sh: 1: getent: not found", &l);
	assert_int_equal(l.kind, SSH_TEXT_OTHER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failure_line_is_split),
		cmocka_unit_test(words_of_a_server_cannot_steer_a_terminal),
		cmocka_unit_test(other_lines_are_not_failures),
		cmocka_unit_test(reasons_become_codes),
		cmocka_unit_test(resolver_lines_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
