/* Who may log in and where to: lines, patterns, rules, the host key's file. */
#include "tests/rig/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transport/serve_authkeys.h"
#include "transport/serve_cipher.h"
#include "transport/serve_hostkey.h"
#include "transport/serve_options.h"
#include "transport/serve_policy.h"

static struct sw_addr
addr(const char *text)
{
	struct sw_addr a;

	assert_int_equal(addr_parse_ip(&a, text), SW_OK);
	return a;
}

static void
globs(void **state)
{
	static const struct { const char *text, *pattern; bool hit; } t[] = {
		{ "", "", true }, { "", "*", true }, { "a", "", false },
		{ "www.Example.org", "*.example.ORG", true },
		{ "example.org", "*.example.org", false },
		{ "aXbXc", "a?b?c", true }, { "ab", "a?b", false },
		{ "aaaaaaaaaaaaaaaaaaaab", "*a*a*a*a*a*c", false },
		{ "x", "**", true }, { "abc", "a*c*", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_int_equal(serve_match_glob(t[i].text, t[i].pattern,
		    strlen(t[i].pattern)), t[i].hit);
}

static void
ranges(void **state)
{
	static const char *const bad[] = { "", "10.0.0.0/", "10.0.0.0/33",
		"10.0.0.1/8", "10.0.0.0/8x", "fd00::/129", "a/8", "/8",
		"10.0.0.0/-1", "10.0.0.0/0008" };
	static const struct { const char *range, *ip; bool in; } t[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.1", false },
		{ "10.0.0.0/9", "10.128.0.0", false },
		{ "0.0.0.0/0", "8.8.8.8", true }, { "0.0.0.0/0", "::1", false },
		{ "::/0", "8.8.8.8", false }, { "::/0", "2001:db8::1", true },
		{ "fd00::/8", "fdff::1", true }, { "1.2.3.4", "1.2.3.4", true },
		{ "1.2.3.4", "1.2.3.5", false },
		{ "10.0.0.0/8", "::ffff:10.1.2.3", true },
	};
	struct serve_range g;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(serve_range_parse(&g, bad[i], strlen(bad[i])),
		    SW_ERR_FORMAT);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const struct sw_addr a = addr(t[i].ip);

		assert_int_equal(serve_range_parse(&g, t[i].range,
		    strlen(t[i].range)), SW_OK);
		assert_int_equal(serve_range_has(&g, &a), t[i].in);
	}
}

static void
what_is_inside(void **state)
{
	static const char *const inside[] = { "127.0.0.1", "127.9.9.9", "::1",
		"0.0.0.0", "::", "10.1.1.1", "172.16.0.1", "192.168.1.1",
		"169.254.169.254", "100.64.0.1", "fe80::1", "fd00::1",
		"::ffff:127.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::1",
		"::7f00:1", "224.0.0.1", "ff02::1", "255.255.255.255",
		"0.1.2.3", "198.18.0.1", "240.0.0.1" };
	static const char *const outside[] = { "8.8.8.8", "203.0.113.80",
		"2001:db8::1", "2606:4700::1", "64:ff9b::808:808",
		"2002:808:808::1", "172.32.0.1", "100.128.0.1" };

	(void)state;
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
		const struct sw_addr a = addr(inside[i]);

		assert_true(serve_match_inside(&a));
	}
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		const struct sw_addr a = addr(outside[i]);

		assert_false(serve_match_inside(&a));
	}
}

static void
rules_in_their_order(void **state)
{
	const struct sw_addr pub = addr("8.8.8.8"), priv = addr("10.1.2.3");
	struct serve_policy p = { 0 };

	(void)state;
	assert_true(serve_policy_allows(&p, "x", &pub, 80));
	assert_false(serve_policy_allows(&p, "x", &priv, 80));
	assert_int_equal(serve_policy_add(&p, true, "*.corp.example:443"), SW_OK);
	assert_int_equal(serve_policy_add(&p, true, "10.1.0.0/16:80-90"), SW_OK);
	assert_int_equal(serve_policy_add(&p, false, "*"), SW_OK);
	assert_true(serve_policy_allows(&p, "a.corp.example", &pub, 443));
	assert_true(serve_policy_allows(&p, "A.CORP.EXAMPLE.", &pub, 443));
	assert_false(serve_policy_allows(&p, "a.corp.example", &pub, 80));
	/* A name opens no private address; a range does, with its ports. */
	assert_false(serve_policy_allows(&p, "a.corp.example", &priv, 443));
	assert_true(serve_policy_allows(&p, "whatever", &priv, 85));
	assert_false(serve_policy_allows(&p, "whatever", &priv, 91));
	assert_false(serve_policy_allows(&p, "8.8.8.8", &pub, 53));
	/* Through a proxy names alone count. */
	assert_true(serve_policy_allows(&p, "a.corp.example", NULL, 443));
	assert_false(serve_policy_allows(&p, "b.example", NULL, 443));
	serve_policy_wipe(&p);
	for (size_t i = 0; i < 6; i++) {
		static const char *const bad[] = { "", ":80", "x:", "x:90-80",
			"x:70000", "a b" };

		assert_int_equal(serve_policy_add(&p, true, bad[i]),
		    SW_ERR_FORMAT);
	}
	serve_policy_wipe(&p);
}

static unsigned said_line, said_errors, said_warnings;

static void
say(void *arg, unsigned line, bool is_error, const char *words)
{
	(void)arg;
	assert_true(words[0] != '\0');
	said_line = line;
	if (is_error)
		said_errors++;
	else
		said_warnings++;
}

