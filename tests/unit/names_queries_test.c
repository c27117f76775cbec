/* The names service with a fake exit: DNS messages that programs send. */
#include "tests/rig/unit.h"

#include <string.h>

#include "tests/rig/fake_exit.h"
#include "tests/unit/virtual_time.h"

static void
queries_for_addresses_are_answered_here(void **state)
{
	struct fake_exit f;
	struct heard a, b, c;
	uint16_t id;

	(void)state;
	fake_begin(&f);
	id = heard_query(&f, NULL, "web.example", DNS_A, &a);
	heard_query(&f, "127.0.0.53", "web.example", DNS_AAAA, &b);
	heard_query(&f, "192.168.1.1", "web.example", DNS_HTTPS, &c);
	assert_int_equal(f.lookups, 1);
	fake_says(SW_OK);
	assert_int_equal(dns_get_id(a.msg, a.len), id);
	assert_int_equal(heard_answers(&a), 1);
	assert_int_equal(heard_answers(&b), 1);
	assert_int_equal(heard_answers(&c), 0);
	assert_int_equal(heard_rcode(&c), DNS_NOERROR);
	heard_query(&f, NULL, "1.0.18.198.in-addr.arpa", DNS_PTR, &a);
	assert_int_equal(heard_answers(&a), 1);
	heard_query(&f, NULL, "no.example", DNS_A, &a);
	fake_says(SW_ERR_NO_NAME);
	assert_int_equal(heard_rcode(&a), DNS_NXDOMAIN);
	heard_query(&f, NULL, "x.example", DNS_A, &a);
	fake_says(SW_ERR_TIMEOUT);
	assert_int_equal(heard_rcode(&a), DNS_SERVFAIL);
	fake_finish(&f);
}

/* Answer the n-th query that went upstream with one record of TTL 100. */
static void
upstream_answers(struct fake_exit *f, size_t at)
{
	uint8_t out[600];
	struct dns_query q;
	struct sw_addr addr = addr_v4(0x01020304, 0);
	struct dns_answer a = { .ttl_s = 100, .addrs = &addr, .naddrs = 1 };
	const uint8_t *p = f->wrote;
	size_t len;

	while (at-- > 0)
		p += 2 + (p[0] << 8 | p[1]);
	assert_int_equal(dns_parse_query(p + 2, (size_t)(p[0] << 8 | p[1]), &q),
	    SW_OK);
	assert_int_equal(dns_build(&q, &a, out + 2, sizeof(out) - 2, &len),
	    SW_OK);
	out[0] = (uint8_t)(len >> 8);
	out[1] = (uint8_t)len;
	/* in two pieces, cut in the length */
	assert_int_equal(f->ev->data(f->ev_arg, out, 1), 1);
	assert_int_equal(f->ev->data(f->ev_arg, out + 1, len + 1), len + 1);
}

static void
other_records_go_to_the_exits_resolver(void **state)
{
	struct fake_exit f;
	struct heard a, b, c;
	uint16_t ia, ib;

	(void)state;
	fake_begin(&f);
	heard_query(&f, NULL, "example.com", 15, &a);
	/* it is not known yet */
	assert_int_equal(heard_rcode(&a), DNS_SERVFAIL);
	f.nameserver = "127.0.0.53";
	ia = heard_query(&f, NULL, "example.com", 15, &a);
	ib = heard_query(&f, NULL, "example.org", 16, &b);
	assert_int_equal(f.opens, 1);
	assert_string_equal(f.to.host, "127.0.0.53");
	assert_int_equal(f.to.port, 53);
	assert_int_equal(f.wrote_len, 0);
	f.ev->opened(f.ev_arg);
	assert_true(f.wrote_len > 0);
	upstream_answers(&f, 1);			/* out of order */
	assert_int_equal(b.times, 1);
	assert_int_equal(dns_get_id(b.msg, b.len), ib);
	assert_int_equal(a.times, 0);
	upstream_answers(&f, 0);
	assert_int_equal(dns_get_id(a.msg, a.len), ia);
	upstream_answers(&f, 0);			/* twice is once */
	assert_int_equal(a.times, 1);

	/* from the cache, aged */
	f.l.now_ms += 30000;
	ia = heard_query(&f, NULL, "example.com", 15, &c);
	assert_int_equal(c.times, 1);
	assert_int_equal(dns_get_id(c.msg, c.len), ia);
	{
		struct dns_response r;

		assert_int_equal(dns_parse_response(c.msg, c.len, &r), SW_OK);
		assert_int_equal(r.ttl_s, 70);
	}
	fake_finish(&f);
}

static void
public_resolvers_are_asked_over_the_tunnel(void **state)
{
	struct fake_exit f;
	struct heard h;

	(void)state;
	fake_begin(&f);
	heard_query(&f, "9.9.9.9", "web.example", DNS_A, &h);
	assert_string_equal(f.to.host, "9.9.9.9");
	f.ev->opened(f.ev_arg);
	upstream_answers(&f, 0);
	assert_int_equal(heard_answers(&h), 1);
	assert_memory_equal(h.msg + h.len - 11 - 4, "\1\2\3\4", 4);
	assert_int_equal(f.lookups, 0);
	fake_finish(&f);
}

