/*
 * Streams arrive whole and in order whatever the sizes of writes and reads,
 * whatever the link loses, repeats and delays, and whenever the flows are
 * handed over.  SEED=n replays one seed; RUNS=n tries more.
 */
#include "tests/lib/lossy.h"

#include <stdio.h>

#include "tests/unit/stack_handover.h"

#define BYTES 400000

/* Write and read in random pieces until the echo of everything is back. */
static void
echo_all(int fd, unsigned handovers_of_1000)
{
	static uint8_t buf[100000];
	uint64_t wrote = 0, got = 0;
	int64_t last_ms = lossy.now_ms;

	while (got < BYTES) {
		size_t n = 1 + lossy_random() % (lossy_random() % 4 == 0 ?
		    sizeof(buf) : 300);
		ssize_t r;

		if (n > BYTES - wrote)
			n = (size_t)(BYTES - wrote);
		for (size_t i = 0; i < n; i++)
			buf[i] = rig_byte(wrote + i);
		r = n == 0 ? 0 : send(fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (r > 0)
			wrote += (uint64_t)r;
		n = 1 + lossy_random() % sizeof(buf);
		r = recv(fd, buf, n, MSG_DONTWAIT);
		assert_true(r != 0);
		for (ssize_t i = 0; i < r; i++)
			assert_int_equal(buf[i], rig_byte(got + (uint64_t)i));
		if (r > 0) {
			got += (uint64_t)r;
			last_ms = lossy.now_ms;
		}
		if (r < 0)
			assert_int_equal(errno, EAGAIN);
		lossy_turn(r > 0 ? 1 : 20);
		if (lossy_random() % 1000 < handovers_of_1000)
			hand_over();
		/* Losses that follow each other may cost minutes. */
		assert_true(lossy.now_ms - last_ms < 200000);
	}
}

static void
finish(int fd)
{
	shutdown(fd, SHUT_WR);
	for (int i = 0; i < 5000 && (rig_poll(fd) & POLLRDHUP) == 0; i++)
		lossy_turn(20);
	assert_int_equal(recv(fd, (char[1]){ 0 }, 1, MSG_DONTWAIT), 0);
	close(fd);
}

static void
one_seed(uint64_t seed)
{
	int fd;

	fprintf(stderr, "# seed %llu\n", (unsigned long long)seed);
	lossy_up(seed, seed % 3 == 0 ? 65535 : 1500);
	if (seed % 4 != 0) {
		lossy.lose = lossy_random() % 60;
		lossy.twice = lossy_random() % 60;
		lossy.hold = lossy_random() % 100;
	}
	fd = rig_socket(false);
	rig_connect_addr(fd, rig_dst(7), true);
	for (int i = 0; i < 5000 && rig_poll(fd) != POLLOUT; i++)
		lossy_turn(20);
	assert_int_equal(rig_poll(fd), POLLOUT);
	echo_all(fd, seed % 2 == 0 ? 20 : 0);
	finish(fd);
	lossy_down();
}

static void
streams_arrive_whole_and_in_order(void **state)
{
	const char *seed = getenv("SEED"), *runs = getenv("RUNS");

	(void)state;
	if (seed != NULL) {
		one_seed(strtoull(seed, NULL, 0));
		return;
	}
	for (uint64_t s = 1; s <= (runs != NULL ? strtoull(runs, NULL, 0) : 12);
	    s++)
		one_seed(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_arrive_whole_and_in_order),
	};

	if (getenv("LOG") != NULL)
		log_open(2, LOG_LEVEL_DEBUG, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
