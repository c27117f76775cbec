/* Fragments: cut and joined as by the nym-* crates, and refused. */
#include "tests/rig/unit.h"

#include <stdlib.h>
#include <string.h>

#include "mix/frag.h"
#include "mix/nymseal.h"
#include "mix/prim.h"
#include "mix/reasm.h"
#include "tests/unit/vec.h"

static void
fragments_are_cut_and_joined_as_by_the_crate(void **state)
{
	size_t cases = 0;
	struct vec v;

	(void)state;
	vec_open(&v, "frag.txt");
	while (vec_next(&v)) {
		size_t n = vec_num(&v, "message_len"), got = 0;
		size_t room = vec_num(&v, "room");
		uint8_t *msg = malloc(n), *all, ids[4 * FRAG_MAX_SETS];
		uint8_t want[32], sum[32];
		const uint8_t *back;
		struct rng_seeded rng;
		struct frag_plan p;
		struct frag_id id;
		struct reasm *r;
		size_t *order;

		vec_pattern(msg, n);
		msg[0] = 0;
		rng_seeded_init(&rng, (const uint8_t[32]){ 1 });
		assert_int_equal(nymseal_room(vec_num(&v, "plain_len")), room);
		assert_int_equal(frag_plan_init(&p, n, room, &rng.rng), SW_OK);
		assert_int_equal(p.count, vec_num(&v, "count"));
		assert_int_equal(vec_bytes(&v, "ids", ids, sizeof(ids)),
		    4 * p.sets);
		for (size_t i = 0; i < p.sets; i++)
			p.id[i] = (uint32_t)ids[4 * i] << 24 |
			    (uint32_t)ids[4 * i + 1] << 16 |
			    (uint32_t)ids[4 * i + 2] << 8 | ids[4 * i + 3];

		all = malloc(p.count * room);
		for (size_t i = 0; i < p.count; i++)
			frag_cut(&p, i, msg, all + i * room, &id);
		vec_bytes(&v, "sha256", want, sizeof(want));
		prim_sha256(sum, all, p.count * room);
		assert_memory_equal(sum, want, 32);

		/* In any order, some twice. */
		order = malloc(p.count * sizeof(*order));
		for (size_t i = 0; i < p.count; i++)
			order[i] = i;
		for (size_t i = p.count; i > 1; i--) {
			size_t j = rng_below(&rng.rng, (uint32_t)i);
			size_t t = order[j];

			order[j] = order[i - 1];
			order[i - 1] = t;
		}
		r = reasm_new(room, p.count + 1, 1000);
		for (size_t i = 0; i < p.count; i++) {
			const uint8_t *f = all + order[i] * room;
			int want_r = i + 1 == p.count ? SW_OK : SW_AGAIN;

			assert_int_equal(reasm_add(r, f, room, 0, &back,
			    &got), want_r);
			if (want_r == SW_AGAIN && i % 7 == 0)
				assert_int_equal(reasm_add(r, f, room, 0,
				    &back, &got), SW_AGAIN);
		}
		assert_int_equal(got, n);
		assert_memory_equal(back, msg, n);
		/* What comes late is known as finished. */
		assert_int_equal(reasm_add(r, all, room, 0, &back, &got),
		    SW_AGAIN);
		assert_int_equal(reasm_stats(r)->messages, 1);
		reasm_free(r);
		free(order);
		free(all);
		free(msg);
		cases++;
	}
	vec_close(&v);
	assert_int_equal(cases, 27);
}

static void
bad_fragment_heads_are_refused(void **state)
{
	static const char *const bad[] = {
		"00000001010100",		/* top bit missing */
		"80000000010100",		/* id zero */
		"80000001000100",		/* total zero */
		"80000001010000",		/* position zero */
		"80000001010200",		/* position beyond total */
		"800000010301",			/* short */
		"8000000103028000000200",	/* link in the middle */
		"80000001030140000002",	/* link without its bit */
		"80000001030180000001",		/* link to itself */
		"80000001030180000000",		/* link to zero */
	};
	uint8_t bytes[16];
	struct frag_head h;
	struct rbuf r;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		n = vec_hex(bad[i], bytes, sizeof(bytes));
		r = (struct rbuf){ bytes, n };
		assert_int_not_equal(frag_get_head(&r, &h), SW_OK);
		assert_int_equal(r.left, n);
	}
	n = vec_hex("80000001030180000002", bytes, sizeof(bytes));
	r = (struct rbuf){ bytes, n };
	assert_int_equal(frag_get_head(&r, &h), SW_OK);
	assert_int_equal(h.link, 2);
}

