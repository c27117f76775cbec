/* The names service with a fake exit: names, and the addresses they get. */
#include "tests/rig/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/rig/fake_exit.h"

static void
name_becomes_a_virtual_address_once_the_exit_knows_it(void **state)
{
	struct fake_exit f;
	struct heard a, b, c;

	(void)state;
	fake_begin(&f);
	heard_resolve(&f, "Web.Example.", AF_UNSPEC, &a);
	heard_resolve(&f, "web.example", AF_INET6, &b);
	heard_resolve(&f, "web.example", AF_INET, &c);
	assert_int_equal(a.times, 0);
	assert_int_equal(f.lookups, 1);		/* one for all three */
	assert_string_equal(f.name, "web.example");
	fake_says(SW_OK);
	assert_int_equal(a.times + b.times + c.times, 3);
	assert_int_equal(a.n, 1);
	assert_true(addr_is_v4(&a.a[0]) && names_is_virtual(&a.a[0]));
	assert_int_equal(b.n, 1);
	assert_false(addr_is_v4(&b.a[0]));
	assert_true(addr_same_ip(&a.a[0], &c.a[0]));
	heard_resolve(&f, "web.example", AF_INET, &a);
	assert_int_equal(a.times, 1);		/* cached */
	assert_int_equal(f.lookups, 1);
	names_service_reverse(f.s, &a.a[0], heard_reversed, &b);
	assert_string_equal(b.name, "web.example");
	fake_finish(&f);
}

static void
who_asks_for_any_family_gets_v6_only_where_the_name_has_it(void **state)
{
	const struct lookup dual = { .v4 = true, .v6 = true };
	const struct lookup six = { .v4 = true, .v6 = true, .v6_first = true };
	struct fake_exit f;
	struct heard h;

	(void)state;
	fake_begin(&f);
	heard_resolve(&f, "dual.example", AF_UNSPEC, &h);
	fake_tells(&dual);
	assert_int_equal(h.n, 2);
	assert_true(addr_is_v4(&h.a[0]));
	assert_false(addr_is_v4(&h.a[1]));
	heard_resolve(&f, "dual.example", AF_UNSPEC, &h);	/* cached */
	assert_int_equal(h.n, 2);
	heard_resolve(&f, "old.example", AF_UNSPEC, &h);
	fake_says(SW_OK);
	assert_int_equal(h.n, 1);
	/* in the exit's order */
	heard_resolve(&f, "six.example", AF_UNSPEC, &h);
	fake_tells(&six);
	assert_int_equal(h.n, 2);
	assert_false(addr_is_v4(&h.a[0]));
	assert_true(addr_is_v4(&h.a[1]));
	heard_resolve(&f, "six.example", AF_INET, &h);
	assert_int_equal(h.n, 1);
	assert_true(addr_is_v4(&h.a[0]));
	fake_finish(&f);
}

static struct dial_target
aim(const struct fake_exit *f, const char *name, bool v4)
{
	struct dial_target to = { .port = 7 };

	strcpy(to.host, name);
	names_service_aim(f->s, v4, &to);
	return to;
}

static void
a_name_is_dialled_where_the_exit_said_it_is_for_a_minute(void **state)
{
	const struct sw_addr six = { .ip = { 0x20, 1, [15] = 1 } };
	const struct lookup both = { .v4 = true, .v6 = true, .v6_first = true,
		.first4 = addr_v4(0xc0000201, 0), .first6 = six };
	const struct lookup one = { .v4 = true, .sole = true,
		.first4 = addr_v4(0xc0000202, 0) };
	const struct lookup told_none = { .v4 = true, .v6 = true };
	struct dial_target to;
	struct fake_exit f;
	struct heard h;

	(void)state;
	fake_begin(&f);
	to = aim(&f, "both.example", true);		/* never heard of */
	assert_true(to.family == 0 && addr_is_any(&to.address));
	heard_resolve(&f, "both.example", AF_INET, &h);
	fake_tells(&both);
	to = aim(&f, "both.example", true);
	assert_int_equal(to.family, AF_INET);
	assert_memory_equal(&to.address, &both.first4, sizeof(six));
	assert_true(to.alone);
	to = aim(&f, "both.example", false);	/* what it would dial */
	assert_int_equal(to.family, 0);
	assert_memory_equal(&to.address, &six, sizeof(six));
	assert_false(to.alone);
	heard_resolve(&f, "one.example", AF_INET, &h);
	fake_tells(&one);
	to = aim(&f, "one.example", true);
	assert_int_equal(to.family, 0);
	assert_memory_equal(&to.address, &one.first4, sizeof(six));
	assert_true(to.alone);
	to = aim(&f, "one.example", false);
	assert_true(to.family == 0 && addr_is_any(&to.address));
	heard_resolve(&f, "none.example", AF_INET, &h);
	fake_tells(&told_none);
	to = aim(&f, "none.example", false);
	assert_int_equal(to.family, AF_INET6);
	assert_true(addr_is_any(&to.address));
	f.l.now_ms += 61 * 1000;
	to = aim(&f, "both.example", true);
	assert_true(to.family == 0 && addr_is_any(&to.address));
	heard_resolve(&f, "old.example", AF_INET, &h);
	fake_says(SW_OK);			/* it exists, and that is all */
	to = aim(&f, "old.example", true);
	assert_true(to.family == 0 && addr_is_any(&to.address));
	assert_string_equal(to.host, "old.example");
	fake_finish(&f);
}

