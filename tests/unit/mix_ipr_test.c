/* An IPR client and an exit across a mix network in memory.  The world beyond
 * the exit answers every packet with its addresses exchanged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/clock.h"
#include "mix/iprclient.h"
#include "mix/iprexit.h"
#include "mix/iprsent.h"
#include "tests/unit/fakenet.h"

/* An answer on its way. */
struct late {
	int64_t due_ms;
	size_t n;
	uint8_t bytes[3000];
};

struct world {
	struct fakenet net;
	int64_t lag_ms;			/* of the exit's answers */
	struct late late[64];
	size_t n_late;
	struct mixclient *cm, *xm;
	struct iprclient *client;
	struct iprexit *exit;
	bool up;
	int down;
	uint8_t ip4[4], ip6[16];
	uint16_t mtu;
	unsigned got, gone, writable;
	uint64_t got_bytes;
	unsigned disorder;		/* large packets behind a later one */
	uint8_t last_mark;
	uint8_t last[2000];
	size_t last_len;
	bool deaf;			/* the world does not answer */
	bool forgetful;			/* the exit hears no data any more */
	bool mute;			/* its answers do not arrive */
	bool wordy;			/* only what it says does, no packets */
	uint8_t only;			/* version the exit speaks; 0: all */
	unsigned asked[11];		/* connects by version */
};

static int
transmit(void *arg, const struct sw_addr *first, uint8_t rotation,
    const uint8_t *pkt, size_t len)
{
	struct world *w = arg;

	return fakenet_transmit(&w->net, first, rotation, pkt, len);
}

static void
client_message(void *arg, const struct nymmsg *m)
{
	struct world *w = arg;
	struct rbuf in = { m->data, m->data_len };
	struct iprmsg_response a;
	struct iprmsg_stream s;

	if (w->wordy && iprmsg_get_stream(&in, &s) == SW_OK &&
	    iprmsg_get_response(&a, in.p, in.left) == SW_OK &&
	    a.kind == IPRMSG_DATA)
		return;
	if (w->lag_ms > 0 && m->kind == NYMMSG_REPLY && w->n_late < 64 &&
	    m->data_len <= sizeof(w->late[0].bytes)) {
		w->late[w->n_late].due_ms = w->net.now_ms + w->lag_ms;
		w->late[w->n_late].n = m->data_len;
		memcpy(w->late[w->n_late++].bytes, m->data, m->data_len);
		return;
	}
	if (!w->mute)
		iprclient_take(w->client, m);
}

static void
deliver_late(struct world *w)
{
	while (w->n_late > 0 && w->late[0].due_ms <= w->net.now_ms) {
		struct nymmsg m = { .kind = NYMMSG_REPLY,
		    .data = w->late[0].bytes, .data_len = w->late[0].n };

		iprclient_take(w->client, &m);
		memmove(w->late, w->late + 1, --w->n_late *
		    sizeof(w->late[0]));
	}
}

static void
exit_message(void *arg, const struct nymmsg *m)
{
	struct world *w = arg;

	struct rbuf in = { m->data, m->data_len };
	struct iprmsg_stream s;
	struct iprmsg_request q;

	(void)!iprmsg_get_stream(&in, &s);
	if (w->exit == NULL || (in.left > 0 &&
	    iprmsg_get_request(&q, in.p, in.left) != SW_OK))
		return;
	if (in.left > 0 && q.kind == IPRMSG_CONNECT)
		w->asked[q.version]++;
	if (in.left > 0 && w->only != 0 && q.version != w->only)
		return;
	if (in.left > 0 && w->forgetful && q.kind == IPRMSG_DATA)
		return;
	iprexit_take(w->exit, m, w->net.now_ms);
}

static void
client_idle(void *arg)
{
	iprclient_fill_slot(((struct world *)arg)->client);
}

static const struct mixclient_events client_mix = {
	.transmit = transmit, .message = client_message, .idle = client_idle,
};
static const struct mixclient_events exit_mix = {
	.transmit = transmit, .message = exit_message,
};

