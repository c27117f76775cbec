#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "preload/config.h"
#include "preload/options.h"
#include "preload/start_proto.h"
#include "preload/tunnel_url.h"

static struct options o;
static char why[256];

/* Parse the words after "smolwrap"; the vector ends in NULL. */
static int
parse(const char *const *words)
{
	static char copy[32][128];
	static char *argv[33];
	int argc = 1;

	strcpy(copy[0], "smolwrap");
	argv[0] = copy[0];
	for (; words[argc - 1] != NULL; argc++) {
		strcpy(copy[argc], words[argc - 1]);
		argv[argc] = copy[argc];
	}
	argv[argc] = NULL;
	return options_parse(&o, argc, argv, why);
}
#define PARSE(...) parse((const char *const[]){ __VA_ARGS__, NULL })

static void
stops_at_the_program(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--via", "ssh://h", "curl", "-v", "--via"), SW_OK);
	assert_int_equal(o.command, COMMAND_RUN);
	assert_string_equal(o.via, "ssh://h");
	assert_false(o.verbose);
	assert_string_equal(o.argv[0], "curl");
	assert_string_equal(o.argv[2], "--via");
	assert_null(o.argv[3]);
}

static void
double_dash_makes_any_word_a_program(void **state)
{
	(void)state;
	assert_int_equal(PARSE("up", "-s", "x"), SW_OK);
	assert_int_equal(o.command, COMMAND_UP);
	assert_string_equal(o.name, "x");
	assert_int_equal(PARSE("--", "up"), SW_OK);
	assert_int_equal(o.command, COMMAND_RUN);
	assert_string_equal(o.argv[0], "up");
}

static void
options_before_and_after_a_command(void **state)
{
	(void)state;
	assert_int_equal(PARSE("-v", "up", "--via", "ssh://h"), SW_OK);
	assert_true(o.verbose);
	assert_string_equal(o.via, "ssh://h");
	assert_int_equal(PARSE("check", "curl"), SW_OK);
	assert_string_equal(o.argv[0], "curl");
	assert_int_equal(PARSE("check"), SW_OK);
	assert_null(o.argv[0]);
	assert_int_equal(PARSE("down", "now"), SW_ERR_CONFIG);
	assert_int_equal(PARSE("check", "a", "b"), SW_ERR_CONFIG);
}

static void
repeated_options_are_refused(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--via", "ssh://a", "--via", "ssh://b", "x"),
	    SW_ERR_CONFIG);
	assert_non_null(strstr(why, "only one --via"));
	assert_int_equal(PARSE("-i", "a", "-i", "b", "x"), SW_ERR_CONFIG);
	assert_int_equal(PARSE("-s", "a", "-s", "b", "x"), SW_ERR_CONFIG);
}

static void
bad_words_are_refused(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--nonsense", "x"), SW_ERR_CONFIG);
	assert_non_null(strstr(why, "--nonsense"));
	assert_int_equal(PARSE("-Z", "x"), SW_ERR_CONFIG);
	assert_non_null(strstr(why, "-Z"));
	assert_int_equal(PARSE("--via"), SW_ERR_CONFIG);
	assert_int_equal(PARSE("--listen", "maybe", "x"), SW_ERR_CONFIG);
	assert_int_equal(PARSE("--stack", "none", "x"), SW_ERR_CONFIG);
	assert_int_equal(PARSE("-s", "../x", "x"), SW_ERR_CONFIG);
	assert_int_equal(PARSE("-s", ".x", "x"), SW_ERR_CONFIG);
	assert_int_equal(PARSE("-s", "", "x"), SW_ERR_CONFIG);
	assert_int_equal(PARSE("-v"), SW_ERR_CONFIG);
	assert_non_null(strstr(why, "no program"));
}

