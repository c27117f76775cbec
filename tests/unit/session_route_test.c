/* Packets of many owners at one address pair: ports and whose a packet is. */
#include "tests/rig/unit.h"

#include <stdlib.h>
#include <string.h>

#include "preload/session_ports.h"
#include "preload/session_route.h"
#include "stack/packet.h"

/* ---- ports ---- */

static struct ports *
ports_new(void)
{
	struct ports *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	return p;
}

static void
blocks_are_disjoint_and_go_round(void **state)
{
	struct ports *p = ports_new();
	uint16_t lo[3], hi[3], again_lo, again_hi;
	int user[4];

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(ports_give(p, &user[i], &lo[i], &hi[i]), SW_OK);
	for (int i = 0; i < 3; i++) {
		assert_true(lo[i] >= PORTS_FIRST);
		assert_int_equal(hi[i] - lo[i] + 1, PORTS_BLOCK_MAX);
		assert_ptr_equal(ports_user(p, lo[i]), &user[i]);
		assert_ptr_equal(ports_user(p, hi[i]), &user[i]);
	}
	assert_true(hi[0] < lo[1] && hi[1] < lo[2]);
	ports_take_back(p, &user[0], lo[0], hi[0]);
	assert_null(ports_user(p, lo[0]));
	assert_int_equal(ports_give(p, &user[3], &again_lo, &again_hi), SW_OK);
	assert_true(again_lo > hi[2]);	/* not the one that was just freed */
	free(p);
}

static void
many_owners_get_smaller_blocks_until_there_are_none(void **state)
{
	static char user[4096];
	static uint16_t lo[4096], hi[4096];
	struct ports *p = ports_new();
	size_t n = 0, total = 0;

	(void)state;
	while (n < 4096 && ports_give(p, &user[n], &lo[n], &hi[n]) == SW_OK) {
		total += (size_t)(hi[n] - lo[n]) + 1;
		n++;
	}
	assert_true(n > 120 && n < 4096);
	assert_int_equal(total, 65536 - PORTS_FIRST);
	assert_int_equal(hi[n - 1] - lo[n - 1] + 1, PORTS_GRANULE);
	ports_take_back(p, &user[7], lo[7], hi[7]);
	assert_int_equal(ports_give(p, &user[7], &lo[7], &hi[7]), SW_OK);
	free(p);
}

static void
a_port_asked_for_by_number_has_one_owner(void **state)
{
	struct ports *p = ports_new();
	int a, b;
	uint16_t lo, hi;

	(void)state;
	assert_int_equal(ports_give(p, &a, &lo, &hi), SW_OK);
	assert_true(ports_claim(p, &b, 53));
	assert_true(ports_claim(p, &b, 53));
	assert_false(ports_claim(p, &a, 53));
	assert_false(ports_claim(p, &b, lo));
	assert_true(ports_claim(p, &a, lo));
	assert_false(ports_claim(p, &a, 0));
	free(p);
}

/* ---- routes ---- */

static struct sw_addr
ip(const char *text, uint16_t port)
{
	struct sw_addr a;

	assert_int_equal(addr_parse_ip(&a, text), SW_OK);
	a.port = port;
	return a;
}

struct heard {
	size_t n;
	uint16_t port[8];
	uint8_t last[8];		/* byte of each packet's end */
};

static void
deliver(void *arg, uint16_t port, const uint8_t *p, size_t len)
{
	struct heard *h = arg;

	assert_true(h->n < 8);
	h->port[h->n] = port;
	h->last[h->n++] = p[len - 1];
}

/* An IPv4 UDP datagram or a piece of one: `at` in bytes. */
static size_t
piece4(uint8_t *p, uint16_t id, size_t at, bool more, uint8_t mark)
{
	memset(p, 0, 36);
	p[0] = 0x45;
	p[3] = 36;
	p[4] = (uint8_t)(id >> 8);
	p[5] = (uint8_t)id;
	p[6] = (uint8_t)((more ? 0x20 : 0) | (at / 8) >> 8);
	p[7] = (uint8_t)(at / 8);
	p[8] = 64;
	p[9] = PACKET_UDP;
	memcpy(p + 12, "\x0a\0\0\x05\xcb\0\x71\x07", 8);
	if (at == 0)
		memcpy(p + 20, "\x13\x88\x9c\x40", 4);	/* 5000 -> 40000 */
	p[35] = mark;
	return 36;
}

