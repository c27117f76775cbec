#include "tests/unit/stack_rig.h"

#include <sys/wait.h>

#include "tests/unit/stack_handover.h"

static void
expect_sum(size_t n)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < n; i++)
		sum = rig_sum(sum, (uint8_t[]){ rig_byte(i) }, 1);
	assert_int_equal(rig.dials->got, n);
	assert_true(sum == rig.dials->sum);
}

static void
an_upload_goes_on(void **state)
{
	int fd = rig_connect(9);

	(void)state;
	rig_write_all(fd, 0, 200000);
	hand_over();
	rig_write_all(fd, 200000, 300000);
	rig_until(rig.dials->got == 500000);
	expect_sum(500000);
	close(fd);
	rig_until(rig.dials->gone);
	assert_false(rig.dials->aborted);
	rig_until(owner_count_flows(rig.owner) == 0);
}

static void
write_close_and_exit_loses_nothing(void **state)
{
	int fd = rig_connect(9);

	(void)state;
	rig_write_all(fd, 0, 200000);
	close(fd);
	close(rig.chan);
	rig.chan = -1;
	hand_over();
	rig_until(rig.dials->gone);
	assert_false(rig.dials->aborted);
	expect_sum(200000);
	rig_until(rig.idle);
}

/* At every point of a busy stream. */
static void
repeated_handovers_lose_nothing(void **state)
{
	int fd = rig_connect(7);
	uint64_t at = 0;

	(void)state;
	for (int i = 0; i < 25; i++) {
		rig_write_all(fd, at, 150000);
		for (int j = 0; j < i % 5; j++)
			assert_int_equal(loop_run_once(&rig.loop, 0), SW_OK);
		hand_over();
		rig_read_all(fd, at, 150000);
		at += 150000;
	}
	assert_true(rig.dials->got == at);
	shutdown(fd, SHUT_WR);
	rig_until((rig_poll(fd) & POLLHUP) != 0);
	assert_int_equal(recv(fd, (char[1]){ 0 }, 1, MSG_DONTWAIT), 0);
	close(fd);
}

static void
undelivered_bytes_move(void **state)
{
	int fd;

	(void)state;
	rig.source_bytes = 3000000;
	fd = rig_connect(19);
	rig_turns(50);			/* pair, owner, splice: all full */
	hand_over();
	rig_read_all(fd, 0, 1000000);
	hand_over();
	rig_read_all(fd, 1000000, 2000000);
	rig_until((rig_poll(fd) & POLLRDHUP) != 0);
	close(fd);
	rig_until(rig.dials->gone);
}

static void
a_pending_connect_goes_on(void **state)
{
	int fd = rig_socket(false);

	(void)state;
	rig_connect_addr(fd, rig_dst(6), true);
	rig_until(rig.dials != NULL);
	rig_turns(5);
	hand_over();
	rig_turns(5);
	assert_int_equal(rig_poll(fd), 0);
	rig.dials->port = 7;		/* now it answers */
	rig.dials->open = true;
	rig.dials->ev->opened(rig.dials->arg);
	rig_until(rig_poll(fd) == POLLOUT);
	rig_write_all(fd, 0, 1000);
	rig_read_all(fd, 0, 1000);
	close(fd);
	rig_until(rig.dials->gone);
}

static void
half_closed_flows_move(void **state)
{
	int a = rig_connect(19), b;

	(void)state;
	/* a: the peer has ended; rig.source_bytes is 0. */
	rig_until((rig_poll(a) & POLLRDHUP) != 0);
	/* b: we have ended. */
	rig.source_bytes = 100000;
	b = rig_connect(19);
	shutdown(b, SHUT_WR);
	rig_turns(20);
	hand_over();
	rig_write_all(a, 0, 1000);
	rig_until(rig.dials->next->got == 1000);
	rig_read_all(b, 0, 100000);
	rig_until((rig_poll(b) & POLLHUP) != 0);
	close(a);
	close(b);
	rig_until(owner_count_flows(rig.owner) == 0);
	rig_until(splice_count_flows(rig.splice) == 0);
}

static void
requests_in_the_channel_move(void **state)
{
	int fd = rig_connect(7);
	struct owner_msg m = { .op = OWNER_BIND, .addr = addr_v4(0, 8080) };

	(void)state;
	rig_write_all(fd, 0, 10);
	hand_over();
	assert_int_equal(rig_state(fd, false).state, OWNER_CONNECTED);
	m.cookie = rig_cookie(fd);
	assert_int_equal(rig_ask(&m, NULL, NULL, 0, NULL), EINVAL);
	rig_read_all(fd, 0, 10);
	close(fd);
}

static void
errors_and_options_are_remembered(void **state)
{
	int fd = rig_socket(false), other = rig_connect(7), v = 42;
	struct owner_msg m = {
		.op = OWNER_SETOPT, .cookie = rig_cookie(other),
		.arg = SOL_SOCKET, .arg2 = SO_PRIORITY, .len = sizeof(v),
	};

	(void)state;
	rig_connect_addr(fd, rig_dst(1), true);
	rig_until((rig_poll(fd) & POLLHUP) != 0);
	rig_tell(&m, &v, -1);
	rig_turns(5);
	hand_over();
	assert_int_equal(rig_state(fd, false).error, ECONNREFUSED);
	m = (struct owner_msg){ .op = OWNER_GETOPT, .arg = SOL_SOCKET,
	    .arg2 = SO_PRIORITY, .cookie = m.cookie };
	v = 0;
	assert_int_equal(rig_ask(&m, NULL, &v, sizeof(v), NULL), 0);
	assert_int_equal(v, 42);
	close(fd);
	close(other);
}