static void
up(void *arg, const uint8_t ip4[4], const uint8_t ip6[16], uint16_t mtu)
{
	struct world *w = arg;

	w->up = true;
	w->mtu = mtu;
	memcpy(w->ip4, ip4, 4);
	memcpy(w->ip6, ip6, 16);
}

static void
client_packet(void *arg, const uint8_t *pkt, size_t len)
{
	struct world *w = arg;

	memcpy(w->last, pkt, len);
	w->last_len = len;
	if (len > 1000 && w->got > 0 &&
	    (int8_t)(pkt[len - 1] - w->last_mark) < 0)
		w->disorder++;
	if (len > 1000)
		w->last_mark = pkt[len - 1];
	w->got++;
	w->got_bytes += len;
}

static void
client_writable(void *arg)
{
	((struct world *)arg)->writable++;
}

static void
client_down(void *arg, int err)
{
	((struct world *)arg)->down = err;
}

static const struct iprclient_events client_events = {
	up, client_packet, client_writable, client_down,
};

static void
exit_packet(void *arg, const uint8_t *pkt, size_t len)
{
	struct world *w = arg;
	uint8_t back[2000];
	struct sw_addr to = addr_v4((uint32_t)pkt[12] << 24 |
	    (uint32_t)pkt[13] << 16 | (uint32_t)pkt[14] << 8 | pkt[15], 0);

	if (w->deaf)
		return;
	memcpy(back, pkt, len);
	memcpy(back + 12, pkt + 16, 4);
	memcpy(back + 16, pkt + 12, 4);
	(void)!iprexit_send(w->exit, &to, back, len);
}

static void
exit_gone(void *arg, const struct sw_addr *ip4, const struct sw_addr *ip6)
{
	struct world *w = arg;

	assert_memory_equal(ip4->ip + 12, w->ip4, 4);
	assert_memory_equal(ip6->ip, w->ip6, 16);
	w->gone++;
}

static void
exit_writable(void *arg, const struct sw_addr *inner)
{
	(void)arg;
	(void)inner;
}

static const struct iprexit_events exit_events = {
	exit_packet, exit_gone, exit_writable,
};

static int64_t
unix_now(void *arg)
{
	(void)arg;
	return 1778912872;
}

static struct world *
new_world_as(const char *profile, uint8_t version, unsigned loss, uint8_t seed)
{
	struct world *w = calloc(1, sizeof(*w));
	struct iprclient_config cc = {
		.version = version, .events = &client_events, .arg = w,
		.unix_now = unix_now,
	};
	struct iprexit_config xc = { .events = &exit_events, .arg = w };

	fakenet_init(&w->net, seed);
	w->net.loss_percent = loss;
	w->cm = fakenet_add(&w->net, 0, profile, &client_mix, w);
	w->xm = fakenet_add(&w->net, 1, "raw", &exit_mix, w);
	cc.mix = w->cm;
	cc.exit = *mixclient_address(w->xm);
	xc.rng = cc.rng = &w->net.rng.rng;
	xc.mix = w->xm;
	w->client = iprclient_new(&cc);
	w->exit = iprexit_new(&xc);
	return w;
}

static struct world *
new_world(uint8_t version, unsigned loss, uint8_t seed)
{
	return new_world_as("raw", version, loss, seed);
}

/* The same mixnet client, whose router knows nobody. */
static void
restart_exit(struct world *w)
{
	struct iprexit_config xc = { .mix = w->xm, .events = &exit_events,
	    .arg = w, .rng = &w->net.rng.rng };

	iprexit_free(w->exit);
	w->exit = iprexit_new(&xc);
}

static void
free_world(struct world *w)
{
	iprclient_free(w->client);
	iprexit_free(w->exit);
	fakenet_wipe(&w->net);
	free(w);
}

static void
run(struct world *w, int64_t ms)
{
	for (int64_t end = w->net.now_ms + ms; w->net.now_ms < end;) {
		iprclient_tick(w->client, w->net.now_ms);
		if (w->exit != NULL)
			iprexit_tick(w->exit, w->net.now_ms);
		deliver_late(w);
		fakenet_run(&w->net, 5);
	}
}

