/* The names service where names get their real addresses: DNS by datagrams. */
#include "tests/rig/unit.h"

#include <stdlib.h>
#include <string.h>

#include "stack/dns.h"
#include "transport/dns_datagram.h"
#include "transport/names_dialer.h"
#include "transport/names_service.h"

#define PORTS 16

/* ---- an exit with UDP: remembers what is sent, answers when told ---- */

struct datagram_port {
	bool open;
	const struct datagram_events *ev;
	void *arg;
	struct sw_addr to;
	uint8_t msg[600];
	size_t len;
	unsigned sends;
};

static struct fake {
	struct loop l;
	struct names_service *s;
	struct datagram_port port[PORTS];
	unsigned opened;
	bool down;
	/* the dialer below */
	struct dial_target dialled[8];
	unsigned dials;
	const struct dial_events *ev;
	void *ev_arg;
} fake;

static struct datagram_port *
port_open(struct datagrams *d, const struct datagram_events *ev, void *arg,
    int *err)
{
	struct datagram_port *p = &fake.port[fake.opened % PORTS];

	(void)d;
	*err = SW_ERR_DOWN;
	if (fake.down)
		return NULL;
	assert_false(p->open);
	fake.opened++;
	*p = (struct datagram_port){ .open = true, .ev = ev, .arg = arg };
	return p;
}

static int
port_send(struct datagram_port *p, const struct datagram_peer *to,
    const uint8_t *data, size_t len)
{
	assert_true(p->open && len <= sizeof(p->msg));
	p->to = to->addr;
	memcpy(p->msg, data, len);
	p->len = len;
	p->sends++;
	return SW_OK;
}

static void
port_close(struct datagram_port *p)
{
	assert_true(p->open);
	p->open = false;
}

static const struct datagram_ops port_ops = { port_open, port_send,
    port_close };

static struct dial *
below_open(struct dialer *d, const struct dial_target *to,
    const struct dial_events *ev, void *arg, int *err)
{
	*err = SW_OK;
	fake.dialled[fake.dials++ % 8] = *to;
	fake.ev = ev;
	fake.ev_arg = arg;
	return (struct dial *)(void *)d;
}

static size_t
below_write(struct dial *d, const uint8_t *buf, size_t len)
{
	(void)d;
	(void)buf;
	return len;
}

static void
below_nothing(struct dial *d)
{
	(void)d;
}

static const struct dialer_ops below_ops = { below_open, below_write,
    below_nothing, below_nothing, below_nothing };

static int
begin(void **state)
{
	struct names_service_options o = {
		.dialer = (struct dialer *)(void *)&fake,
		.dialer_ops = &below_ops,
		.datagrams = (struct datagrams *)(void *)&fake,
		.datagram_ops = &port_ops,
	};
	const struct dial_target servers[2] = {
		{ .host = "10.0.0.1", .port = 53 },
		{ .host = "9.9.9.9", .port = 53 },
	};

	(void)state;
	memset(&fake, 0, sizeof(fake));
	assert_int_equal(loop_init(&fake.l), SW_OK);
	fake.s = names_service_new(&fake.l, &o);
	assert_non_null(fake.s);
	names_service_set_servers(fake.s, servers, 2);
	return 0;
}

static int
finish(void **state)
{
	(void)state;
	names_service_free(fake.s);
	for (int i = 0; i < PORTS; i++)
		assert_false(fake.port[i].open);
	loop_wipe(&fake.l);
	return 0;
}

static void
turn(void)
{
	assert_int_equal(loop_run_once(&fake.l, 0), SW_OK);
}

/* Let timers that are due within `ms` fire. */
static void
pass(int64_t ms)
{
	for (struct loop_timer *t = fake.l.timers, *next; t != NULL; t = next) {
		next = t->next;
		if (t->at_ms <= fake.l.now_ms + ms)
			loop_set_timer(&fake.l, t, 0);
	}
	turn();
	turn();
}

/* The open port whose last message asks for `type`. */
static struct datagram_port *
asking(uint16_t type)
{
	struct dns_query q;

	for (int i = 0; i < PORTS; i++)
		if (fake.port[i].open && fake.port[i].sends > 0 &&
		    dns_parse_query(fake.port[i].msg, fake.port[i].len, &q) ==
		    SW_OK && q.type == type)
			return &fake.port[i];
	fail_msg("nobody asks for type %u", type);
	return NULL;
}

static void
answer_from(struct datagram_port *p, const struct sw_addr *from,
    enum dns_rcode rcode, const char *ip)
{
	struct datagram_peer peer = { .addr = *from };
	struct dns_answer a = { .rcode = rcode, .ttl_s = 100 };
	struct sw_addr addr;
	struct dns_query q;
	uint8_t out[600];
	size_t len;

