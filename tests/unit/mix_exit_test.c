/* The exit: its policy, what it reads of packets, the errors it answers, and
 * that its clients are apart.  Clients here are tags without SURBs: what the
 * exit would answer stays in its queues. */
#include "tests/rig/unit.h"

#include <stdlib.h>
#include <string.h>

#include "mix/exitpolicy.h"
#include "mix/ipflow.h"
#include "mix/iprexit.h"
#include "mix/ipsum.h"
#include "mix/prim.h"
#include "tests/rig/nowhere.h"
#include "tests/unit/fakenet.h"

static struct sw_addr
at(const char *ip, uint16_t port)
{
	struct sw_addr a;

	assert_int_equal(addr_parse_ip(&a, ip), SW_OK);
	a.port = port;
	return a;
}

static bool
allows(const struct exitpolicy *p, const char *ip, uint16_t port)
{
	struct sw_addr a = at(ip, port);

	return exitpolicy_allows(p, &a);
}

static void
only_public_addresses_are_let_through(void **state)
{
	static const char *const closed[] = {
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255",
		"100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.1.1",
		"169.254.169.254", "172.16.0.1", "172.31.255.255",
		"192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1",
		"198.18.0.1", "198.19.255.255", "198.51.100.7",
		"203.0.113.80", "224.0.0.1", "239.255.255.255", "240.0.0.1",
		"255.255.255.255", "::", "::1", "::127.0.0.1",
		"::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1",
		"64:ff9b:1::1", "100::1", "2001::1", "2001:1::1",
		"2001:db8::1", "2002:7f00:1::", "3fff::1", "fc00::1",
		"fd12:3456::1", "fe80::1", "fec0::1", "ff02::1",
	};
	static const char *const open[] = {
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1",
		"100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1",
		"192.0.1.1", "198.17.255.255", "198.20.0.1",
		"223.255.255.255", "2606:4700::1111", "2a00:1450::1",
		"2001:200::1", "3ffe::1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(closed) / sizeof(*closed); i++)
		if (allows(NULL, closed[i], 80))
			fail_msg("%s is let through", closed[i]);
	for (size_t i = 0; i < sizeof(open) / sizeof(*open); i++)
		if (!allows(NULL, open[i], 80))
			fail_msg("%s is refused", open[i]);
}

static void
the_first_rule_that_fits_decides(void **state)
{
	static const char text[] =
	    "# ports first\n"
	    "ExitPolicy reject *:25\r\n"
	    "\n"
	    "accept 1.2.0.0/16:80-90   # a range\n"
	    "reject 1.2.3.4:*\n"
	    "accept6 *:443\n"
	    "accept [2606:4700::]/32:53\n"
	    "accept *4:22\n";
	struct exitpolicy *p = exitpolicy_new(false);
	unsigned line;

	(void)state;
	assert_int_equal(exitpolicy_parse(p, text, strlen(text), &line),
	    SW_OK);
	assert_false(allows(p, "1.2.0.1", 25));
	assert_true(allows(p, "1.2.3.4", 80));
	assert_true(allows(p, "1.2.255.255", 90));
	assert_false(allows(p, "1.2.255.255", 91));
	assert_false(allows(p, "1.3.0.0", 80));
	assert_false(allows(p, "1.2.3.4", 22));
	assert_true(allows(p, "1.2.3.5", 22));
	assert_true(allows(p, "2a00:1450::1", 443));
	assert_false(allows(p, "5.5.5.5", 443));
	assert_true(allows(p, "2606:4700:1::", 53));
	assert_false(allows(p, "2606:4701::", 53));
	/* A rule cannot open what the first stage has closed. */
	assert_false(allows(p, "127.0.0.1", 22));
	/* No port fits any ports: the first rule rejects all of them. */
	assert_false(allows(p, "1.2.3.5", 0));
	exitpolicy_free(p);
	p = exitpolicy_new(true);
	assert_true(allows(p, "127.0.0.1", 22));
	exitpolicy_free(p);
}

static void
bad_rules_are_named_by_their_line(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
	} bad[] = {
		{ "allow *:80\n", 1 }, { "accept *:80\naccept\n", 2 },
		{ "accept *\n", 1 }, { "accept *:65536\n", 1 },
		{ "accept *:90-80\n", 1 }, { "accept *:80 x\n", 1 },
		{ "accept 1.2.3.4/33:80\n", 1 }, { "accept 1.2.3:80\n", 1 },
		{ "\n\naccept [::1/64:80\n", 3 }, { "accept *:-1\n", 1 },
		{ "ExitPolicy\n", 1 }, { "accept *:+1\n", 1 },
	};
	struct exitpolicy *p = exitpolicy_new(false);
	unsigned line;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(exitpolicy_parse(p, bad[i].text,
		    strlen(bad[i].text), &line), SW_ERR_FORMAT);
		assert_int_equal(line, bad[i].line);
	}
	/* None was taken. */
	assert_true(allows(p, "1.1.1.1", 80));
	exitpolicy_free(p);
}

