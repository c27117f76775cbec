/* Streams through owner, link and splice: how they end. */
#include "tests/unit/stack_rig.h"

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
	rig_turns(patient_ms(20));	/* it arrives, and its end */
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_reset_is_not_an_end),
		RIG_TEST(the_owners_death_is_not_an_end),
		RIG_TEST(closing_with_unread_data_resets),
		RIG_TEST(linger_zero_resets),
		RIG_TEST(shutting_the_reading_side_discards),
		RIG_TEST(drain_answers_when_all_is_acknowledged),
		RIG_TEST(a_forgotten_address_is_reset),
		RIG_TEST(what_was_sent_and_ended_outlives_the_process),
		RIG_TEST(a_forwarded_request_comes_after_the_channel),
		RIG_TEST(the_owner_tells_when_it_is_idle),
	};

	if (getenv("CMOCKA_TEST_FILTER") != NULL)
		cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
	if (getenv("LOG") != NULL)
		log_open(2, LOG_LEVEL_DEBUG, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
