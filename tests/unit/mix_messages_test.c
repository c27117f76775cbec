/* Messages, addresses and frames against those of the nym-* crates. */
#include "tests/rig/unit.h"

#include <string.h>

#include "mix/nymaddr.h"
#include "mix/nymmsg.h"
#include "mix/nympkt.h"
#include "mix/prim.h"
#include "tests/rig/crate_client.h"
#include "tests/unit/vec.h"

#define MAX_BYTES 40000

static void
addresses_read_and_write_as_the_crates_do(void **state)
{
	char text_got[RECIPIENT_TEXT_LEN];
	uint8_t bytes[96], got[96];
	struct recipient r, want = crate_client();
	struct sw_addr a;
	struct wbuf w;
	struct vec v;
	size_t n;

	(void)state;
	vec_open(&v, "packets.txt");
	assert_true(vec_next_kind(&v, "recipient"));
	vec_bytes(&v, "bytes", bytes, sizeof(bytes));
	assert_int_equal(recipient_get(&r, bytes), SW_OK);
	assert_memory_equal(&r, &want, sizeof(r));
	recipient_put(got, &r);
	assert_memory_equal(got, bytes, 96);
	recipient_format(text_got, &r);
	assert_string_equal(text_got, vec_text(&v, "text"));
	memset(&r, 0, sizeof(r));
	assert_int_equal(recipient_parse(&r, text_got), SW_OK);
	assert_memory_equal(&r, &want, sizeof(r));

	for (int i = 0; i < 2; i++) {
		assert_true(vec_next_kind(&v, "node"));
		n = vec_bytes(&v, "bytes", bytes, sizeof(bytes));
		assert_int_equal(nymaddr_get_padded(bytes, n, &a), SW_OK);
		w = (struct wbuf){ got, sizeof(got) };
		assert_int_equal(nymaddr_put_node(&w, &a), SW_OK);
		assert_int_equal(sizeof(got) - w.left, n);
		assert_memory_equal(got, bytes, n);
		vec_bytes(&v, "padded", bytes, sizeof(bytes));
		nymaddr_put_padded(got, 32, &a);
		assert_memory_equal(got, bytes, 32);
		for (size_t cut = 0; cut < n; cut++)
			assert_int_not_equal(nymaddr_get_padded(bytes, cut,
			    &a), SW_OK);
	}
	vec_close(&v);
}

static void
bad_recipients_are_refused(void **state)
{
	static const char *const bad[] = {
		"", "@", ".@", "a.b@c",
		"CnEDk9HrMnmiHXEV1WFgbVCRteYnPqsJwrTdcZaNhFVW."
		"615XPymsfS37cPg4xMmXoVJCvaK9HD35rkBi1YctVRCX",
		"CnEDk9HrMnmiHXEV1WFgbVCRteYnPqsJwrTdcZaNhFVW."
		"615XPymsfS37cPg4xMmXoVJCvaK9HD35rkBi1YctVRCX@"
		"FVdnakemjhcemfWUgNR2AERbk5Pog7zJ1UF2LjbocBUj0",
		"CnEDk9HrMnmiHXEV1WFgbVCRteYnPqsJwrTdcZaNhFVW."
		"615XPymsfS37cPg4xMmXoVJCvaK9HD35rkBi1YctVRCX@"
		"FVdnakemjhcemfWUgNR2AERbk5Pog7zJ1UF2LjbocBUjj",
	};
	struct recipient r;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(recipient_parse(&r, bad[i]), SW_ERR_FORMAT);
}

