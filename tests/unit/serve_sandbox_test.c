/*
 * What the server cannot do any more once it has given up its system calls,
 * and what it still can; in a child process, by the kernel's own judgement.
 */
#include "tests/rig/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "transport/serve_sandbox.h"

static char path[] = "/tmp/smolwrap-sandbox.XXXXXX";

static long
attempt(long nr, long a, long b, long c, long d)
{
	long r = syscall(nr, a, b, c, d);

	return r < 0 ? -errno : r;
}

/* Every way to open a file, with the flags given; the answer of all, or 1 if
 * they differ. */
static long
opened(long flags)
{
	long r = attempt(SYS_openat, AT_FDCWD, (long)path, flags, 0600);

	r = r < 0 ? r : 0;
	/* By the old way the sanitizer writes its report. */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
	long old = attempt(SYS_open, (long)path, flags, 0600, 0);

	if ((old < 0 ? old : 0) != r)
		return 1;
#endif
	return r;
}

static void *
thread(void *arg)
{
	return arg;
}

/* The number of the first probe that went wrong, 0 for none. */
static int
probe(void)
{
	char why[256];
	pthread_t id;
	void *got;

	if (serve_sandbox_enter(why) != SW_OK)
		return 1;
	if (opened(O_RDONLY) != 0 || opened(O_RDONLY | O_CLOEXEC) != 0)
		return 2;
	if (opened(O_WRONLY) != -EACCES || opened(O_RDWR) != -EACCES ||
	    opened(O_RDONLY | O_CREAT) != -EACCES ||
	    opened(O_RDONLY | O_TRUNC) != -EACCES ||
	    opened(O_WRONLY | O_APPEND) != -EACCES)
		return 3;
#if defined(__x86_64__)
	if (attempt(SYS_creat, (long)path, 0600, 0, 0) != -ENOSYS ||
	    attempt(SYS_unlink, (long)path, 0, 0, 0) != -ENOSYS ||
	    attempt(SYS_fork, 0, 0, 0, 0) != -ENOSYS ||
	    attempt(0x40000000 | SYS_openat, AT_FDCWD, (long)path, 0, 0) !=
	    -ENOSYS)
		return 4;
#endif
	if (attempt(SYS_execve, (long)"/bin/true", 0, 0, 0) != -ENOSYS ||
	    attempt(SYS_kill, getpid(), 0, 0, 0) != -ENOSYS ||
	    attempt(SYS_unlinkat, AT_FDCWD, (long)path, 0, 0) != -ENOSYS ||
	    attempt(SYS_setuid, 0, 0, 0, 0) != -ENOSYS)
		return 5;
	if (socket(AF_INET, SOCK_STREAM, 0) < 0)
		return 6;
	if (pthread_create(&id, NULL, thread, why) != 0 ||
	    pthread_join(id, &got) != 0 || got != why)
		return 7;
	return 0;
}

static void
nothing_is_written_started_or_ended(void **state)
{
	int fd = mkstemp(path), status;
	pid_t pid;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	pid = fork();
	if (pid == 0)
		_exit(probe());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	unlink(path);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_written_started_or_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
