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

static void
upload_arrives_whole_and_in_order(void **state)
{
	int fd = rig_connect(9);
	uint64_t sum = 0;

	(void)state;
	rig_write_all(fd, 0, 5000000);
	close(fd);
	rig_until(rig.dials->gone);
	assert_false(rig.dials->aborted);
	assert_int_equal(rig.dials->got, 5000000);
	for (uint64_t i = 0; i < 5000000; i++)
		sum = rig_sum(sum, (uint8_t[]){ rig_byte(i) }, 1);
	assert_true(sum == rig.dials->sum);
	rig_until(owner_count_flows(rig.owner) == 0);
}

/* A look at what waits stops where something is attached to it. */
static void
bytes_with_a_descriptor_arrive_like_others(void **state)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} u = { .room = { 0 } };
	struct iovec iov = { (char[]){ "2" }, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &u, .msg_controllen = sizeof(u) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int fd = rig_connect(7), one = 1;
	char got[4] = "";

	(void)state;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(one));
	memcpy(CMSG_DATA(c), &one, sizeof(one));
	assert_int_equal(send(fd, "1", 1, 0), 1);
	assert_int_equal(sendmsg(fd, &m, 0), 1);
	assert_int_equal(send(fd, "3", 1, 0), 1);
	rig_until(recv(fd, got, 3, MSG_PEEK | MSG_DONTWAIT) == 3);
	assert_string_equal(got, "123");
	close(fd);
	rig_until(owner_count_flows(rig.owner) == 0);
}

static void
download_arrives_whole_then_ends(void **state)
{
	int fd;

	(void)state;
	rig.source_bytes = 5000000;
	fd = rig_connect(19);
	rig_read_all(fd, 0, 5000000);
	rig_until((rig_poll(fd) & POLLRDHUP) != 0);
	assert_int_equal(recv(fd, (char[1]){ 0 }, 1, MSG_DONTWAIT), 0);
	/* Half-closed: our direction still works. */
	rig_write_all(fd, 0, 100);
	rig_until(rig.dials->got == 100);
	close(fd);
	rig_until(rig.dials->gone);
	assert_false(rig.dials->aborted);
	rig_until(owner_count_flows(rig.owner) == 0);
}

/* What the exit lends is whole when it arrives, and given back however the
 * connection ends. */
static void
lent_bytes_are_given_back(void **state)
{
	int fd;

	(void)state;
	rig.lends = true;
	rig.source_bytes = 3000000;
	fd = rig_connect(19);
	rig_read_all(fd, 0, 3000000);
	rig_until((rig_poll(fd) & POLLRDHUP) != 0);
	close(fd);
	rig_until(rig.blocks == 0);
	rig_until(owner_count_flows(rig.owner) == 0);
}

static void
lent_bytes_outlive_the_stream(void **state)
{
	int fd;

	(void)state;
	rig.lends = true;
	rig.source_bytes = 200000;
	fd = rig_connect(19);
	shutdown(fd, SHUT_WR);		/* so that the exit closes at its end */
	rig_until(rig.dials->gone);
	rig_read_all(fd, 0, 200000);
	rig_until((rig_poll(fd) & POLLRDHUP) != 0);
	assert_int_equal(recv(fd, (char[1]){ 0 }, 1, MSG_DONTWAIT), 0);
	close(fd);
	rig_until(rig.blocks == 0);
	rig_until(owner_count_flows(rig.owner) == 0);
}

