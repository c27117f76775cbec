#include "tests/rig/unit.h"

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
	assert_string_equal(o.via[0], "ssh://h");
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
	assert_string_equal(o.via[0], "ssh://h");
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
	assert_int_equal(PARSE("-i", "a", "-i", "b", "x"), SW_ERR_CONFIG);
	assert_int_equal(PARSE("-s", "a", "-s", "b", "x"), SW_ERR_CONFIG);
	assert_int_equal(PARSE("--listen", "deny", "--listen", "open", "x"),
	    SW_ERR_CONFIG);
	assert_int_equal(PARSE("-D", "1", "--socks", "2"), SW_ERR_CONFIG);
	assert_int_equal(PARSE("-v", "-v", "x"), SW_OK);
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
	assert_int_equal(PARSE("--strict=yes", "x"), SW_ERR_CONFIG);
	assert_string_equal(why, "option \"--strict\" takes no value");
	assert_int_equal(PARSE("--via", "host", "x"), SW_ERR_CONFIG);
	assert_non_null(strstr(why, "ssh://"));
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
}

static void
tunnels_have_kinds(void **state)
{
	static const struct {
		const char *text;
		enum tunnel_kind kind;
		const char *host;
		uint16_t port;
	} all[] = {
		{ "ssh+tls://a@h", TUNNEL_SSH_TLS, "h", 0 },
		{ "ssh+tls://a@[fd00::2]:443", TUNNEL_SSH_TLS, "fd00::2", 443 },
		{ "ssh+iroh://a@0123abcd", TUNNEL_SSH_IROH, "0123abcd", 0 },
		{ "mix:", TUNNEL_MIX, "", 0 },
		{ "mix:local", TUNNEL_MIX_LOCAL, "", 0 },
		{ "mix:./local", TUNNEL_MIX_FILE, "./local", 0 },
		{ "mix:/a b/net.json", TUNNEL_MIX_FILE, "/a b/net.json", 0 },
	};
	struct tunnel_url u;

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		assert_int_equal(tunnel_url_parse(&u, all[i].text, why), SW_OK);
		assert_int_equal(u.kind, all[i].kind);
		assert_string_equal(u.host, all[i].host);
		assert_int_equal(u.port, all[i].port);
	}
	assert_int_equal(tunnel_url_parse(&u, "ssh+tls://", why), SW_ERR_CONFIG);
	assert_int_equal(tunnel_url_parse(&u, "ssh+iroh://a@", why),
	    SW_ERR_CONFIG);
	assert_int_equal(tunnel_url_parse(&u, "mix:a\nb", why), SW_ERR_CONFIG);
}

static void
tunnels_nest_in_the_order_given(void **state)
{
	char text[] = "via mix:\nvia ssh://c\n[work]\nvia ssh://b\n";

	(void)state;
	assert_int_equal(PARSE("--via", "mix:", "--via", "ssh://b", "x"), SW_OK);
	assert_int_equal(o.via_n, 2);
	assert_string_equal(o.via[1], "ssh://b");
	/* The file adds nothing to what was given, nor a part to another. */
	assert_int_equal(config_parse(&o, text, why), SW_OK);
	assert_int_equal(o.via_n, 2);
	assert_int_equal(PARSE("--via", "mix:a", "--via", "mix:b", "--via",
	    "mix:c", "--via", "mix:d", "--via", "mix:e", "x"), SW_ERR_CONFIG);
	assert_non_null(strstr(why, "more than 4"));
}

