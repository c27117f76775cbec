#include "tests/rig/unit.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stack/records.h"

static struct {
	struct loop loop;
	struct loop_fd w;
	int app;
	unsigned records;
	size_t bytes;
} rig;

static void
ready(struct loop_fd *w, uint32_t events)
{
	(void)w;
	(void)events;
}

static void
take(void *arg, const uint8_t *rec, size_t len)
{
	(void)arg;
	(void)rec;
	rig.records++;
	rig.bytes += len;
}

static int
up(void **state)
{
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0,
	    fd), 0);
	assert_int_equal(loop_init(&rig.loop), SW_OK);
	rig.app = fd[0];
	rig.w = (struct loop_fd){ .fd = fd[1], .ready = ready };
	rig.records = 0;
	rig.bytes = 0;
	assert_int_equal(loop_add(&rig.loop, &rig.w, EPOLLIN), SW_OK);
	return 0;
}

static int
down(void **state)
{
	(void)state;
	loop_del(&rig.loop, &rig.w);
	close(rig.w.fd);
	if (rig.app >= 0)
		close(rig.app);
	loop_wipe(&rig.loop);
	return 0;
}

static bool
drain(uint32_t events)
{
	return records_drain(&rig.loop, &rig.w, events, 64, take, NULL);
}

static void
an_empty_record_is_one(void **state)
{
	(void)state;
	assert_int_equal(send(rig.app, "", 0, 0), 0);
	assert_int_equal(send(rig.app, "abc", 3, 0), 3);
	assert_true(drain(EPOLLIN));
	assert_int_equal(rig.records, 2);
	assert_int_equal(rig.bytes, 3);
}

/* The end came after the loop was told of the record before it. */
static void
an_end_is_no_record(void **state)
{
	(void)state;
	assert_int_equal(send(rig.app, "abc", 3, 0), 3);
	assert_int_equal(shutdown(rig.app, SHUT_WR), 0);
	assert_true(drain(EPOLLIN));
	assert_int_equal(rig.records, 1);
	assert_true(drain(EPOLLIN | EPOLLRDHUP));
	assert_int_equal(rig.records, 1);
}

static void
what_was_sent_before_the_close_is_taken(void **state)
{
	(void)state;
	assert_int_equal(send(rig.app, "abc", 3, 0), 3);
	close(rig.app);
	rig.app = -1;
	assert_true(drain(EPOLLIN));		/* it closed just now */
	assert_false(drain(EPOLLIN | EPOLLRDHUP | EPOLLHUP));
	assert_int_equal(rig.records, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, up, down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_empty_record_is_one),
		T(an_end_is_no_record),
		T(what_was_sent_before_the_close_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