static void
lent_bytes_come_back_from_a_reset(void **state)
{
	int fd;

	(void)state;
	rig.lends = true;
	rig.source_bytes = 3000000;
	fd = rig_connect(19);
	rig_read_all(fd, 0, 1000);
	assert_int_not_equal(rig.blocks, 0);
	close(fd);			/* with bytes unread */
	rig_until(rig.dials->gone);
	rig_until(rig.blocks == 0);
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

/* Some end while others talk, in an order that no list is in. */
static void
many_flows_are_told_apart(void **state)
{
	enum { FLOWS = 400, ROUNDS = 4000 };
	static int fd[FLOWS];
	uint32_t seed = 1;
	char c;

	(void)state;
	for (int i = 0; i < FLOWS; i++)
		fd[i] = rig_connect(7);
	for (int i = 0; i < ROUNDS; i++) {
		char wanted = (char)i;
		int k;

		seed = seed * 1103515245u + 12345u;
		k = (int)(seed >> 16) % FLOWS;
		assert_int_equal(send(fd[k], &wanted, 1, MSG_NOSIGNAL), 1);
		rig_until(recv(fd[k], &c, 1, MSG_DONTWAIT) == 1);
		assert_int_equal(c, wanted);
		if (i % 5 == 0) {
			if (i % 10 == 0)
				shutdown(fd[k], SHUT_WR);
			close(fd[k]);
			fd[k] = rig_connect(i % 15 == 0 ? 8 : 7);
		}
		/* These are reset by the far side. */
		if (i % 15 == 0) {
			rig_write_all(fd[k], 0, 1000);
			rig_until((rig_poll(fd[k]) & POLLHUP) != 0);
			close(fd[k]);
			fd[k] = rig_connect(7);
		}
	}
	for (int i = 0; i < FLOWS; i++)
		close(fd[i]);
	rig_until(owner_count_flows(rig.owner) == 0);
	rig_until(splice_count_flows(rig.splice) == 0);
}

/* Connects to `port` of a host whose address is also known, where `there`
 * answers; the errno, and what the exit was asked for, in order, in got[]. */
static int
dial_both(uint16_t port, uint16_t there, uint16_t got[static 2])
{
	struct dial *before = rig.dials;
	int fd = rig_socket(false), error;
	size_t n = 0;

	rig.address = addr_v4(0xc0000201, 0);
	rig.address_port = there;
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
		int error;
		uint16_t dialled[2];
	} t[] = {
		{ 7, 9, 0, { 9, 0 } },
		{ 7, 1, ECONNREFUSED, { 1, 0 } },
		{ 7, 4, ETIMEDOUT, { 4, 0 } },
		{ 7, 2, 0, { 2, 7 } },
		{ 7, 3, 0, { 3, 7 } },
		{ 7, 5, 0, { 5, 7 } },
		{ 3, 2, ENETUNREACH, { 2, 3 } },
	};
	uint16_t got[2];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(dial_both(t[i].host, t[i].address, got),
		    t[i].error);
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
a_reset_is_not_an_end(void **state)
{
	int fd = rig_connect(8);
	char buf[2000];

	(void)state;
	rig_write_all(fd, 0, 1000);
	rig_until((rig_poll(fd) & POLLHUP) != 0);
	/* What arrived before it is lost or read, then the error. */
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(rig_state(fd, true).error, ECONNRESET);
	close(fd);
	rig_until(owner_count_flows(rig.owner) == 0);
}

static void
the_owners_death_is_not_an_end(void **state)
{
	int fd = rig_connect(7);
	char c;

	(void)state;
	rig_write_all(fd, 0, 10);
	rig_read_all(fd, 0, 10);
	owner_free(rig.owner);
	rig.owner = NULL;
	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
}

static void
closing_with_unread_data_resets(void **state)
{
	int fd;

	(void)state;
	rig.source_bytes = 100000;
	fd = rig_connect(19);
	rig_until((rig_poll(fd) & POLLIN) != 0);
	close(fd);
	rig_until(rig.dials->aborted);
	rig_until(owner_count_flows(rig.owner) == 0);
}

static void
linger_zero_resets(void **state)
{
	struct linger l = { .l_onoff = 1 };
	int fd = rig_connect(9);
	struct owner_msg m = {
		.op = OWNER_SETOPT, .cookie = rig_cookie(fd),
		.arg = SOL_SOCKET, .arg2 = SO_LINGER, .len = sizeof(l),
	};

	(void)state;
	rig_tell(&m, &l, -1);
	rig_turns(5);
	close(fd);
	rig_until(rig.dials->aborted);
}

static void
shutting_the_reading_side_discards(void **state)
{
	int fd;

	(void)state;
	rig.source_bytes = 3000000;
	fd = rig_connect(19);
	shutdown(fd, SHUT_RD);
	rig_until(rig.dials->sent == 3000000);
	rig_write_all(fd, 0, 10);
	rig_until(rig.dials->got == 10);
	assert_false(rig.dials->gone);
	close(fd);
	rig_until(rig.dials->gone);
}

static void
a_slow_exit_stops_the_program(void **state)
{
	uint8_t buf[65536] = { 0 };
	int fd = rig_connect(10);
	size_t total = 0;
	int quiet = 0;

	(void)state;
	while (quiet < 20) {
		ssize_t n = send(fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n > 0) {
			total += (size_t)n;
			quiet = 0;
		} else {
			quiet++;
			rig_turns(2);
		}
	}
	assert_true(total < 4 * 1024 * 1024);
	assert_int_equal(rig.dials->got, 0);
	rig.open_tap = true;
	rig.dials->ev->writable(rig.dials->arg);
	rig_until(rig.dials->got == total);
	close(fd);
	rig_until(rig.dials->gone);
}

static void
a_slow_program_stops_the_exit(void **state)
{
	uint64_t sent;
	int fd;

	(void)state;
	rig.source_bytes = 20000000;
	fd = rig_connect(19);
	rig_turns(350);			/* past the last delayed ACK */
	sent = rig.dials->sent;
	rig_turns(150);
	assert_int_equal(rig.dials->sent, sent);
	assert_true(sent < 4 * 1024 * 1024);
	rig_read_all(fd, 0, 20000000);
	close(fd);
	rig_until(rig.dials->gone);
}

static void
thousands_of_flows_live_side_by_side(void **state)
{
	enum { N = 400 };
	static int fd[N];

	(void)state;
	for (int i = 0; i < N; i++) {
		fd[i] = rig_socket(false);
		rig_connect_addr(fd[i], rig_dst(7), false);
		if (i % 50 == 0)
			rig_turns(1);
	}
	for (int i = 0; i < N; i++)
		rig_write_all(fd[i], (uint64_t)i, 100);
	for (int i = 0; i < N; i++)
		rig_read_all(fd[i], (uint64_t)i, 100);
	for (int i = 0; i < N; i++)
		close(fd[i]);
	rig_until(owner_count_flows(rig.owner) == 0);
	rig_until(splice_count_flows(rig.splice) == 0);
}

static void
drain_answers_when_all_is_acknowledged(void **state)
{
	int fd = rig_connect(9);
	struct owner_msg m = {
		.op = OWNER_DRAIN, .cookie = rig_cookie(fd), .arg = 2000,
	};

	(void)state;
	rig_write_all(fd, 0, 100000);
	assert_int_equal(rig_ask(&m, NULL, NULL, 0, NULL), 0);
	assert_int_equal(rig.dials->got, 100000);
	close(fd);
}

static void
a_forgotten_address_is_reset(void **state)
{
	int fd = rig_connect(7);
	char c;

	(void)state;
	splice_forget(rig.splice, &rig.config.inner4);
	assert_int_equal(splice_count_flows(rig.splice), 0);
	rig_until((rig_poll(fd) & POLLHUP) != 0);
	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
}

/* A request by way of the session, about a socket just born. */
static void
a_forwarded_request_comes_after_the_channel(void **state)
{
	struct {
		struct link_control c;
		struct owner_msg m;
	} msg = {
		.m = { .magic = OWNER_MAGIC, .op = OWNER_CONNECT,
		    .addr = rig_dst(7) },
	};
	int fd;

	(void)state;
	rig_turns(5);
	msg.c.op = LINK_REQUEST;
	msg.c.len = sizeof(msg.m);
	fd = rig_socket(false);
	msg.m.cookie = rig_cookie(fd);
	assert_int_equal(link_send_control(rig.link, &msg.c, &msg.m, -1),
	    SW_OK);
	rig_write_all(fd, 0, 10);
	rig_read_all(fd, 0, 10);
	close(fd);
}

/* A slow exit still has bytes to take when the last process is gone. */
static void
what_was_sent_and_ended_outlives_the_process(void **state)
{
	int fd = rig_connect(10);

	(void)state;
	rig_write_all(fd, 0, 100000);
	close(fd);
	rig_turns(20);
	splice_forget(rig.splice, &rig.config.inner4);
	assert_false(rig.dials->gone);
	rig.open_tap = true;
	rig.dials->ev->writable(rig.dials->arg);
	rig_until(rig.dials->gone);
	assert_false(rig.dials->aborted);
	assert_int_equal(rig.dials->got, 100000);
	rig_until(splice_count_flows(rig.splice) == 0);
}

static void
the_owner_tells_when_it_is_idle(void **state)
{
	int fd = rig_connect(9);

	(void)state;
	rig_write_all(fd, 0, 100000);
	close(rig.chan);
	rig.chan = -1;
	rig_turns(5);
	assert_false(rig.idle);
	close(fd);
	rig_until(rig.idle);
	assert_int_equal(rig.dials->got, 100000);
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

#define T(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(connects_echoes_and_ends),
		T(connects_without_filler),
		T(connects_over_ipv6),
		T(upload_arrives_whole_and_in_order),
		T(bytes_with_a_descriptor_arrive_like_others),
		T(download_arrives_whole_then_ends),
		T(lent_bytes_are_given_back),
		T(lent_bytes_outlive_the_stream),
		T(lent_bytes_come_back_from_a_reset),
		T(a_handshake_has_two_packets),
		T(one_that_is_no_splice_hears_all_three),
		T(errors_come_through),
		T(many_flows_are_told_apart),
		T(a_stream_that_ends_at_once_was_open),
		T(an_address_is_dialled_before_its_host),
		T(a_tunnel_that_is_down_is_unreachable),
		T(multicast_is_unreachable),
		T(a_pending_connect_is_not_writable),
		T(a_reset_is_not_an_end),
		T(the_owners_death_is_not_an_end),
		T(closing_with_unread_data_resets),
		T(linger_zero_resets),
		T(shutting_the_reading_side_discards),
		T(a_slow_exit_stops_the_program),
		T(a_slow_program_stops_the_exit),
		T(thousands_of_flows_live_side_by_side),
		T(drain_answers_when_all_is_acknowledged),
		T(a_forgotten_address_is_reset),
		T(what_was_sent_and_ended_outlives_the_process),
		T(a_forwarded_request_comes_after_the_channel),
		T(the_owner_tells_when_it_is_idle),
		T(names_its_addresses),
		T(binds_and_refuses_a_port_in_use),
	};

	if (getenv("CMOCKA_TEST_FILTER") != NULL)
		cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
	if (getenv("LOG") != NULL)
		log_open(2, LOG_LEVEL_DEBUG, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
