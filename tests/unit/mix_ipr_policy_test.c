/* An exit and its clients: what it takes from whom. */
#include "tests/rig/unit.h"

#include "mix/iprsent.h"
#include "tests/rig/ipr_world.h"

static void
nobody_sends_in_the_name_of_another(void **state)
{
	struct world *w = world_new(IPRMSG_V9, 0, 5);
	uint8_t pkt[100];

	(void)state;
	world_connect(w);
	world_packet(w, pkt, sizeof(pkt), 1);
	pkt[15] ^= 1;
	assert_int_equal(iprclient_send(w->client, pkt, sizeof(pkt)), SW_OK);
	world_run(w, 20);
	assert_int_equal(w->got, 0);
	assert_int_equal(iprexit_stats(w->exit)->spoofed, 1);
	world_free(w);
}

/* From port 1000 to 10.1.2.3 port 53, or a SYN. */
static void
make_first(const struct world *w, uint8_t *p, size_t len, uint8_t proto)
{
	static const uint8_t to[] = { 10, 1, 2, 3 };

	world_packet(w, p, len, 0);
	p[0] = 0x45;
	p[9] = proto;
	memcpy(p + 16, to, sizeof(to));
	p[20] = 1000 >> 8;
	p[21] = 1000 & 255;
	p[23] = 53;
	p[33] = proto == 6 ? 2 : 0;
}

/* Nym's exits say only where a packet was to go; ours send an ICMP error too.
 * The program gets one error a packet from either. */
static void
what_is_refused_comes_back_as_one_error(void **state)
{
	struct ipflow f;
	uint8_t pkt[60];

	(void)state;
	for (int wordy = 0; wordy < 2; wordy++) {
		struct world *w = world_new(IPRMSG_V9, 0, 7);

		world_connect(w);
		w->wordy = wordy != 0;
		for (unsigned i = 0; i < 4; i++) {
			make_first(w, pkt, sizeof(pkt), i < 2 ? 17 : 6);
			assert_int_equal(iprclient_send(w->client, pkt,
			    sizeof(pkt)), SW_OK);
			world_run(w, 1200);
			assert_int_equal(w->got, i + 1);
			assert_int_equal(ipflow_read(&f, w->last, w->last_len),
			    SW_OK);
			assert_int_equal(f.proto, 1);
			assert_int_equal(w->last[20], 3);
			assert_int_equal(w->last[21], 13);
			assert_memory_equal(w->last + 28, pkt, 28);
			assert_memory_equal(w->last + 16, w->ip4, 4);
		}
		world_free(w);
	}
}

static void
a_refusal_finds_the_packet_it_is_about(void **state)
{
	static struct iprsent s;
	uint8_t out[IPFLOW_ERROR_MAX], pkt[28] = { 0x45, 0, 0, 28, [8] = 64, 17,
	    [12] = 10, 0, 0, 9, 192, 0, 2, 1, 4, 0, 0, 25 };
	uint8_t six[48] = { 0x60, [5] = 8, 17, 64, 0xfc, [23] = 9,
	    0x20, 1, 0x0d, 0xb8, [39] = 1, 4, 0, 0, 25 };
	uint8_t ack[40] = { 0x45, 0, 0, 40, [9] = 6, [12] = 10, 0, 0, 9, 192, 0,
	    2, 9, 4, 0, 0, 25, [33] = 16 };

	(void)state;
	memset(&s, 0, sizeof(s));
	assert_int_equal(iprsent_refuse(&s, "192.0.2.1:25", out), 0);
	iprsent_note(&s, pkt, sizeof(pkt));
	iprsent_note(&s, six, sizeof(six));
	iprsent_note(&s, ack, sizeof(ack));
	assert_int_equal(iprsent_refuse(&s, "192.0.2.9:25", out), 0);
	for (const char *const *t = (const char *const[]){ "", ":", "[", "[:25",
	    "[]:25", "192.0.2.1", "192.0.2.1:", "192.0.2.1:26", "x:25",
	    "192.0.2.2:25", "192.0.2.1:25x", "192.0.2.1:99999999999",
	    "[192.0.2.1:25", "2001:db8::1:25", NULL }; *t != NULL; t++)
		assert_int_equal(iprsent_refuse(&s, *t, out), 0);
	assert_int_equal(iprsent_refuse(&s, "192.0.2.1:25", out), 28 + 28);
	assert_true(iprsent_is_told(&s, out, 28 + 28));
	assert_int_equal(iprsent_refuse(&s, "192.0.2.1:25", out), 0);
	assert_int_equal(iprsent_refuse(&s, "[2001:db8::1]:25", out), 48 + 48);
	assert_true(iprsent_is_told(&s, out, 48 + 48));
	for (size_t n = 0; n < 48 + 44; n++)
		assert_false(iprsent_is_told(&s, out, n));

	/* The same again: it is refused again, by ICMP first this time. */
	iprsent_note(&s, six, sizeof(six));
	assert_false(iprsent_is_told(&s, out, 48 + 48));
	assert_int_equal(iprsent_refuse(&s, "[2001:db8::1]:25", out), 0);

	/* The oldest make room. */
	iprsent_note(&s, pkt, sizeof(pkt));
	for (unsigned i = 0; i < IPRSENT_KEPT; i++) {
		six[41] = (uint8_t)i;
		iprsent_note(&s, six, sizeof(six));
	}
	assert_int_equal(iprsent_refuse(&s, "192.0.2.1:25", out), 0);
	assert_true(iprsent_refuse(&s, "[2001:db8::1]:25", out) > 0);
	assert_int_equal(out[48 + 41], IPRSENT_KEPT - 1);
}

