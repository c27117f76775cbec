/* The names service with a fake exit and a fake dialer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stack/dns.h"
#include "transport/names_service.h"
#include "transport/ssh_tunnel.h"

/* ---- the exit: remembers who asked, answers when told ---- */

struct fake {
	struct loop l;
	struct names *map;
	struct names_service *s;
	unsigned lookups;
	char name[256];
	void (*done)(void *, const struct lookup *);
	void *done_arg;
	const char *nameserver;
	/* the dialer */
	unsigned opens;
	struct dial_target to;
	const struct dial_events *ev;
	void *ev_arg;
	bool refuse, aborted;
	uint8_t wrote[8192];
	size_t wrote_len, room;
};

static struct fake *fake;

static int
fake_lookup(void *arg, const char *name,
    void (*done)(void *, const struct lookup *), void *done_arg)
{
	struct fake *f = arg;

	f->lookups++;
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->done = done;
	f->done_arg = done_arg;
	return SW_OK;
}

static void
fake_forget(void *arg, const void *done_arg)
{
	(void)arg;
	(void)done_arg;
}

static const char *
fake_nameserver(void *arg)
{
	return ((struct fake *)arg)->nameserver;
}

static void
exit_tells(const struct lookup *what)
{
	assert_non_null(fake->done);
	fake->done(fake->done_arg, what);
	fake->done = NULL;
}

static void
exit_says(int err)
{
	const struct lookup what = { .err = err, .v4 = err == SW_OK };

	exit_tells(&what);
}

static struct dial *
fake_open(struct dialer *d, const struct dial_target *to,
    const struct dial_events *ev, void *arg, int *err)
{
	struct fake *f = (struct fake *)(void *)d;

	*err = SW_ERR_DOWN;
	if (f->refuse)
		return NULL;
	f->opens++;
	f->to = *to;
	f->ev = ev;
	f->ev_arg = arg;
	f->wrote_len = 0;
	f->aborted = false;
	return (struct dial *)(void *)f;
}

static size_t
fake_write(struct dial *d, const uint8_t *buf, size_t len)
{
	struct fake *f = (struct fake *)(void *)d;

	if (len > f->room)
		len = f->room;
	f->room -= len;
	memcpy(f->wrote + f->wrote_len, buf, len);
	f->wrote_len += len;
	return len;
}

static void
fake_nothing(struct dial *d)
{
	(void)d;
}

static void
fake_abort(struct dial *d)
{
	((struct fake *)(void *)d)->aborted = true;
}

static const struct names_exit fake_exit = { fake_lookup, fake_forget,
    fake_nameserver };
static const struct dialer_ops fake_ops = { fake_open, fake_write, fake_nothing,
    fake_nothing, fake_abort };

static void
begin_with(struct fake *f, const struct names_service_options *extra)
{
	struct names_service_options o = *extra;

	memset(f, 0, sizeof(*f));
	fake = f;
	f->room = sizeof(f->wrote);
	assert_int_equal(loop_init(&f->l), SW_OK);
	f->map = names_new(0);
	o.map = f->map;
	o.exit = &fake_exit;
	o.exit_arg = f;
	o.dialer = (struct dialer *)(void *)f;
	o.dialer_ops = &fake_ops;
	f->s = names_service_new(&f->l, &o);
	assert_non_null(f->s);
}

static void
begin(struct fake *f)
{
	begin_with(f, &(struct names_service_options){ .dns = NULL });
}

static void
finish(struct fake *f)
{
	names_service_free(f->s);
	names_free(f->map);
	loop_wipe(&f->l);
}

static void
turn(struct fake *f)
{
	assert_int_equal(loop_run_once(&f->l, 0), SW_OK);
}

/* ---- what callers hear ---- */

struct heard {
	unsigned times;
	int err;
	uint32_t ttl;
	size_t n, len;
	struct sw_addr a[4];
	char name[256];
	uint8_t msg[4096];
};

static void
on_resolved(void *arg, int err, uint32_t ttl, const struct sw_addr *a, size_t n)
{
	struct heard *h = arg;

	h->times++;
	h->err = err;
	h->ttl = ttl;
	h->n = n;
	for (size_t i = 0; i < n && i < 4; i++)
		h->a[i] = a[i];
}

static void
on_reversed(void *arg, int err, const char *name)
{
	struct heard *h = arg;

	h->times++;
	h->err = err;
	snprintf(h->name, sizeof(h->name), "%s", name != NULL ? name : "");
}

