#include "tests/rig/unit.h"

#include <errno.h>
#include <string.h>

#include "stack/packet.h"

/* 10.0.0.1:4660 -> 203.0.113.1:80, SYN, sequence number 0x01020304 */
static const uint8_t syn4[] = {
	0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 203, 0, 113, 1,
	0x12, 0x34, 0, 80, 1, 2, 3, 4, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff,
	0, 0, 0, 0,
};

static size_t
syn6(uint8_t out[60])
{
	memset(out, 0, 60);
	out[0] = 0x60;
	out[5] = 20;
	out[6] = 6;
	out[7] = 64;
	out[8] = 0xfd;
	out[23] = 1;
	out[24] = 0x20;
	out[39] = 7;
	memcpy(out + 40, syn4 + 20, 20);
	return 60;
}

/* The checksum of a whole TCP or ICMP packet with its pseudo header is 0. */
static uint16_t
checksum(const uint8_t *p, size_t n)
{
	bool v6 = p[0] >> 4 == 6;
	uint8_t proto = v6 ? p[6] : p[9];
	size_t hlen = v6 ? 40 : 20, addr = v6 ? 8 : 12;
	uint32_t sum = 0;

	if (proto != PACKET_ICMP)
		sum += (uint32_t)(proto + (n - hlen));
	for (size_t i = proto == PACKET_ICMP ? hlen : addr; i < n; i++)
		if (i >= hlen || i < addr + (v6 ? 32 : 8))
			sum += (uint32_t)p[i] << (i % 2 == 0 ? 8 : 0);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void
parses_a_syn(void **state)
{
	struct packet p;
	uint8_t six[60];

	(void)state;
	assert_int_equal(packet_len(syn4, sizeof(syn4)), 40);
	assert_int_equal(packet_parse(&p, syn4, sizeof(syn4)), SW_OK);
	assert_int_equal(p.proto, PACKET_TCP);
	assert_int_equal(p.src.port, 0x1234);
	assert_int_equal(p.dst.port, 80);
	assert_int_equal(p.tcp_flags, PACKET_SYN);
	assert_int_equal(p.seq, 0x01020304);
	assert_true(addr_is_v4(&p.src));
	assert_int_equal(packet_parse(&p, six, syn6(six)), SW_OK);
	assert_int_equal(p.dst.port, 80);
	assert_false(addr_is_v4(&p.dst));
}

static void
refuses_every_truncation(void **state)
{
	struct packet p;

	(void)state;
	for (size_t n = 0; n < sizeof(syn4); n++) {
		assert_int_equal(packet_len(syn4, n), 0);
		assert_int_not_equal(packet_parse(&p, syn4, n), SW_OK);
	}
}

static void
refuses_other_versions(void **state)
{
	uint8_t bad[sizeof(syn4)];
	struct packet p;

	(void)state;
	memcpy(bad, syn4, sizeof(bad));
	bad[0] = 0x55;
	assert_int_equal(packet_len(bad, sizeof(bad)), 0);
	assert_int_equal(packet_parse(&p, bad, sizeof(bad)), SW_ERR_FORMAT);
	bad[0] = 0x44;				/* header of 16 bytes */
	assert_int_equal(packet_parse(&p, bad, sizeof(bad)), SW_ERR_FORMAT);
}

static void
a_later_fragment_has_no_ports(void **state)
{
	uint8_t frag[sizeof(syn4)];
	struct packet p;

	(void)state;
	memcpy(frag, syn4, sizeof(frag));
	frag[7] = 5;
	assert_int_equal(packet_parse(&p, frag, sizeof(frag)), SW_OK);
	assert_true(p.fragment);
	assert_int_equal(p.proto, 0);
	assert_int_equal(p.src.port, 0);
}

static void
an_acknowledgement_ends_a_handshake(void **state)
{
	uint8_t out[PACKET_ACK_LEN], six[60];
	struct packet in, ack;
	size_t n;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		assert_int_equal(packet_parse(&in, v6 ? six : syn4,
		    v6 ? syn6(six) : 40), SW_OK);
		n = packet_make_ack(out, &in, 0xfffffffe, 0x1234);
		assert_int_equal(n, v6 ? 60 : 40);
		assert_int_equal(checksum(out, n), 0);
		assert_int_equal(packet_parse(&ack, out, n), SW_OK);
		assert_int_equal(ack.tcp_flags, PACKET_ACK);
		assert_int_equal(ack.seq, 0x01020305);
		assert_int_equal(ack.ack, 0xfffffffe);
		assert_int_equal(ack.body[14] << 8 | ack.body[15], 0x1234);
		assert_int_equal(ack.dst.port, 80);
		assert_true(addr_same_ip(&ack.src, &in.src));
	}
}