/* A TCP SYN of 40 bytes to 127.0.0.1:80. */
static const uint8_t syn[40] = {
	0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 3, 4, 127, 0, 0, 1,
	0x30, 0x39, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff,
};

static void
a_refusal_goes_back_with_the_reason(void **state)
{
	uint8_t out[IPFLOW_ERROR_MAX];
	struct ipflow f, back;
	size_t n;

	(void)state;
	assert_int_equal(ipflow_read(&f, syn, sizeof(syn)), SW_OK);
	assert_int_equal(f.src.port, 12345);
	assert_int_equal(f.dst.port, 80);
	n = ipflow_refuse(out, &f, syn, sizeof(syn));
	assert_int_equal(n, 20 + 8 + sizeof(syn));
	assert_int_equal(ipflow_read(&back, out, n), SW_OK);
	assert_true(addr_same_ip(&back.dst, &f.src));
	assert_true(addr_same_ip(&back.src, &f.dst));
	assert_int_equal(out[20], 3);
	assert_int_equal(out[21], 13);
	assert_true(ipsum_is_right(out, n));
	assert_memory_equal(out + 28, syn, sizeof(syn));
	/* An error is not answered with an error. */
	assert_int_equal(ipflow_refuse(out, &back, out, n), 0);
}

static void
ipv6_is_refused_in_its_own_words(void **state)
{
	uint8_t pkt[40 + 8 + 20] = { 0x60, 0, 0, 0, 0, 28, 0, 64 };
	uint8_t out[IPFLOW_ERROR_MAX];
	struct ipflow f;
	size_t n;

	(void)state;
	pkt[8] = pkt[24] = 0xfc;
	pkt[23] = 2;
	pkt[39] = 9;
	pkt[40] = 6;			/* hop by hop, then TCP */
	pkt[49] = 22;
	pkt[51] = 80;
	assert_int_equal(ipflow_read(&f, pkt, sizeof(pkt)), SW_OK);
	assert_int_equal(f.src.port, 22);
	assert_int_equal(f.dst.port, 80);
	n = ipflow_refuse(out, &f, pkt, sizeof(pkt));
	assert_int_equal(n, 48 + sizeof(pkt));
	assert_int_equal(out[40], 1);
	assert_int_equal(out[41], 1);
	assert_true(ipsum_is_right(out, n));
	/* A mapped address is a way around the policy, and never honest. */
	memset(pkt + 24, 0, 16);
	pkt[34] = pkt[35] = 0xff;
	pkt[36] = 127;
	assert_int_equal(ipflow_read(&f, pkt, sizeof(pkt)), SW_ERR_FORMAT);
}

static void
damaged_packets_are_no_packets(void **state)
{
	uint8_t pkt[sizeof(syn)], out[IPFLOW_ERROR_MAX];
	struct ipflow f;

	(void)state;
	for (size_t n = 0; n < sizeof(syn); n++)
		assert_int_equal(ipflow_read(&f, syn, n), SW_ERR_FORMAT);
	memcpy(pkt, syn, sizeof(pkt));
	pkt[0] = 0x44;			/* a header shorter than a header */
	assert_int_equal(ipflow_read(&f, pkt, sizeof(pkt)), SW_ERR_FORMAT);
	pkt[0] = 0x4f;			/* longer than the packet */
	assert_int_equal(ipflow_read(&f, pkt, sizeof(pkt)), SW_ERR_FORMAT);
	pkt[0] = 0x45;
	pkt[7] = 1;			/* a later piece has no ports */
	assert_int_equal(ipflow_read(&f, pkt, sizeof(pkt)), SW_OK);
	assert_int_equal(f.dst.port, 0);
	assert_int_equal(ipflow_refuse(out, &f, pkt, sizeof(pkt)), 0);
}