static void
on_queried(void *arg, int err, const uint8_t *msg, size_t len)
{
	struct heard *h = arg;

	h->times++;
	h->err = err;
	h->len = len;
	if (err == SW_OK)
		memcpy(h->msg, msg, len);
}

static void
resolve(struct fake *f, const char *name, int family, struct heard *h)
{
	memset(h, 0, sizeof(*h));
	names_service_resolve(f->s, name, strlen(name), family, on_resolved, h);
}

static uint16_t
query(struct fake *f, const char *to, const char *name, uint16_t type,
    struct heard *h)
{
	static uint16_t id = 0x1233;
	uint8_t msg[512];
	struct sw_addr a;
	size_t len;

	memset(h, 0, sizeof(*h));
	assert_int_equal(dns_build_query(++id, name, type, msg, sizeof(msg),
	    &len), SW_OK);
	if (to != NULL) {
		assert_int_equal(addr_parse_ip(&a, to), SW_OK);
		a.port = 53;
	}
	names_service_query(f->s, to != NULL ? &a : NULL, msg, len, 1232,
	    on_queried, h);
	return id;
}

static int
rcode(const struct heard *h)
{
	return h->msg[3] & 15;
}

static int
answers(const struct heard *h)
{
	return h->msg[6] << 8 | h->msg[7];
}

/* ---- tests ---- */

static void
name_becomes_a_virtual_address_once_the_exit_knows_it(void **state)
{
	struct fake f;
	struct heard a, b, c;

	(void)state;
	begin(&f);
	resolve(&f, "Web.Example.", AF_UNSPEC, &a);
	resolve(&f, "web.example", AF_INET6, &b);
	resolve(&f, "web.example", AF_INET, &c);
	assert_int_equal(a.times, 0);
	assert_int_equal(f.lookups, 1);		/* one for all three */
	assert_string_equal(f.name, "web.example");
	exit_says(SW_OK);
	assert_int_equal(a.times + b.times + c.times, 3);
	assert_int_equal(a.n, 1);
	assert_true(addr_is_v4(&a.a[0]) && names_is_virtual(&a.a[0]));
	assert_int_equal(b.n, 1);
	assert_false(addr_is_v4(&b.a[0]));
	assert_true(addr_same_ip(&a.a[0], &c.a[0]));
	resolve(&f, "web.example", AF_INET, &a);
	assert_int_equal(a.times, 1);		/* cached */
	assert_int_equal(f.lookups, 1);
	names_service_reverse(f.s, &a.a[0], on_reversed, &b);
	assert_string_equal(b.name, "web.example");
	finish(&f);
}

static void
who_asks_for_any_family_gets_v6_only_where_the_name_has_it(void **state)
{
	const struct lookup dual = { .v4 = true, .v6 = true };
	const struct lookup six = { .v4 = true, .v6 = true, .v6_first = true };
	struct fake f;
	struct heard h;

	(void)state;
	begin(&f);
	resolve(&f, "dual.example", AF_UNSPEC, &h);
	exit_tells(&dual);
	assert_int_equal(h.n, 2);
	assert_true(addr_is_v4(&h.a[0]));
	assert_false(addr_is_v4(&h.a[1]));
	resolve(&f, "dual.example", AF_UNSPEC, &h);	/* cached */
	assert_int_equal(h.n, 2);
	resolve(&f, "old.example", AF_UNSPEC, &h);
	exit_says(SW_OK);
	assert_int_equal(h.n, 1);
	resolve(&f, "six.example", AF_UNSPEC, &h);	/* in the exit's order */
	exit_tells(&six);
	assert_int_equal(h.n, 2);
	assert_false(addr_is_v4(&h.a[0]));
	assert_true(addr_is_v4(&h.a[1]));
	resolve(&f, "six.example", AF_INET, &h);
	assert_int_equal(h.n, 1);
	assert_true(addr_is_v4(&h.a[0]));
	finish(&f);
}

