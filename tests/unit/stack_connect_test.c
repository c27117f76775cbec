/* Streams through owner, link and splice: how they begin. */
#include "tests/unit/stack_rig.h"

static void
connects_echoes_and_ends(void **state)
{
	int fd = rig_connect(7);

	(void)state;
	rig_write_all(fd, 0, 5);
	rig_read_all(fd, 0, 5);
	rig_write_all(fd, 5, 300000);
	rig_read_all(fd, 5, 300000);
	shutdown(fd, SHUT_WR);
	rig_until((rig_poll(fd) & POLLHUP) != 0);
	assert_int_equal(recv(fd, (char[1]){ 0 }, 1, MSG_DONTWAIT), 0);
	rig_until(owner_count_flows(rig.owner) == 0);
	assert_int_equal(splice_count_flows(rig.splice), 0);
	assert_int_equal(rig_state(fd, false).error, 0);
	close(fd);
}

static void
connects_without_filler(void **state)
{
	int fd = rig_socket(false);

	(void)state;
	rig_connect_addr(fd, rig_dst(7), false);
	rig_write_all(fd, 0, 1000);
	rig_read_all(fd, 0, 1000);
	close(fd);
	rig_until(owner_count_flows(rig.owner) == 0);
	rig_until(splice_count_flows(rig.splice) == 0);
}

static void
connects_over_ipv6(void **state)
{
	int fd = rig_socket(false);
	struct sw_addr to;

	(void)state;
	assert_int_equal(addr_parse_ip(&to, "2001:db8::7"), SW_OK);
	to.port = 7;
	rig_connect_addr(fd, to, true);
	rig_until(rig_poll(fd) == POLLOUT);
	rig_write_all(fd, 0, 100000);
	rig_read_all(fd, 0, 100000);
	close(fd);
	rig_until(owner_count_flows(rig.owner) == 0);
}

/* A SYN is all that an owner says until there is something to say; and what
 * the splice took as acknowledged is not sent again. */
static void
a_handshake_has_two_packets(void **state)
{
	int fd;

	(void)state;
	rig.source_bytes = 100000;
	fd = rig_connect(19);
	rig_read_all(fd, 0, 1);
	assert_int_equal(rig.frames, 1);
	rig_read_all(fd, 1, 99999);
	rig.source_bytes = 0;
	close(fd);
	rig_until(owner_count_flows(rig.owner) == 0);
}

static void
one_that_is_no_splice_hears_all_three(void **state)
{
	int fd;

	(void)state;
	rig.config.flags &= (uint16_t)~LINK_SPLICED;
	rig_send_config();
	rig_turns(5);
	fd = rig_connect(7);
	rig_until(rig.frames == 2);
	close(fd);
	rig_until(owner_count_flows(rig.owner) == 0);
}

static void
errors_come_through(void **state)
{
	static const struct {
		uint16_t port;
		int err;
	} cases[] = {
		{ 1, ECONNREFUSED }, { 2, EHOSTUNREACH }, { 3, ENETUNREACH },
		{ 4, ETIMEDOUT }, { 5, EACCES }, { 0, ECONNREFUSED },
	};
	char c;

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		int fd = rig_socket(false);
		struct owner_state s;

		rig_connect_addr(fd, rig_dst(cases[i].port), true);
		rig_until((rig_poll(fd) & POLLHUP) != 0);
		assert_int_equal(rig_poll(fd), POLLIN | POLLOUT | POLLERR |
		    POLLHUP | POLLRDHUP);
		assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
		assert_int_equal(errno, ECONNRESET);
		s = rig_state(fd, true);
		assert_int_equal(s.state, OWNER_FAILED);
		assert_int_equal(s.error, cases[i].err);
		assert_int_equal(rig_state(fd, false).error, 0);
		close(fd);
	}
	assert_int_equal(splice_count_flows(rig.splice), 0);
	assert_int_equal(owner_count_flows(rig.owner), 0);
}

/* The news of its beginning and of its end reach the splice together. */
static void
a_stream_that_ends_at_once_was_open(void **state)
{
	char c;

	(void)state;
	for (uint16_t port = 11; port <= 12; port++) {
		int fd = rig_socket(false);
		ssize_t n;

		rig_connect_addr(fd, rig_dst(port), true);
		rig_until((rig_poll(fd) & POLLRDHUP) != 0);
		assert_int_not_equal(rig_state(fd, false).state, OWNER_FAILED);
		n = recv(fd, &c, 1, MSG_DONTWAIT);
		assert_int_equal(n, port == 11 ? 0 : -1);
		if (n < 0) {
			assert_int_equal(errno, ECONNRESET);
			assert_int_equal(rig_state(fd, true).error, ECONNRESET);
		}
		close(fd);
		rig_until(owner_count_flows(rig.owner) == 0);
		rig_until(splice_count_flows(rig.splice) == 0);
	}
}

/* Connects to `port` of a host whose address is also known, where `there`
 * answers; the errno, and what the exit was asked for, in order, in got[]. */
static int
dial_both(uint16_t port, uint16_t there, bool alone, uint16_t got[static 2])
{
	struct dial *before = rig.dials;
	int fd = rig_socket(false), error;
	size_t n = 0;

	rig.address = addr_v4(0xc0000201, 0);
	rig.address_port = there;
	rig.address_alone = alone;
	rig_connect_addr(fd, rig_dst(port), true);
	rig_until(rig_poll(fd) != 0);
	error = rig_state(fd, false).error;
	close(fd);
	for (struct dial *d = rig.dials; d != before; d = d->next)
		n++;
	assert_in_range(n, 1, 2);
	got[0] = n == 1 ? rig.dials->port : rig.dials->next->port;
	got[1] = n == 1 ? 0 : rig.dials->port;
	return error;
}