static void
publish_takes_three_forms(void **state)
{
	struct options_publish p;

	(void)state;
	assert_int_equal(options_parse_publish(&p, "8080"), SW_OK);
	assert_int_equal(p.port, 8080);
	assert_int_equal(p.local, 8080);
	assert_string_equal(p.bind, "");
	assert_int_equal(options_parse_publish(&p, "80:8080"), SW_OK);
	assert_int_equal(p.port, 80);
	assert_int_equal(p.local, 8080);
	assert_int_equal(options_parse_publish(&p, "0.0.0.0:80"), SW_OK);
	assert_string_equal(p.bind, "0.0.0.0");
	assert_int_equal(p.local, 80);
	assert_int_equal(options_parse_publish(&p, "[::1]:80:81"), SW_OK);
	assert_string_equal(p.bind, "::1");
	assert_int_equal(p.port, 80);
	assert_int_equal(p.local, 81);
	assert_int_equal(options_parse_publish(&p, "localhost:80:81"), SW_OK);
	assert_string_equal(p.bind, "localhost");
}

static void
publish_refuses_what_is_no_port(void **state)
{
	static const char *const bad[] = { "", ":", "0", "65536", "1:0", "x",
		"a:b", "a:1:2:3", "[::1:80", "[::1]", "[]:80", "-1", "80:",
		"99999999999", ":80" };
	struct options_publish p;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (options_parse_publish(&p, bad[i]) == SW_OK)
			fail_msg("\"%s\" was taken", bad[i]);
}

static void
publish_means_listening_in_the_tunnel(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--publish", "80", "x"), SW_OK);
	assert_int_equal(o.listen, LISTEN_TUNNEL);
	assert_int_equal(PARSE("--publish", "80", "--listen", "deny", "x"),
	    SW_ERR_CONFIG);
}

static void
tunnel_urls_come_apart(void **state)
{
	struct tunnel_url u;

	(void)state;
	assert_int_equal(tunnel_url_parse(&u, "ssh://me@host.example:2222", why),
	    SW_OK);
	assert_string_equal(u.user, "me");
	assert_string_equal(u.host, "host.example");
	assert_int_equal(u.port, 2222);
	assert_int_equal(tunnel_url_parse(&u, "ssh://[fd00::1]:22/", why), SW_OK);
	assert_string_equal(u.user, "");
	assert_string_equal(u.host, "fd00::1");
	assert_int_equal(u.port, 22);
	assert_int_equal(tunnel_url_parse(&u, "ssh://host", why), SW_OK);
	assert_int_equal(u.port, 0);
}

static void
bad_tunnel_urls_are_refused_and_not_quoted(void **state)
{
	static const char *const bad[] = { "", "host", "ssh:host", "ssh://",
		"ssh://@h", "ssh://me@", "ssh://me:secret@h", "ssh://h:0",
		"ssh://h:65536", "ssh://h:x", "ssh://h:22:23", "ssh://[::1",
		"ssh://[]", "ssh://[::1]22", "ssh://-oProxyCommand=x",
		"ssh://a/b", "ssh://a b", "ssh://h:", "ssh://h\n" };
	struct tunnel_url u;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (tunnel_url_parse(&u, bad[i], why) != SW_ERR_CONFIG)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_null(strstr(why, "secret"));
	}
	assert_int_equal(tunnel_url_parse(&u, "mix:", why), SW_ERR_UNSUPPORTED);
	assert_int_equal(tunnel_url_parse(&u, "ssh+tls://a@h", why),
	    SW_ERR_UNSUPPORTED);
	assert_int_equal(tunnel_url_parse(&u, "ssh+iroh://a@b", why),
	    SW_ERR_UNSUPPORTED);
}