	assert_int_equal(dns_parse_query(p->msg, p->len, &q), SW_OK);
	if (ip != NULL) {
		assert_int_equal(addr_parse_ip(&addr, ip), SW_OK);
		a.addrs = &addr;
		a.naddrs = 1;
	}
	assert_int_equal(dns_build(&q, &a, out, sizeof(out), &len), SW_OK);
	p->ev->packet(p->arg, &peer, out, len);
}

static void
answer(uint16_t type, enum dns_rcode rcode, const char *ip)
{
	struct datagram_port *p = asking(type);

	answer_from(p, &p->to, rcode, ip);
}

struct heard {
	unsigned times;
	int err;
	uint32_t ttl;
	size_t n;
	struct sw_addr a[4];
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
resolve(const char *name, int family, struct heard *h)
{
	memset(h, 0, sizeof(*h));
	names_service_resolve(fake.s, name, strlen(name), family, on_resolved,
	    h);
	turn();
}

static void
on_queried(void *arg, int err, const uint8_t *msg, size_t len)
{
	struct heard *h = arg;

	h->times++;
	h->err = err;
	h->n = err == SW_OK && len > 3 ? msg[3] & 15u : 99;
}

/* ---- tests ---- */

static void
a_name_gets_its_real_addresses(void **state)
{
	struct heard a, b, c;

	(void)state;
	resolve("Web.Example", AF_UNSPEC, &a);
	resolve("web.example", AF_INET6, &b);
	assert_int_equal(fake.opened, 2);	/* A and AAAA, for both */
	assert_int_equal(asking(DNS_A)->to.port, 53);
	answer(DNS_A, DNS_NOERROR, "203.0.113.80");
	assert_int_equal(a.times, 0);
	answer(DNS_AAAA, DNS_NOERROR, "2001:db8::80");
	assert_int_equal(a.times, 1);
	assert_int_equal(a.err, SW_OK);
	assert_int_equal(a.n, 2);
	assert_true(addr_is_v4(&a.a[0]) && !addr_is_v4(&a.a[1]));
	assert_int_equal(a.ttl, 100);
	assert_int_equal(b.n, 1);
	assert_false(addr_is_v4(&b.a[0]));
	resolve("web.example", AF_INET, &c);	/* remembered */
	assert_int_equal(c.n, 1);
	assert_int_equal(fake.opened, 2);
}

static void
absence_is_told_from_silence(void **state)
{
	struct heard a, b, c;

	(void)state;
	resolve("none.example", AF_UNSPEC, &a);
	answer(DNS_A, DNS_NXDOMAIN, NULL);
	answer(DNS_AAAA, DNS_NXDOMAIN, NULL);
	assert_int_equal(a.err, SW_ERR_NO_NAME);
	resolve("v4.example", AF_INET6, &b);
	answer(DNS_A, DNS_NOERROR, "203.0.113.80");
	answer(DNS_AAAA, DNS_NOERROR, NULL);
	assert_int_equal(b.err, SW_OK);
	assert_int_equal(b.n, 0);
	resolve("broken.example", AF_UNSPEC, &c);
	answer(DNS_A, DNS_SERVFAIL, NULL);
	answer(DNS_AAAA, DNS_NOERROR, NULL);
	assert_int_equal(c.err, SW_ERR_TIMEOUT);
}

static void
only_the_one_who_was_asked_is_heard(void **state)
{
	struct sw_addr other;
	struct datagram_port *p;
	struct heard a;

	(void)state;
	resolve("web.example", AF_INET, &a);
	p = asking(DNS_A);
	assert_int_equal(addr_parse_ip(&other, "192.0.2.66"), SW_OK);
	other.port = 53;
	answer_from(p, &other, DNS_NOERROR, "192.0.2.66");
	assert_true(p->open);
	p->msg[0] ^= 1;				/* another id */
	answer_from(p, &p->to, DNS_NOERROR, "192.0.2.66");
	assert_true(p->open);
	p->msg[0] ^= 1;
	answer_from(p, &p->to, DNS_NOERROR, "203.0.113.80");
	assert_false(p->open);
	answer(DNS_AAAA, DNS_NOERROR, NULL);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.a[0].ip[12], 203);
}

static void
a_silent_server_is_asked_again_then_the_next_one(void **state)
{
	struct datagram_port *p;
	struct heard a;

	(void)state;
	resolve("web.example", AF_UNSPEC, &a);
	p = asking(DNS_A);
	assert_int_equal(p->sends, 1);
	pass(5000);
	assert_int_equal(p->sends, 2);
	pass(5000);
	pass(5000);				/* it gives up, and asks 9.9.9.9 */
	turn();
	assert_int_equal(a.times, 0);
	assert_int_equal(asking(DNS_A)->to.ip[12], 9);
	answer(DNS_A, DNS_NOERROR, "203.0.113.80");
	answer(DNS_AAAA, DNS_NOERROR, NULL);
	assert_int_equal(a.n, 1);
}

