/* Datagram sockets on loopback that a program holds by a pair only. */
#include "tests/rig/unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stack/local_udp.h"
#include "stack/owner_proto.h"

static struct loop loop;
static struct local_udp_set set = { .loop = &loop };
static int app;			/* the program's end */
static int peer;		/* an ordinary socket on loopback */
static struct sw_addr there;	/* its name */

static int
setup(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);

	(void)state;
	assert_int_equal(loop_init(&loop), SW_OK);
	assert_true((app = local_udp_open(&set, false)) >= 0);
	peer = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(peer, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(getsockname(peer, (struct sockaddr *)&sin, &len), 0);
	there = addr_v4(INADDR_LOOPBACK, ntohs(sin.sin_port));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	local_udp_wipe(&set);
	loop_wipe(&loop);
	if (app >= 0)
		close(app);
	close(peer);
	return 0;
}

static void
turn(void)
{
	for (int i = 0; i < 3; i++)
		assert_int_equal(loop_run_once(&loop, 0), SW_OK);
}

static struct owner_reply
ask_of(int fd, struct owner_msg m, struct owner_state *s)
{
	struct owner_reply rep = { 0 };
	struct iovec iov[2] = { { &rep, sizeof(rep) },
		{ s, s == NULL ? 0 : sizeof(*s) } };
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2 };
	socklen_t len = sizeof(m.cookie);
	int pair[2];

	m.magic = OWNER_MAGIC;
	if (fd >= 0)
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE,
		    &m.cookie, &len), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	local_udp_request(&set, (const uint8_t *)&m, sizeof(m), pair[1]);
	assert_true(recvmsg(pair[0], &h, MSG_DONTWAIT) > 0);
	close(pair[0]);
	assert_int_equal(rep.magic, OWNER_MAGIC);
	return rep;
}

static int
connect_to(struct sw_addr to)
{
	return ask_of(app, (struct owner_msg){ .op = OWNER_CONNECT,
	    .addr = to }, NULL).error;
}

static struct owner_state
state_now(void)
{
	struct owner_state s = { 0 };

	(void)ask_of(app, (struct owner_msg){ .op = OWNER_STATE,
	    .flags = OWNER_TAKE_ERROR }, &s);
	return s;
}