static void
repliable_messages_of_the_crate_are_read_and_rewritten(void **state)
{
	static uint8_t bytes[MAX_BYTES], again[MAX_BYTES], want[MAX_BYTES];
	struct reply_surb s;
	struct nymmsg m;
	struct wbuf w;
	struct vec v;
	size_t count = 0;

	(void)state;
	vec_open(&v, "packets.txt");
	while (vec_next_kind(&v, "repliable")) {
		size_t n = vec_bytes(&v, "bytes", bytes, sizeof(bytes));
		bool has_data = vec_text(&v, "data_len") != NULL;

		assert_int_equal(nymmsg_get(&m, bytes, n), SW_OK);
		assert_int_equal(m.kind, has_data ? NYMMSG_DATA :
		    NYMMSG_SURBS);
		for (int i = 0; i < NYMMSG_TAG_LEN; i++)
			assert_int_equal(m.tag[i], 0x5a);
		assert_int_equal(m.n_surbs, vec_num(&v, "surbs"));
		assert_int_equal(m.rotation, vec_num(&v, "rotation"));
		if (has_data) {
			assert_int_equal(m.data_len, vec_num(&v, "data_len"));
			vec_pattern(want, m.data_len);
			assert_memory_equal(m.data, want, m.data_len);
		}
		if (m.n_surbs > 0) {
			assert_int_equal(m.surb_len, vec_num(&v, "surb_len"));
			vec_bytes(&v, "first_surb", want, sizeof(want));
			assert_memory_equal(m.surbs, want, m.surb_len);
		}
		count++;
		if (vec_num(&v, "surb_len") != 460)
			continue;
		w = (struct wbuf){ again, sizeof(again) };
		assert_int_equal(nymmsg_put_repliable(&w, m.kind, m.tag,
		    (uint16_t)m.n_surbs, 4, m.rotation), SW_OK);
		for (size_t i = 0; i < m.n_surbs; i++) {
			assert_int_equal(nymmsg_get_surb(&m, i, &s), SW_OK);
			assert_int_equal(nymmsg_put_surb(&w, &s), SW_OK);
		}
		assert_int_equal(wire_put_bytes(&w, m.data, m.data_len),
		    SW_OK);
		assert_int_equal(sizeof(again) - w.left, n);
		assert_memory_equal(again, bytes, n);
	}
	vec_close(&v);
	assert_int_equal(count, 8);
}

static void
replies_and_requests_of_the_crate_are_read_and_rewritten(void **state)
{
	uint8_t bytes[256], again[256], want[64];
	struct recipient client = crate_client();
	struct nymmsg m;
	struct wbuf w;
	struct vec v;
	size_t n;

	(void)state;
	vec_pattern(want, sizeof(want));
	vec_open(&v, "packets.txt");
	assert_true(vec_next_kind(&v, "reply_data"));
	n = vec_bytes(&v, "bytes", bytes, sizeof(bytes));
	assert_int_equal(nymmsg_get(&m, bytes, n), SW_OK);
	assert_int_equal(m.kind, NYMMSG_REPLY);
	assert_int_equal(m.data_len, 50);
	assert_memory_equal(m.data, want, 50);
	w = (struct wbuf){ again, sizeof(again) };
	assert_int_equal(nymmsg_put_head(&w, NYMMSG_REPLY), SW_OK);
	assert_memory_equal(again, bytes, sizeof(again) - w.left);
	assert_int_equal(nymmsg_get(&m, bytes, 2), SW_ERR_FORMAT);

	assert_true(vec_next_kind(&v, "surb_request"));
	n = vec_bytes(&v, "bytes", bytes, sizeof(bytes));
	assert_int_equal(nymmsg_get(&m, bytes, n), SW_OK);
	assert_int_equal(m.kind, NYMMSG_SURB_REQUEST);
	assert_int_equal(m.amount, 50);
	assert_memory_equal(&m.from, &client, sizeof(client));
	w = (struct wbuf){ again, sizeof(again) };
	assert_int_equal(nymmsg_put_surb_request(&w, &client, 50), SW_OK);
	assert_int_equal(sizeof(again) - w.left, n);
	assert_memory_equal(again, bytes, n);

	assert_true(vec_next_kind(&v, "plain"));
	n = vec_bytes(&v, "bytes", bytes, sizeof(bytes));
	assert_int_equal(nymmsg_get(&m, bytes, n), SW_OK);
	assert_int_equal(m.kind, NYMMSG_PLAIN);
	assert_memory_equal(m.data, want, 50);
	vec_close(&v);
	assert_int_equal(nymmsg_get(&m, bytes, 0), SW_ERR_FORMAT);
}