static void
queries_of_programs_travel_as_they_are(void **state)
{
	struct heard h = { .times = 0 };
	uint8_t msg[512];
	size_t len;

	(void)state;
	assert_int_equal(dns_build_query(7, "web.example", DNS_HTTPS, msg,
	    sizeof(msg), &len), SW_OK);
	names_service_query(fake.s, NULL, msg, len, 1232, on_queried, &h);
	turn();
	answer(DNS_HTTPS, DNS_NOERROR, NULL);
	assert_int_equal(h.times, 1);
	assert_int_equal(h.n, DNS_NOERROR);
	/* What must not leave does not. */
	assert_int_equal(dns_build_query(8, "hidden.onion", DNS_A, msg,
	    sizeof(msg), &len), SW_OK);
	names_service_query(fake.s, NULL, msg, len, 1232, on_queried, &h);
	assert_int_equal(h.times, 2);
	assert_int_equal(h.n, DNS_NXDOMAIN);
	assert_int_equal(fake.opened, 1);
}

static void
without_a_tunnel_questions_fail_at_once(void **state)
{
	struct heard a;

	(void)state;
	fake.down = true;
	resolve("web.example", AF_UNSPEC, &a);
	/* By TCP then, which the dialer refuses. */
	assert_int_equal(fake.dials, 1);
	fake.ev->failed(fake.ev_arg, SW_ERR_DOWN);
	turn();
	assert_int_equal(a.times, 1);
	assert_int_equal(a.err, SW_ERR_DOWN);
}

/* ---- dials by name ---- */

struct dialled {
	unsigned opened, failed;
	int err;
};

static void
on_opened(void *arg)
{
	((struct dialled *)arg)->opened++;
}

static void
on_failed(void *arg, int err)
{
	((struct dialled *)arg)->failed++;
	((struct dialled *)arg)->err = err;
}

static const struct dial_events dial_events = { .opened = on_opened,
    .failed = on_failed };

static void
a_dial_by_name_tries_the_addresses_in_turn(void **state)
{
	struct names_dialer *n = names_dialer_new(&fake.l, fake.s,
	    (struct dialer *)(void *)&fake, &below_ops);
	struct dial_target to = { .host = "web.example", .port = 443 };
	struct dialled d = { .opened = 0 };
	struct dial *dial;
	int err;

	(void)state;
	dial = names_dialer_ops.open(names_dialer_dialer(n), &to, &dial_events,
	    &d, &err);
	assert_non_null(dial);
	turn();
	answer(DNS_A, DNS_NOERROR, "203.0.113.80");
	answer(DNS_AAAA, DNS_NOERROR, "2001:db8::80");
	assert_int_equal(fake.dials, 1);
	assert_string_equal(fake.dialled[0].host, "203.0.113.80");
	assert_int_equal(fake.dialled[0].port, 443);
	fake.ev->failed(fake.ev_arg, SW_ERR_REFUSED);
	assert_int_equal(fake.dials, 2);
	assert_string_equal(fake.dialled[1].host, "2001:db8::80");
	fake.ev->opened(fake.ev_arg);
	assert_int_equal(d.opened, 1);
	names_dialer_ops.abort(dial);
	names_dialer_free(n);
}

static void
a_dial_to_no_name_fails_and_an_aborted_one_is_silent(void **state)
{
	struct names_dialer *n = names_dialer_new(&fake.l, fake.s,
	    (struct dialer *)(void *)&fake, &below_ops);
	struct dial_target to = { .host = "none.example", .port = 443 };
	struct dialled d = { .opened = 0 }, e = { .opened = 0 };
	struct dial *dial;
	int err;

	(void)state;
	(void)!names_dialer_ops.open(names_dialer_dialer(n), &to, &dial_events,
	    &d, &err);
	dial = names_dialer_ops.open(names_dialer_dialer(n), &to, &dial_events,
	    &e, &err);
	turn();
	names_dialer_ops.abort(dial);
	answer(DNS_A, DNS_NXDOMAIN, NULL);
	answer(DNS_AAAA, DNS_NXDOMAIN, NULL);
	assert_int_equal(d.failed, 0);		/* never from within */
	turn();
	assert_int_equal(d.failed, 1);
	assert_int_equal(d.err, SW_ERR_NO_NAME);
	assert_int_equal(e.failed + e.opened, 0);
	names_dialer_free(n);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, finish)
	const struct CMUnitTest tests[] = {
		T(a_name_gets_its_real_addresses),
		T(absence_is_told_from_silence),
		T(only_the_one_who_was_asked_is_heard),
		T(a_silent_server_is_asked_again_then_the_next_one),
		T(queries_of_programs_travel_as_they_are),
		T(without_a_tunnel_questions_fail_at_once),
		T(a_dial_by_name_tries_the_addresses_in_turn),
		T(a_dial_to_no_name_fails_and_an_aborted_one_is_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