/* A UDP-like IPv4 packet from the client to 1.1.1.1. */
static void
make_packet(const struct world *w, uint8_t *p, size_t len, uint8_t salt)
{
	memset(p, salt, len);
	p[0] = 0x45;
	p[2] = (uint8_t)(len >> 8);
	p[3] = (uint8_t)len;
	p[9] = 17;
	memcpy(p + 12, w->ip4, 4);
	memset(p + 16, 1, 4);
}

static void
connect_up(struct world *w)
{
	iprclient_start(w->client, w->net.now_ms);
	run(w, 100);
	assert_true(w->up);
	assert_int_equal(w->down, 0);
}

static void
packets_go_out_and_come_back(void **state)
{
	struct world *w = new_world(IPRMSG_V9, 0, 1);
	uint8_t pkt[1420], back[1420];

	(void)state;
	connect_up(w);
	assert_int_equal(w->ip4[0], 10);
	assert_int_equal(w->ip6[0], 0xfc);
	assert_memory_equal(w->ip4 + 2, w->ip6 + 14, 2);
	assert_int_equal(w->mtu, 1420);
	for (size_t len = 28; len <= sizeof(pkt); len += 199) {
		unsigned before = w->got;

		make_packet(w, pkt, len, (uint8_t)len);
		assert_int_equal(iprclient_send(w->client, pkt, len), SW_OK);
		run(w, 10);
		assert_int_equal(w->got, before + 1);
		memcpy(back, pkt, len);
		memcpy(back + 12, pkt + 16, 4);
		memcpy(back + 16, pkt + 12, 4);
		assert_int_equal(w->last_len, len);
		assert_memory_equal(w->last, back, len);
	}
	free_world(w);
}

static void
every_version_carries_packets_stays_and_says_goodbye(void **state)
{
	uint8_t pkt[1420];

	(void)state;
	for (uint8_t v = IPRMSG_V8; v <= IPRMSG_V10; v++) {
		struct world *w = new_world(v, 0, v);

		connect_up(w);
		assert_int_equal(w->asked[v], 1);
		for (unsigned i = 1; i <= 40; i++) {
			make_packet(w, pkt, sizeof(pkt), (uint8_t)i);
			while (iprclient_send(w->client, pkt, sizeof(pkt)) !=
			    SW_OK)
				run(w, 5);
			run(w, 10);
		}
		run(w, 1000);
		assert_int_equal(w->got, 40);
		assert_int_equal(w->last_len, sizeof(pkt));
		/* Nothing to say for longer than exits remember. */
		run(w, 150000);
		assert_int_equal(w->gone, 0);
		assert_int_equal(w->down, 0);
		iprclient_stop(w->client);
		run(w, 100);
		assert_int_equal(w->gone, 1);
		free_world(w);
	}
}

/* Answers that take longer than a try: whatever was asked meanwhile, we end up
 * on the stream that the exit serves. */
static void
a_slow_exit_lets_us_in(void **state)
{
	static const struct {
		int64_t lag_ms;
		uint8_t only;
	} cases[] = { { 2000, 0 }, { 8000, 0 }, { 8000, IPRMSG_V9 },
		{ 13000, IPRMSG_V9 }, { 20000, IPRMSG_V9 }, { 20000, 0 },
		{ 8000, IPRMSG_V8 } };
	uint8_t pkt[100];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct world *w = new_world(0, 0, (uint8_t)(20 + i));

		w->lag_ms = cases[i].lag_ms;
		w->only = cases[i].only;
		iprclient_start(w->client, w->net.now_ms);
		run(w, 60000);
		assert_true(w->up);
		assert_int_equal(w->down, 0);
		w->lag_ms = 0;
		run(w, 25000);
		for (unsigned k = 0; k < 3; k++) {
			make_packet(w, pkt, sizeof(pkt), (uint8_t)k);
			assert_int_equal(iprclient_send(w->client, pkt,
			    sizeof(pkt)), SW_OK);
			run(w, 100);
			assert_int_equal(w->got, k + 1);
		}
		free_world(w);
	}
}

