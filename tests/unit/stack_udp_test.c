#include "tests/unit/stack_rig.h"

static void
send_framed(int fd, struct sw_addr to, const char *text, size_t n)
{
	struct {
		struct owner_frame fr;
		char text[66000];
	} rec = { .fr = { .magic = OWNER_FRAME_MAGIC, .addr = to } };

	memcpy(rec.text, text, n);
	assert_int_equal(send(fd, &rec, sizeof(rec.fr) + n, 0),
	    sizeof(rec.fr) + n);
}

static int
ask_connect(int fd, struct sw_addr to)
{
	struct owner_msg m = {
		.op = OWNER_CONNECT, .cookie = rig_cookie(fd), .addr = to,
	};

	return rig_ask(&m, NULL, NULL, 0, NULL);
}

static ssize_t
receive(int fd, void *buf, size_t n)
{
	rig_until((rig_poll(fd) & POLLIN) != 0);
	return recv(fd, buf, n, MSG_DONTWAIT);
}

static void
an_unconnected_datagram_comes_back_framed(void **state)
{
	struct {
		struct owner_frame fr;
		char text[100];
	} rec;
	int fd = rig_socket(true);

	(void)state;
	send_framed(fd, rig_dst(53), "hello", 5);
	assert_int_equal(receive(fd, &rec, sizeof(rec)), sizeof(rec.fr) + 5);
	assert_int_equal(rec.fr.magic, OWNER_FRAME_MAGIC);
	assert_int_equal(rec.fr.kind, OWNER_FRAME_DATA);
	assert_int_equal(rec.fr.addr.port, 53);
	assert_true(addr_same_ip(&rec.fr.addr, &(struct sw_addr){
	    .ip = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 203, 0, 113,
	    1 } }));
	assert_memory_equal(rec.text, "HELLO", 5);
	close(fd);
	rig_until(owner_count_flows(rig.owner) == 0);
}

static void
a_record_without_magic_is_dropped_and_told_once(void **state)
{
	int fd = rig_socket(true);

	(void)state;
	assert_int_equal(send(fd, "escape", 6, 0), 6);
	assert_int_equal(send(fd, "", 0, 0), 0);
	send_framed(fd, rig_dst(53), "x", 1);
	rig_until((rig_poll(fd) & POLLIN) != 0);
	assert_int_equal(rig.udp_count, 1);
	assert_int_equal(rig.strays, 1);
	close(fd);
}

static void
a_connected_datagram_has_no_frame(void **state)
{
	char buf[100];
	int fd = rig_socket(true);

	(void)state;
	assert_int_equal(ask_connect(fd, rig_dst(53)), 0);
	assert_int_equal(send(fd, "hello", 5, 0), 5);
	assert_int_equal(receive(fd, buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "HELLO", 5);
	/* Dissolved: frames again. */
	assert_int_equal(ask_connect(fd, (struct sw_addr){ .port = 0 }), 0);
	send_framed(fd, rig_dst(54), "y", 1);
	assert_int_equal(receive(fd, buf, sizeof(buf)),
	    sizeof(struct owner_frame) + 1);
	close(fd);
}

static void
an_empty_datagram_is_carried(void **state)
{
	char buf[100];
	int fd = rig_socket(true);

	(void)state;
	assert_int_equal(ask_connect(fd, rig_dst(53)), 0);
	assert_int_equal(send(fd, "", 0, 0), 0);
	rig_until(rig.udp_count == 1);
	rig_turns(5);
	assert_int_equal(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), 0);
	assert_int_equal(rig_state(fd, true).error, 0);
	assert_int_equal(send(fd, "a", 1, 0), 1);
	assert_int_equal(receive(fd, buf, sizeof(buf)), 1);
	close(fd);
}

static void
the_largest_datagram_passes(void **state)
{
	static char big[65507], back[66000];
	int fd = rig_socket(true);

	(void)state;
	memset(big, 'z', sizeof(big));
	assert_int_equal(ask_connect(fd, rig_dst(53)), 0);
	assert_int_equal(send(fd, big, sizeof(big), 0), sizeof(big));
	assert_int_equal(receive(fd, back, sizeof(back)), sizeof(big));
	assert_int_equal(back[65506], 'Z');
	close(fd);
}

static void
a_closed_port_is_refused_once(void **state)
{
	char buf[10];
	int fd = rig_socket(true);

	(void)state;
	rig.udp_answer = SW_ERR_REFUSED;
	assert_int_equal(ask_connect(fd, rig_dst(53)), 0);
	assert_int_equal(send(fd, "a", 1, 0), 1);
	assert_int_equal(receive(fd, buf, sizeof(buf)), 0);
	assert_int_equal(rig_state(fd, true).error, ECONNREFUSED);
	assert_int_equal(rig_state(fd, true).error, 0);
	rig.udp_answer = SW_OK;
	assert_int_equal(send(fd, "a", 1, 0), 1);
	assert_int_equal(receive(fd, buf, sizeof(buf)), 1);
	close(fd);
}

