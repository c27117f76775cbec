/* Clients that talk across a mix network in memory. */
#include "tests/rig/unit.h"

#include "mix/nymseal.h"
#include "mix/pending.h"
#include "mix/seen.h"
#include "mix/surbstore.h"
#include "tests/unit/fakenet.h"

/* One client, and what it got. */
struct end {
	struct fakenet *net;
	uint8_t last[100000];
	size_t last_len;
	uint8_t tag[16];
	bool has_tag;
	unsigned count;
};

static int
transmit(void *arg, const struct sw_addr *first, uint8_t rotation,
    const uint8_t *pkt, size_t len)
{
	struct end *e = arg;

	return fakenet_transmit(e->net, first, rotation, pkt, len);
}

static void
message(void *arg, const struct nymmsg *m)
{
	struct end *e = arg;

	memcpy(e->last, m->data, m->data_len);
	e->last_len = m->data_len;
	if (m->tag != NULL) {
		memcpy(e->tag, m->tag, sizeof(e->tag));
		e->has_tag = true;
	}
	e->count++;
}

static const struct mixclient_events events = {
	.transmit = transmit, .message = message,
};

struct world {
	struct fakenet net;
	struct end a, b;
	struct mixclient *ca, *cb;
};

static struct world *
new_world(const char *profile, unsigned loss, uint8_t seed)
{
	struct world *w = calloc(1, sizeof(*w));

	fakenet_init(&w->net, seed);
	w->a.net = w->b.net = &w->net;
	w->ca = fakenet_add(&w->net, 0, profile, &events, &w->a);
	w->cb = fakenet_add(&w->net, 1, "raw", &events, &w->b);
	w->net.loss_percent = loss;
	return w;
}

static void
free_world(struct world *w)
{
	fakenet_wipe(&w->net);
	free(w);
}

static void
pattern(uint8_t *p, size_t n, unsigned salt)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 7 + salt);
}

static void
a_message_arrives_and_is_answered_by_surbs(void **state)
{
	struct world *w = new_world("raw", 0, 1);
	uint8_t data[20000];

	(void)state;
	pattern(data, sizeof(data), 1);
	assert_int_equal(mixclient_send(w->ca, mixclient_address(w->cb), 30,
	    data, sizeof(data)), SW_OK);
	fakenet_run(&w->net, 50);
	assert_int_equal(w->b.count, 1);
	assert_true(w->b.has_tag);
	assert_int_equal(w->b.last_len, sizeof(data));
	assert_memory_equal(w->b.last, data, sizeof(data));
	/* Every fragment was acknowledged. */
	assert_int_equal(mixclient_stats(w->ca)->acked,
	    mixclient_stats(w->ca)->sent);
	assert_int_equal(mixclient_count_surbs(w->cb, w->b.tag), 20);

	pattern(data, 5000, 2);
	assert_int_equal(mixclient_reply(w->cb, w->b.tag, false, data, 5000,
	    w->net.now_ms), SW_OK);
	fakenet_run(&w->net, 50);
	assert_int_equal(w->a.count, 1);
	assert_false(w->a.has_tag);
	assert_memory_equal(w->a.last, data, 5000);
	/* The answer also asked for more SURBs, and they came. */
	assert_true(mixclient_stats(w->cb)->surb_requests > 0);
	assert_true(mixclient_count_surbs(w->cb, w->b.tag) > 40);
	free_world(w);
}

static void
lost_packets_are_sent_again(void **state)
{
	struct world *w = new_world("raw", 15, 2);
	uint8_t data[30000];

	(void)state;
	pattern(data, sizeof(data), 3);
	assert_int_equal(mixclient_send(w->ca, mixclient_address(w->cb), 0,
	    data, sizeof(data)), SW_OK);
	fakenet_run(&w->net, 30000);
	assert_int_equal(w->b.count, 1);
	assert_memory_equal(w->b.last, data, sizeof(data));
	assert_true(w->net.lost > 5);
	assert_true(mixclient_stats(w->ca)->resent > 2);
	assert_int_equal(mixclient_stats(w->ca)->acked,
	    mixclient_stats(w->ca)->sent);
	assert_int_equal(mixclient_queued(w->ca), 0);
	free_world(w);
}

static void
without_surbs_there_is_no_answer(void **state)
{
	struct world *w = new_world("raw", 0, 3);

	(void)state;
	assert_int_equal(mixclient_send(w->ca, mixclient_address(w->cb), 10,
	    "x", 1), SW_OK);
	fakenet_run(&w->net, 50);
	/* Ten SURBs are the reserve: for control and for asking only. */
	assert_int_equal(mixclient_reply(w->cb, w->b.tag, false, "y", 1,
	    w->net.now_ms), SW_ERR_LIMIT);
	fakenet_run(&w->net, 50);
	assert_int_equal(w->a.count, 0);
	/* But it asked, and then it can. */
	assert_int_equal(mixclient_reply(w->cb, w->b.tag, false, "y", 1,
	    w->net.now_ms), SW_OK);
	fakenet_run(&w->net, 50);
	assert_int_equal(w->a.count, 1);
	assert_int_equal(mixclient_reply(w->ca, w->b.tag, true, "y", 1,
	    w->net.now_ms), SW_ERR_LIMIT);
	free_world(w);
}