static void
the_family_that_the_exit_would_not_dial_has_an_address(void **state)
{
	const struct lookup six = { .v4 = true, .v6 = true, .v6_first = true,
		.other = addr_v4(0xc0000201, 0) };
	struct sw_addr got, zero = { .port = 0 };
	struct fake f;
	struct heard h;

	(void)state;
	begin(&f);
	assert_false(names_service_other(f.s, "six.example", true, &got));
	resolve(&f, "six.example", AF_INET, &h);
	exit_tells(&six);
	assert_true(names_service_other(f.s, "six.example", true, &got));
	assert_memory_equal(&got, &six.other, sizeof(got));
	got = zero;
	assert_false(names_service_other(f.s, "six.example", false, &got));
	assert_memory_equal(&got, &zero, sizeof(got));
	f.l.now_ms += 61 * 1000;		/* and for a minute */
	assert_false(names_service_other(f.s, "six.example", true, &got));
	resolve(&f, "old.example", AF_INET, &h);
	exit_says(SW_OK);
	assert_false(names_service_other(f.s, "old.example", true, &got));
	assert_false(names_service_other(f.s, "old.example", false, &got));
	finish(&f);
}

static void
failures_are_told_apart_and_only_absence_is_kept(void **state)
{
	struct fake f;
	struct heard h;

	(void)state;
	begin(&f);
	resolve(&f, "no.example", AF_UNSPEC, &h);
	exit_says(SW_ERR_NO_NAME);
	assert_int_equal(h.err, SW_ERR_NO_NAME);
	resolve(&f, "no.example", AF_UNSPEC, &h);
	assert_int_equal(h.err, SW_ERR_NO_NAME);
	assert_int_equal(f.lookups, 1);
	f.l.now_ms += 11000;
	resolve(&f, "no.example", AF_UNSPEC, &h);
	assert_int_equal(h.times, 0);
	exit_says(SW_ERR_TIMEOUT);
	assert_int_equal(h.err, SW_ERR_TIMEOUT);
	resolve(&f, "no.example", AF_UNSPEC, &h);
	assert_int_equal(f.lookups, 3);
	exit_says(SW_ERR_UNSUPPORTED);		/* nobody knows: hope */
	assert_int_equal(h.err, SW_OK);
	assert_int_equal(h.n, 1);
	finish(&f);
}

static void
local_and_private_names_never_leave(void **state)
{
	static const char *const none[] = { "x.onion", "a.i2p", "p.local",
	    "x.alt", "a.invalid", "onion", "single", "a;b", "" };
	struct fake f;
	struct heard h;

	(void)state;
	begin(&f);
	f.nameserver = "127.0.0.53";
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		resolve(&f, none[i], AF_UNSPEC, &h);
		assert_int_equal(h.times, 1);
		assert_int_equal(h.err, SW_ERR_NO_NAME);
	}
	query(&f, "8.8.8.8", "x.onion", DNS_A, &h);	/* whoever is asked */
	assert_int_equal(rcode(&h), DNS_NXDOMAIN);
	query(&f, "8.8.8.8", "x.onion", 16, &h);
	assert_int_equal(rcode(&h), DNS_NXDOMAIN);
	query(&f, NULL, "use-application-dns.net", DNS_A, &h);
	assert_int_equal(rcode(&h), DNS_NXDOMAIN);
	query(&f, NULL, "1.0.168.192.in-addr.arpa", DNS_PTR, &h);
	assert_int_equal(rcode(&h), DNS_NXDOMAIN);
	resolve(&f, "localhost", AF_UNSPEC, &h);
	assert_int_equal(h.n, 2);
	assert_true(addr_is_loopback(&h.a[0]) && addr_is_loopback(&h.a[1]));
	resolve(&f, "db.localhost", AF_INET, &h);
	assert_int_equal(h.n, 1);
	resolve(&f, "192.0.2.7", AF_UNSPEC, &h);
	assert_int_equal(h.n, 1);
	assert_int_equal(f.lookups, 0);
	assert_int_equal(f.opens, 0);
	finish(&f);
}

static void
hosts_file_comes_first(void **state)
{
	char path[] = "/tmp/smolwrap-hosts.XXXXXX";
	const char text[] = "# one\n203.0.113.5\tDb.Example db # two\n"
	    "broken line\n2001:db8::5 db.example\n";
	struct names_service_options o = { .hosts = path };
	struct fake f;
	struct heard h;
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	begin_with(&f, &o);
	unlink(path);
	resolve(&f, "db.example", AF_UNSPEC, &h);
	assert_int_equal(h.n, 2);
	resolve(&f, "db", AF_INET6, &h);
	assert_int_equal(h.err, SW_OK);
	assert_int_equal(h.n, 0);		/* it exists, without v6 */
	assert_int_equal(f.lookups, 0);
	finish(&f);
}