static void
a_version_that_the_exit_speaks_is_found(void **state)
{
	(void)state;
	for (uint8_t v = IPRMSG_V8; v <= IPRMSG_V10; v++) {
		struct world *w = new_world(0, 0, (uint8_t)(v + 20));

		w->only = v;
		iprclient_start(w->client, w->net.now_ms);
		run(w, 4 * IPRCLIENT_TRY_MS);
		assert_true(w->up);
		assert_int_equal(w->down, 0);
		assert_int_equal(w->asked[v], 1);
		assert_int_equal(w->asked[IPRMSG_V9], v == IPRMSG_V9 ? 1 : 2);
		free_world(w);
	}
}

static void
an_exit_that_forgot_us_is_asked_again(void **state)
{
	struct world *w = new_world(IPRMSG_V9, 0, 11);
	uint8_t old[4], pkt[100];

	(void)state;
	connect_up(w);
	memcpy(old, w->ip4, sizeof(old));
	/* One that says nothing to strangers, as Nym's. */
	restart_exit(w);
	w->forgetful = true;
	w->up = false;
	make_packet(w, pkt, sizeof(pkt), 1);
	assert_int_equal(iprclient_send(w->client, pkt, sizeof(pkt)), SW_OK);
	run(w, 30000);
	assert_int_equal(w->down, SW_ERR_CLOSED);
	assert_true(w->up);
	assert_memory_not_equal(w->ip4, old, 4);
	assert_int_equal(w->asked[IPRMSG_V9], 2);
	w->forgetful = false;
	/* And it stays. */
	run(w, 100000);
	assert_int_equal(w->gone, 0);
	assert_int_equal(w->asked[IPRMSG_V9], 2);
	free_world(w);
}

static void
an_exit_that_restarts_says_so(void **state)
{
	struct world *w = new_world(IPRMSG_V9, 0, 13);
	uint8_t old[4], pkt[100];

	(void)state;
	connect_up(w);
	memcpy(old, w->ip4, sizeof(old));
	restart_exit(w);
	w->up = false;
	for (uint8_t i = 0; i < 100; i++) {
		make_packet(w, pkt, sizeof(pkt), i);
		(void)!iprclient_send(w->client, pkt, sizeof(pkt));
		run(w, 70);
	}
	assert_int_equal(w->down, SW_ERR_CLOSED);
	assert_true(w->up);
	assert_memory_not_equal(w->ip4, old, 4);
	assert_int_equal(w->asked[IPRMSG_V9], 2);
	assert_int_equal(iprexit_stats(w->exit)->clients, 1);
	assert_in_range(iprexit_stats(w->exit)->strangers, 1, 100);
	free_world(w);
}

static void
without_a_way_to_the_exit_nobody_is_asked_again(void **state)
{
	struct world *w = new_world(IPRMSG_V9, 0, 14);
	uint8_t pkt[100];

	(void)state;
	connect_up(w);
	w->net.loss_percent = 100;
	for (uint8_t i = 0; i < 35; i++) {
		make_packet(w, pkt, sizeof(pkt), i);
		(void)!iprclient_send(w->client, pkt, sizeof(pkt));
		run(w, 1000);
	}
	w->net.loss_percent = 0;
	run(w, 10000);
	assert_int_equal(w->asked[IPRMSG_V9], 1);
	assert_int_equal(w->down, 0);
	assert_true(w->got > 0);
	free_world(w);
}

static void
an_exit_that_was_only_silent_still_knows_us(void **state)
{
	struct world *w = new_world(IPRMSG_V9, 0, 12);

	(void)state;
	connect_up(w);
	w->up = false;
	w->mute = true;			/* its answers are lost */
	run(w, 80000);
	w->mute = false;
	run(w, 10000);
	assert_int_equal(w->gone, 0);
	assert_int_equal(w->down, 0);
	assert_false(w->up);
	assert_in_range(w->asked[IPRMSG_V9], 2,
	    IPRCLIENT_TRIES + 1);
	assert_int_equal(iprclient_send(w->client, w->last, 40), SW_OK);
	free_world(w);
}

static void
version_10_brings_the_mtu(void **state)
{
	struct world *w = new_world(IPRMSG_V10, 0, 2);

	(void)state;
	connect_up(w);
	assert_int_equal(w->mtu, IPRMSG_MTU);
	free_world(w);
}