/* A fragment of a set: id, total, position, then `room - 7` bytes. */
static void
fragment(uint8_t *out, size_t room, uint32_t id, uint8_t total, uint8_t pos)
{
	struct frag_head h = { .id = { id, pos }, .total = total };
	struct wbuf w = { out, room };

	assert_int_equal(frag_put_head(&w, &h), SW_OK);
	memset(w.p, pos, w.left);
	w.p[w.left - 1] = 1;
}

static void
a_set_with_two_totals_is_refused(void **state)
{
	uint8_t f[100];
	const uint8_t *msg;
	struct reasm *r;
	size_t n;

	(void)state;
	r = reasm_new(sizeof(f), 8, 1000);
	fragment(f, sizeof(f), 5, 3, 1);
	assert_int_equal(reasm_add(r, f, sizeof(f), 0, &msg, &n), SW_AGAIN);
	fragment(f, sizeof(f), 5, 4, 2);
	assert_int_equal(reasm_add(r, f, sizeof(f), 0, &msg, &n),
	    SW_ERR_FORMAT);
	fragment(f, sizeof(f), 5, 2, 2);
	assert_int_equal(reasm_add(r, f, sizeof(f), 0, &msg, &n),
	    SW_ERR_FORMAT);
	assert_int_equal(reasm_stats(r)->bad, 2);
	reasm_free(r);
}

static void
reassembly_holds_no_more_than_it_may(void **state)
{
	uint8_t f[100];
	const uint8_t *msg;
	struct reasm *r;
	size_t n;

	(void)state;
	r = reasm_new(sizeof(f), 8, 1000);
	for (uint32_t id = 1; id <= 1000; id++) {
		fragment(f, sizeof(f), id, 200, 7);
		assert_int_equal(reasm_add(r, f, sizeof(f), id, &msg, &n),
		    SW_AGAIN);
	}
	assert_int_equal(reasm_stats(r)->evicted, 992);
	/* One set larger than everything is refused, not others dropped. */
	for (uint8_t pos = 1; pos <= 8; pos++) {
		fragment(f, sizeof(f), 2000, 9, pos);
		assert_int_equal(reasm_add(r, f, sizeof(f), 2000, &msg, &n),
		    SW_AGAIN);
	}
	fragment(f, sizeof(f), 2000, 9, 9);
	assert_int_equal(reasm_add(r, f, sizeof(f), 2000, &msg, &n),
	    SW_ERR_NOMEM);
	/* Silence frees it. */
	reasm_tick(r, 3001);
	fragment(f, sizeof(f), 3000, 2, 1);
	assert_int_equal(reasm_add(r, f, sizeof(f), 3001, &msg, &n), SW_AGAIN);
	fragment(f, sizeof(f), 3000, 2, 2);
	assert_int_equal(reasm_add(r, f, sizeof(f), 3001, &msg, &n), SW_OK);
	reasm_free(r);
}

static void
cover_is_recognised_and_is_no_fragment(void **state)
{
	uint8_t frag[1611];
	struct frag_head h;
	struct rbuf r = { frag, sizeof(frag) };

	(void)state;
	nymseal_put_cover(frag, sizeof(frag));
	assert_true(nymseal_is_cover(frag, sizeof(frag)));
	assert_int_equal(frag_get_head(&r, &h), SW_ERR_FORMAT);
	fragment(frag, sizeof(frag), 1, 1, 1);
	assert_false(nymseal_is_cover(frag, sizeof(frag)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fragments_are_cut_and_joined_as_by_the_crate),
		cmocka_unit_test(bad_fragment_heads_are_refused),
		cmocka_unit_test(a_set_with_two_totals_is_refused),
		cmocka_unit_test(reassembly_holds_no_more_than_it_may),
		cmocka_unit_test(cover_is_recognised_and_is_no_fragment),
	};

	return cmocka_run_group_tests(tests, unit_prim_init, NULL);
}
