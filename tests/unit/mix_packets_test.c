/* Fragments, acks, sealed packets, messages, addresses and frames against
 * those of the nym-* crates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "mix/ack.h"
#include "mix/frag.h"
#include "mix/nymaddr.h"
#include "mix/nymmsg.h"
#include "mix/nympkt.h"
#include "mix/nymseal.h"
#include "mix/prim.h"
#include "mix/reasm.h"
#include "mix/surb.h"
#include "tests/unit/vec.h"

#define MAX_BYTES 40000

static void
pattern(uint8_t *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		m[i] = (uint8_t)(31 * i + 7);
}

static void
hop_secret(uint8_t sk[32], size_t hop)
{
	memset(sk, (int)hop, 32);
}

static void
x_public(uint8_t pk[32], int byte)
{
	uint8_t sk[32];

	memset(sk, byte, 32);
	prim_x25519_base(pk, sk);
}

static void
ed_public(uint8_t pk[32], int byte)
{
	uint8_t seed[32];

	memset(seed, byte, 32);
	prim_ed25519_public(pk, seed);
}

static struct recipient
vector_client(void)
{
	struct recipient r;

	ed_public(r.identity, 0x61);
	x_public(r.encryption, 0x62);
	ed_public(r.gateway, 0x44);
	return r;
}

/* Is there a next record of this kind? */
static bool
next_kind(struct vec *v, const char *kind)
{
	while (vec_next(v))
		if (strcmp(vec_text(v, "kind"), kind) == 0)
			return true;
	return false;
}