/* A second client of the same exit, for whom a packet now and then is all. */
struct other {
	struct mixclient *mix;
	struct iprclient *client;
	struct fakenet *net;
	struct sw_addr ip4;
	bool up;
	unsigned got;
};

static int
other_transmit(void *arg, const struct sw_addr *first, uint8_t rotation,
    const uint8_t *pkt, size_t len)
{
	return fakenet_transmit(((struct other *)arg)->net, first, rotation,
	    pkt, len);
}

static void
other_message(void *arg, const struct nymmsg *m)
{
	iprclient_take(((struct other *)arg)->client, m);
}

static void
other_up(void *arg, const uint8_t ip4[4], const uint8_t ip6[16], uint16_t mtu)
{
	struct other *o = arg;

	(void)ip6;
	(void)mtu;
	o->up = true;
	o->ip4 = addr_v4(0, 0);
	memcpy(o->ip4.ip + 12, ip4, 4);
}

static void
other_packet(void *arg, const uint8_t *pkt, size_t len)
{
	(void)pkt;
	(void)len;
	((struct other *)arg)->got++;
}

static void
other_writable(void *arg)
{
	(void)arg;
}

static void
other_down(void *arg, int err)
{
	(void)arg;
	(void)err;
}

static const struct mixclient_events other_mix = {
	.transmit = other_transmit, .message = other_message,
};

static const struct iprclient_events other_events = {
	other_up, other_packet, other_writable, other_down,
};

/* The first one's queue is filled again as soon as it has room: it gets its
 * share of each turn and no more, and the other's packets wait for no more than
 * the next turn. */
static void
a_greedy_client_takes_nothing_from_another(void **state)
{
	struct world *w = world_new(IPRMSG_V9, 0, 31);
	struct other o = { .net = &w->net };
	struct iprclient_config cc = {
		.version = IPRMSG_V9, .events = &other_events, .arg = &o,
		.unix_now = world_unix_now, .rng = &w->net.rng.rng,
		.exit = *mixclient_address(w->xm),
	};
	struct sw_addr greedy = addr_v4(0, 0);
	uint8_t pkt[1400], small[100];
	uint64_t before;

	(void)state;
	world_connect(w);
	memcpy(greedy.ip + 12, w->ip4, 4);
	world_packet(w, pkt, sizeof(pkt), 1);
	world_packet(w, small, sizeof(small), 2);
	cc.mix = o.mix = fakenet_add(&w->net, 2, "raw", &other_mix, &o);
	o.client = iprclient_new(&cc);
	iprclient_start(o.client, w->net.now_ms);
	for (int i = 0; i < 20; i++) {
		iprclient_tick(o.client, w->net.now_ms);
		world_run(w, 5);
	}
	assert_true(o.up);
	for (unsigned i = 1; i <= 12; i++) {
		while (iprexit_send(w->exit, &greedy, pkt, sizeof(pkt)) ==
		    SW_OK)
			;
		assert_int_equal(iprexit_send(w->exit, &o.ip4, small,
		    sizeof(small)), SW_OK);
		before = iprexit_stats(w->exit)->down;
		iprexit_tick(w->exit, w->net.now_ms);
		assert_true(iprexit_stats(w->exit)->down - before <=
		    IPREXIT_QUANTUM + 1);
		fakenet_run(&w->net, 5);
		assert_int_equal(o.got, i);
		iprclient_tick(o.client, w->net.now_ms);
		iprclient_tick(w->client, w->net.now_ms);
	}
	assert_true(w->got > 50);	/* it was busy indeed */
	iprclient_free(o.client);
	world_free(w);
}

static void
private_destinations_are_refused(void **state)
{
	static const uint8_t closed[][4] = {
		{ 127, 0, 0, 1 }, { 10, 1, 2, 3 }, { 192, 168, 1, 1 },
		{ 172, 16, 0, 1 }, { 169, 254, 1, 1 }, { 100, 64, 0, 1 },
		{ 192, 0, 2, 1 }, { 198, 51, 100, 1 }, { 203, 0, 113, 9 },
		{ 198, 18, 0, 1 }, { 0, 0, 0, 0 }, { 255, 255, 255, 255 },
		{ 224, 0, 0, 1 },
	};
	struct world *w = world_new(IPRMSG_V9, 0, 6);
	uint8_t pkt[100];

	(void)state;
	world_connect(w);
	for (size_t i = 0; i < sizeof(closed) / sizeof(*closed); i++) {
		world_packet(w, pkt, sizeof(pkt), 1);
		memcpy(pkt + 16, closed[i], 4);
		assert_int_equal(iprclient_send(w->client, pkt, sizeof(pkt)),
		    SW_OK);
		world_run(w, 20);
	}
	assert_int_equal(w->got, 0);
	assert_int_equal(iprexit_stats(w->exit)->refused,
	    sizeof(closed) / sizeof(*closed));
	world_packet(w, pkt, sizeof(pkt), 1);
	assert_int_equal(iprclient_send(w->client, pkt, sizeof(pkt)), SW_OK);
	world_run(w, 20);
	assert_int_equal(w->got, 1);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_sends_in_the_name_of_another),
		cmocka_unit_test(a_greedy_client_takes_nothing_from_another),
		cmocka_unit_test(private_destinations_are_refused),
		cmocka_unit_test(what_is_refused_comes_back_as_one_error),
		cmocka_unit_test(a_refusal_finds_the_packet_it_is_about),
	};

	return cmocka_run_group_tests(tests, unit_prim_init, NULL);
}