static void
forwards_are_written_as_for_ssh(void **state)
{
	static const struct {
		const char *text, *bind;
		uint16_t port;
		const char *host;
		uint16_t hostport;
	} good[] = {
		{ "80:h:81", "localhost", 80, "h", 81 },
		{ "*:80:h:81", "", 80, "h", 81 },
		{ ":80:h:81", "", 80, "h", 81 },
		{ "[::1]:80:[fd00::2]:81", "::1", 80, "fd00::2", 81 },
		{ "127.0.0.2:80:/run/s", "127.0.0.2", 80, "/run/s", 0 },
		{ "/run/a:/run/b", "/run/a", 0, "/run/b", 0 },
		{ "./a:h:7", "./a", 0, "h", 7 },
	};
	static const char *const bad[] = { "", "80", "80:h", "h:80", "80:h:0",
		"80:h:65536", "80::81", "0:h:81", "a:b:c:d:e", "80:h:81:",
		"[::1:80:h:81", "80:-h:81", "x:h:81", "80:a b:81", "/a:80" };
	struct forward_spec f;
	struct forward_end e;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(forward_spec_parse(&f, good[i].text, false),
		    SW_OK);
		assert_string_equal(f.listen.host, good[i].bind);
		assert_int_equal(f.listen.port, good[i].port);
		assert_string_equal(f.target.host, good[i].host);
		assert_int_equal(f.target.port, good[i].hostport);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (forward_spec_parse(&f, bad[i], false) == SW_OK)
			fail_msg("\"%s\" was taken", bad[i]);
	assert_int_equal(forward_spec_parse(&f, "0:h:81", true), SW_OK);
	/* Alone, a port at the exit is that of a proxy. */
	assert_int_equal(forward_spec_parse(&f, "*:1080", true), SW_OK);
	assert_string_equal(f.listen.host, "");
	assert_int_equal(f.listen.port, 1080);
	assert_string_equal(f.target.host, "");
	assert_int_equal(forward_spec_parse(&f, "0", true), SW_OK);
	assert_string_equal(f.listen.host, "localhost");
	assert_int_equal(forward_spec_parse(&f, "80:h", true), SW_ERR_CONFIG);
	assert_int_equal(forward_spec_parse(&f, "/a", true), SW_ERR_CONFIG);
	assert_int_equal(forward_spec_parse(&f, "", true), SW_ERR_CONFIG);
	assert_int_equal(forward_listen_parse(&e, "1080"), SW_OK);
	assert_string_equal(e.host, "localhost");
	assert_int_equal(forward_listen_parse(&e, "[::]:1080"), SW_OK);
	assert_string_equal(e.host, "::");
	assert_int_equal(forward_listen_parse(&e, "host:x"), SW_ERR_CONFIG);
}

static void
services_need_no_program(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--via", "ssh://a", "--socks", "1080"), SW_OK);
	assert_int_equal(o.command, COMMAND_SERVE);
	assert_int_equal(PARSE("-D", "1080"), SW_OK);
	assert_string_equal(o.texts[TEXT_SOCKS], "1080");
	assert_int_equal(o.command, COMMAND_SERVE);
	assert_int_equal(PARSE("-v"), SW_OK);
	assert_int_equal(o.command, COMMAND_SERVE);
	assert_false(options_has_services(&o));
	assert_int_equal(PARSE("-L", "1:h:2", "-R", "3:h:4", "curl"), SW_OK);
	assert_int_equal(o.command, COMMAND_RUN);
	assert_int_equal(o.local_n + o.remote_n, 2);
	assert_int_equal(PARSE("--socks", "no", "x"), SW_ERR_CONFIG);
	assert_int_equal(PARSE("-L", "no", "x"), SW_ERR_CONFIG);
	assert_int_equal(PARSE("--traffic", "slow", "x"), SW_ERR_CONFIG);
	assert_int_equal(PARSE("--entry-tls", "always", "x"), SW_OK);
	assert_int_equal(PARSE("--entry-tls", "yes", "x"), SW_ERR_CONFIG);
	assert_int_equal(PARSE("--proxy", "", "x"), SW_ERR_CONFIG);
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
	assert_string_equal(o.via[0], "ssh://a");
	assert_true(o.via_is_default);
	assert_int_equal(o.listen, LISTEN_DENY);
	assert_null(o.texts[TEXT_IDENTITY]);

	assert_int_equal(PARSE("-p", "work", "--listen", "loopback", "x"), SW_OK);
	assert_int_equal(config_parse(&o, again, why), SW_OK);
	assert_string_equal(o.via[0], "ssh://b");
	assert_false(o.via_is_default);
	assert_int_equal(o.listen, LISTEN_LOOPBACK);
	assert_string_equal(o.texts[TEXT_IDENTITY], "~/k");
	assert_int_equal(o.via_n, 1);
}

