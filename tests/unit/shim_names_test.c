#include <netdb.h>
#include <netinet/in.h>
#include "tests/rig/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


#include "preload/shim_hosts.h"
#include "preload/shim_resolve.h"
#include "preload/shim_resolve_addrinfo.h"
#include "preload/shim_resolve_host.h"

static char hosts_path[] = "/tmp/shim_names_test.XXXXXX";
static char asked[300];
static int session_says;
static bool one_family;		/* AF_UNSPEC gets IPv4 only */

static int
fake_resolve(const char *name, int family, struct sw_addr *addr, size_t *n)
{
	snprintf(asked, sizeof(asked), "%s %d", name, family);
	if (session_says != SW_OK)
		return session_says;
	addr[0] = addr_v4(0xcb007150, 0);
	addr[1] = (struct sw_addr){ .ip = { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
	*n = one_family && family == AF_UNSPEC ? 1 : 2;
	return SW_OK;
}

static int
fake_reverse(const struct sw_addr *a, char *name)
{
	(void)a;
	strcpy(asked, "reverse");
	strcpy(name, "www.example.test");
	return session_says;
}

static int
fake_dns(const uint8_t *q, size_t qlen, uint8_t *answer, size_t *len)
{
	(void)q;
	(void)qlen;
	(void)answer;
	(void)len;
	strcpy(asked, "dns");
	return SW_ERR_TIMEOUT;
}

static const struct names_source source = {
	.hosts_file = hosts_path, .own_name = "laptop.home.test",
	.resolve = fake_resolve, .reverse = fake_reverse, .dns = fake_dns,
};

static int
look(const char *name, int family, struct names *out)
{
	asked[0] = '\0';
	return names_lookup(&source, name, family, false, out);
}

static void
hosts_lines_are_cut_into_words(void **state)
{
	static const char text[] = "# comment\n\n 10.0.0.1 \t a b#c\r\n"
	    "bad name\n::2 v6.test # x y\n10.0.0.3\n10.0.0.4 last";
	char *copy = malloc(sizeof(text));
	struct hosts_line line;
	struct hosts h;

	(void)state;
	memcpy(copy, text, sizeof(text));
	hosts_open_text(&h, copy, sizeof(text) - 1);
	assert_true(hosts_next(&h, &line));
	assert_int_equal(line.n, 2);
	assert_string_equal(line.names, "a");
	assert_true(hosts_line_names(&line, "B"));
	assert_false(hosts_line_names(&line, "c"));
	assert_true(hosts_next(&h, &line));
	assert_string_equal(line.names, "v6.test");
	assert_false(addr_is_v4(&line.addr));
	assert_true(hosts_next(&h, &line));
	assert_string_equal(line.names, "last");
	assert_false(hosts_next(&h, &line));
	hosts_close(&h);
	assert_int_equal(hosts_open(&h, "/nonexistent/hosts"), SW_OK);
	assert_false(hosts_next(&h, &line));
}

static void
hosts_file_answers_first(void **state)
{
	struct names n;

	(void)state;
	assert_int_equal(look("FILED.test", AF_UNSPEC, &n), SW_OK);
	assert_int_equal(n.n, 1);
	assert_string_equal(n.canon, "filed.test");
	assert_int_equal(n.n_alias, 1);
	assert_string_equal(n.alias, "short");
	assert_string_equal(asked, "");
	assert_int_equal(look("short", AF_INET, &n), SW_OK);
	assert_string_equal(asked, "");
}

static void
names_of_this_machine_are_loopback(void **state)
{
	static const char *const names[] = { "localhost", "LOCALHOST.",
	    "a.b.localhost", "ip6-localhost", "localhost.localdomain",
	    "laptop.home.test" };
	struct names n;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(look(names[i], AF_UNSPEC, &n), SW_OK);
		assert_int_equal(n.n, 2);
		assert_true(addr_is_loopback(&n.addr[0]));
		assert_true(addr_is_loopback(&n.addr[1]));
		assert_string_equal(asked, "");
	}
}

static void
names_that_must_stay_are_not_asked_for(void **state)
{
	static const char *const names[] = { "x.onion", "x.ONION.", "p.i2p",
	    "p.local", "local", "intranet", "a.alt", "", "a..b", "a b.test",
	    "caf\xc3\xa9.test", "-", "." };
	struct names n;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(look(names[i], AF_UNSPEC, &n),
		    SW_ERR_NO_NAME);
		assert_string_equal(asked, "");
	}
	/* The control: what only looks like them is asked for. */
	assert_int_equal(look("notlocal.test.", AF_UNSPEC, &n), SW_OK);
	assert_string_equal(asked, "notlocal.test 0");
	assert_int_equal(look("xonion.notonion", AF_INET, &n), SW_OK);
	assert_string_equal(asked, "xonion.notonion 2");
}

static void
only_the_wanted_family_is_kept(void **state)
{
	struct names n;

	(void)state;
	assert_int_equal(look("www.example.test", AF_UNSPEC, &n), SW_OK);
	assert_int_equal(n.n, 2);
	assert_int_equal(look("www.example.test", AF_INET6, &n), SW_OK);
	assert_int_equal(n.n, 1);
	assert_false(addr_is_v4(&n.addr[0]));
}