static void
a_long_transfer_does_not_run_out_of_surbs(void **state)
{
	struct world *w = new_world(IPRMSG_V9, 0, 3);
	uint8_t pkt[1400];
	unsigned sent = 0, again = 0;

	(void)state;
	connect_up(w);
	make_packet(w, pkt, sizeof(pkt), 7);
	while (sent < 150) {
		int r = iprclient_send(w->client, pkt, sizeof(pkt));

		assert_true(r == SW_OK || r == SW_AGAIN);
		sent += r == SW_OK;
		again += r == SW_AGAIN;
		if (r == SW_AGAIN || sent % 8 == 0)
			run(w, 5);
	}
	run(w, 3000);
	assert_int_equal(w->got, 150);
	assert_int_equal(iprexit_stats(w->exit)->dropped, 0);
	if (again > 0)
		assert_true(w->writable > 0);
	free_world(w);
}

static void
loss_below_costs_packets_but_not_the_tunnel(void **state)
{
	struct world *w = new_world(IPRMSG_V9, 3, 4);
	uint8_t pkt[600];
	unsigned before;

	(void)state;
	iprclient_start(w->client, w->net.now_ms);
	for (int i = 0; i < 20 && !w->up; i++)
		run(w, 1000);
	assert_true(w->up);
	for (int i = 0; i < 50; i++) {
		make_packet(w, pkt, sizeof(pkt), (uint8_t)i);
		while (iprclient_send(w->client, pkt, sizeof(pkt)) != SW_OK)
			run(w, 5);
		run(w, 5);
	}
	run(w, 5000);
	before = w->got;
	/* Uplink loss is repaired; of the answers some are gone. */
	assert_in_range(before, 30, 50);
	w->net.loss_percent = 0;
	run(w, 3000);
	for (int i = 0; i < 25; i++) {
		make_packet(w, pkt, sizeof(pkt), (uint8_t)i);
		assert_int_equal(iprclient_send(w->client, pkt, sizeof(pkt)),
		    SW_OK);
		run(w, 5);
	}
	run(w, 200);
	assert_in_range(w->got - before, 23, 30);
	free_world(w);
}

/* Answers are lost with the SURBs that carried them, the exit's requests for
 * more too: it has none left and cannot say so. */
/* 60 large packets at a time from the exit; how many came out of order. */
static unsigned
burst(struct world *w)
{
	struct sw_addr to = addr_v4((uint32_t)w->ip4[0] << 24 |
	    (uint32_t)w->ip4[1] << 16 | (uint32_t)w->ip4[2] << 8 | w->ip4[3],
	    0);
	uint8_t pkt[1400];

	run(w, 200);
	w->got = w->disorder = 0;
	for (uint8_t i = 0; i < 60; i++) {
		make_packet(w, pkt, sizeof(pkt), i);
		assert_int_equal(iprexit_send(w->exit, &to, pkt,
		    sizeof(pkt)), SW_OK);
		iprexit_tick(w->exit, w->net.now_ms);
	}
	run(w, 1000);
	return w->disorder;
}

static void
packets_come_as_they_come(void **state)
{
	struct world *w = new_world(IPRMSG_V9, 0, 10);

	(void)state;
	connect_up(w);
	assert_true(burst(w) > 10);		/* the network does reorder */
	assert_int_equal(w->got, 60);
	w->net.loss_percent = 10;
	burst(w);
	assert_in_range(w->got, 10, 59);
	free_world(w);
}

static void
lost_answers_do_not_starve_the_exit(void **state)
{
	struct world *w = new_world(IPRMSG_V9, 0, 9);
	struct sw_addr to;
	uint8_t pkt[1400];
	unsigned before;

	(void)state;
	connect_up(w);
	run(w, 100);
	to = addr_v4((uint32_t)w->ip4[0] << 24 | (uint32_t)w->ip4[1] << 16 |
	    (uint32_t)w->ip4[2] << 8 | w->ip4[3], 0);
	/* Let the client believe that the exit has plenty. */
	make_packet(w, pkt, 100, 1);
	w->deaf = true;
	for (int i = 0; i < 60; i++) {
		assert_int_equal(iprclient_send(w->client, pkt, 100), SW_OK);
		run(w, 5);
	}
	w->deaf = false;
	w->net.loss_percent = 100;
	make_packet(w, pkt, sizeof(pkt), 1);
	for (int i = 0; i < 600; i++) {
		(void)!iprexit_send(w->exit, &to, pkt, sizeof(pkt));
		iprexit_tick(w->exit, w->net.now_ms);
		fakenet_run(&w->net, 100);
	}
	w->net.loss_percent = 0;
	before = w->got;
	make_packet(w, pkt, 100, 1);
	for (int i = 0; i < 100 && w->got < before + 50; i++) {
		(void)!iprclient_send(w->client, pkt, 100);
		run(w, 200);
	}
	assert_true(w->got >= before + 50);
	free_world(w);
}