static void
strangers_are_not_heard_when_connected(void **state)
{
	struct sw_addr me, stranger = rig_dst(99), friend = rig_dst(53);
	char buf[10];
	int fd = rig_socket(true);

	(void)state;
	assert_int_equal(ask_connect(fd, friend), 0);
	me = rig_state(fd, false).local;
	splice_send_udp(rig.splice, &stranger, &me, (const uint8_t *)"no", 2);
	splice_send_udp(rig.splice, &friend, &me, (const uint8_t *)"yes", 3);
	assert_int_equal(receive(fd, buf, sizeof(buf)), 3);
	assert_int_equal(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), -1);
	close(fd);
}

static void
ipv6_datagrams_work(void **state)
{
	struct sw_addr to;
	char buf[10];
	int fd = rig_socket(true);

	(void)state;
	assert_int_equal(addr_parse_ip(&to, "2001:db8::53"), SW_OK);
	to.port = 53;
	assert_int_equal(ask_connect(fd, to), 0);
	assert_int_equal(send(fd, "six", 3, 0), 3);
	assert_int_equal(receive(fd, buf, sizeof(buf)), 3);
	rig.udp_answer = SW_ERR_REFUSED;
	assert_int_equal(send(fd, "six", 3, 0), 3);
	assert_int_equal(receive(fd, buf, sizeof(buf)), 0);
	assert_int_equal(rig_state(fd, true).error, ECONNREFUSED);
	close(fd);
}

static void
only_dns_where_the_tunnel_has_no_udp(void **state)
{
	int fd = rig_socket(true);

	(void)state;
	rig.config.flags = LINK_UP;
	rig_send_config();
	rig_turns(2);
	assert_int_equal(ask_connect(fd, rig_dst(123)), ENETUNREACH);
	assert_int_equal(ask_connect(fd, rig_dst(53)), 0);
	close(fd);
}

static int
small_mtu(void **state)
{
	(void)state;
	rig_up_mtu(1500);
	return 0;
}

static void
fragments_are_put_together(void **state)
{
	static char big[20000], back[66000];
	int fd = rig_socket(true);

	(void)state;
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)('a' + i % 23);
	assert_int_equal(ask_connect(fd, rig_dst(53)), 0);
	assert_int_equal(send(fd, big, sizeof(big), 0), sizeof(big));
	assert_int_equal(receive(fd, back, sizeof(back)), sizeof(big));
	for (size_t i = 0; i < sizeof(big); i++)
		assert_int_equal(back[i], 'A' + i % 23);
	close(fd);
}

static unsigned good, bad;

static uint32_t
sum_of(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i++)
		sum += (uint32_t)p[i] << (i % 2 == 0 ? 8 : 0);
	return sum;
}

static void
check_sums(struct link_frame *f)
{
	const uint8_t *p = f->data;
	size_t left = f->len;

	while (left >= 20) {
		size_t n = (size_t)p[2] << 8 | p[3];
		uint32_t ip = sum_of(p, 20, 0);
		uint32_t l4 = sum_of(p + 12, n - 12,
		    (uint32_t)(p[9] + (n - 20)));

		if (ip % 0xffff == 0 && l4 % 0xffff == 0)
			good++;
		else
			bad++;
		p += n;
		left -= n;
	}
	splice_input(rig.splice, f);
}

static void
checksums_are_filled_in_where_asked(void **state)
{
	int fd, udp;

	(void)state;
	for (int on = 0; on < 2; on++) {
		rig.config.flags = LINK_UP | LINK_UDP |
		    (on ? LINK_CHECKSUMS : 0);
		rig_send_config();
		rig_turns(2);
		rig.meddle_in = check_sums;
		good = bad = 0;
		udp = rig_socket(true);
		send_framed(udp, rig_dst(53), "odd", 3);
		fd = rig_socket(false);
		rig_connect_addr(fd, rig_dst(7), false);
		rig_until(good + bad >= 2);
		assert_int_equal(on ? bad : good, 0);
		close(fd);
		close(udp);
		rig_turns(2);
		rig.meddle_in = NULL;
	}
}

static void
small_packets_carry_streams_too(void **state)
{
	int fd = rig_connect(7);

	(void)state;
	for (uint64_t at = 0; at < 3000000; at += 300000) {
		rig_write_all(fd, at, 300000);
		rig_read_all(fd, at, 300000);
	}
	assert_in_range(rig_state(fd, false).mss, 1000, 1460);
	close(fd);
	rig_until(rig.dials->gone);
}

/* ---- listening ---- */