static void
session_results_become_netdb_codes(void **state)
{
	static const struct {
		int said, eai, h;
	} cases[] = {
		{ SW_ERR_NO_NAME, EAI_NONAME, HOST_NOT_FOUND },
		{ SW_ERR_DOWN, EAI_AGAIN, TRY_AGAIN },
		{ SW_ERR_TIMEOUT, EAI_AGAIN, TRY_AGAIN },
		{ SW_ERR_FORMAT, EAI_FAIL, NO_RECOVERY },
		{ SW_ERR_NOMEM, EAI_MEMORY, NETDB_INTERNAL },
		{ -9999, EAI_AGAIN, TRY_AGAIN },
	};
	struct addrinfo *res;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		session_says = cases[i].said;
		assert_int_equal(addrinfo_get(&source, true,
		    "www.example.test", "80", NULL, &res), cases[i].eai);
		assert_int_equal(names_h_errno(cases[i].said), cases[i].h);
	}
	session_says = SW_OK;
}

static void
v6_goes_last_or_away_without_a_v6_tunnel(void **state)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *res;

	(void)state;
	assert_int_equal(addrinfo_get(&source, false, "www.example.test", "80",
	    &hints, &res), 0);
	assert_int_equal(res->ai_family, AF_INET);
	assert_int_equal(res->ai_next->ai_family, AF_INET6);
	addrinfo_free(res);
	hints.ai_flags = AI_ADDRCONFIG;
	assert_int_equal(addrinfo_get(&source, false, "www.example.test", "80",
	    &hints, &res), 0);
	assert_int_equal(res->ai_family, AF_INET);
	assert_null(res->ai_next);
	addrinfo_free(res);
}

static void
mapped_addresses_are_second_to_real_ones(void **state)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_family = AF_INET6, .ai_flags = AI_V4MAPPED }, *res;
	const struct sockaddr_in6 *in6;

	(void)state;
	one_family = true;
	assert_int_equal(addrinfo_get(&source, true, "www.example.test", "80",
	    &hints, &res), 0);
	in6 = (const void *)res->ai_addr;
	assert_false(IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr));
	assert_null(res->ai_next);
	addrinfo_free(res);
	/* A file that knows only IPv4 has the last word. */
	assert_int_equal(addrinfo_get(&source, true, "filed.test", "80",
	    &hints, &res), 0);
	in6 = (const void *)res->ai_addr;
	assert_true(IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr));
	addrinfo_free(res);
	one_family = false;
}

static void
hostent_fits_exactly_or_not_at_all(void **state)
{
	struct hostent he;
	struct names n;
	char buf[512];
	size_t need = 0;

	(void)state;
	assert_int_equal(host_lookup(&source, "filed.test", AF_INET, &n),
	    SW_OK);
	while (!host_pack(&he, &n, AF_INET, buf, need))
		assert_true(++need < sizeof(buf));
	assert_true(need > 40);
	assert_string_equal(he.h_name, "filed.test");
	assert_string_equal(he.h_aliases[0], "short");
	assert_null(he.h_aliases[1]);
	assert_memory_equal(he.h_addr_list[0], "\xc0\0\2\7", 4);
	assert_null(he.h_addr_list[1]);
}

static void
loopback_and_any_are_reversed_here(void **state)
{
	struct sw_addr lo = addr_v4(0x7f000005, 0), any = addr_v4(0, 0);
	struct sw_addr link = addr_v4(0xa9fe0001, 0), www = addr_v4(9, 0);
	struct names n;

	(void)state;
	asked[0] = '\0';
	assert_int_equal(names_reverse(&source, &lo, &n), SW_OK);
	assert_string_equal(n.canon, "localhost");
	assert_int_equal(names_reverse(&source, &any, &n), SW_ERR_NO_NAME);
	assert_int_equal(names_reverse(&source, &link, &n), SW_ERR_NO_NAME);
	assert_string_equal(asked, "");
	assert_int_equal(names_reverse(&source, &www, &n), SW_OK);
	assert_string_equal(asked, "reverse");
}

static int
make_hosts(void **state)
{
	static const char text[] = "192.0.2.7 filed.test short\n";
	int fd = mkstemp(hosts_path);

	(void)state;
	return fd < 0 || write(fd, text, sizeof(text) - 1) < 0 || close(fd);
}

static int
drop_hosts(void **state)
{
	(void)state;
	return unlink(hosts_path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_lines_are_cut_into_words),
		cmocka_unit_test(hosts_file_answers_first),
		cmocka_unit_test(names_of_this_machine_are_loopback),
		cmocka_unit_test(names_that_must_stay_are_not_asked_for),
		cmocka_unit_test(only_the_wanted_family_is_kept),
		cmocka_unit_test(session_results_become_netdb_codes),
		cmocka_unit_test(v6_goes_last_or_away_without_a_v6_tunnel),
		cmocka_unit_test(mapped_addresses_are_second_to_real_ones),
		cmocka_unit_test(hostent_fits_exactly_or_not_at_all),
		cmocka_unit_test(loopback_and_any_are_reversed_here),
	};

	return cmocka_run_group_tests(tests, make_hosts, drop_hosts);
}
