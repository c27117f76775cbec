/* An IPR client and an exit: packets, and the SURBs that bring answers. */
#include "tests/rig/unit.h"

#include "tests/rig/ipr_world.h"

static void
packets_go_out_and_come_back(void **state)
{
	struct world *w = world_new(IPRMSG_V9, 0, 1);
	uint8_t pkt[1420], back[1420];

	(void)state;
	world_connect(w);
	assert_int_equal(w->ip4[0], 10);
	assert_int_equal(w->ip6[0], 0xfc);
	assert_memory_equal(w->ip4 + 2, w->ip6 + 14, 2);
	assert_int_equal(w->mtu, 1420);
	for (size_t len = 28; len <= sizeof(pkt); len += 199) {
		unsigned before = w->got;

		world_packet(w, pkt, len, (uint8_t)len);
		assert_int_equal(iprclient_send(w->client, pkt, len), SW_OK);
		world_run(w, 10);
		assert_int_equal(w->got, before + 1);
		memcpy(back, pkt, len);
		memcpy(back + 12, pkt + 16, 4);
		memcpy(back + 16, pkt + 12, 4);
		assert_int_equal(w->last_len, len);
		assert_memory_equal(w->last, back, len);
	}
	world_free(w);
}

static void
a_long_transfer_does_not_run_out_of_surbs(void **state)
{
	struct world *w = world_new(IPRMSG_V9, 0, 3);
	uint8_t pkt[1400];
	unsigned sent = 0, again = 0;

	(void)state;
	world_connect(w);
	world_packet(w, pkt, sizeof(pkt), 7);
	while (sent < 150) {
		int r = iprclient_send(w->client, pkt, sizeof(pkt));

		assert_true(r == SW_OK || r == SW_AGAIN);
		sent += r == SW_OK;
		again += r == SW_AGAIN;
		if (r == SW_AGAIN || sent % 8 == 0)
			world_run(w, 5);
	}
	world_run(w, 3000);
	assert_int_equal(w->got, 150);
	assert_int_equal(iprexit_stats(w->exit)->dropped, 0);
	if (again > 0)
		assert_true(w->writable > 0);
	world_free(w);
}

static void
loss_below_costs_packets_but_not_the_tunnel(void **state)
{
	struct world *w = world_new(IPRMSG_V9, 3, 4);
	uint8_t pkt[600];
	unsigned before;

	(void)state;
	iprclient_start(w->client, w->net.now_ms);
	for (int i = 0; i < 20 && !w->up; i++)
		world_run(w, 1000);
	assert_true(w->up);
	for (int i = 0; i < 50; i++) {
		world_packet(w, pkt, sizeof(pkt), (uint8_t)i);
		while (iprclient_send(w->client, pkt, sizeof(pkt)) != SW_OK)
			world_run(w, 5);
		world_run(w, 5);
	}
	world_run(w, 5000);
	before = w->got;
	/* Uplink loss is repaired; of the answers some are gone. */
	assert_in_range(before, 30, 50);
	w->net.loss_percent = 0;
	world_run(w, 3000);
	for (int i = 0; i < 25; i++) {
		world_packet(w, pkt, sizeof(pkt), (uint8_t)i);
		assert_int_equal(iprclient_send(w->client, pkt, sizeof(pkt)),
		    SW_OK);
		world_run(w, 5);
	}
	world_run(w, 200);
	assert_in_range(w->got - before, 23, 30);
	world_free(w);
}

/* 60 large packets at a time from the exit; how many came out of order. */
static unsigned
burst(struct world *w)
{
	struct sw_addr to = addr_v4((uint32_t)w->ip4[0] << 24 |
	    (uint32_t)w->ip4[1] << 16 | (uint32_t)w->ip4[2] << 8 | w->ip4[3],
	    0);
	uint8_t pkt[1400];

	world_run(w, 200);
	w->got = w->disorder = 0;
	for (uint8_t i = 0; i < 60; i++) {
		world_packet(w, pkt, sizeof(pkt), i);
		assert_int_equal(iprexit_send(w->exit, &to, pkt,
		    sizeof(pkt)), SW_OK);
		iprexit_tick(w->exit, w->net.now_ms);
	}
	world_run(w, 1000);
	return w->disorder;
}