static void
send_framed(enum owner_frame_kind kind, struct sw_addr to, const char *text)
{
	struct owner_frame fr = { .magic = OWNER_FRAME_MAGIC,
		.kind = (uint8_t)kind, .addr = to };
	struct iovec iov[2] = { { &fr, sizeof(fr) },
		{ (void *)(uintptr_t)text, strlen(text) } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	assert_true(sendmsg(app, &m, 0) > 0);
	turn();
}

static void
peer_gets(const char *text)
{
	char buf[64] = "";

	assert_int_equal(recv(peer, buf, sizeof(buf), MSG_DONTWAIT),
	    strlen(text));
	assert_string_equal(buf, text);
}

static void
peer_gets_nothing(void)
{
	char c;

	assert_int_equal(recv(peer, &c, 1, MSG_DONTWAIT), -1);
}

static void
framed_records_go_where_they_say_and_come_with_a_source(void **state)
{
	struct {
		struct owner_frame fr;
		char text[8];
	} got = { .text = "" };
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	char buf[8];

	(void)state;
	send_framed(OWNER_FRAME_DATA, there, "hello");
	assert_int_equal(recvfrom(peer, buf, sizeof(buf), MSG_DONTWAIT,
	    (struct sockaddr *)&from, &len), 5);
	assert_int_equal(state_now().local.port, ntohs(from.sin_port));
	assert_int_equal(sendto(peer, "back", 4, 0, (struct sockaddr *)&from,
	    len), 4);
	turn();
	assert_int_equal(recv(app, &got, sizeof(got), MSG_DONTWAIT),
	    sizeof(got.fr) + 4);
	assert_int_equal(got.fr.magic, OWNER_FRAME_MAGIC);
	assert_int_equal(got.fr.addr.port, there.port);
	assert_true(addr_same_ip(&got.fr.addr, &there));
	assert_string_equal(got.text, "back");
}

static void
nothing_leaves_this_machine(void **state)
{
	static const char raw[] = "around the shim";
	const struct sw_addr away = addr_v4(0x0a090001u, 9);
	const struct sw_addr resolver = addr_v4(0x7f000035u, 53);
	const struct sw_addr six = { .ip = { [15] = 1 }, .port = 9 };

	(void)state;
	assert_int_equal(connect_to(away), EACCES);
	assert_int_equal(connect_to(resolver), EACCES);
	assert_int_equal(connect_to(six), EAFNOSUPPORT);
	assert_int_equal(ask_of(app, (struct owner_msg){ .op = OWNER_BIND,
	    .addr = away }, NULL).error, EADDRNOTAVAIL);
	send_framed(OWNER_FRAME_DATA, away, "x");
	send_framed(OWNER_FRAME_DATA, resolver, "x");
	assert_int_equal(send(app, raw, sizeof(raw), 0), sizeof(raw));
	turn();
	/* None of them was sent, or the socket would have a port. */
	assert_int_equal(state_now().local.port, 0);
}

static void
a_peer_takes_the_frames_away(void **state)
{
	static const struct sw_addr nobody;

	(void)state;
	assert_int_equal(connect_to(there), 0);
	assert_int_equal(state_now().state, OWNER_CONNECTED);
	assert_int_equal(send(app, "plain", 5, 0), 5);
	turn();
	peer_gets("plain");
	assert_int_equal(connect_to(nobody), 0);
	assert_int_equal(state_now().state, OWNER_NEW);
	assert_int_equal(send(app, "plain", 5, 0), 5);
	turn();
	peer_gets_nothing();
	send_framed(OWNER_FRAME_DATA, there, "framed");
	peer_gets("framed");
}

static void
what_was_given_back_comes_without_its_frame(void **state)
{
	const struct sw_addr other = addr_v4(INADDR_LOOPBACK, 1);
	char buf[64] = "";

	(void)state;
	assert_int_equal(connect_to(there), 0);
	send_framed(OWNER_FRAME_AGAIN, other, "from another");
	send_framed(OWNER_FRAME_AGAIN, there, "from the peer");
	assert_int_equal(recv(app, buf, sizeof(buf), MSG_DONTWAIT), 13);
	assert_string_equal(buf, "from the peer");
	assert_int_equal(recv(app, buf, sizeof(buf), MSG_DONTWAIT), -1);
}

static void
a_refusal_is_told_once(void **state)
{
	char c;

	(void)state;
	assert_int_equal(connect_to(addr_v4(INADDR_LOOPBACK, 1)), 0);
	assert_int_equal(send(app, "x", 1, 0), 1);
	turn();
	assert_int_equal(recv(app, &c, 1, MSG_DONTWAIT), 0);
	assert_int_equal(state_now().error, ECONNREFUSED);
	assert_int_equal(state_now().error, 0);
}

static void
names_that_are_taken_are_refused(void **state)
{
	struct owner_reply rep;

	(void)state;
	assert_int_equal(ask_of(app, (struct owner_msg){ .op = OWNER_BIND,
	    .addr = there }, NULL).error, EADDRINUSE);
	rep = ask_of(app, (struct owner_msg){ .op = OWNER_BIND,
	    .addr = addr_v4(INADDR_LOOPBACK, 0) }, NULL);
	assert_int_equal(rep.error, 0);
	assert_true(rep.addr.port != 0);
	assert_int_equal(ask_of(-1, (struct owner_msg){ .op = OWNER_STATE,
	    .cookie = 1 }, NULL).error, EBADF);
}

static void
a_half_shut_pair_keeps_the_loop_quiet(void **state)
{
	(void)state;
	assert_int_equal(connect_to(there), 0);
	assert_int_equal(shutdown(app, SHUT_WR), 0);
	turn();
	turn();
	peer_gets_nothing();		/* no empty datagrams */
	close(app);
	app = -1;
	turn();
	assert_null(set.first);
}

static void
what_was_written_before_the_end_is_sent(void **state)
{
	(void)state;
	assert_int_equal(connect_to(there), 0);
	assert_int_equal(send(app, "last", 4, 0), 4);
	close(app);
	app = -1;
	local_udp_wipe(&set);
	peer_gets("last");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(framed_records_go_where_they_say_and_come_with_a_source),
		T(nothing_leaves_this_machine),
		T(a_peer_takes_the_frames_away),
		T(what_was_given_back_comes_without_its_frame),
		T(a_refusal_is_told_once),
		T(names_that_are_taken_are_refused),
		T(a_half_shut_pair_keeps_the_loop_quiet),
		T(what_was_written_before_the_end_is_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
