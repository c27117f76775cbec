/* A stream that waits at an address of this process: bytes and ends pass, and
 * nobody else gets it. */
#include "tests/rig/unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mix/netdir_job.h"

#define BYTES 300000

struct rig {
	int far;			/* the stream's other end */
	struct sockaddr_un at;
	socklen_t len;
};

static int
setup(void **state)
{
	static struct rig r;
	int ends[2];

	*state = &r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return -1;
	r.far = ends[1];
	return netdir_stream_offer(ends[0], &r.at, &r.len);
}

static int
teardown(void **state)
{
	close(((struct rig *)*state)->far);
	return 0;
}

static int
reach(const struct rig *r)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&r->at, r->len),
	    0);
	return fd;
}

static uint8_t
byte(size_t i)
{
	return (uint8_t)(i * 31 >> 3);
}

/* Writes it all, and its end. */
static void *
send_all(void *arg)
{
	uint8_t *p = malloc(BYTES);
	int fd = *(int *)arg;
	ssize_t n;

	for (size_t i = 0; i < BYTES; i++)
		p[i] = byte(i);
	for (size_t at = 0; at < BYTES; at += (size_t)n)
		if ((n = write(fd, p + at, BYTES - at)) <= 0)
			break;
	(void)shutdown(fd, SHUT_WR);
	free(p);
	return NULL;
}

static void
expect_all(int fd)
{
	uint8_t buf[8192];
	size_t at = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(buf[i], byte(at++));
	assert_int_equal(n, 0);
	assert_int_equal(at, BYTES);
}

static void
bytes_and_ends_pass_both_ways(void **state)
{
	struct rig *r = *state;
	int near = reach(r);
	pthread_t id;

	assert_int_equal(pthread_create(&id, NULL, send_all, &r->far), 0);
	expect_all(near);
	pthread_join(id, NULL);
	/* That way is over; this one is not. */
	assert_int_equal(pthread_create(&id, NULL, send_all, &near), 0);
	expect_all(r->far);
	pthread_join(id, NULL);
	close(near);
}

static void
another_process_does_not_get_it(void **state)
{
	struct rig *r = *state;
	int said[2], near;
	pid_t pid;
	char c;

	assert_int_equal(pipe(said), 0);
	if ((pid = fork()) == 0) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		bool nothing = connect(fd, (struct sockaddr *)&r->at,
		    r->len) == 0 && read(fd, &c, 1) == 0;

		(void)!write(said[1], nothing ? "n" : "y", 1);
		pause();
	}
	/* It is killed: what it has of our threads' memory would be a leak. */
	close(said[1]);
	assert_int_equal(read(said[0], &c, 1), 1);
	assert_int_equal(c, 'n');
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(said[0]);
	near = reach(r);
	assert_int_equal(write(r->far, "x", 1), 1);
	assert_int_equal(read(near, &c, 1), 1);
	close(near);
	assert_int_equal(read(r->far, &c, 1), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bytes_and_ends_pass_both_ways,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(another_process_does_not_get_it,
		    setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