static void
queries_for_addresses_are_answered_here(void **state)
{
	struct fake f;
	struct heard a, b, c;
	uint16_t id;

	(void)state;
	begin(&f);
	id = query(&f, NULL, "web.example", DNS_A, &a);
	query(&f, "127.0.0.53", "web.example", DNS_AAAA, &b);
	query(&f, "192.168.1.1", "web.example", DNS_HTTPS, &c);
	assert_int_equal(f.lookups, 1);
	exit_says(SW_OK);
	assert_int_equal(dns_get_id(a.msg, a.len), id);
	assert_int_equal(answers(&a), 1);
	assert_int_equal(answers(&b), 1);
	assert_int_equal(answers(&c), 0);
	assert_int_equal(rcode(&c), DNS_NOERROR);
	query(&f, NULL, "1.0.18.198.in-addr.arpa", DNS_PTR, &a);
	assert_int_equal(answers(&a), 1);
	query(&f, NULL, "no.example", DNS_A, &a);
	exit_says(SW_ERR_NO_NAME);
	assert_int_equal(rcode(&a), DNS_NXDOMAIN);
	query(&f, NULL, "x.example", DNS_A, &a);
	exit_says(SW_ERR_TIMEOUT);
	assert_int_equal(rcode(&a), DNS_SERVFAIL);
	finish(&f);
}

/* Answer the n-th query that went upstream with one record of TTL 100. */
static void
upstream_answers(struct fake *f, size_t at)
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
	struct fake f;
	struct heard a, b, c;
	uint16_t ia, ib;

	(void)state;
	begin(&f);
	query(&f, NULL, "example.com", 15, &a);
	assert_int_equal(rcode(&a), DNS_SERVFAIL);	/* it is not known yet */
	f.nameserver = "127.0.0.53";
	ia = query(&f, NULL, "example.com", 15, &a);
	ib = query(&f, NULL, "example.org", 16, &b);
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

	f.l.now_ms += 30000;				/* from the cache, aged */
	ia = query(&f, NULL, "example.com", 15, &c);
	assert_int_equal(c.times, 1);
	assert_int_equal(dns_get_id(c.msg, c.len), ia);
	{
		struct dns_response r;

		assert_int_equal(dns_parse_response(c.msg, c.len, &r), SW_OK);
		assert_int_equal(r.ttl_s, 70);
	}
	finish(&f);
}

static void
public_resolvers_are_asked_over_the_tunnel(void **state)
{
	struct fake f;
	struct heard h;

	(void)state;
	begin(&f);
	query(&f, "9.9.9.9", "web.example", DNS_A, &h);
	assert_string_equal(f.to.host, "9.9.9.9");
	f.ev->opened(f.ev_arg);
	upstream_answers(&f, 0);
	assert_int_equal(answers(&h), 1);
	assert_memory_equal(h.msg + h.len - 11 - 4, "\1\2\3\4", 4);
	assert_int_equal(f.lookups, 0);
	finish(&f);
}

static void
upstream_faults_become_servfail(void **state)
{
	struct fake f;
	struct heard a, b;

	(void)state;
	begin(&f);
	query(&f, "9.9.9.9", "a.example", 16, &a);
	f.ev->failed(f.ev_arg, SW_ERR_REFUSED);
	turn(&f);
	assert_int_equal(a.times, 1);
	assert_int_equal(rcode(&a), DNS_SERVFAIL);

	/* A server that hangs up between queries costs a retry, not an error. */
	query(&f, "9.9.9.9", "b.example", 16, &a);
	f.ev->opened(f.ev_arg);
	upstream_answers(&f, 0);
	query(&f, "9.9.9.9", "c.example", 16, &b);
	f.ev->closed(f.ev_arg, SW_OK);
	turn(&f);
	assert_int_equal(b.times, 0);
	assert_int_equal(f.opens, 3);
	f.ev->opened(f.ev_arg);
	upstream_answers(&f, 0);
	assert_int_equal(b.times, 1);
	assert_int_equal(rcode(&b), DNS_NOERROR);

	/* Silence ends after ten seconds. */
	query(&f, "9.9.9.9", "d.example", 16, &a);
	f.l.now_ms += 11000;
	for (int i = 0; i < 30 && a.times == 0; i++)
		assert_int_equal(loop_run_once(&f.l, 1000), SW_OK);
	assert_int_equal(rcode(&a), DNS_SERVFAIL);

	f.refuse = true;
	query(&f, "1.1.1.1", "e.example", 16, &a);
	turn(&f);
	assert_int_equal(rcode(&a), DNS_SERVFAIL);
	finish(&f);
}

