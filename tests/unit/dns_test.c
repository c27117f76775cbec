#include "tests/rig/unit.h"

#include <arpa/nameser.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>

#include "stack/dns.h"

/* glibc's resolver is the other implementation: it makes queries and reads
 * what we answer. */

/* ns_msg_getflag() lives there too: read the bits ourselves. */
static bool
is_truncated(const uint8_t *msg)
{
	return (msg[2] & 2) != 0;
}

static int (*parse)(const u_char *, int, ns_msg *);
static int (*parse_rr)(ns_msg *, ns_sect, int, ns_rr *);

/* Loaded by hand: nothing else of ours links libresolv. */
static int
load(void **state)
{
	void *lib = dlopen("libresolv.so.2", RTLD_NOW), *f;

	(void)state;
	if (lib == NULL || (f = dlsym(lib, "ns_initparse")) == NULL)
		return -1;
	memcpy(&parse, &f, sizeof(f));
	if ((f = dlsym(lib, "ns_parserr")) == NULL)
		return -1;
	memcpy(&parse_rr, &f, sizeof(f));
	return 0;
}

static size_t
make_query(const char *name, int type, uint8_t *buf, size_t cap)
{
	int n = res_mkquery(ns_o_query, name, ns_c_in, type, NULL, 0, NULL, buf,
	    (int)cap);

	assert_true(n > 0);
	return (size_t)n;
}

static size_t
add_edns(uint8_t *buf, size_t len, uint16_t size, bool dnssec_ok)
{
	const uint8_t opt[11] = { 0, 0, 41, (uint8_t)(size >> 8), (uint8_t)size,
	    0, 0, dnssec_ok ? 0x80 : 0, 0, 0, 0 };

	memcpy(buf + len, opt, sizeof(opt));
	buf[11]++;
	return len + sizeof(opt);
}

static void
query_of_glibc_is_understood(void **state)
{
	uint8_t buf[512];
	struct dns_query q;
	size_t n = make_query("WwW.Example.com", ns_t_aaaa, buf, sizeof(buf));

	(void)state;
	assert_int_equal(dns_parse_query(buf, n, &q), SW_OK);
	assert_string_equal(q.name, "WwW.Example.com");
	assert_int_equal(q.type, DNS_AAAA);
	assert_int_equal(q.class, 1);
	assert_false(q.has_edns);
	n = add_edns(buf, n, 1400, true);
	assert_int_equal(dns_parse_query(buf, n, &q), SW_OK);
	assert_true(q.has_edns && q.dnssec_ok);
	assert_int_equal(q.edns_size, 1400);
}

static void
every_cut_and_every_extra_byte_is_refused(void **state)
{
	uint8_t buf[512];
	struct dns_query q;
	size_t n = make_query("a.bc.example", ns_t_a, buf, sizeof(buf));

	(void)state;
	n = add_edns(buf, n, 1232, false);
	assert_int_equal(dns_parse_query(buf, n, &q), SW_OK);
	for (size_t i = 0; i < n; i++)
		assert_true(dns_parse_query(buf, i, &q) < 0);
	buf[n] = 0;
	assert_int_equal(dns_parse_query(buf, n + 1, &q), SW_ERR_FORMAT);
}

static void
compressed_question_and_responses_are_refused(void **state)
{
	uint8_t buf[512] = { 0 };
	struct dns_query q;

	(void)state;
	buf[5] = 1;
	buf[12] = 0xc0;
	buf[13] = 12;			/* points at itself */
	assert_true(dns_parse_query(buf, 18, &q) < 0);
	buf[2] = 0x80;
	assert_int_equal(dns_parse_query(buf, 18, &q), SW_ERR_FORMAT);
	buf[2] = 0x20;			/* opcode 4 */
	assert_int_equal(dns_parse_query(buf, 18, &q), SW_ERR_UNSUPPORTED);
}

static void
addresses_are_read_by_glibc(void **state)
{
	uint8_t buf[512], out[512];
	struct sw_addr a[2] = { addr_v4(0xc6120001, 0), addr_v4(0xc6120002, 0) };
	struct dns_answer ans = { .ttl_s = 60, .addrs = a, .naddrs = 2 };
	struct dns_query q;
	struct dns_response r;
	ns_msg msg;
	ns_rr rr;
	size_t n = make_query("www.example", ns_t_a, buf, sizeof(buf)), len;

	(void)state;
	n = add_edns(buf, n, 1232, false);
	assert_int_equal(dns_parse_query(buf, n, &q), SW_OK);
	assert_int_equal(dns_build(&q, &ans, out, sizeof(out), &len), SW_OK);
	assert_int_equal(parse(out, (int)len, &msg), 0);
	assert_int_equal(ns_msg_id(msg), dns_get_id(buf, n));
	assert_int_equal(ns_msg_count(msg, ns_s_an), 2);
	assert_int_equal(ns_msg_count(msg, ns_s_ar), 1);
	assert_int_equal(parse_rr(&msg, ns_s_an, 1, &rr), 0);
	assert_string_equal(ns_rr_name(rr), "www.example");
	assert_int_equal(ns_rr_ttl(rr), 60);
	assert_memory_equal(ns_rr_rdata(rr), "\xc6\x12\0\2", 4);

	assert_int_equal(dns_parse_response(out, len, &r), SW_OK);
	assert_int_equal(r.ttl_s, 60);
	dns_age(out, len, 45);
	assert_int_equal(dns_parse_response(out, len, &r), SW_OK);
	assert_int_equal(r.ttl_s, 15);
	dns_age(out, len, 45);
	assert_int_equal(dns_parse_response(out, len, &r), SW_OK);
	assert_int_equal(r.ttl_s, 0);
	for (size_t i = 0; i < len; i++)
		assert_int_not_equal(dns_build(&q, &ans, out, i, &n), SW_OK);
}