static void
the_file_fills_what_is_open(void **state)
{
	char text[] = "# mine\nvia ssh://a\n\n  listen deny  \n[work]\n"
	    "via ssh://b\nidentity ~/k\n";
	char again[sizeof(text)];

	(void)state;
	memcpy(again, text, sizeof(text));
	assert_int_equal(PARSE("x"), SW_OK);
	assert_int_equal(config_parse(&o, text, why), SW_OK);
	assert_string_equal(o.via, "ssh://a");
	assert_true(o.via_is_default);
	assert_int_equal(o.listen, LISTEN_DENY);
	assert_null(o.identity);

	assert_int_equal(PARSE("-p", "work", "--listen", "loopback", "x"), SW_OK);
	assert_int_equal(config_parse(&o, again, why), SW_OK);
	assert_string_equal(o.via, "ssh://b");
	assert_false(o.via_is_default);
	assert_int_equal(o.listen, LISTEN_LOOPBACK);
	assert_string_equal(o.identity, "~/k");
}

static void
the_file_is_checked(void **state)
{
	char unknown[] = "colour blue\n", empty[] = "via\n", open[] = "[x\n";
	char none[] = "via ssh://a\n";

	(void)state;
	assert_int_equal(PARSE("x"), SW_OK);
	assert_int_equal(config_parse(&o, unknown, why), SW_ERR_CONFIG);
	assert_non_null(strstr(why, "line 1"));
	assert_int_equal(config_parse(&o, empty, why), SW_ERR_CONFIG);
	assert_int_equal(config_parse(&o, open, why), SW_ERR_CONFIG);
	assert_int_equal(PARSE("-p", "gone", "x"), SW_OK);
	assert_int_equal(config_parse(&o, none, why), SW_ERR_CONFIG);
	assert_non_null(strstr(why, "[gone]"));
}

static void
orders_survive_the_way_to_the_session(void **state)
{
	static struct start a, b;
	static char text[START_MSG_MAX];
	size_t n;

	(void)state;
	memset(&a, 0, sizeof(a));
	strcpy(a.via, "ssh://u@h:23");
	strcpy(a.identity, "/a path/with spaces");
	strcpy(a.name, "n");
	a.pid = 77;
	a.stay = a.wait = true;
	assert_int_equal(options_parse_publish(&a.publish[0], "[::]:1:2"), SW_OK);
	assert_int_equal(options_parse_publish(&a.publish[1], "3"), SW_OK);
	a.publish_n = 2;
	assert_true((n = start_write(&a, text, sizeof(text))) > 0);
	assert_int_equal(start_read(&b, text, n), SW_OK);
	assert_string_equal(b.url.host, "h");
	assert_int_equal(b.url.port, 23);
	memset(&b.url, 0, sizeof(b.url));
	assert_memory_equal(&a, &b, sizeof(a));
}

static void
orders_are_checked(void **state)
{
	static const char *const bad[] = { "via ssh://h", "x y\n", "novalue\n",
		"via ssh://h\npid x\n", "via ssh://h\npublish 0\n",
		"name x\n", "via mix:\n", "\n" };
	static struct start s;
	static char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (start_read(&s, bad[i], strlen(bad[i])) == SW_OK)
			fail_msg("\"%s\" was taken", bad[i]);
	strcpy(s.via, "ssh://h");
	strcpy(s.identity, "/with\nnewline");
	assert_int_equal(start_write(&s, text, sizeof(text)), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stops_at_the_program),
		cmocka_unit_test(double_dash_makes_any_word_a_program),
		cmocka_unit_test(options_before_and_after_a_command),
		cmocka_unit_test(repeated_options_are_refused),
		cmocka_unit_test(bad_words_are_refused),
		cmocka_unit_test(publish_takes_three_forms),
		cmocka_unit_test(publish_refuses_what_is_no_port),
		cmocka_unit_test(publish_means_listening_in_the_tunnel),
		cmocka_unit_test(tunnel_urls_come_apart),
		cmocka_unit_test(bad_tunnel_urls_are_refused_and_not_quoted),
		cmocka_unit_test(the_file_fills_what_is_open),
		cmocka_unit_test(the_file_is_checked),
		cmocka_unit_test(orders_survive_the_way_to_the_session),
		cmocka_unit_test(orders_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