static void
nobody_sends_in_the_name_of_another(void **state)
{
	struct world *w = new_world(IPRMSG_V9, 0, 5);
	uint8_t pkt[100];

	(void)state;
	connect_up(w);
	make_packet(w, pkt, sizeof(pkt), 1);
	pkt[15] ^= 1;
	assert_int_equal(iprclient_send(w->client, pkt, sizeof(pkt)), SW_OK);
	run(w, 20);
	assert_int_equal(w->got, 0);
	assert_int_equal(iprexit_stats(w->exit)->spoofed, 1);
	free_world(w);
}

/* From port 1000 to 10.1.2.3 port 53, or a SYN. */
static void
make_first(const struct world *w, uint8_t *p, size_t len, uint8_t proto)
{
	static const uint8_t to[] = { 10, 1, 2, 3 };

	make_packet(w, p, len, 0);
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
		struct world *w = new_world(IPRMSG_V9, 0, 7);

		connect_up(w);
		w->wordy = wordy != 0;
		for (unsigned i = 0; i < 4; i++) {
			make_first(w, pkt, sizeof(pkt), i < 2 ? 17 : 6);
			assert_int_equal(iprclient_send(w->client, pkt,
			    sizeof(pkt)), SW_OK);
			run(w, 1200);
			assert_int_equal(w->got, i + 1);
			assert_int_equal(ipflow_read(&f, w->last, w->last_len),
			    SW_OK);
			assert_int_equal(f.proto, 1);
			assert_int_equal(w->last[20], 3);
			assert_int_equal(w->last[21], 13);
			assert_memory_equal(w->last + 28, pkt, 28);
			assert_memory_equal(w->last + 16, w->ip4, 4);
		}
		free_world(w);
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
	struct world *w = new_world(IPRMSG_V9, 0, 31);
	struct other o = { .net = &w->net };
	struct iprclient_config cc = {
		.version = IPRMSG_V9, .events = &other_events, .arg = &o,
		.unix_now = unix_now, .rng = &w->net.rng.rng,
		.exit = *mixclient_address(w->xm),
	};
	struct sw_addr greedy = addr_v4(0, 0);
	uint8_t pkt[1400], small[100];
	uint64_t before;

	(void)state;
	connect_up(w);
	memcpy(greedy.ip + 12, w->ip4, 4);
	make_packet(w, pkt, sizeof(pkt), 1);
	make_packet(w, small, sizeof(small), 2);
	cc.mix = o.mix = fakenet_add(&w->net, 2, "raw", &other_mix, &o);
	o.client = iprclient_new(&cc);
	iprclient_start(o.client, w->net.now_ms);
	for (int i = 0; i < 20; i++) {
		iprclient_tick(o.client, w->net.now_ms);
		run(w, 5);
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
	free_world(w);
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
	struct world *w = new_world(IPRMSG_V9, 0, 6);
	uint8_t pkt[100];

	(void)state;
	connect_up(w);
	for (size_t i = 0; i < sizeof(closed) / sizeof(*closed); i++) {
		make_packet(w, pkt, sizeof(pkt), 1);
		memcpy(pkt + 16, closed[i], 4);
		assert_int_equal(iprclient_send(w->client, pkt, sizeof(pkt)),
		    SW_OK);
		run(w, 20);
	}
	assert_int_equal(w->got, 0);
	assert_int_equal(iprexit_stats(w->exit)->refused,
	    sizeof(closed) / sizeof(*closed));
	make_packet(w, pkt, sizeof(pkt), 1);
	assert_int_equal(iprclient_send(w->client, pkt, sizeof(pkt)), SW_OK);
	run(w, 20);
	assert_int_equal(w->got, 1);
	free_world(w);
}

static void
a_silent_client_is_forgotten_and_a_quiet_one_is_kept(void **state)
{
	struct world *w = new_world(IPRMSG_V9, 0, 7);

	(void)state;
	connect_up(w);
	w->deaf = true;
	run(w, 200000);
	assert_int_equal(w->gone, 0);		/* it kept itself alive */
	assert_int_equal(iprexit_stats(w->exit)->clients, 1);
	iprclient_stop(w->client);
	run(w, 100);
	assert_int_equal(w->gone, 1);
	assert_int_equal(iprexit_stats(w->exit)->clients, 0);
	free_world(w);
}

static void
an_exit_that_is_not_there_is_told(void **state)
{
	struct world *w = new_world(IPRMSG_V9, 0, 8);

	(void)state;
	iprexit_free(w->exit);
	w->exit = NULL;
	iprclient_start(w->client, w->net.now_ms);
	run(w, (IPRCLIENT_TRIES + 1) * IPRCLIENT_TRY_MS);
	assert_false(w->up);
	assert_int_equal(w->down, SW_ERR_TIMEOUT);
	assert_int_equal(iprclient_send(w->client, w->last, 40), SW_ERR_DOWN);
	free_world(w);
}

/* Several slots are due at once, and answers have taken SURBs: none of those
 * slots goes to cover. */
static void
a_busy_machine_wastes_no_slots(void **state)
{
	struct world *w = new_world_as("fast", IPRMSG_V9, 0, 21);
	const struct mixclient_stats *st = mixclient_stats(w->cm);
	struct sw_addr to = { .port = 0 };
	uint64_t cover, made;
	uint8_t pkt[1400];

	(void)state;
	connect_up(w);
	run(w, 2000);
	to = addr_v4(0, 0);
	memcpy(to.ip + 12, w->ip4, 4);
	make_packet(w, pkt, sizeof(pkt), 1);
	for (int i = 0; i < 40; i++)
		assert_int_equal(iprexit_send(w->exit, &to, pkt, sizeof(pkt)),
		    SW_OK);
	cover = st->cover;
	run(w, 5);
	made = st->surbs_made;
	w->net.now_ms += 25;
	run(w, 5);
	assert_true(st->surbs_made >= made + 9);
	assert_true(st->cover <= cover + 2);
	free_world(w);
}

static int
setup(void **state)
{
	(void)state;
	return prim_init();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_go_out_and_come_back),
		cmocka_unit_test(
		    every_version_carries_packets_stays_and_says_goodbye),
		cmocka_unit_test(a_slow_exit_lets_us_in),
		cmocka_unit_test(a_version_that_the_exit_speaks_is_found),
		cmocka_unit_test(an_exit_that_forgot_us_is_asked_again),
		cmocka_unit_test(an_exit_that_restarts_says_so),
		cmocka_unit_test(without_a_way_to_the_exit_nobody_is_asked_again),
		cmocka_unit_test(an_exit_that_was_only_silent_still_knows_us),
		cmocka_unit_test(version_10_brings_the_mtu),
		cmocka_unit_test(a_busy_machine_wastes_no_slots),
		cmocka_unit_test(a_long_transfer_does_not_run_out_of_surbs),
		cmocka_unit_test(loss_below_costs_packets_but_not_the_tunnel),
		cmocka_unit_test(packets_come_as_they_come),
		cmocka_unit_test(lost_answers_do_not_starve_the_exit),
		cmocka_unit_test(nobody_sends_in_the_name_of_another),
		cmocka_unit_test(a_greedy_client_takes_nothing_from_another),
		cmocka_unit_test(private_destinations_are_refused),
		cmocka_unit_test(what_is_refused_comes_back_as_one_error),
		cmocka_unit_test(a_refusal_finds_the_packet_it_is_about),
		cmocka_unit_test(
		    a_silent_client_is_forgotten_and_a_quiet_one_is_kept),
		cmocka_unit_test(an_exit_that_is_not_there_is_told),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