static void
frames_are_those_of_the_crates(void **state)
{
	static uint8_t bytes[MAX_BYTES], pkt[MAX_BYTES];
	uint8_t want[32], sum[32], rotation;
	const uint8_t *inside;
	struct nympkt_frame f, got;
	struct sw_addr first = addr_v4(0x0a000001, 1789), addr;
	struct vec v;
	struct wbuf w;
	struct rbuf r;
	size_t count = 0, n, inside_len;

	(void)state;
	vec_open(&v, "packets.txt");
	while (vec_next_kind(&v, "frame")) {
		size_t len = vec_num(&v, "packet_len");
		bool labelled = vec_num(&v, "frame_version") == 8;

		vec_pattern(pkt, len);
		f = (struct nympkt_frame){
			.version = (uint8_t)vec_num(&v, "frame_version"),
			.size = nympkt_size_of(len),
			.rotation = (uint8_t)vec_num(&v, "rotation"),
		};
		w = (struct wbuf){ bytes, sizeof(bytes) };
		assert_int_equal(nympkt_put_frame(&w, &f), SW_OK);
		assert_int_equal(wire_put_bytes(&w, pkt, len), SW_OK);
		n = sizeof(bytes) - w.left;
		prim_sha256(sum, bytes, n);
		vec_bytes(&v, "frame_sha256", want, sizeof(want));
		assert_memory_equal(sum, want, 32);
		for (size_t cut = 0; cut < n; cut += 1 + cut / 3) {
			r = (struct rbuf){ bytes, cut };
			assert_int_equal(nympkt_get_frame(&r, &got, &inside,
			    &inside_len), SW_AGAIN);
			assert_int_equal(r.left, cut);
		}
		r = (struct rbuf){ bytes, n + 1 };
		assert_int_equal(nympkt_get_frame(&r, &got, &inside,
		    &inside_len), SW_OK);
		assert_int_equal(r.left, 1);
		assert_int_equal(inside_len, len);
		assert_memory_equal(inside, pkt, len);
		assert_int_equal(got.rotation, labelled ? f.rotation : 0);

		w = (struct wbuf){ bytes, sizeof(bytes) };
		assert_int_equal(nympkt_put_mix(&w, labelled, f.rotation,
		    &first), SW_OK);
		assert_int_equal(wire_put_bytes(&w, pkt, len), SW_OK);
		n = sizeof(bytes) - w.left;
		prim_sha256(sum, bytes, n);
		vec_bytes(&v, "mix_sha256", want, sizeof(want));
		assert_memory_equal(sum, want, 32);
		assert_int_equal(nympkt_get_mix(bytes, n, labelled, &rotation,
		    &addr, &inside, &inside_len), SW_OK);
		assert_memory_equal(&addr, &first, sizeof(addr));
		assert_memory_equal(inside, pkt, len);
		assert_int_equal(nympkt_get_mix(bytes, n - 1, labelled,
		    &rotation, &addr, &inside, &inside_len), SW_ERR_FORMAT);
		count++;
	}
	vec_close(&v);
	assert_int_equal(count, 18);
}

static void
nonsense_frames_are_refused_at_the_first_wrong_byte(void **state)
{
	static const uint8_t bad[][4] = {
		{ 6 }, { 9 }, { 7, 0 }, { 7, 6 }, { 8, 1, 1 }, { 8, 1, 2 },
		{ 8, 1, 0, 3 },
	};
	static const size_t bad_len[] = { 1, 1, 2, 2, 3, 3, 4 };
	struct nympkt_frame f;
	const uint8_t *pkt;
	struct rbuf r;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(bad_len) / sizeof(*bad_len); i++) {
		r = (struct rbuf){ bad[i], bad_len[i] };
		assert_int_equal(nympkt_get_frame(&r, &f, &pkt, &n),
		    SW_ERR_FORMAT);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_read_and_write_as_the_crates_do),
		cmocka_unit_test(bad_recipients_are_refused),
		cmocka_unit_test(
		    repliable_messages_of_the_crate_are_read_and_rewritten),
		cmocka_unit_test(
		    replies_and_requests_of_the_crate_are_read_and_rewritten),
		cmocka_unit_test(frames_are_those_of_the_crates),
		cmocka_unit_test(
		    nonsense_frames_are_refused_at_the_first_wrong_byte),
	};

	return cmocka_run_group_tests(tests, unit_prim_init, NULL);
}