static void
packets_come_as_they_come(void **state)
{
	struct world *w = world_new(IPRMSG_V9, 0, 10);

	(void)state;
	world_connect(w);
	assert_true(burst(w) > 10);		/* the network does reorder */
	assert_int_equal(w->got, 60);
	w->net.loss_percent = 10;
	burst(w);
	assert_in_range(w->got, 10, 59);
	world_free(w);
}

/* Answers are lost with the SURBs that carried them, the exit's requests for
 * more too: it has none left and cannot say so. */
static void
lost_answers_do_not_starve_the_exit(void **state)
{
	struct world *w = world_new(IPRMSG_V9, 0, 9);
	struct sw_addr to;
	uint8_t pkt[1400];
	unsigned before;

	(void)state;
	world_connect(w);
	world_run(w, 100);
	to = addr_v4((uint32_t)w->ip4[0] << 24 | (uint32_t)w->ip4[1] << 16 |
	    (uint32_t)w->ip4[2] << 8 | w->ip4[3], 0);
	/* Let the client believe that the exit has plenty. */
	world_packet(w, pkt, 100, 1);
	w->deaf = true;
	for (int i = 0; i < 60; i++) {
		assert_int_equal(iprclient_send(w->client, pkt, 100), SW_OK);
		world_run(w, 5);
	}
	w->deaf = false;
	w->net.loss_percent = 100;
	world_packet(w, pkt, sizeof(pkt), 1);
	for (int i = 0; i < 600; i++) {
		(void)!iprexit_send(w->exit, &to, pkt, sizeof(pkt));
		iprexit_tick(w->exit, w->net.now_ms);
		fakenet_run(&w->net, 100);
	}
	w->net.loss_percent = 0;
	before = w->got;
	world_packet(w, pkt, 100, 1);
	for (int i = 0; i < 100 && w->got < before + 50; i++) {
		(void)!iprclient_send(w->client, pkt, 100);
		world_run(w, 200);
	}
	assert_true(w->got >= before + 50);
	world_free(w);
}

/* Several slots are due at once, and answers have taken SURBs: none of those
 * slots goes to cover. */
static void
a_busy_machine_wastes_no_slots(void **state)
{
	struct world *w = world_new_as("fast", IPRMSG_V9, 0, 21);
	const struct mixclient_stats *st = mixclient_stats(w->cm);
	struct sw_addr to = { .port = 0 };
	uint64_t cover, made;
	uint8_t pkt[1400];

	(void)state;
	world_connect(w);
	world_run(w, 2000);
	to = addr_v4(0, 0);
	memcpy(to.ip + 12, w->ip4, 4);
	world_packet(w, pkt, sizeof(pkt), 1);
	for (int i = 0; i < 40; i++)
		assert_int_equal(iprexit_send(w->exit, &to, pkt, sizeof(pkt)),
		    SW_OK);
	cover = st->cover;
	world_run(w, 5);
	made = st->surbs_made;
	w->net.now_ms += 25;
	world_run(w, 5);
	assert_true(st->surbs_made >= made + 9);
	assert_true(st->cover <= cover + 2);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_go_out_and_come_back),
		cmocka_unit_test(a_busy_machine_wastes_no_slots),
		cmocka_unit_test(a_long_transfer_does_not_run_out_of_surbs),
		cmocka_unit_test(loss_below_costs_packets_but_not_the_tunnel),
		cmocka_unit_test(packets_come_as_they_come),
		cmocka_unit_test(lost_answers_do_not_starve_the_exit),
	};

	return cmocka_run_group_tests(tests, unit_prim_init, NULL);
}
