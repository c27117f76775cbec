/* What happens by the mere passing of time; the clock is the test's. */
#include "tests/lib/lossy.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "stack/packet.h"

void stack_assert_failed(const char *what, int line);

static int
up(void **state)
{
	(void)state;
	lossy_up(1, 65535);
	return 0;
}

/* A local hop, but to the kernel's TCP. */
static int
foreign_up(void **state)
{
	(void)state;
	lossy_up_as(1, 65535, false);
	rig.foreign = true;
	return 0;
}

static int
down(void **state)
{
	(void)state;
	lossy_down();
	return 0;
}

static int
connected(uint16_t port)
{
	int fd = rig_socket(false);

	rig_connect_addr(fd, rig_dst(port), true);
	for (int i = 0; i < 100 && rig_poll(fd) != POLLOUT; i++)
		lossy_turn(1);
	assert_int_equal(rig_poll(fd), POLLOUT);
	return fd;
}

/* Pass time until the program sees an end; seconds it took. */
static int64_t
seconds_to_end(int fd, int64_t at_most)
{
	int64_t start = lossy.now_ms;

	while ((rig_poll(fd) & POLLHUP) == 0) {
		lossy_turn(50);
		if (lossy.now_ms - start > at_most * 1000)
			fail_msg("not after %d s", (int)at_most);
	}
	return (lossy.now_ms - start) / 1000;
}

static int
state_error(int fd)
{
	struct owner_msg m = {
		.op = OWNER_STATE, .cookie = rig_cookie(fd),
		.flags = OWNER_HAS_REPLY,
	};
	struct {
		struct owner_reply r;
		struct owner_state s;
	} a;
	int p[2];

	rig_pair(SOCK_SEQPACKET, p);
	rig_tell(&m, NULL, p[1]);
	close(p[1]);
	lossy_turn(1);
	assert_int_equal(recv(p[0], &a, sizeof(a), MSG_DONTWAIT), sizeof(a));
	close(p[0]);
	return a.s.error;
}

static void
set_option(int fd, int level, int name, int value)
{
	struct owner_msg m = {
		.op = OWNER_SETOPT, .cookie = rig_cookie(fd),
		.arg = (uint32_t)level, .arg2 = (uint32_t)name,
		.len = sizeof(value),
	};

	rig_tell(&m, &value, -1);
	lossy_turn(1);
}

static void
a_connect_without_answer_takes_two_minutes(void **state)
{
	int fd = rig_socket(false);

	(void)state;
	lossy.lose = 1000;
	rig_connect_addr(fd, rig_dst(7), true);
	lossy_turn(1);
	assert_in_range(seconds_to_end(fd, 200), 120, 140);
	assert_int_equal(state_error(fd), ETIMEDOUT);
	close(fd);
	lossy_turn(1);
}

static void
a_lost_syn_is_sent_again(void **state)
{
	int fd = rig_socket(false);

	(void)state;
	lossy.lose = 1000;
	rig_connect_addr(fd, rig_dst(7), true);
	lossy_turn(1);
	lossy_turn(1);
	lossy.lose = 0;
	for (int i = 0; i < 100 && rig_poll(fd) != POLLOUT; i++)
		lossy_turn(50);
	assert_int_equal(rig_poll(fd), POLLOUT);
	close(fd);
	for (int i = 0; i < 5; i++)
		lossy_turn(1);
}

static int
lose_one(const struct iovec *iov, int n)
{
	rig.meddle_out = lossy_out;
	lossy.lost++;
	(void)iov;
	(void)n;
	return SW_OK;
}

static unsigned resets;

static void
count_resets(struct link_frame *f)
{
	struct packet p;

	if (packet_parse(&p, f->data, f->len) == SW_OK &&
	    (p.tcp_flags & PACKET_RST) != 0)
		resets++;
	lossy_in(f);
}

