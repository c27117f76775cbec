#include "tests/rig/unit.h"

#include <string.h>

#include "preload/environ.h"

static struct options o;
static const struct environ_facts facts = {
	.library = "/x/libsmolwrap.so", .path = "/run/s", .ctl_fd = 1000,
	.ctl_ino = 42, .options = &o,
};

static const char *
get(char **env, const char *name)
{
	const char *found = NULL;
	size_t n = strlen(name);

	for (; *env != NULL; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=') {
			assert_null(found);	/* never twice */
			found = *env + n + 1;
		}
	return found;
}

static char **
build(const char *const *old)
{
	static char copy[16][128];
	/* Reachable, since a process keeps its own; volatile, or a compiler sees
	 * that nobody looks. */
	static char **volatile made[64];
	static char *vec[17];
	static size_t made_n;
	size_t n = 0;

	for (; old[n] != NULL; n++) {
		strcpy(copy[n], old[n]);
		vec[n] = copy[n];
	}
	vec[n] = NULL;
	assert_in_range(made_n, 0, 63);
	return made[made_n++] = environ_build(vec, &facts);
}
#define BUILD(...) build((const char *const[]){ __VA_ARGS__, NULL })

static void
adds_what_the_library_needs(void **state)
{
	char **env = BUILD("HOME=/h", "A=");

	(void)state;
	assert_string_equal(get(env, "HOME"), "/h");
	assert_string_equal(get(env, "A"), "");
	assert_string_equal(get(env, "LD_PRELOAD"), "/x/libsmolwrap.so");
	assert_string_equal(get(env, "SMOLWRAP_CTL"), "1000:42");
	assert_string_equal(get(env, "SMOLWRAP_PATH"), "/run/s");
	assert_string_equal(get(env, "SMOLWRAP_POLICY"),
	    "listen=loopback,stack=auto,ipv6=1,labels=1,loopback=1");
}

static void
our_library_comes_first_and_once(void **state)
{
	(void)state;
	assert_string_equal(get(BUILD("LD_PRELOAD=/a.so:/b.so"), "LD_PRELOAD"),
	    "/x/libsmolwrap.so:/a.so:/b.so");
	assert_string_equal(get(BUILD("LD_PRELOAD= /a.so /x/libsmolwrap.so"),
	    "LD_PRELOAD"), "/x/libsmolwrap.so:/a.so");
	assert_string_equal(get(BUILD("LD_PRELOAD="), "LD_PRELOAD"),
	    "/x/libsmolwrap.so");
}

static void
stale_variables_are_replaced(void **state)
{
	char **env = BUILD("SMOLWRAP_CTL=5:6", "SMOLWRAP_PATH=/old",
	    "SMOLWRAP_POLICY=listen=open", "SMOLWRAP_LOG=debug",
	    "SMOLWRAP_CTLX=kept");

	(void)state;
	assert_string_equal(get(env, "SMOLWRAP_CTL"), "1000:42");
	assert_string_equal(get(env, "SMOLWRAP_PATH"), "/run/s");
	assert_non_null(strstr(get(env, "SMOLWRAP_POLICY"), "listen=loopback"));
	assert_string_equal(get(env, "SMOLWRAP_LOG"), "debug");
	assert_string_equal(get(env, "SMOLWRAP_CTLX"), "kept");
}

static void
policy_follows_the_options(void **state)
{
	(void)state;
	o.listen = LISTEN_TUNNEL;
	o.stack = STACK_SESSION;
	o.no_loopback = true;
	assert_string_equal(get(BUILD("A=1"), "SMOLWRAP_POLICY"),
	    "listen=tunnel,stack=session,ipv6=1,labels=1,loopback=0");
	memset(&o, 0, sizeof(o));
}

static void
separators_cannot_be_in_the_path(void **state)
{
	(void)state;
	assert_true(environ_may_preload("/usr/lib/x.so"));
	assert_false(environ_may_preload("/a b/x.so"));
	assert_false(environ_may_preload("/a:b/x.so"));
	assert_false(environ_may_preload("/a$LIB/x.so"));
}

static const char *
proxy_in(const char *variable)
{
	char text[64];
	char *env[] = { (char[]){ "HOME=/h" }, text, NULL };

	(void)strcpy(text, variable);
	return environ_local_proxy(env) == text ? variable : NULL;
}

static void
finds_proxies_on_loopback(void **state)
{
	static const char *const here[] = { "http_proxy=127.0.0.1:3128",
		"HTTPS_PROXY=http://localhost:8118/", "all_proxy=socks5h://[::1]:9",
		"ALL_PROXY=socks5://user:p@ss@127.1.2.3:1080",
		"rsync_proxy=localhost", "ftp_proxy=LOCALHOST:1" };
	static const char *const elsewhere[] = { "http_proxy=", "_proxy=x",
		"http_proxy=http://proxy.corp:3128", "no_proxy=localhost,127.0.0.1",
		"http_proxy=http://localhost.corp:1", "proxy=127.0.0.1:1",
		"http_proxy=http://proxy/127.0.0.1", "http_proxy" };

	(void)state;
	for (size_t i = 0; i < sizeof(here) / sizeof(*here); i++)
		assert_non_null(proxy_in(here[i]));
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(*elsewhere); i++)
		assert_null(proxy_in(elsewhere[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_what_the_library_needs),
		cmocka_unit_test(our_library_comes_first_and_once),
		cmocka_unit_test(stale_variables_are_replaced),
		cmocka_unit_test(policy_follows_the_options),
		cmocka_unit_test(separators_cannot_be_in_the_path),
		cmocka_unit_test(finds_proxies_on_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
