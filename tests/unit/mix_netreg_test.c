/* What nodes say of themselves, and the network that a directory makes of
 * it; answers of a directory as a node reads them. */
#include "tests/rig/unit.h"

#include <stdlib.h>
#include <string.h>

#include "mix/httpres.h"
#include "mix/netreg.h"
#include "mix/prim.h"

#define NOW 1750000000

static char *
said(uint8_t who, bool mix, uint32_t rotation, int64_t when)
{
	struct announce a = {
		.mix = addr_v4(0x0a000000u | who, 1789), .mixnode = mix,
		.entry = !mix, .unix_s = when, .has_noise = true,
		.n_sphinx = 2, .ws_port = mix ? 0 : 9000,
	};
	uint8_t seed[32], sk[32];
	char *text;

	memset(seed, who, sizeof(seed));
	memset(sk, who, sizeof(sk));
	prim_x25519_base(a.noise, sk);
	for (uint32_t i = 0; i < 2; i++) {
		sk[1] = (uint8_t)(rotation + i);
		prim_x25519_base(a.sphinx[i].key, sk);
		a.sphinx[i].rotation_id = rotation + i;
	}
	assert_int_equal(announce_write(&a, seed, &text), SW_OK);
	return text;
}

static int
take(struct netreg *r, uint8_t who, bool mix, uint32_t rotation, int64_t when,
    int64_t now)
{
	char *text = said(who, mix, rotation, when);
	int err = netreg_take(r, text, strlen(text), now);

	free(text);
	return err;
}

static void
an_announcement_reads_as_it_was_written(void **state)
{
	char *text = said(7, false, 5, NOW);
	uint8_t seed[32], id[32];
	struct announce a;

	(void)state;
	memset(seed, 7, sizeof(seed));
	prim_ed25519_public(id, seed);
	assert_int_equal(announce_read(&a, text, strlen(text)), SW_OK);
	assert_memory_equal(a.identity, id, 32);
	assert_true(a.unix_s == NOW);
	assert_int_equal(a.ws_port, 9000);
	assert_true(a.entry && !a.mixnode && !a.exit && a.has_noise);
	assert_int_equal(a.n_sphinx, 2);
	assert_int_equal(a.sphinx[1].rotation_id, 6);
	free(text);
}

static void
a_changed_announcement_is_refused(void **state)
{
	char *text = said(7, true, 5, NOW);
	size_t n = strlen(text);
	struct announce a, whole;

	(void)state;
	assert_int_equal(announce_read(&whole, text, n), SW_OK);
	for (size_t i = 0; i < n; i++) {
		char was = text[i];

		text[i] = (char)(was ^ 1);
		if (announce_read(&a, text, n) == SW_OK)
			fail_msg("byte %zu may be changed", i);
		text[i] = was;
		assert_int_not_equal(announce_read(&a, text, i), SW_OK);
	}
	free(text);
}

static void
mixes_share_the_layers_evenly_and_keep_theirs(void **state)
{
	struct netreg *r = netreg_new(100);
	struct topology *t;

	(void)state;
	for (uint8_t i = 1; i <= 7; i++)
		assert_int_equal(take(r, i, true, 4, NOW, NOW), SW_OK);
	assert_int_equal(take(r, 9, false, 4, NOW, NOW), SW_OK);
	assert_int_equal(netreg_topology(r, 4, 8, NOW, &t), SW_OK);
	assert_int_equal(t->n, 8);
	assert_int_equal(t->n_layer[0] + t->n_layer[1] + t->n_layer[2], 7);
	for (int l = 0; l < TOPOLOGY_LAYERS; l++)
		assert_in_range(t->n_layer[l], 2, 3);
	assert_true(t->node[7].entry && t->node[7].ws.port == 9000);
	topology_free(t);
	/* The next rotation has keys, the one after that has none. */
	assert_int_equal(netreg_topology(r, 5, 9, NOW, &t), SW_OK);
	assert_int_equal(t->n, 8);
	topology_free(t);
	assert_int_equal(netreg_topology(r, 6, 10, NOW, &t), SW_OK);
	assert_int_equal(t->n, 0);
	topology_free(t);
	/* Who is silent is left out, and is the same when it is back. */
	assert_int_equal(take(r, 3, true, 4, NOW + 100, NOW + 100), SW_OK);
	assert_int_equal(netreg_topology(r, 4, 8, NOW + 101, &t), SW_OK);
	assert_int_equal(t->n, 1);
	assert_int_equal(t->node[0].id, 3);
	topology_free(t);
	netreg_free(r);
}

static void
only_the_newest_word_of_the_admitted_counts(void **state)
{
	struct netreg *r = netreg_new(100);
	uint8_t seed[32], id[32];

	(void)state;
	memset(seed, 1, sizeof(seed));
	prim_ed25519_public(id, seed);
	assert_int_equal(netreg_admit(r, id), SW_OK);
	assert_int_equal(take(r, 2, true, 4, NOW, NOW), SW_ERR_DENIED);
	assert_int_equal(take(r, 1, true, 4, NOW, NOW), SW_OK);
	assert_int_equal(take(r, 1, true, 4, NOW, NOW), SW_ERR_REPLAY);
	assert_int_equal(take(r, 1, true, 4, NOW - 1, NOW), SW_ERR_REPLAY);
	assert_int_equal(take(r, 1, true, 4, NOW + 500, NOW), SW_ERR_REPLAY);
	assert_int_equal(take(r, 1, true, 4, NOW + 1, NOW + 1), SW_OK);
	netreg_free(r);
}

static void
answers_are_read_whole_or_not_at_all(void **state)
{
	static const char good[] = "HTTP/1.1 403 Forbidden\r\nA: b\r\n"
	    "Content-Length: 3\r\n\r\nabc";
	static const struct {
		const char *text;
		int err;
	} bad[] = {
		{ "HTTP/1.1 200 OK\r\n\r\nabc", SW_ERR_UNSUPPORTED },
		{ "HTTP/2 200 OK\r\n\r\n", SW_ERR_FORMAT },
		{ "HTTP/1.1 2x0 OK\r\n\r\n", SW_ERR_FORMAT },
		{ "HTTP/1.1 20\r\n\r\n", SW_ERR_FORMAT },
		{ "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		    SW_ERR_FORMAT },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
		    "Content-Length: 1\r\n\r\na", SW_ERR_FORMAT },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
		    SW_ERR_TOO_LONG },
	};
	struct httpres a;

	(void)state;
	for (size_t n = 0; n < sizeof(good) - 1; n++)
		assert_int_equal(httpres_read(&a, good, n), SW_AGAIN);
	assert_int_equal(httpres_read(&a, good, sizeof(good) - 1), SW_OK);
	assert_int_equal(a.status, 403);
	assert_int_equal(a.body_len, 3);
	assert_memory_equal(a.body, "abc", 3);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(httpres_read(&a, bad[i].text,
		    strlen(bad[i].text)), bad[i].err);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_announcement_reads_as_it_was_written),
		cmocka_unit_test(a_changed_announcement_is_refused),
		cmocka_unit_test(
		    mixes_share_the_layers_evenly_and_keep_theirs),
		cmocka_unit_test(only_the_newest_word_of_the_admitted_counts),
		cmocka_unit_test(answers_are_read_whole_or_not_at_all),
	};

	return prim_init() == SW_OK ?
	    cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