/* Unwrap at nodes 1 to 4; the message points into pkt. */
static struct sphinx_hop_info
unwrap_all(uint8_t *pkt, size_t len)
{
	struct sphinx_hop_info info = { 0 };
	struct sphinx_keys k;
	struct sw_addr next;
	uint8_t sk[32];

	for (size_t hop = 1; hop <= 4; hop++) {
		hop_secret(sk, hop);
		assert_int_equal(sphinx_open(&k, pkt, len, sk), SW_OK);
		assert_int_equal(sphinx_peel(&k, pkt, len, &info), SW_OK);
		assert_int_equal(info.version, SPHINX_V259);
		assert_int_equal(info.final, hop == 4);
		if (info.final)
			break;
		assert_int_equal(nymaddr_get_padded(info.next, 32, &next),
		    SW_OK);
		assert_int_equal(next.port, 1789);
		assert_int_equal(next.ip[15], hop + 1);
	}
	return info;
}

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

		pattern(msg, n);
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
addresses_read_and_write_as_the_crates_do(void **state)
{
	char text_got[RECIPIENT_TEXT_LEN];
	uint8_t bytes[96], got[96];
	struct recipient r, want = vector_client();
	struct sw_addr a;
	struct wbuf w;
	struct vec v;
	size_t n;

	(void)state;
	vec_open(&v, "packets.txt");
	assert_true(next_kind(&v, "recipient"));
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
		assert_true(next_kind(&v, "node"));
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

/* The ack inside a packet comes back to the client and names the fragment. */
static void
check_ack(const uint8_t *plain, const struct vec *v)
{
	uint8_t pkt[NYMPKT_ACK_LEN], key[ACK_KEY_LEN], want[5], got[5];
	struct recipient client = vector_client();
	struct sphinx_hop_info info;
	const uint8_t *inside;
	struct sw_addr first;
	struct frag_id id;

	assert_int_equal(ack_get(plain, &first, &inside), SW_OK);
	assert_int_equal(first.ip[15], 1);
	memcpy(pkt, inside, sizeof(pkt));
	info = unwrap_all(pkt, sizeof(pkt));
	assert_memory_equal(info.dest, client.identity, 32);
	assert_int_equal(info.msg_len, NYMPKT_ACK_PLAIN_LEN);
	memset(key, 0x63, sizeof(key));
	assert_int_equal(ack_open(&id, info.msg, key), SW_OK);
	vec_bytes(v, "id", want, sizeof(want));
	frag_put_id(got, &id);
	assert_memory_equal(got, want, 5);
}

static void
sealed_packets_of_the_crate_open(void **state)
{
	uint8_t plain[2048], want[1611], sk[32];
	size_t n;
	struct vec v;

	(void)state;
	vec_open(&v, "packets.txt");
	assert_true(next_kind(&v, "sealed"));
	assert_int_equal(vec_bytes(&v, "bytes", plain, sizeof(plain)), 2048);
	check_ack(plain, &v);
	memset(sk, 0x72, sizeof(sk));
	assert_int_equal(nymseal_open(plain + ACK_LEN, 2048 - ACK_LEN, NULL,
	    sk), SW_OK);
	n = vec_bytes(&v, "fragment", want, sizeof(want));
	assert_int_equal(n, 1611);
	assert_memory_equal(plain + NYMSEAL_OVERHEAD, want, n);
	vec_close(&v);
}

static void
replies_by_the_crates_surb_are_rebuilt_and_open(void **state)
{
	uint8_t bytes[2048], plain[2048], pkt[2413], want[2413], sk[32];
	uint8_t surb[REPLY_SURB_LEN(4)];
	struct nymmsg m = { .n_surbs = 1, .surb_len = sizeof(surb) };
	struct recipient client = vector_client();
	struct sphinx_hop_info info;
	struct reply_surb s;
	struct vec v;
	size_t n;

	(void)state;
	vec_open(&v, "packets.txt");
	assert_true(next_kind(&v, "reply"));
	assert_int_equal(vec_bytes(&v, "surb", surb, sizeof(surb)), 460);
	m.surbs = surb;
	assert_int_equal(nymmsg_get_surb(&m, 0, &s), SW_OK);

	assert_int_equal(vec_bytes(&v, "bytes", bytes, sizeof(bytes)), 2048);
	check_ack(bytes, &v);
	memcpy(plain, bytes, ACK_LEN);
	n = vec_bytes(&v, "fragment", plain + NYMSEAL_OVERHEAD, 1611);
	nymseal_put_reply(plain + ACK_LEN, n, s.key);
	assert_memory_equal(plain, bytes, sizeof(plain));

	assert_int_equal(surb_use(&s.surb, pkt, sizeof(pkt), plain,
	    sizeof(plain)), SW_OK);
	vec_bytes(&v, "packet", want, sizeof(want));
	assert_memory_equal(pkt, want, sizeof(pkt));
	assert_int_equal(vec_bytes(&v, "first", want, sizeof(want)), 7);
	assert_memory_equal(s.surb.first, want, 7);

	info = unwrap_all(pkt, sizeof(pkt));
	assert_memory_equal(info.dest, client.identity, 32);
	assert_int_equal(info.msg_len, 2048);
	memcpy(plain, info.msg, 2048);
	memset(sk, 0x62, sizeof(sk));
	assert_int_equal(nymseal_open(plain + ACK_LEN, 2048 - ACK_LEN, s.key,
	    sk), SW_OK);
	n = vec_bytes(&v, "fragment", want, sizeof(want));
	assert_memory_equal(plain + NYMSEAL_OVERHEAD, want, n);
	vec_close(&v);
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
	while (next_kind(&v, "repliable")) {
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
			pattern(want, m.data_len);
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
	struct recipient client = vector_client();
	struct nymmsg m;
	struct wbuf w;
	struct vec v;
	size_t n;

	(void)state;
	pattern(want, sizeof(want));
	vec_open(&v, "packets.txt");
	assert_true(next_kind(&v, "reply_data"));
	n = vec_bytes(&v, "bytes", bytes, sizeof(bytes));
	assert_int_equal(nymmsg_get(&m, bytes, n), SW_OK);
	assert_int_equal(m.kind, NYMMSG_REPLY);
	assert_int_equal(m.data_len, 50);
	assert_memory_equal(m.data, want, 50);
	w = (struct wbuf){ again, sizeof(again) };
	assert_int_equal(nymmsg_put_head(&w, NYMMSG_REPLY), SW_OK);
	assert_memory_equal(again, bytes, sizeof(again) - w.left);
	assert_int_equal(nymmsg_get(&m, bytes, 2), SW_ERR_FORMAT);

	assert_true(next_kind(&v, "surb_request"));
	n = vec_bytes(&v, "bytes", bytes, sizeof(bytes));
	assert_int_equal(nymmsg_get(&m, bytes, n), SW_OK);
	assert_int_equal(m.kind, NYMMSG_SURB_REQUEST);
	assert_int_equal(m.amount, 50);
	assert_memory_equal(&m.from, &client, sizeof(client));
	w = (struct wbuf){ again, sizeof(again) };
	assert_int_equal(nymmsg_put_surb_request(&w, &client, 50), SW_OK);
	assert_int_equal(sizeof(again) - w.left, n);
	assert_memory_equal(again, bytes, n);

	assert_true(next_kind(&v, "plain"));
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
	while (next_kind(&v, "frame")) {
		size_t len = vec_num(&v, "packet_len");
		bool labelled = vec_num(&v, "frame_version") == 8;

		pattern(pkt, len);
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

static void
labels_follow_the_rotation_id(void **state)
{
	(void)state;
	assert_int_equal(nympkt_rotation_of(0), 0);
	assert_int_equal(nympkt_rotation_of(UINT32_MAX), 0);
	assert_int_equal(nympkt_rotation_of(1), 1);
	assert_int_equal(nympkt_rotation_of(2), 2);
	assert_int_equal(nympkt_rotation_of(461), 1);
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

static void
end_to_end_keys_agree(void **state)
{
	uint8_t ours[32], theirs[32], pub[32], key[16], want[32];

	(void)state;
	memset(ours, 0x55, 32);
	memset(theirs, 0x66, 32);
	prim_x25519_base(pub, theirs);
	assert_int_equal(nymseal_key(key, ours, pub), SW_OK);
	vec_hex("3629133994661b4d03a14be59f10e156", want, 16);
	assert_memory_equal(key, want, 16);
	for (int i = 0; i < 16; i++)
		key[i] = (uint8_t)i;
	surb_digest(pub, key);
	vec_hex("a6a492965517a830cb75fdb713465aa465f2f098233896fea44c1d98268bf9"
	    "e3", want, 32);
	assert_memory_equal(pub, want, 32);
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
		cmocka_unit_test(fragments_are_cut_and_joined_as_by_the_crate),
		cmocka_unit_test(addresses_read_and_write_as_the_crates_do),
		cmocka_unit_test(bad_recipients_are_refused),
		cmocka_unit_test(sealed_packets_of_the_crate_open),
		cmocka_unit_test(
		    replies_by_the_crates_surb_are_rebuilt_and_open),
		cmocka_unit_test(
		    repliable_messages_of_the_crate_are_read_and_rewritten),
		cmocka_unit_test(
		    replies_and_requests_of_the_crate_are_read_and_rewritten),
		cmocka_unit_test(frames_are_those_of_the_crates),
		cmocka_unit_test(
		    nonsense_frames_are_refused_at_the_first_wrong_byte),
		cmocka_unit_test(labels_follow_the_rotation_id),
		cmocka_unit_test(bad_fragment_heads_are_refused),
		cmocka_unit_test(a_set_with_two_totals_is_refused),
		cmocka_unit_test(reassembly_holds_no_more_than_it_may),
		cmocka_unit_test(cover_is_recognised_and_is_no_fragment),
		cmocka_unit_test(end_to_end_keys_agree),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