static uint16_t
header_sum(const uint8_t *p)
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void
pieces_of_two_owners_get_different_numbers(void **state)
{
	struct route_source a = { .valid = false }, b = { .valid = false };
	uint8_t p[2][64], q[2][64];
	uint32_t next = 700;
	uint16_t port;

	(void)state;
	piece4(p[0], 1, 0, true, 1);
	piece4(p[1], 1, 16, false, 2);
	piece4(q[0], 1, 0, true, 3);
	piece4(q[1], 1, 16, false, 4);
	assert_int_equal(route_source(&a, p[0], 36, &next, &port), SW_OK);
	assert_int_equal(port, 5000);
	assert_int_equal(route_source(&b, q[0], 36, &next, &port), SW_OK);
	assert_int_equal(route_source(&a, p[1], 36, &next, &port), SW_OK);
	assert_int_equal(port, 5000);
	assert_int_equal(route_source(&b, q[1], 36, &next, &port), SW_OK);
	assert_memory_equal(p[0] + 4, p[1] + 4, 2);
	assert_memory_equal(q[0] + 4, q[1] + 4, 2);
	assert_memory_not_equal(p[0] + 4, q[0] + 4, 2);
	assert_int_equal(header_sum(p[0]), 0xffff);
	/* A later piece of nothing: not its to send. */
	piece4(p[0], 9, 16, false, 1);
	assert_int_equal(route_source(&a, p[0], 36, &next, &port),
	    SW_ERR_FORMAT);
}

static void
only_tcp_and_udp_come_from_owners(void **state)
{
	struct route_source s = { .valid = false };
	uint32_t next = 1;
	uint16_t port;
	uint8_t p[64];

	(void)state;
	piece4(p, 1, 0, false, 1);
	assert_int_equal(route_source(&s, p, 36, &next, &port), SW_OK);
	p[9] = PACKET_ICMP;
	assert_int_equal(route_source(&s, p, 36, &next, &port),
	    SW_ERR_UNSUPPORTED);
	assert_int_equal(route_source(&s, p, 12, &next, &port), SW_ERR_FORMAT);
}

static void
pieces_that_overtake_their_first_wait_for_it(void **state)
{
	static struct route r;
	struct heard h = { .n = 0 };
	uint8_t p[64];

	(void)state;
	route_input(&r, p, piece4(p, 5, 16, true, 2), 1000, deliver, &h);
	route_input(&r, p, piece4(p, 5, 32, false, 3), 1000, deliver, &h);
	assert_int_equal(h.n, 0);
	assert_int_equal(r.held_bytes, 72);
	route_input(&r, p, piece4(p, 5, 0, true, 1), 1001, deliver, &h);
	assert_int_equal(h.n, 3);
	assert_int_equal(h.last[0], 1);
	assert_int_equal(h.port[2], 40000);
	assert_int_equal(r.held_bytes, 0);
	/* Its rest, later. */
	route_input(&r, p, piece4(p, 5, 48, false, 4), 1002, deliver, &h);
	assert_int_equal(h.n, 4);
	/* The same number a minute later is another datagram. */
	route_input(&r, p, piece4(p, 5, 16, false, 5), 61000, deliver, &h);
	assert_int_equal(h.n, 4);
	route_wipe(&r);
}

static void
what_waits_is_bounded(void **state)
{
	static struct route r;
	struct heard h = { .n = 0 };
	uint8_t p[64];

	(void)state;
	for (int i = 0; i < 100000; i++)
		route_input(&r, p, piece4(p, (uint16_t)i, 16, true, 2), i,
		    deliver, &h);
	assert_int_equal(h.n, 0);
	assert_true(r.held_bytes <= ROUTE_HELD_MAX);
	route_wipe(&r);
	assert_int_equal(r.held_bytes, 0);
}

static void
errors_go_to_whoever_sent_the_packet(void **state)
{
	static struct route r;
	const struct sw_addr far = ip("203.0.113.7", 443),
	    near4 = ip("10.0.0.5", 41000), near6 = ip("fc00::5", 42000),
	    far6 = ip("2001:db8::7", 443);
	uint8_t out[PACKET_ICMP_LEN];
	struct heard h = { .n = 0 };
	size_t n;

	(void)state;
	n = packet_make_udp_error(out, &near4, &far, SW_ERR_REFUSED);
	assert_true(n > 0);
	route_input(&r, out, n, 1, deliver, &h);
	n = packet_make_udp_error(out, &near6, &far6, SW_ERR_UNREACH_HOST);
	assert_true(n > 0);
	route_input(&r, out, n, 1, deliver, &h);
	assert_int_equal(h.n, 2);
	assert_int_equal(h.port[0], 41000);
	assert_int_equal(h.port[1], 42000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_disjoint_and_go_round),
		cmocka_unit_test(
		    many_owners_get_smaller_blocks_until_there_are_none),
		cmocka_unit_test(a_port_asked_for_by_number_has_one_owner),
		cmocka_unit_test(pieces_of_two_owners_get_different_numbers),
		cmocka_unit_test(only_tcp_and_udp_come_from_owners),
		cmocka_unit_test(pieces_that_overtake_their_first_wait_for_it),
		cmocka_unit_test(what_waits_is_bounded),
		cmocka_unit_test(errors_go_to_whoever_sent_the_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
