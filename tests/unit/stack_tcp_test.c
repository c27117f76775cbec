/* Streams through owner, link and splice: their bytes. */
#include "tests/unit/stack_rig.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(upload_arrives_whole_and_in_order),
		RIG_TEST(bytes_with_a_descriptor_arrive_like_others),
		RIG_TEST(download_arrives_whole_then_ends),
		RIG_TEST(lent_bytes_are_given_back),
		RIG_TEST(lent_bytes_outlive_the_stream),
		RIG_TEST(lent_bytes_come_back_from_a_reset),
		RIG_TEST(many_flows_are_told_apart),
		RIG_TEST(a_slow_exit_stops_the_program),
		RIG_TEST(a_slow_program_stops_the_exit),
		RIG_TEST(thousands_of_flows_live_side_by_side),
	};

	if (getenv("CMOCKA_TEST_FILTER") != NULL)
		cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
	if (getenv("LOG") != NULL)
		log_open(2, LOG_LEVEL_DEBUG, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