static void
strangers_get_no_surbs(void **state)
{
	struct world *w = new_world("raw", 0, 4);
	struct mixclient *stranger;
	struct end e = { .net = &w->net };

	(void)state;
	stranger = fakenet_add(&w->net, 2, "raw", &events, &e);
	assert_int_equal(mixclient_send(w->ca, mixclient_address(stranger),
	    12, "x", 1), SW_OK);
	fakenet_run(&w->net, 20);
	assert_int_equal(e.count, 1);
	/* A new client has the address of the old one and none of its past. */
	mixclient_free(w->ca);
	w->ca = fakenet_add(&w->net, 0, "raw", &events, &w->a);
	assert_int_equal(mixclient_reply(stranger, e.tag, true, "y", 1,
	    w->net.now_ms), SW_OK);
	fakenet_run(&w->net, 50);
	assert_int_equal(mixclient_stats(w->ca)->surbs_made, 0);
	free_world(w);
}

static void
the_default_profile_sends_cover_at_its_rate(void **state)
{
	struct world *w = new_world("default", 0, 5);
	uint64_t sent;

	(void)state;
	fakenet_run(&w->net, 2000);
	sent = mixclient_stats(w->ca)->cover;
	assert_in_range(sent, 75, 145);	/* 55 a second */
	assert_int_equal(mixclient_stats(w->ca)->received, 0);
	assert_int_equal(mixclient_stats(w->ca)->bad, 0);
	/* Real packets take the place of cover. */
	assert_int_equal(mixclient_send(w->ca, mixclient_address(w->cb), 0,
	    w->a.last, 50000), SW_OK);
	fakenet_run(&w->net, 2000);
	assert_int_equal(w->b.count, 1);
	assert_in_range(mixclient_stats(w->ca)->cover - sent, 45, 115);
	free_world(w);
}

static void
a_full_pool_says_again(void **state)
{
	struct world *w = new_world("default", 0, 6);
	int r = SW_OK;
	unsigned n = 0;

	(void)state;
	while (r == SW_OK && n++ < 1000)
		r = mixclient_send(w->ca, mixclient_address(w->cb), 0,
		    w->a.last, 50000);
	assert_int_equal(r, SW_AGAIN);
	assert_in_range(n, 10, 100);
	free_world(w);
}

static void
an_unknown_gateway_is_unreachable(void **state)
{
	struct world *w = new_world("raw", 0, 7);
	struct recipient nowhere = *mixclient_address(w->cb);

	(void)state;
	nowhere.gateway[0] ^= 1;
	assert_int_equal(mixclient_send(w->ca, &nowhere, 0, "x", 1),
	    SW_ERR_UNREACH_HOST);
	mixclient_set_topology(w->ca, NULL);
	assert_int_equal(mixclient_send(w->ca, &nowhere, 0, "x", 1),
	    SW_ERR_UNREACH_NET);
	free_world(w);
}

static void
noise_is_counted_and_does_no_harm(void **state)
{
	struct world *w = new_world("raw", 0, 8);
	uint8_t noise[2000];

	(void)state;
	for (size_t n = 0; n < sizeof(noise); n += 1 + n / 13) {
		rng_fill(&w->net.rng.rng, noise, sizeof(noise));
		mixclient_deliver(w->ca, noise, n, w->net.now_ms);
	}
	assert_int_equal(w->a.count, 0);
	assert_true(mixclient_stats(w->ca)->bad > 20);
	free_world(w);
}

static void
old_names_are_forgotten_and_new_ones_kept(void **state)
{
	struct seen *s = seen_new(100);

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++) {
		assert_false(seen_add(s, i * 0x9e3779b97f4a7c15));
		assert_true(seen_add(s, i * 0x9e3779b97f4a7c15));
		if (i > 100)
			assert_true(seen_has(s, (i - 99) *
			    0x9e3779b97f4a7c15));
	}
	assert_false(seen_has(s, 0x9e3779b97f4a7c15));
	assert_false(seen_add(s, 0));
	assert_true(seen_add(s, 0));
	seen_free(s);
}

static void
reply_keys_are_found_once(void **state)
{
	struct replykeys *k = replykeys_new(64);
	uint8_t key[16] = { 0 }, got[16], digest[32];

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		memcpy(key, &i, sizeof(i));
		replykeys_add(k, key);
	}
	for (unsigned i = 0; i < 200; i++) {
		memcpy(key, &i, sizeof(i));
		surb_digest(digest, key);
		assert_int_equal(replykeys_take(k, digest, got), i >= 136);
		assert_false(replykeys_take(k, digest, got));
		if (i >= 136)
			assert_memory_equal(got, key, 16);
	}
	replykeys_free(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_arrives_and_is_answered_by_surbs),
		cmocka_unit_test(lost_packets_are_sent_again),
		cmocka_unit_test(without_surbs_there_is_no_answer),
		cmocka_unit_test(strangers_get_no_surbs),
		cmocka_unit_test(the_default_profile_sends_cover_at_its_rate),
		cmocka_unit_test(a_full_pool_says_again),
		cmocka_unit_test(an_unknown_gateway_is_unreachable),
		cmocka_unit_test(noise_is_counted_and_does_no_harm),
		cmocka_unit_test(old_names_are_forgotten_and_new_ones_kept),
		cmocka_unit_test(reply_keys_are_found_once),
	};

	return cmocka_run_group_tests(tests, unit_prim_init, NULL);
}
