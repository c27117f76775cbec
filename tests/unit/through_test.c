/* The door between threads that ask for a stream and the loop that dials. */
#include "tests/rig/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "transport/through.h"
#include "tests/unit/far_dialer.h"

#define SOON_MS 200
#define LONG_MS 20000

static struct loop loop;
static struct loop_turn turn;
static struct through *door;

/* One who asks, on a thread of its own; cmocka's asserts are for the main
 * thread, so it only reports. */
struct asker {
	pthread_t thread;
	struct through *t;
	const char *host;
	int64_t patience_ms;
	int cancel_fd;
	int err, fd;
	char why[TRANSPORT_WHY_LEN];
	char echo[8];
	atomic_bool done;
};

/* Say something, say that it was all, and read until the end. */
static void
talk(struct asker *a)
{
	size_t at = 0;
	ssize_t n;

	if (send(a->fd, "hello", 5, MSG_NOSIGNAL) != 5)
		return;
	(void)shutdown(a->fd, SHUT_WR);
	while (at < sizeof(a->echo) - 1 &&
	    (n = read(a->fd, a->echo + at, sizeof(a->echo) - 1 - at)) > 0)
		at += (size_t)n;
}

static void *
asker_main(void *arg)
{
	struct asker *a = arg;
	const struct transport_limit until = {
		.deadline_ms = clock_now_ms() + a->patience_ms,
		.cancel_fd = a->cancel_fd,
	};

	a->err = through_connect(a->t, a->host, 22, &until, &a->fd, a->why);
	if (a->err == SW_OK) {
		talk(a);
		close(a->fd);
	}
	through_unref(a->t);
	atomic_store(&a->done, true);
	return NULL;
}

static void
start(struct asker *a, const char *host, int64_t patience_ms, int cancel_fd)
{
	*a = (struct asker){ .t = through_ref(door), .host = host,
		.patience_ms = patience_ms, .cancel_fd = cancel_fd, .fd = -1 };
	assert_int_equal(pthread_create(&a->thread, NULL, asker_main, a), 0);
}

static void
turns(size_t n)
{
	while (n-- > 0)
		assert_int_equal(loop_run_once(&loop, 1), SW_OK);
}

static void
finish(struct asker *a)
{
	while (!atomic_load(&a->done))
		turns(1);
	assert_int_equal(pthread_join(a->thread, NULL), 0);
}

static int
begin(void **state)
{
	(void)state;
	stride = 65536;
	assert_int_equal(loop_init(&loop), SW_OK);
	turn = (struct loop_turn){ .run = far_turn };
	loop_add_turn(&loop, &turn);
	door = through_new(&loop, (struct dialer *)&loop, &far_ops);
	assert_non_null(door);
	return 0;
}

/* Whatever a test did, no dial outlives the door. */
static int
end(void **state)
{
	(void)state;
	through_close(door);
	door = NULL;
	assert_int_equal(open_dials, 0);
	loop_del_turn(&loop, &turn);
	loop_wipe(&loop);
	return 0;
}

static void
a_thread_gets_a_stream_with_both_ends(void **state)
{
	struct asker a;

	(void)state;
	start(&a, "echo", LONG_MS, -1);
	finish(&a);
	assert_int_equal(a.err, SW_OK);
	assert_string_equal(a.echo, "hello");
	turns(5);
	assert_int_equal(open_dials, 0);
}

static void
a_refusal_has_its_reason(void **state)
{
	struct asker a;

	(void)state;
	start(&a, "closed", LONG_MS, -1);
	finish(&a);
	assert_int_equal(a.err, SW_ERR_REFUSED);
	assert_int_equal(a.fd, -1);
	assert_non_null(strstr(a.why, "through the tunnel before this one"));
	start(&a, "down", LONG_MS, -1);
	finish(&a);
	assert_int_equal(a.err, SW_ERR_DOWN);
}

static void
who_gives_up_leaves_no_dial(void **state)
{
	struct asker a;

	(void)state;
	start(&a, "silent", SOON_MS, -1);
	while (open_dials == 0)
		turns(1);
	finish(&a);
	assert_int_equal(a.err, SW_ERR_TIMEOUT);
	while (open_dials > 0)		/* the loop hears of it */
		turns(1);
}

static void
a_cancelled_thread_does_not_wait_for_its_dial(void **state)
{
	int cancel = eventfd(0, EFD_CLOEXEC);
	struct asker a;

	(void)state;
	start(&a, "silent", LONG_MS, cancel);
	while (open_dials == 0)
		turns(1);
	assert_int_equal(eventfd_write(cancel, 1), 0);
	finish(&a);
	assert_int_equal(a.err, SW_ERR_CLOSED);
	while (open_dials > 0)
		turns(1);
	close(cancel);
}

static void
closing_tells_all_who_wait_and_who_come_later(void **state)
{
	struct asker waiting, late;

	(void)state;
	start(&waiting, "silent", LONG_MS, -1);
	while (open_dials == 0)
		turns(1);
	(void)through_ref(door);	/* ours, to ask it once more */
	through_close(door);
	assert_int_equal(open_dials, 0);
	finish(&waiting);
	assert_int_equal(waiting.err, SW_ERR_DOWN);
	assert_non_null(strstr(waiting.why, "not up"));
	start(&late, "echo", LONG_MS, -1);
	finish(&late);
	assert_int_equal(late.err, SW_ERR_DOWN);
	through_unref(door);
	door = NULL;
}

/* For the thread sanitizer more than for the eye: every order of asking, giving
 * up, being answered and closing. */
static void
a_crowd_is_served_while_the_door_closes(void **state)
{
	static const char *const hosts[] = { "echo", "closed", "silent", "ends",
		"reset", "down" };
	static struct asker crowd[48];
	const size_t n = sizeof(crowd) / sizeof(crowd[0]);

	(void)state;
	for (size_t i = 0; i < n; i++)
		start(&crowd[i], hosts[i % 6], i % 5 == 0 ? 10 : SOON_MS, -1);
	turns(30);
	through_close(door);
	door = NULL;
	for (size_t i = 0; i < n; i++) {
		finish(&crowd[i]);
		if (crowd[i].err == SW_OK)
			assert_true(i % 6 == 0 || i % 6 == 3 || i % 6 == 4);
	}
	assert_int_equal(open_dials, 0);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		T(a_thread_gets_a_stream_with_both_ends),
		T(a_refusal_has_its_reason),
		T(who_gives_up_leaves_no_dial),
		T(a_cancelled_thread_does_not_wait_for_its_dial),
		T(closing_tells_all_who_wait_and_who_come_later),
		T(a_crowd_is_served_while_the_door_closes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
