/* Nodes that lose packets are avoided, and no others. */
#include "tests/rig/unit.h"

#include <string.h>

#include "mix/health.h"

#define EACH 4				/* nodes in a layer */

static size_t layers[TOPOLOGY_LAYERS][EACH];

static void
make(struct topology *t, size_t each)
{
	*t = (struct topology){ .n = TOPOLOGY_LAYERS * each };
	for (size_t l = 0; l < TOPOLOGY_LAYERS; l++) {
		t->n_layer[l] = each;
		t->layer[l] = layers[l];
		for (size_t i = 0; i < each; i++)
			layers[l][i] = l * each + i;
	}
}

struct sim {
	struct topology t;
	struct health *h;
	struct rng_seeded rng;
	int64_t now_ms;
	unsigned drawn[TOPOLOGY_LAYERS * EACH];
	unsigned lost;
};

static void
start(struct sim *s, size_t each, uint8_t seed)
{
	*s = (struct sim){ .now_ms = 1000 };
	make(&s->t, each);
	rng_seeded_init(&s->rng, (const uint8_t[32]){ seed });
	s->h = health_new(&s->t);
	assert_non_null(s->h);
}

/* n packets, one each 10 ms; those that meet a node for which dead() holds are
 * missed 1500 ms later, all others come back after 100. */
static void
send_packets(struct sim *s, unsigned n, bool (*dead)(uint16_t node))
{
	struct health_path path[200];
	bool lost[200];

	memset(s->drawn, 0, sizeof(s->drawn));
	s->lost = 0;
	for (unsigned i = 0; i < n + 150; i++, s->now_ms += 10) {
		if (i < n) {
			struct health_path *p = &path[i % 200];

			lost[i % 200] = false;
			for (size_t l = 0; l < 6; l += 3)
				health_draw(s->h, &s->rng.rng, s->now_ms,
				    p->node + l);
			for (size_t k = 0; k < 6; k++) {
				assert_int_equal(p->node[k] /
				    s->t.n_layer[0], k % 3);
				s->drawn[p->node[k]]++;
				lost[i % 200] |= dead(p->node[k]);
			}
			s->lost += lost[i % 200];
		}
		if (i >= 10 && i < n + 10 && !lost[(i - 10) % 200])
			health_good(s->h, &path[(i - 10) % 200],
			    s->now_ms - 100);
		if (i >= 150 && lost[(i - 150) % 200])
			health_bad(s->h, &path[(i - 150) % 200],
			    s->now_ms - 1500, s->now_ms);
	}
}

static bool
nobody(uint16_t node)
{
	(void)node;
	return false;
}

static bool
number_5(uint16_t node)
{
	return node == 5;
}

static bool
a_layer(uint16_t node)
{
	return node / EACH == 1;
}

static bool
all(uint16_t node)
{
	(void)node;
	return true;
}

static void
a_dead_node_is_left_out(void **state)
{
	struct sim s;

	(void)state;
	for (uint8_t seed = 0; seed < 20; seed++) {
		start(&s, EACH, seed);
		send_packets(&s, 1000, number_5);
		send_packets(&s, 1000, number_5);
		assert_int_equal(s.drawn[5], 0);
		assert_int_equal(s.lost, 0);
		assert_int_equal(health_count(s.h, s.now_ms), 1);
		/* It is tried again later, and forgiven when it works. */
		s.now_ms += HEALTH_SHUN_MS;
		send_packets(&s, 1000, nobody);
		assert_true(s.drawn[5] > 300);
		health_free(s.h);
	}
}

static void
of_two_nodes_the_one_that_works_is_kept(void **state)
{
	struct sim s;

	(void)state;
	for (uint8_t seed = 0; seed < 20; seed++) {
		start(&s, 2, seed);
		send_packets(&s, 2000, number_5);
		send_packets(&s, 500, number_5);
		assert_int_equal(s.drawn[5], 0);
		assert_int_equal(s.drawn[4], 1000);
		health_free(s.h);
	}
}

static void
healthy_nodes_are_used_alike(void **state)
{
	struct sim s;

	(void)state;
	start(&s, EACH, 1);
	send_packets(&s, 4000, nobody);
	for (size_t i = 0; i < s.t.n; i++)
		assert_in_range(s.drawn[i], 1700, 2300);
	health_free(s.h);
}

static void
when_nothing_comes_through_nobody_is_to_blame(void **state)
{
	struct sim s;

	(void)state;
	start(&s, EACH, 2);
	send_packets(&s, 1000, all);
	assert_int_equal(health_count(s.h, s.now_ms), 0);
	/* A pause of the whole network is held against nobody either. */
	send_packets(&s, 300, nobody);
	send_packets(&s, 20, all);
	send_packets(&s, 300, nobody);
	assert_int_equal(health_count(s.h, s.now_ms), 0);
	health_free(s.h);
}

static void
no_more_than_half_of_a_layer_is_shunned(void **state)
{
	struct health_path p = { .node = { 0, 4, 8, 0, 4, 8 } };
	struct health_path q = { .node = { 3, 7, 11, 3, 7, 11 } };
	uint16_t node[TOPOLOGY_LAYERS];
	struct sim s;

	(void)state;
	start(&s, EACH, 3);
	for (int i = 0; i < 500; i++, s.now_ms += 10) {
		p.node[1] = p.node[4] = (uint16_t)(4 + i % 3);
		health_bad(s.h, &p, s.now_ms, s.now_ms);
		health_good(s.h, &q, s.now_ms);
	}
	/* Node 0, two of the middle layer's, node 8. */
	assert_int_equal(health_count(s.h, s.now_ms), 4);
	for (int i = 0; i < 100; i++) {
		health_draw(s.h, &s.rng.rng, s.now_ms, node);
		assert_true(node[0] != 0 && node[2] != 8);
	}
	health_free(s.h);
	/* The only node of a layer is never. */
	start(&s, 1, 4);
	p = (struct health_path){ .node = { 0, 1, 2, 0, 1, 2 } };
	for (int i = 0; i < 500; i++)
		health_bad(s.h, &p, 2000 + i, 2000 + i);
	assert_int_equal(health_count(s.h, 3000), 0);
	health_draw(s.h, &s.rng.rng, 3000, node);
	assert_int_equal(node[1], 1);
	health_free(s.h);
}

static void
a_whole_layer_that_is_dead_shuns_no_other(void **state)
{
	struct sim s;

	(void)state;
	start(&s, EACH, 5);
	send_packets(&s, 300, nobody);
	send_packets(&s, 300, a_layer);
	assert_int_equal(health_count(s.h, s.now_ms), 0);
	health_free(s.h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dead_node_is_left_out),
		cmocka_unit_test(of_two_nodes_the_one_that_works_is_kept),
		cmocka_unit_test(healthy_nodes_are_used_alike),
		cmocka_unit_test(when_nothing_comes_through_nobody_is_to_blame),
		cmocka_unit_test(no_more_than_half_of_a_layer_is_shunned),
		cmocka_unit_test(a_whole_layer_that_is_dead_shuns_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