static void
a_lost_answer_to_a_foreign_syn_is_sent_again(void **state)
{
	int fd = rig_socket(false);

	(void)state;
	resets = 0;
	rig.meddle_in = count_resets;
	rig.meddle_out = lose_one;
	rig_connect_addr(fd, rig_dst(7), true);
	for (int i = 0; i < 100 && rig_poll(fd) != POLLOUT; i++)
		lossy_turn(50);
	assert_int_equal(lossy.lost, 1);
	assert_int_equal(rig_poll(fd), POLLOUT);
	/* By the first connection, not by one after a reset; the kernel, unlike
	 * lwIP, would not even reset it, and wait for minutes. */
	assert_int_equal(resets, 0);
	close(fd);
	for (int i = 0; i < 5; i++)
		lossy_turn(1);
}

static struct link_frame *a_syn;
static uint32_t answer_seq;		/* of the splice's SYN-ACK; 0: none */

static void
keep_syn(struct link_frame *f)
{
	if (a_syn == NULL)
		a_syn = link_frame_new(f->data, f->len);
}

static int
note_answers(const struct iovec *iov, int n)
{
	struct packet p;

	assert_int_equal(n, 1);
	assert_int_equal(packet_parse(&p, iov[0].iov_base, iov[0].iov_len),
	    SW_OK);
	if ((p.tcp_flags & PACKET_SYN) != 0)
		answer_seq = p.seq;
	resets += (p.tcp_flags & PACKET_RST) != 0;
	return SW_OK;
}

/* The clock of the splice stood still for a minute; a handshake that begins
 * then, and takes a second, is not a minute old for that. */
static void
the_first_handshake_after_a_pause_has_its_time(void **state)
{
	uint8_t bytes[PACKET_ACK_LEN];
	struct link_frame *ack;
	struct packet syn;
	int fd = rig_socket(false);

	(void)state;
	rig.meddle_in = keep_syn;
	rig_connect_addr(fd, rig_dst(7), true);
	lossy_turn(1);
	lossy_turn(1);
	assert_non_null(a_syn);
	close(fd);				/* whose it was is gone */
	for (int i = 0; i < 10; i++)
		lossy_turn(500);
	assert_null(rig.loop.timers);
	lossy_turn(60000);
	rig.meddle_out = note_answers;
	resets = 0;
	splice_input(rig.splice, a_syn);
	for (int i = 0; i < 15; i++)
		lossy_turn(100);
	assert_int_not_equal(answer_seq, 0);
	assert_int_equal(packet_parse(&syn, a_syn->data, a_syn->len), SW_OK);
	ack = link_frame_new(bytes, packet_make_ack(bytes, &syn,
	    answer_seq + 1, 1000));
	splice_input(rig.splice, ack);
	lossy_turn(1);
	assert_int_equal(resets, 0);
	assert_false(rig.dials->aborted);
	link_frame_unref(ack);
	link_frame_unref(a_syn);
	a_syn = NULL;
}

static void
the_user_timeout_is_kept(void **state)
{
	int fd = connected(9);

	(void)state;
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000);
	lossy.lose = 1000;
	rig_write_all(fd, 0, 1000);
	assert_in_range(seconds_to_end(fd, 20), 4, 8);
	assert_int_equal(state_error(fd), ETIMEDOUT);
	close(fd);
	lossy_turn(1);
}

static void
keepalive_notices_a_dead_path(void **state)
{
	int fd = connected(9);

	(void)state;
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 10);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 2);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	lossy.lose = 1000;
	assert_in_range(seconds_to_end(fd, 60), 14, 20);
	assert_int_equal(state_error(fd), ETIMEDOUT);
	close(fd);
	lossy_turn(1);
}

static void
keepalive_keeps_a_live_path(void **state)
{
	int fd = connected(7);
	int64_t start = lossy.now_ms;

	(void)state;
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 10);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	while (lossy.now_ms - start < 200000)
		lossy_turn(100);
	assert_int_equal(rig_poll(fd), POLLOUT);
	close(fd);
	lossy_turn(1);
}