static void
datagrams_and_listeners_move(void **state)
{
	int fd = rig_socket(true), l = rig_socket(false);
	struct owner_msg m = {
		.op = OWNER_CONNECT, .cookie = rig_cookie(fd),
		.addr = rig_dst(53),
	};
	struct owner_msg bind = {
		.op = OWNER_BIND, .cookie = rig_cookie(l),
		.addr = addr_v4(0, 8080),
	};
	struct owner_msg lm = {
		.op = OWNER_LISTEN, .cookie = rig_cookie(l), .arg = 5,
	};
	char buf[10];

	(void)state;
	assert_int_equal(rig_ask(&m, NULL, NULL, 0, NULL), 0);
	assert_int_equal(rig_ask(&bind, NULL, NULL, 0, NULL), 0);
	assert_int_equal(rig_ask(&lm, NULL, NULL, 0, NULL), 0);
	rig_turns(5);
	memset(&rig.listening, 0, sizeof(rig.listening));
	hand_over();
	assert_int_equal(send(fd, "abc", 3, 0), 3);
	rig_until((rig_poll(fd) & POLLIN) != 0);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), 3);
	assert_memory_equal(buf, "ABC", 3);
	rig_turns(5);
	assert_int_equal(rig.listening.port, 8080);
	close(fd);
	close(l);
}

/* Heads of image messages without a body, as in stack/owner_image.h, which
 * only those who include lwIP can: IMAGE_TOMBS and IMAGE_END. */
static const uint32_t no_tombs[3] = { 0x53774933u, 7, 0 };
static const uint32_t the_end[3] = { 0x53774933u, 8, 0 };

/* What an image says of its addresses could be another owner's. */
static void
only_granted_addresses_are_believed(void **state)
{
	struct link_config other = rig.config;
	int fd = rig_connect(7);
	char c;

	(void)state;
	rig_write_all(fd, 0, 1000);
	rig_read_all(fd, 0, 1000);
	other.inner4.ip[15] ^= 64;
	hand_over_to(1, &other);
	assert_non_null(rig.owner);
	rig_until((rig_poll(fd) & POLLHUP) != 0);
	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
}

static void
an_image_of_another_owner_is_refused(void **state)
{
	int fd = rig_connect(7);

	(void)state;
	hand_over_to(2, &rig.config);
	assert_null(rig.owner);
	rig_until((rig_poll(fd) & POLLHUP) != 0);
	close(fd);
}

static void
a_writer_that_stops_holds_nobody_up(void **state)
{
	int64_t from = clock_now_ms();
	int fd = rig_connect(7), slow[2];
	struct owner_import *import;
	struct owner *o = rig.owner;

	(void)state;
	rig_told = false;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, slow), 0);
	import = owner_import_start(&rig.loop, slow[1], 5, &rig.config,
	    &rig_owner_events, NULL, handed_over);
	assert_non_null(import);
	assert_int_equal(send(slow[0], no_tombs, sizeof(no_tombs), 0), 12);
	rig_write_all(fd, 0, 100000);
	rig_read_all(fd, 0, 100000);
	assert_false(rig_told);
	assert_in_range(clock_now_ms() - from, 0, patient_ms(3000));
	/* Its end without an end marker is the end of the import. */
	close(slow[0]);
	rig_until(rig_told);
	assert_null(rig.owner);
	rig.owner = o;
	close(fd);
}

static void
an_import_may_be_cancelled(void **state)
{
	struct owner_import *import;
	int slow[2];

	(void)state;
	rig_told = false;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, slow), 0);
	import = owner_import_start(&rig.loop, slow[1], 5, &rig.config,
	    &rig_owner_events, NULL, handed_over);
	assert_int_equal(send(slow[0], the_end, sizeof(the_end), 0), 12);
	owner_import_cancel(import);
	rig_turns(5);
	assert_false(rig_told);
	close(slow[0]);
}

/* In a child the memory is a copy, caught at any moment; there a new stack
 * must come up. */
static void
a_forked_child_starts_afresh(void **state)
{
	int fd = rig_connect(7), status;
	pid_t pid;

	(void)state;
	rig_write_all(fd, 0, 100000);
	rig_turns(1);
	pid = fork();
	if (pid == 0) {
		stack_forget();
		rig_up_mtu(65535);
		fd = rig_connect(7);
		rig_write_all(fd, 0, 100000);
		rig_read_all(fd, 0, 100000);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	rig_read_all(fd, 0, 100000);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(an_upload_goes_on),
		RIG_TEST(write_close_and_exit_loses_nothing),
		RIG_TEST(repeated_handovers_lose_nothing),
		RIG_TEST(undelivered_bytes_move),
		RIG_TEST(a_pending_connect_goes_on),
		RIG_TEST(half_closed_flows_move),
		RIG_TEST(requests_in_the_channel_move),
		RIG_TEST(errors_and_options_are_remembered),
		RIG_TEST(datagrams_and_listeners_move),
		RIG_TEST(only_granted_addresses_are_believed),
		RIG_TEST(an_image_of_another_owner_is_refused),
		RIG_TEST(a_writer_that_stops_holds_nobody_up),
		RIG_TEST(an_import_may_be_cancelled),
		RIG_TEST(a_forked_child_starts_afresh),
	};

	if (getenv("CMOCKA_TEST_FILTER") != NULL)
		cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
	if (getenv("LOG") != NULL)
		log_open(2, LOG_LEVEL_DEBUG, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
