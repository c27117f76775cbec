/* Acks, sealed packets and replies against those of the nym-* crates. */
#include "tests/rig/unit.h"

#include <string.h>

#include "mix/ack.h"
#include "mix/frag.h"
#include "mix/nymaddr.h"
#include "mix/nymmsg.h"
#include "mix/nympkt.h"
#include "mix/nymseal.h"
#include "mix/prim.h"
#include "mix/surb.h"
#include "tests/rig/crate_client.h"
#include "tests/unit/vec.h"

static void
hop_secret(uint8_t sk[32], size_t hop)
{
	memset(sk, (int)hop, 32);
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

/* The ack inside a packet comes back to the client and names the fragment. */
static void
check_ack(const uint8_t *plain, const struct vec *v)
{
	uint8_t pkt[NYMPKT_ACK_LEN], key[ACK_KEY_LEN], want[5], got[5];
	struct recipient client = crate_client();
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
	assert_true(vec_next_kind(&v, "sealed"));
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
	struct recipient client = crate_client();
	struct sphinx_hop_info info;
	struct reply_surb s;
	struct vec v;
	size_t n;

	(void)state;
	vec_open(&v, "packets.txt");
	assert_true(vec_next_kind(&v, "reply"));
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sealed_packets_of_the_crate_open),
		cmocka_unit_test(
		    replies_by_the_crates_surb_are_rebuilt_and_open),
		cmocka_unit_test(labels_follow_the_rotation_id),
		cmocka_unit_test(end_to_end_keys_agree),
	};

	return cmocka_run_group_tests(tests, unit_prim_init, NULL);
}