static void
a_reset_answers_a_syn(void **state)
{
	uint8_t out[PACKET_RST_LEN], six[60];
	struct packet in, rst;
	size_t n;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		const uint8_t *p = v6 ? six : syn4;

		assert_int_equal(packet_parse(&in, p, v6 ? syn6(six) : 40),
		    SW_OK);
		n = packet_make_rst(out, &in);
		assert_int_equal(n, v6 ? 60 : 40);
		assert_int_equal(checksum(out, n), 0);
		assert_int_equal(packet_parse(&rst, out, n), SW_OK);
		assert_int_equal(rst.tcp_flags, PACKET_RST | PACKET_ACK);
		assert_int_equal(rst.ack, 0x01020305);
		assert_int_equal(rst.src.port, 80);
		assert_true(addr_same_ip(&rst.dst, &in.src));
		/* ... and is not answered itself. */
		assert_int_equal(packet_make_rst(out, &rst), 0);
	}
}

static void
errors_go_there_and_back(void **state)
{
	static const struct {
		int code, err;
	} cases[] = {
		{ SW_ERR_REFUSED, ECONNREFUSED },
		{ SW_ERR_UNREACH_HOST, EHOSTUNREACH },
		{ SW_ERR_UNREACH_NET, ENETUNREACH },
		{ SW_ERR_NO_NAME, EHOSTUNREACH }, { SW_ERR_DENIED, EACCES },
		{ SW_ERR_TIMEOUT, ETIMEDOUT }, { SW_ERR_DOWN, ENETUNREACH },
	};
	uint8_t out[PACKET_ICMP_LEN], again[PACKET_ICMP_LEN], six[60];
	struct packet head, quoted;

	(void)state;
	for (size_t i = 0; i < 14; i++) {
		bool v6 = i % 2 == 1;
		size_t h = v6 ? 40 : 20;
		size_t n = packet_make_error(out, v6 ? six : syn4,
		    v6 ? syn6(six) : 40, cases[i / 2].code);

		assert_int_equal(packet_len(out, n), n);
		assert_int_equal(checksum(out, n), 0);
		assert_int_equal(packet_parse(&head, out, n), SW_OK);
		assert_int_equal(packet_icmp_errno(v6, out[h], out[h + 1]),
		    cases[i / 2].err);
		assert_int_equal(packet_parse_quoted(&quoted, out + h + 8,
		    n - h - 8), SW_OK);
		assert_int_equal(quoted.src.port, 0x1234);
		assert_true(addr_same_ip(&quoted.src, &head.dst));
		/* Errors about errors are not sent. */
		assert_int_equal(packet_make_error(again, out, n,
		    SW_ERR_REFUSED), 0);
	}
}

static void
a_datagram_error_needs_only_addresses(void **state)
{
	struct sw_addr src = addr_v4(0x0a000001, 1000);
	struct sw_addr dst = addr_v4(0xcb007101, 53);
	uint8_t out[PACKET_ICMP_LEN];
	struct packet quoted;
	size_t n;

	(void)state;
	n = packet_make_udp_error(out, &src, &dst, SW_ERR_REFUSED);
	assert_int_equal(packet_parse_quoted(&quoted, out + 28, n - 28),
	    SW_OK);
	assert_int_equal(quoted.proto, PACKET_UDP);
	assert_int_equal(quoted.src.port, 1000);
	assert_int_equal(quoted.dst.port, 53);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_a_syn),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(refuses_other_versions),
		cmocka_unit_test(a_later_fragment_has_no_ports),
		cmocka_unit_test(an_acknowledgement_ends_a_handshake),
		cmocka_unit_test(a_reset_answers_a_syn),
		cmocka_unit_test(errors_go_there_and_back),
		cmocka_unit_test(a_datagram_error_needs_only_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