static void
upstream_faults_become_servfail(void **state)
{
	struct fake_exit f;
	struct heard a, b;
	int64_t asked_ms;

	(void)state;
	fake_begin(&f);
	heard_query(&f, "9.9.9.9", "a.example", 16, &a);
	f.ev->failed(f.ev_arg, SW_ERR_REFUSED);
	fake_turn(&f);
	assert_int_equal(a.times, 1);
	assert_int_equal(heard_rcode(&a), DNS_SERVFAIL);

	/* A server that hangs up between queries costs a retry, no error. */
	heard_query(&f, "9.9.9.9", "b.example", 16, &a);
	f.ev->opened(f.ev_arg);
	upstream_answers(&f, 0);
	heard_query(&f, "9.9.9.9", "c.example", 16, &b);
	f.ev->closed(f.ev_arg, SW_OK);
	fake_turn(&f);
	assert_int_equal(b.times, 0);
	assert_int_equal(f.opens, 3);
	f.ev->opened(f.ev_arg);
	upstream_answers(&f, 0);
	assert_int_equal(b.times, 1);
	assert_int_equal(heard_rcode(&b), DNS_NOERROR);

	/* Silence ends after ten seconds. */
	asked_ms = clock_now_ms();
	heard_query(&f, "9.9.9.9", "d.example", 16, &a);
	for (int i = 0; i < 30 && a.times == 0; i++)
		assert_int_equal(virtual_turn(&f.l), SW_OK);
	assert_in_range(clock_now_ms() - asked_ms, 10000, 11000);
	assert_int_equal(heard_rcode(&a), DNS_SERVFAIL);

	f.refuse = true;
	heard_query(&f, "1.1.1.1", "e.example", 16, &a);
	fake_turn(&f);
	assert_int_equal(heard_rcode(&a), DNS_SERVFAIL);
	fake_finish(&f);
}

static void
malformed_queries_get_silence_or_an_error(void **state)
{
	struct fake_exit f;
	struct heard h = { 0 };
	uint8_t msg[64] = { 0x12, 0x34, 0x20 };

	(void)state;
	fake_begin(&f);
	names_service_query(f.s, NULL, msg, 5, 512, heard_queried, &h);
	assert_int_equal(h.err, SW_ERR_FORMAT);
	names_service_query(f.s, NULL, msg, 12, 512, heard_queried, &h);
	assert_int_equal(h.err, SW_OK);
	assert_int_equal(heard_rcode(&h), DNS_NOTIMP);
	assert_int_equal(dns_get_id(h.msg, h.len), 0x1234);
	fake_finish(&f);
}

struct client {
	bool opened, eof, closed;
	uint8_t got[4096];
	size_t len, max;
};

static void
c_opened(void *arg)
{
	((struct client *)arg)->opened = true;
}

static void
c_failed(void *arg, int err)
{
	(void)arg;
	fail_msg("failed %d", err);
}

static size_t
c_data(void *arg, const uint8_t *buf, size_t len)
{
	struct client *c = arg;

	if (len > c->max - c->len)
		len = c->max - c->len;
	memcpy(c->got + c->len, buf, len);
	c->len += len;
	return len;
}

static void
c_eof(void *arg)
{
	((struct client *)arg)->eof = true;
}

static void
c_writable(void *arg)
{
	(void)arg;
}

static void
c_closed(void *arg, int err)
{
	assert_int_equal(err, SW_OK);
	((struct client *)arg)->closed = true;
}

static const struct dial_events client_events = {
	.opened = c_opened, .failed = c_failed, .data = c_data, .eof = c_eof,
	.writable = c_writable, .closed = c_closed,
};

static void
tcp_clients_are_answered_in_the_service(void **state)
{
	const struct dialer_ops *ops = &names_service_dialer_ops;
	struct dial_target to = { .host = "127.0.0.53", .port = 53 };
	struct client c = { .max = 20 };
	uint8_t frame[512];
	struct fake_exit f;
	struct dial *d;
	size_t len;
	int err;

	(void)state;
	fake_begin(&f);
	d = ops->open(names_service_dialer(f.s), &to, &client_events, &c, &err);
	assert_non_null(d);
	assert_false(c.opened);
	fake_turn(&f);
	assert_true(c.opened);
	assert_int_equal(dns_build_query(7, "web.example", DNS_A, frame + 2,
	    500,
	    &len), SW_OK);
	frame[0] = (uint8_t)(len >> 8);
	frame[1] = (uint8_t)len;
	for (size_t i = 0; i < len + 2; i++)
		assert_int_equal(ops->write(d, frame + i, 1), 1);
	ops->shutdown(d);
	fake_turn(&f);
	assert_false(c.closed);			/* an answer is owed */
	fake_says(SW_OK);
	fake_turn(&f);
	assert_int_equal(c.len, 20);		/* back-pressure */
	assert_false(c.eof);
	c.max = sizeof(c.got);
	ops->resume(d);
	fake_turn(&f);
	assert_int_equal(dns_get_id(c.got + 2, c.len), 7);
	assert_int_equal(c.len, 2u + (size_t)(c.got[0] << 8 | c.got[1]));
	assert_true(c.eof && c.closed);

	/* One that goes away while its answer is on the way. */
	d = ops->open(names_service_dialer(f.s), &to, &client_events, &c, &err);
	fake_turn(&f);
	frame[3] = 8;
	assert_int_equal(dns_build_query(8, "two.example", DNS_A, frame + 2,
	    500,
	    &len), SW_OK);
	assert_int_equal(ops->write(d, frame, len + 2), len + 2);
	ops->abort(d);
	fake_says(SW_OK);
	fake_turn(&f);
	fake_finish(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queries_for_addresses_are_answered_here),
		cmocka_unit_test(other_records_go_to_the_exits_resolver),
		cmocka_unit_test(public_resolvers_are_asked_over_the_tunnel),
		cmocka_unit_test(upstream_faults_become_servfail),
		cmocka_unit_test(malformed_queries_get_silence_or_an_error),
		cmocka_unit_test(tcp_clients_are_answered_in_the_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