static int
listening(uint16_t port)
{
	int l = rig_socket(false);
	struct owner_msg bind = {
		.op = OWNER_BIND, .cookie = rig_cookie(l),
		.addr = addr_v4(0, port),
	};
	struct owner_msg lm = {
		.op = OWNER_LISTEN, .cookie = rig_cookie(l), .arg = 5,
	};

	assert_int_equal(rig_ask(&bind, NULL, NULL, 0, NULL), 0);
	assert_int_equal(rig_ask(&lm, NULL, NULL, 0, NULL), 0);
	return l;
}

static int
take_accepted(int l, struct owner_accepted *a)
{
	char room[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { a, sizeof(*a) };
	struct msghdr h = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = room,
		.msg_controllen = sizeof(room),
	};
	int fd;

	rig_until((rig_poll(l) & POLLIN) != 0);
	assert_int_equal(recvmsg(l, &h, MSG_DONTWAIT), sizeof(*a));
	assert_non_null(CMSG_FIRSTHDR(&h));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&h)), sizeof(fd));
	return fd;
}

static struct dial *
inbound(uint16_t port, int *result)
{
	struct dial *d = calloc(1, sizeof(*d));
	struct sw_addr from = addr_v4(0xc6336401, 5555), to;
	void *arg;

	to = rig.config.inner4;
	to.port = port;
	d->port = 7;
	d->open = true;
	d->next = rig.dials;
	rig.dials = d;
	*result = splice_connect(rig.splice, &from, &to, d, &rig_dialer,
	    &d->ev, &arg);
	d->arg = arg;
	return d;
}

static void
an_inbound_stream_is_accepted(void **state)
{
	int l = listening(8080), fd, r;
	struct owner_accepted a;
	struct dial *d;

	(void)state;
	rig_turns(2);
	assert_int_equal(rig.listening.port, 8080);
	d = inbound(8080, &r);
	assert_int_equal(r, SW_OK);
	fd = take_accepted(l, &a);
	assert_int_equal(a.peer.port, 5555);
	assert_int_equal(a.local.port, 8080);
	assert_int_equal(a.magic, OWNER_MAGIC);
	rig_write_all(fd, 0, 200000);		/* the rig echoes it */
	rig_read_all(fd, 0, 200000);
	assert_int_equal(rig_state(fd, false).state, OWNER_CONNECTED);
	shutdown(fd, SHUT_WR);
	rig_until(d->gone);
	assert_false(d->aborted);
	close(fd);
	close(l);
	rig_until(owner_count_flows(rig.owner) == 0);
}

static void
an_accepted_stream_can_be_reset(void **state)
{
	int l = listening(8080), fd, r;
	struct owner_accepted a;
	struct dial *d = inbound(8080, &r);
	char c;

	(void)state;
	fd = take_accepted(l, &a);
	dial_end(d, SW_ERR_RESET);
	rig_until((rig_poll(fd) & POLLHUP) != 0);
	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
	close(l);
}

static void
nobody_listening_aborts_the_dial(void **state)
{
	struct dial *d;
	int r;

	(void)state;
	rig_turns(2);
	d = inbound(8081, &r);
	assert_int_equal(r, SW_OK);
	rig_until(d->aborted);
	assert_int_equal(splice_count_flows(rig.splice), 0);
}

static void
connections_not_accepted_end_with_their_listener(void **state)
{
	int l = listening(8080), r;
	struct dial *d = inbound(8080, &r);

	(void)state;
	rig_until((rig_poll(l) & POLLIN) != 0);
	close(l);
	rig_until(d->gone);
	rig_until(owner_count_flows(rig.owner) == 0);
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)
#define SMALL(name) cmocka_unit_test_setup_teardown(name, small_mtu, rig_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(an_unconnected_datagram_comes_back_framed),
		RIG_TEST(a_record_without_magic_is_dropped_and_told_once),
		RIG_TEST(a_connected_datagram_has_no_frame),
		RIG_TEST(an_empty_datagram_is_carried),
		RIG_TEST(the_largest_datagram_passes),
		RIG_TEST(a_closed_port_is_refused_once),
		RIG_TEST(strangers_are_not_heard_when_connected),
		RIG_TEST(ipv6_datagrams_work),
		RIG_TEST(only_dns_where_the_tunnel_has_no_udp),
		SMALL(fragments_are_put_together),
		SMALL(small_packets_carry_streams_too),
		RIG_TEST(checksums_are_filled_in_where_asked),
		RIG_TEST(an_inbound_stream_is_accepted),
		RIG_TEST(an_accepted_stream_can_be_reset),
		RIG_TEST(nobody_listening_aborts_the_dial),
		RIG_TEST(connections_not_accepted_end_with_their_listener),
	};

	if (getenv("CMOCKA_TEST_FILTER") != NULL)
		cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
	if (getenv("LOG") != NULL)
		log_open(2, LOG_LEVEL_DEBUG, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