struct rig {
	struct fakenet net;
	struct iprexit *exit;
	unsigned packets, gone;
	uint8_t last[64];
};

static void
rig_packet(void *arg, const uint8_t *pkt, size_t len)
{
	struct rig *r = arg;

	r->packets++;
	memcpy(r->last, pkt, len < sizeof(r->last) ? len : sizeof(r->last));
}

static void
rig_gone(void *arg, const struct sw_addr *ip4, const struct sw_addr *ip6)
{
	(void)ip4;
	(void)ip6;
	((struct rig *)arg)->gone++;
}

static const struct iprexit_events rig_events = {
	rig_packet, rig_gone, nowhere_writable,
};

static struct rig *
new_rig(void)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct iprexit_config cfg = { .events = &rig_events, .arg = r };

	fakenet_init(&r->net, 9);
	cfg.mix = fakenet_add(&r->net, 0, "raw", &nowhere_mix, r);
	cfg.rng = &r->net.rng.rng;
	r->exit = iprexit_new(&cfg);
	return r;
}

static void
free_rig(struct rig *r)
{
	iprexit_free(r->exit);
	fakenet_wipe(&r->net);
	free(r);
}

static void
say(struct rig *r, uint16_t who, const struct iprmsg_request *q, int64_t now)
{
	uint8_t tag[NYMMSG_TAG_LEN] = { (uint8_t)who, (uint8_t)(who >> 8) };
	uint8_t buf[IPRMSG_STREAM_HEAD_LEN + 2000];
	struct iprmsg_stream st = { .id = who, .seq = 1 };
	struct wbuf w = { buf, sizeof(buf) };
	struct nymmsg m = { .kind = NYMMSG_DATA, .tag = tag, .data = buf };

	assert_int_equal(iprmsg_put_stream(&w, &st), SW_OK);
	assert_int_equal(iprmsg_put_request(&w, q), SW_OK);
	m.data_len = sizeof(buf) - w.left;
	iprexit_take(r->exit, &m, now);
}

static void
ask_for(struct rig *r, uint16_t who, enum iprmsg_kind kind, int64_t now)
{
	struct iprmsg_request q = { .version = IPRMSG_V9, .kind = kind,
	    .id = who, .time = iprmsg_time_of(1778912872, 0) };

	say(r, who, &q, now);
}

/* A datagram to 1.1.1.1 that says it is from 10.0.x.y. */
static void
send_from(struct rig *r, uint16_t who, uint16_t host, int64_t now)
{
	uint8_t pkt[28] = { 0x45, 0, 0, 28, [8] = 64, 17, [12] = 10, 0,
	    (uint8_t)(host >> 8), (uint8_t)host, 1, 1, 1, 1, 0, 9, 0, 9 };
	uint8_t bundle[30];
	struct wbuf w = { bundle, sizeof(bundle) };
	struct iprmsg_request q = { .version = IPRMSG_V9,
	    .kind = IPRMSG_DATA, .bundle = bundle,
	    .bundle_len = sizeof(bundle) };

	assert_int_equal(iprmsg_put_packet(&w, pkt, sizeof(pkt)), SW_OK);
	say(r, who, &q, now);
}

/* The one address among all that `who` may send from. */
static uint16_t
find_host(struct rig *r, uint16_t who, int64_t now)
{
	unsigned before = r->packets;

	for (uint32_t host = 0; host <= UINT16_MAX; host++) {
		send_from(r, who, (uint16_t)host, now);
		if (r->packets > before)
			return (uint16_t)host;
	}
	fail_msg("no address is taken");
	return 0;
}