static void
nobody_wakes_for_idle_connections(void **state)
{
	int a = connected(7), b = connected(7);

	(void)state;
	rig_write_all(a, 0, 1000);
	for (int i = 0; i < 20; i++)
		lossy_turn(100);
	shutdown(b, SHUT_RD);
	for (int i = 0; i < 20; i++)
		lossy_turn(100);
	assert_null(rig.loop.timers);
	/* ... and the clock goes on when there is work. */
	lossy.now_ms += 3600000;
	lossy.lose = 1000;
	rig_write_all(a, 1000, 1000);
	lossy_turn(10);
	assert_non_null(rig.loop.timers);
	lossy.lose = 0;
	for (int i = 0; i < 100 && rig.dials->next->got < 2000; i++)
		lossy_turn(50);
	assert_int_equal(rig.dials->next->got, 2000);
	close(a);
	close(b);
	lossy_turn(1);
}

/* The clock may have started in the last turn, for nothing; where it has ticked
 * for nothing, it must stop. */
static bool
clock_stops(void)
{
	if (rig.loop.timers != NULL)
		lossy_turn(100);
	if (rig.loop.timers != NULL)
		lossy_turn(100);
	return rig.loop.timers == NULL;
}

/* More than are looked at in each turn. */
static void
nobody_wakes_for_hundreds_of_idle_connections(void **state)
{
	int fd[100];

	(void)state;
	for (int i = 0; i < 100; i++)
		fd[i] = connected(7);
	for (int i = 0; i < 20; i++)
		lossy_turn(100);
	assert_true(clock_stops());
	lossy.now_ms += 3600000;
	lossy.lose = 1000;
	rig_write_all(fd[0], 0, 1000);		/* the first is the last */
	lossy_turn(10);
	assert_non_null(rig.loop.timers);
	lossy.lose = 0;
	for (int i = 0; i < 100; i++)
		lossy_turn(50);
	rig_read_all(fd[0], 0, 1000);
	for (int i = 0; i < 20; i++)
		lossy_turn(100);
	assert_true(clock_stops());
	for (int i = 0; i < 100; i++)
		close(fd[i]);
	lossy_turn(1);
}

static struct link_frame *last_fin;	/* of those that the splice sent */
static unsigned answers;

static int
keep_fin(const struct iovec *iov, int n)
{
	const uint8_t *p = iov[0].iov_base;

	if (n == 1 && iov[0].iov_len >= 40 && (p[33] & 1) != 0) {
		link_frame_unref(last_fin);
		last_fin = link_frame_new(p, iov[0].iov_len);
	}
	return lossy_out(iov, n);
}

static void
count_answers(struct link_frame *f)
{
	answers++;
	lossy_in(f);
}

/* Whose last acknowledgement was lost says its FIN again, to one that only
 * lingers. */
static void
a_connection_that_lingers_answers(void **state)
{
	int fd[10];

	(void)state;
	for (int i = 0; i < 10; i++)
		fd[i] = connected(7);
	rig.meddle_in = count_answers;
	rig.meddle_out = keep_fin;
	for (int i = 0; i < 5; i++)
		close(fd[i]);
	for (int i = 0; i < 20; i++)
		lossy_turn(1);
	assert_int_equal(owner_count_flows(rig.owner), 5);
	assert_non_null(last_fin);
	answers = 0;
	lossy_pass(false, last_fin);
	for (int i = 0; i < 10; i++)
		lossy_turn(1);
	assert_int_equal(answers, 1);
	/* The others have not been lost sight of. */
	for (int i = 5; i < 10; i++) {
		rig_write_all(fd[i], 0, 100);
		for (int k = 0; k < 20; k++)
			lossy_turn(1);
		rig_read_all(fd[i], 0, 100);
		close(fd[i]);
	}
	for (int i = 0; i < 20; i++)
		lossy_turn(1);
	assert_int_equal(owner_count_flows(rig.owner), 0);
	assert_int_equal(splice_count_flows(rig.splice), 0);
	link_frame_unref(last_fin);
	last_fin = NULL;
}