/* A fresh key: its blob and its line. */
static void
make_line(struct serve_hostkey *k, char line[static SERVE_HOSTKEY_LINE])
{
	assert_true(serve_cipher_begin());
	serve_sign_keypair(k->pk, k->sk);
	serve_hostkey_line(k, line);
}

static void
lines_and_their_faults(void **state)
{
	static const char *const good[] = { "", "restrict ", "NO-PTY ",
		"permitopen=\"h:1\",permitopen=\"[::1]:*\" ",
		"permitlisten=\"80\",permitlisten=\"localhost:81\" ",
		"expiry-time=\"20300101\" ", "expiry-time=\"203001012359Z\" ",
		"from=\"a\\\"b,10.0.0.0/8\" ", "\t" };
	static const char *const bad[] = { "nonsense ", "restrict, ", "from ",
		"from=10.0.0.1 ", "from=\"x\" no-pty ", "restrict=\"x\" ",
		"expiry-time=\"2030\" ", "expiry-time=\"20301301\" ",
		"permitopen=\"80\" ", "permitopen=\"h:0\" ", "permitopen=\":1\" ",
		"principals=\"x\" ", "from=\"open ", "," };
	struct serve_hostkey host;
	char line[SERVE_HOSTKEY_LINE], text[512];

	(void)state;
	make_line(&host, line);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct serve_keys *k = serve_keys_new();

		snprintf(text, sizeof(text), "# x\n\n%s%s comment\r\n", good[i],
		    line);
		assert_int_equal(serve_keys_add(k, text, strlen(text), SERVE_KEYS_USERS,
		    say, NULL), SW_OK);
		assert_int_equal(k->n, 1);
		assert_int_equal(k->grant[0].line, 3);
		serve_keys_unref(k);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct serve_keys *k = serve_keys_new();

		said_errors = 0;
		snprintf(text, sizeof(text), "%s\n%s%s\n", line, bad[i], line);
		assert_int_equal(serve_keys_add(k, text, strlen(text), SERVE_KEYS_USERS,
		    say, NULL), SW_ERR_FORMAT);
		assert_int_equal(said_errors, 1);
		assert_int_equal(said_line, 2);
		serve_keys_unref(k);
	}
}

static void
time_and_place_of_a_key(void **state)
{
	const struct sw_addr here = addr("10.0.0.5"), there = addr("192.0.2.1");
	struct serve_keys *k = serve_keys_new();
	struct serve_hostkey host;
	struct serve_login in;
	struct serve_key key;
	char line[SERVE_HOSTKEY_LINE], text[512];

	(void)state;
	make_line(&host, line);
	snprintf(text, sizeof(text),
	    "from=\"10.0.0.0/8\",expiry-time=\"20300101Z\" %s\n", line);
	assert_int_equal(serve_keys_add(k, text, strlen(text), SERVE_KEYS_USERS, say, NULL),
	    SW_OK);
	assert_int_equal(serve_key_parse(&key, k->grant[0].blob,
	    k->grant[0].len), SW_OK);
	assert_int_equal(serve_login_check(k, "u", &key, &here, 1893455999, &in),
	    SW_OK);
	assert_true(in.forwarding);
	assert_int_equal(serve_login_check(k, "u", &key, &here, 1893456000, &in),
	    SW_ERR_DENIED);
	assert_string_equal(in.why, "key expired");
	assert_int_equal(serve_login_check(k, "u", &key, &there, 0, &in),
	    SW_ERR_DENIED);
	assert_int_equal(serve_login_check(k, "u", &key, NULL, 0, &in),
	    SW_ERR_DENIED);
	serve_keys_unref(k);
}

static void
the_host_key_survives_its_file(void **state)
{
	struct serve_hostkey a, b;
	char text[1024];
	size_t n;

	(void)state;
	assert_true(serve_cipher_begin());
	serve_sign_keypair(a.pk, a.sk);
	n = serve_hostkey_write(&a, text, sizeof(text));
	assert_int_equal(serve_hostkey_parse(&b, text, n), SW_OK);
	assert_memory_equal(&a, &b, sizeof(a));
	/* Cut anywhere before the end mark it is nothing. */
	for (size_t i = 0; i + 2 < n; i++)
		assert_int_not_equal(serve_hostkey_parse(&b, text, i), SW_OK);
}

static void
where_to_listen(void **state)
{
	struct serve_listen l;

	(void)state;
	assert_int_equal(serve_listen_parse(&l, "tls:[::1]:443"), SW_OK);
	assert_int_equal(l.kind, SERVE_TLS);
	assert_string_equal(l.host, "::1");
	assert_int_equal(l.port, 443);
	free(l.host);
	assert_int_equal(serve_listen_parse(&l, "*:22"), SW_OK);
	assert_null(l.host);
	assert_int_equal(serve_listen_parse(&l, "iroh"), SW_OK);
	assert_int_equal(l.kind, SERVE_IROH);
	assert_int_equal(serve_listen_parse(&l, "22x"), SW_ERR_FORMAT);
	assert_int_equal(serve_listen_parse(&l, "host:"), SW_ERR_FORMAT);
	assert_int_equal(serve_listen_parse(&l, "[::1:22"), SW_ERR_FORMAT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(globs),
		cmocka_unit_test(ranges),
		cmocka_unit_test(what_is_inside),
		cmocka_unit_test(rules_in_their_order),
		cmocka_unit_test(lines_and_their_faults),
		cmocka_unit_test(time_and_place_of_a_key),
		cmocka_unit_test(the_host_key_survives_its_file),
		cmocka_unit_test(where_to_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