static void
nobody_has_the_address_of_another(void **state)
{
	struct rig *r = new_rig();
	uint16_t a, b;
	uint64_t spoofed;

	(void)state;
	ask_for(r, 1, IPRMSG_CONNECT, 0);
	ask_for(r, 2, IPRMSG_CONNECT, 0);
	assert_int_equal(iprexit_stats(r->exit)->clients, 2);
	a = find_host(r, 1, 0);
	b = find_host(r, 2, 0);
	assert_int_not_equal(a, b);
	r->packets = 0;
	spoofed = iprexit_stats(r->exit)->spoofed;
	send_from(r, 1, b, 0);
	send_from(r, 2, a, 0);
	send_from(r, 3, a, 0);		/* never connected */
	assert_int_equal(r->packets, 0);
	assert_int_equal(iprexit_stats(r->exit)->spoofed, spoofed + 2);
	send_from(r, 1, a, 0);
	send_from(r, 2, b, 0);
	assert_int_equal(r->packets, 2);
	/* One leaves: the other stays, and its address is nobody's. */
	ask_for(r, 2, IPRMSG_DISCONNECT, 0);
	assert_int_equal(r->gone, 1);
	send_from(r, 2, b, 0);
	send_from(r, 1, b, 0);
	assert_int_equal(r->packets, 2);
	send_from(r, 1, a, 0);
	assert_int_equal(r->packets, 3);
	free_rig(r);
}

static void
addresses_come_back_to_the_pool(void **state)
{
	struct rig *r = new_rig();
	const struct iprexit_stats *st = iprexit_stats(r->exit);

	(void)state;
	for (uint16_t i = 0; i < IPREXIT_CLIENTS; i++)
		ask_for(r, i, IPRMSG_CONNECT, 0);
	assert_int_equal(st->clients, IPREXIT_CLIENTS);
	ask_for(r, 1000, IPRMSG_CONNECT, 0);	/* there is no room */
	assert_int_equal(st->clients, IPREXIT_CLIENTS);
	ask_for(r, 1000, IPRMSG_DISCONNECT, 0);
	assert_int_equal(r->gone, 0);
	ask_for(r, 7, IPRMSG_DISCONNECT, 0);
	assert_int_equal(r->gone, 1);
	ask_for(r, 1000, IPRMSG_CONNECT, 0);
	assert_int_equal(st->clients, IPREXIT_CLIENTS);
	ask_for(r, 1000, IPRMSG_DISCONNECT, 0);
	assert_int_equal(r->gone, 2);
	/* Connecting twice takes one place. */
	ask_for(r, 8, IPRMSG_CONNECT, 0);
	assert_int_equal(st->clients, IPREXIT_CLIENTS - 1);
	free_rig(r);
}

static void
who_is_silent_is_dropped(void **state)
{
	struct rig *r = new_rig();
	uint16_t a;

	(void)state;
	iprexit_tick(r->exit, IPREXIT_IDLE_MS);
	ask_for(r, 1, IPRMSG_CONNECT, IPREXIT_IDLE_MS);
	ask_for(r, 2, IPRMSG_CONNECT, IPREXIT_IDLE_MS);
	a = find_host(r, 1, IPREXIT_IDLE_MS);
	send_from(r, 1, a, 2 * IPREXIT_IDLE_MS - 1);
	iprexit_tick(r->exit, 2 * IPREXIT_IDLE_MS + 2);
	assert_int_equal(r->gone, 1);
	assert_int_equal(iprexit_stats(r->exit)->clients, 1);
	ask_for(r, 1, IPRMSG_PING, 3 * IPREXIT_IDLE_MS - 2);
	iprexit_tick(r->exit, 3 * IPREXIT_IDLE_MS + 2);
	assert_int_equal(r->gone, 1);
	iprexit_tick(r->exit, 5 * IPREXIT_IDLE_MS);
	assert_int_equal(r->gone, 2);
	free_rig(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_public_addresses_are_let_through),
		cmocka_unit_test(the_first_rule_that_fits_decides),
		cmocka_unit_test(bad_rules_are_named_by_their_line),
		cmocka_unit_test(a_refusal_goes_back_with_the_reason),
		cmocka_unit_test(ipv6_is_refused_in_its_own_words),
		cmocka_unit_test(damaged_packets_are_no_packets),
		cmocka_unit_test(nobody_has_the_address_of_another),
		cmocka_unit_test(addresses_come_back_to_the_pool),
		cmocka_unit_test(who_is_silent_is_dropped),
	};

	return prim_init() == SW_OK ?
	    cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