static void
cancelled_questions_stay_silent(void **state)
{
	struct fake f;
	struct heard a, b;

	(void)state;
	begin(&f);
	resolve(&f, "web.example", AF_UNSPEC, &a);
	query(&f, "9.9.9.9", "a.example", 16, &b);
	names_service_cancel(f.s, &a);
	names_service_cancel(f.s, &b);
	exit_says(SW_OK);
	f.ev->opened(f.ev_arg);
	turn(&f);
	assert_int_equal(a.times + b.times, 0);
	/* Half of a frame is out: the stream cannot be shared any more. */
	f.room = 5;
	query(&f, "9.9.9.9", "b.example", 16, &b);
	assert_int_equal(f.wrote_len, 5);
	names_service_cancel(f.s, &b);
	assert_true(f.aborted);
	turn(&f);
	finish(&f);
}

static void
malformed_queries_get_silence_or_an_error(void **state)
{
	struct fake f;
	struct heard h = { 0 };
	uint8_t msg[64] = { 0x12, 0x34, 0x20 };

	(void)state;
	begin(&f);
	names_service_query(f.s, NULL, msg, 5, 512, on_queried, &h);
	assert_int_equal(h.err, SW_ERR_FORMAT);
	names_service_query(f.s, NULL, msg, 12, 512, on_queried, &h);
	assert_int_equal(h.err, SW_OK);
	assert_int_equal(rcode(&h), DNS_NOTIMP);
	assert_int_equal(dns_get_id(h.msg, h.len), 0x1234);
	finish(&f);
}

/* ---- DNS over TCP that programs speak ---- */

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
	struct fake f;
	struct dial *d;
	size_t len;
	int err;

	(void)state;
	begin(&f);
	d = ops->open(names_service_dialer(f.s), &to, &client_events, &c, &err);
	assert_non_null(d);
	assert_false(c.opened);
	turn(&f);
	assert_true(c.opened);
	assert_int_equal(dns_build_query(7, "web.example", DNS_A, frame + 2, 500,
	    &len), SW_OK);
	frame[0] = (uint8_t)(len >> 8);
	frame[1] = (uint8_t)len;
	for (size_t i = 0; i < len + 2; i++)
		assert_int_equal(ops->write(d, frame + i, 1), 1);
	ops->shutdown(d);
	turn(&f);
	assert_false(c.closed);			/* an answer is owed */
	exit_says(SW_OK);
	turn(&f);
	assert_int_equal(c.len, 20);		/* back-pressure */
	assert_false(c.eof);
	c.max = sizeof(c.got);
	ops->resume(d);
	turn(&f);
	assert_int_equal(dns_get_id(c.got + 2, c.len), 7);
	assert_int_equal(c.len, 2u + (size_t)(c.got[0] << 8 | c.got[1]));
	assert_true(c.eof && c.closed);

	/* One that goes away while its answer is on the way. */
	d = ops->open(names_service_dialer(f.s), &to, &client_events, &c, &err);
	turn(&f);
	frame[3] = 8;
	assert_int_equal(dns_build_query(8, "two.example", DNS_A, frame + 2, 500,
	    &len), SW_OK);
	assert_int_equal(ops->write(d, frame, len + 2), len + 2);
	ops->abort(d);
	exit_says(SW_OK);
	turn(&f);
	finish(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_becomes_a_virtual_address_once_the_exit_knows_it),
		cmocka_unit_test(
		    who_asks_for_any_family_gets_v6_only_where_the_name_has_it),
		cmocka_unit_test(the_family_that_the_exit_would_not_dial_has_an_address),
		cmocka_unit_test(failures_are_told_apart_and_only_absence_is_kept),
		cmocka_unit_test(local_and_private_names_never_leave),
		cmocka_unit_test(hosts_file_comes_first),
		cmocka_unit_test(queries_for_addresses_are_answered_here),
		cmocka_unit_test(other_records_go_to_the_exits_resolver),
		cmocka_unit_test(public_resolvers_are_asked_over_the_tunnel),
		cmocka_unit_test(upstream_faults_become_servfail),
		cmocka_unit_test(cancelled_questions_stay_silent),
		cmocka_unit_test(malformed_queries_get_silence_or_an_error),
		cmocka_unit_test(tcp_clients_are_answered_in_the_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