static void
negative_answers_can_be_cached(void **state)
{
	uint8_t buf[512], out[512];
	struct dns_answer ans = { .rcode = DNS_NXDOMAIN, .ttl_s = 10 };
	struct dns_query q;
	ns_msg msg;
	ns_rr rr;
	size_t n = make_query("no.example", ns_t_a, buf, sizeof(buf)), len;

	(void)state;
	assert_int_equal(dns_parse_query(buf, n, &q), SW_OK);
	assert_int_equal(dns_build(&q, &ans, out, sizeof(out), &len), SW_OK);
	assert_int_equal(parse(out, (int)len, &msg), 0);
	assert_int_equal(out[3] & 15, ns_r_nxdomain);
	assert_int_equal(parse_rr(&msg, ns_s_ns, 0, &rr), 0);
	assert_int_equal(ns_rr_type(rr), ns_t_soa);
}

static void
pointer_answers_carry_a_name(void **state)
{
	uint8_t buf[512], out[512];
	struct dns_answer ans = { .ttl_s = 60, .name = "host.example" };
	struct dns_query q;
	struct dns_response r;
	size_t n = make_query("1.0.18.198.in-addr.arpa", ns_t_ptr, buf,
	    sizeof(buf)), len;

	(void)state;
	assert_int_equal(dns_parse_query(buf, n, &q), SW_OK);
	assert_int_equal(dns_build(&q, &ans, out, sizeof(out), &len), SW_OK);
	assert_int_equal(dns_parse_response(out, len, &r), SW_OK);
	assert_string_equal(r.ptr, "host.example");
}

static void
reverse_names_go_both_ways(void **state)
{
	static const char *const ips[] = { "198.18.0.1", "0.0.0.0", "8.8.4.4",
	    "2001:db8::567:89ab", "fd73:6d6f:6c77:1::1" };
	static const char *const bad[] = { "in-addr.arpa", "1.in-addr.arpa",
	    "1.2.3.256.in-addr.arpa", "1.2.3.4.5.in-addr.arpa", "ip6.arpa",
	    "x.2.3.4.in-addr.arpa", "1.2.3.4.in-addr.arpa.x" };
	struct sw_addr a, b;
	char name[80];

	(void)state;
	for (size_t i = 0; i < sizeof(ips) / sizeof(ips[0]); i++) {
		assert_int_equal(addr_parse_ip(&a, ips[i]), SW_OK);
		dns_arpa_name(&a, name);
		assert_int_equal(dns_parse_arpa(name, &b), SW_OK);
		assert_true(addr_same_ip(&a, &b));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(dns_parse_arpa(bad[i], &b), SW_ERR_FORMAT);
}

static void
too_long_responses_are_cut_to_the_question(void **state)
{
	uint8_t buf[512], out[1024];
	struct sw_addr a[8];
	struct dns_answer ans = { .ttl_s = 60, .addrs = a, .naddrs = 8 };
	struct dns_query q;
	ns_msg msg;
	size_t n = make_query("www.example", ns_t_aaaa, buf, sizeof(buf)), len;

	(void)state;
	memset(a, 0x20, sizeof(a));
	assert_int_equal(dns_parse_query(buf, n, &q), SW_OK);
	assert_int_equal(dns_build(&q, &ans, out, sizeof(out), &len), SW_OK);
	assert_int_equal(dns_truncate(out, len, len), len);
	len = dns_truncate(out, len, 100);
	assert_true(len <= 100);
	assert_int_equal(parse(out, (int)len, &msg), 0);
	assert_true(is_truncated(out));
	assert_int_equal(ns_msg_count(msg, ns_s_an), 0);
	assert_int_equal(ns_msg_count(msg, ns_s_qd), 1);
}

static void
strange_labels_survive_as_text(void **state)
{
	uint8_t buf[512], again[512];
	struct dns_query q;
	size_t len, len2;

	(void)state;
	assert_int_equal(dns_build_query(1, "a\\046b\\000c.\\255", 16, buf,
	    sizeof(buf), &len), SW_OK);
	assert_int_equal(dns_parse_query(buf, len, &q), SW_OK);
	assert_string_equal(q.name, "a\\046b\\000c.\\255");
	assert_int_equal(dns_build_query(1, q.name, 16, again, sizeof(again),
	    &len2), SW_OK);
	assert_int_equal(len, len2);
	assert_memory_equal(buf, again, len);
	assert_int_equal(dns_build_query(1, "a..b", 16, buf, sizeof(buf), &len),
	    SW_ERR_FORMAT);
	assert_int_equal(dns_build_query(1, "a\\9", 16, buf, sizeof(buf), &len),
	    SW_ERR_FORMAT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(query_of_glibc_is_understood),
		cmocka_unit_test(every_cut_and_every_extra_byte_is_refused),
		cmocka_unit_test(compressed_question_and_responses_are_refused),
		cmocka_unit_test(addresses_are_read_by_glibc),
		cmocka_unit_test(negative_answers_can_be_cached),
		cmocka_unit_test(pointer_answers_carry_a_name),
		cmocka_unit_test(reverse_names_go_both_ways),
		cmocka_unit_test(too_long_responses_are_cut_to_the_question),
		cmocka_unit_test(strange_labels_survive_as_text),
	};

	return cmocka_run_group_tests(tests, load, NULL);
}