static void
an_address_is_dialled_before_its_host(void **state)
{
	static const struct {
		uint16_t host, address;
		bool alone;
		int error;
		uint16_t dialled[2];
	} t[] = {
		{ 7, 9, true, 0, { 9, 0 } },
		{ 7, 1, true, ECONNREFUSED, { 1, 0 } },
		{ 7, 4, true, ETIMEDOUT, { 4, 0 } },
		{ 7, 2, true, 0, { 2, 7 } },
		{ 7, 3, true, 0, { 3, 7 } },
		{ 3, 2, true, ENETUNREACH, { 2, 3 } },
		/* The host may have another that answers. */
		{ 7, 9, false, 0, { 9, 0 } },
		{ 7, 1, false, 0, { 1, 7 } },
		{ 7, 4, false, 0, { 4, 7 } },
		{ 1, 1, false, ECONNREFUSED, { 1, 1 } },
		/* Addresses may not be dialled: not tried again. */
		{ 7, 5, true, 0, { 5, 7 } },
		{ 7, 9, true, 0, { 7, 0 } },
	};
	uint16_t got[2];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(dial_both(t[i].host, t[i].address, t[i].alone,
		    got), t[i].error);
		assert_int_equal(got[0], t[i].dialled[0]);
		assert_int_equal(got[1], t[i].dialled[1]);
	}
	rig_until(owner_count_flows(rig.owner) == 0);
}

static void
a_tunnel_that_is_down_is_unreachable(void **state)
{
	struct link_control down = { .op = LINK_TUNNEL, .arg = 0 };
	int fd = rig_socket(false);

	(void)state;
	rig_turns(5);
	assert_int_equal(link_send_control(rig.link, &down, NULL, -1), SW_OK);
	rig_turns(5);
	rig_connect_addr(fd, rig_dst(7), true);
	rig_until((rig_poll(fd) & POLLHUP) != 0);
	assert_int_equal(rig_state(fd, true).error, ENETUNREACH);
	close(fd);
}

static void
multicast_is_unreachable(void **state)
{
	int fd = rig_socket(false);

	(void)state;
	rig_connect_addr(fd, addr_v4(0xe0000001, 7), true);
	rig_until((rig_poll(fd) & POLLHUP) != 0);
	assert_int_equal(rig_state(fd, true).error, ENETUNREACH);
	close(fd);
}

static void
a_pending_connect_is_not_writable(void **state)
{
	int fd = rig_socket(false);

	(void)state;
	rig_connect_addr(fd, rig_dst(6), true);
	rig_until(rig.dials != NULL);
	rig_turns(20);
	assert_int_equal(rig_poll(fd), 0);
	assert_int_equal(rig_state(fd, false).state, OWNER_CONNECTING);
	close(fd);			/* the program gives up */
	rig_until(rig.dials->aborted);
	rig_until(owner_count_flows(rig.owner) == 0);
}

static void
names_its_addresses(void **state)
{
	int fd = rig_connect(7);
	struct owner_state s = rig_state(fd, false);

	(void)state;
	assert_int_equal(s.state, OWNER_CONNECTED);
	assert_true(addr_same_ip(&s.local, &rig.config.inner4));
	assert_in_range(s.local.port, 20000, 29999);
	assert_int_equal(s.peer.port, 7);
	assert_true(s.mss > 60000);
	close(fd);
}

static void
binds_and_refuses_a_port_in_use(void **state)
{
	int a = rig_socket(false), b = rig_socket(false);
	struct owner_msg m = { .op = OWNER_BIND, .addr = addr_v4(0, 8080) };
	struct sw_addr got;

	(void)state;
	m.cookie = rig_cookie(a);
	assert_int_equal(rig_ask(&m, NULL, NULL, 0, &got), 0);
	assert_int_equal(got.port, 8080);
	m.cookie = rig_cookie(b);
	m.flags = 0;
	assert_int_equal(rig_ask(&m, NULL, NULL, 0, NULL), EADDRINUSE);
	rig_connect_addr(a, rig_dst(7), true);
	rig_until(rig_poll(a) == POLLOUT);
	assert_int_equal(rig_state(a, false).local.port, 8080);
	close(a);
	close(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(connects_echoes_and_ends),
		RIG_TEST(connects_without_filler),
		RIG_TEST(connects_over_ipv6),
		RIG_TEST(a_handshake_has_two_packets),
		RIG_TEST(one_that_is_no_splice_hears_all_three),
		RIG_TEST(errors_come_through),
		RIG_TEST(a_stream_that_ends_at_once_was_open),
		RIG_TEST(an_address_is_dialled_before_its_host),
		RIG_TEST(a_tunnel_that_is_down_is_unreachable),
		RIG_TEST(multicast_is_unreachable),
		RIG_TEST(a_pending_connect_is_not_writable),
		RIG_TEST(names_its_addresses),
		RIG_TEST(binds_and_refuses_a_port_in_use),
	};

	if (getenv("CMOCKA_TEST_FILTER") != NULL)
		cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
	if (getenv("LOG") != NULL)
		log_open(2, LOG_LEVEL_DEBUG, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