static void
an_equals_sign_may_stand_between(void **state)
{
	char text[] = "via = ssh://a\ndns=b\nidentity\t= c=d\n";

	(void)state;
	assert_int_equal(PARSE("x"), SW_OK);
	assert_int_equal(config_parse(&o, text, why), SW_OK);
	assert_string_equal(o.via[0], "ssh://a");
	assert_string_equal(o.texts[TEXT_DNS], "b");
	assert_string_equal(o.texts[TEXT_IDENTITY], "c=d");
}

static void
where_a_text_was_said_is_known(void **state)
{
	char text[] = "via mix:\nexit a\n[work]\nvia ssh://b\nidentity c\n";

	(void)state;
	assert_int_equal(PARSE("-p", "work", "--known-hosts", "d", "x"), SW_OK);
	assert_int_equal(config_parse(&o, text, why), SW_OK);
	assert_int_equal(o.via_from, FROM_SECTION);
	assert_int_equal(o.text_from[TEXT_KNOWN_HOSTS], FROM_COMMAND);
	assert_int_equal(o.text_from[TEXT_IDENTITY], FROM_SECTION);
	assert_int_equal(o.text_from[TEXT_EXIT], FROM_FILE);
}

static void
the_file_is_checked(void **state)
{
	char unknown[] = "colour blue\n", empty[] = "via\n", open[] = "[x\n";
	char comment[] = "\nvia ssh://a # mine\n";
	char none[] = "via ssh://a\n";

	(void)state;
	assert_int_equal(PARSE("x"), SW_OK);
	assert_int_equal(config_parse(&o, unknown, why), SW_ERR_CONFIG);
	assert_non_null(strstr(why, "line 1"));
	assert_int_equal(config_parse(&o, empty, why), SW_ERR_CONFIG);
	assert_int_equal(config_parse(&o, open, why), SW_ERR_CONFIG);
	assert_int_equal(config_parse(&o, comment, why), SW_ERR_CONFIG);
	assert_non_null(strstr(why, "line 2"));
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
	strcpy(a.via[0], "mix:local");
	strcpy(a.via[1], "ssh://u@h:23");
	a.via_n = 2;
	strcpy(a.texts[TEXT_IDENTITY], "/a path/with spaces");
	strcpy(a.texts[TEXT_PROXY], "socks5://u:p@h:1");
	strcpy(a.local[0], "1:h:2");
	strcpy(a.remote[0], "0:h:2");
	a.local_n = a.remote_n = 1;
	strcpy(a.name, "n");
	a.pid = 77;
	a.stay = a.wait = a.insecure = true;
	assert_int_equal(options_parse_publish(&a.publish[0], "[::]:1:2"), SW_OK);
	assert_int_equal(options_parse_publish(&a.publish[1], "3"), SW_OK);
	a.publish_n = 2;
	assert_true((n = start_write(&a, text, sizeof(text))) > 0);
	assert_int_equal(start_read(&b, text, n), SW_OK);
	assert_int_equal(b.url[0].kind, TUNNEL_MIX_LOCAL);
	assert_string_equal(b.url[1].host, "h");
	assert_int_equal(b.url[1].port, 23);
	memset(&b.url, 0, sizeof(b.url));
	assert_memory_equal(&a, &b, sizeof(a));
}

static void
orders_are_checked(void **state)
{
	static const char *const bad[] = { "via ssh://h", "x y\n", "novalue\n",
		"via ssh://h\npid x\n", "via ssh://h\npublish 0\n",
		"name x\n", "via x\n", "via ssh://h\nlocal 1\n", "\n" };
	static struct start s;
	static char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (start_read(&s, bad[i], strlen(bad[i])) == SW_OK)
			fail_msg("\"%s\" was taken", bad[i]);
	strcpy(s.via[0], "ssh://h");
	s.via_n = 1;
	strcpy(s.texts[TEXT_IDENTITY], "/with\nnewline");
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
		cmocka_unit_test(tunnels_have_kinds),
		cmocka_unit_test(tunnels_nest_in_the_order_given),
		cmocka_unit_test(forwards_are_written_as_for_ssh),
		cmocka_unit_test(services_need_no_program),
		cmocka_unit_test(the_file_fills_what_is_open),
		cmocka_unit_test(an_equals_sign_may_stand_between),
		cmocka_unit_test(where_a_text_was_said_is_known),
		cmocka_unit_test(the_file_is_checked),
		cmocka_unit_test(orders_survive_the_way_to_the_session),
		cmocka_unit_test(orders_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