static void
a_port_that_lingers_is_not_used_again(void **state)
{
	int fd;
	uint16_t used[3];

	(void)state;
	rig.config.port_lo = 20000;
	rig.config.port_hi = 20001;
	rig_send_config();
	lossy_turn(1);
	lossy_turn(1);
	for (int i = 0; i < 3; i++) {
		struct owner_msg m = { .op = OWNER_BIND,
		    .addr = addr_v4(0, 0), .flags = OWNER_HAS_REPLY };
		struct owner_reply r;
		int p[2];

		fd = rig_socket(false);
		m.cookie = rig_cookie(fd);
		rig_pair(SOCK_SEQPACKET, p);
		rig_tell(&m, NULL, p[1]);
		close(p[1]);
		lossy_turn(1);
		assert_int_equal(recv(p[0], &r, sizeof(r), 0), sizeof(r));
		close(p[0]);
		used[i] = r.addr.port;
		if (i == 2) {
			assert_int_equal(r.error, EADDRNOTAVAIL);
			close(fd);
			lossy_turn(1);
			break;
		}
		assert_int_equal(r.error, 0);
		rig_connect_addr(fd, rig_dst(9), true);
		for (int j = 0; j < 20; j++)
			lossy_turn(1);
		close(fd);
		for (int j = 0; j < 20; j++)
			lossy_turn(1);
	}
	assert_int_equal(owner_count_flows(rig.owner), 0);
	assert_int_not_equal(used[0], used[1]);
	/* After TIME_WAIT it is free again. */
	for (int i = 0; i < 100; i++)
		lossy_turn(100);
	fd = connected(9);
	close(fd);
	for (int j = 0; j < 20; j++)
		lossy_turn(1);
}

static void
a_broken_stack_ends_its_flows_and_nothing_else(void **state)
{
	int fd = connected(7), other;
	char c;

	(void)state;
	stack_assert_failed("only a test", 0);
	lossy_turn(1);
	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(state_error(fd), ECONNABORTED);
	assert_int_equal(owner_count_flows(rig.owner), 0);
	other = rig_socket(false);
	rig_connect_addr(other, rig_dst(7), true);
	lossy_turn(1);
	lossy_turn(1);
	assert_int_equal(state_error(other), ENETUNREACH);
	close(fd);
	close(other);
	/* What lwIP held is lost; the next stack starts afresh. */
	lossy_turn(1);
	owner_free(rig.owner);
	splice_free(rig.splice);
	link_close(rig.link);
	close(rig.chan);
	loop_wipe(&rig.loop);
	arena_wipe();
	while (rig.dials != NULL) {
		struct dial *d = rig.dials;

		rig.dials = d->next;
		free(d->kept);
		free(d);
	}
	lossy_up(1, 65535);
	fd = connected(7);
	close(fd);
	lossy_turn(1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, up, down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_connect_without_answer_takes_two_minutes),
		T(a_lost_syn_is_sent_again),
		cmocka_unit_test_setup_teardown(
		    a_lost_answer_to_a_foreign_syn_is_sent_again, foreign_up,
		    down),
		cmocka_unit_test_setup_teardown(
		    the_first_handshake_after_a_pause_has_its_time, foreign_up,
		    down),
		T(the_user_timeout_is_kept),
		T(keepalive_notices_a_dead_path),
		T(keepalive_keeps_a_live_path),
		T(nobody_wakes_for_idle_connections),
		T(nobody_wakes_for_hundreds_of_idle_connections),
		T(a_connection_that_lingers_answers),
		T(a_port_that_lingers_is_not_used_again),
		T(a_broken_stack_ends_its_flows_and_nothing_else),
	};

	if (getenv("CMOCKA_TEST_FILTER") != NULL)
		cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
	if (getenv("LOG") != NULL)
		log_open(2, LOG_LEVEL_DEBUG, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