static void
failures_are_told_apart_and_only_absence_is_kept(void **state)
{
	struct fake_exit f;
	struct heard h;

	(void)state;
	fake_begin(&f);
	heard_resolve(&f, "no.example", AF_UNSPEC, &h);
	fake_says(SW_ERR_NO_NAME);
	assert_int_equal(h.err, SW_ERR_NO_NAME);
	heard_resolve(&f, "no.example", AF_UNSPEC, &h);
	assert_int_equal(h.err, SW_ERR_NO_NAME);
	assert_int_equal(f.lookups, 1);
	f.l.now_ms += 11000;
	heard_resolve(&f, "no.example", AF_UNSPEC, &h);
	assert_int_equal(h.times, 0);
	fake_says(SW_ERR_TIMEOUT);
	assert_int_equal(h.err, SW_ERR_TIMEOUT);
	heard_resolve(&f, "no.example", AF_UNSPEC, &h);
	assert_int_equal(f.lookups, 3);
	fake_says(SW_ERR_UNSUPPORTED);		/* nobody knows: hope */
	assert_int_equal(h.err, SW_OK);
	assert_int_equal(h.n, 1);
	fake_finish(&f);
}

static void
local_and_private_names_never_leave(void **state)
{
	static const char *const none[] = { "x.onion", "a.i2p", "p.local",
	    "x.alt", "a.invalid", "onion", "single", "a;b", "" };
	struct fake_exit f;
	struct heard h;

	(void)state;
	fake_begin(&f);
	f.nameserver = "127.0.0.53";
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		heard_resolve(&f, none[i], AF_UNSPEC, &h);
		assert_int_equal(h.times, 1);
		assert_int_equal(h.err, SW_ERR_NO_NAME);
	}
	/* whoever is asked */
	heard_query(&f, "8.8.8.8", "x.onion", DNS_A, &h);
	assert_int_equal(heard_rcode(&h), DNS_NXDOMAIN);
	heard_query(&f, "8.8.8.8", "x.onion", 16, &h);
	assert_int_equal(heard_rcode(&h), DNS_NXDOMAIN);
	heard_query(&f, NULL, "use-application-dns.net", DNS_A, &h);
	assert_int_equal(heard_rcode(&h), DNS_NXDOMAIN);
	heard_query(&f, NULL, "1.0.168.192.in-addr.arpa", DNS_PTR, &h);
	assert_int_equal(heard_rcode(&h), DNS_NXDOMAIN);
	heard_resolve(&f, "localhost", AF_UNSPEC, &h);
	assert_int_equal(h.n, 2);
	assert_true(addr_is_loopback(&h.a[0]) && addr_is_loopback(&h.a[1]));
	heard_resolve(&f, "db.localhost", AF_INET, &h);
	assert_int_equal(h.n, 1);
	heard_resolve(&f, "192.0.2.7", AF_UNSPEC, &h);
	assert_int_equal(h.n, 1);
	assert_int_equal(f.lookups, 0);
	assert_int_equal(f.opens, 0);
	fake_finish(&f);
}

static void
hosts_file_comes_first(void **state)
{
	char path[] = "/tmp/smolwrap-hosts.XXXXXX";
	const char text[] = "# one\n203.0.113.5\tDb.Example db # two\n"
	    "broken line\n2001:db8::5 db.example\n";
	struct names_service_options o = { .hosts = path };
	struct fake_exit f;
	struct heard h;
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	fake_begin_with(&f, &o);
	unlink(path);
	heard_resolve(&f, "db.example", AF_UNSPEC, &h);
	assert_int_equal(h.n, 2);
	heard_resolve(&f, "db", AF_INET6, &h);
	assert_int_equal(h.err, SW_OK);
	assert_int_equal(h.n, 0);		/* it exists, without v6 */
	assert_int_equal(f.lookups, 0);
	fake_finish(&f);
}

static void
cancelled_questions_stay_silent(void **state)
{
	struct fake_exit f;
	struct heard a, b;

	(void)state;
	fake_begin(&f);
	heard_resolve(&f, "web.example", AF_UNSPEC, &a);
	heard_query(&f, "9.9.9.9", "a.example", 16, &b);
	names_service_cancel(f.s, &a);
	names_service_cancel(f.s, &b);
	fake_says(SW_OK);
	f.ev->opened(f.ev_arg);
	fake_turn(&f);
	assert_int_equal(a.times + b.times, 0);
	/* Half of a frame is out: the stream cannot be shared any more. */
	f.room = 5;
	heard_query(&f, "9.9.9.9", "b.example", 16, &b);
	assert_int_equal(f.wrote_len, 5);
	names_service_cancel(f.s, &b);
	assert_true(f.aborted);
	fake_turn(&f);
	fake_finish(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    name_becomes_a_virtual_address_once_the_exit_knows_it),
		cmocka_unit_test(
		    who_asks_for_any_family_gets_v6_only_where_the_name_has_it),
		cmocka_unit_test(
		    a_name_is_dialled_where_the_exit_said_it_is_for_a_minute),
		cmocka_unit_test(
		    failures_are_told_apart_and_only_absence_is_kept),
		cmocka_unit_test(local_and_private_names_never_leave),
		cmocka_unit_test(hosts_file_comes_first),
		cmocka_unit_test(cancelled_questions_stay_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
