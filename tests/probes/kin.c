/*
 * kin ADDRESS [outlive] - processes of one family share connections, and one
 * is killed.
 *
 * What its stack carried ends with an error for those who still hold it, never
 * as if the data had ended; what is the others' goes on.  With `outlive` no
 * process carries anything, as with the kernel, and all of it goes on.
 */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/probes/report.h"
#include "tests/probes/wire.h"

static bool outlive;

#define FLOWING 19		/* the server sends without end */

static char buf[65536];

static void
mark(int fd)
{
	if (write(fd, "!", 1) != 1)
		result("mark", -1);
}

static void
reap(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

/* A child that has begun (it writes a byte) and then sleeps. */
static pid_t
child_that(void (*work)(int fd), int fd)
{
	int pair[2];
	char c = 0;
	pid_t pid;

	if (pipe(pair) != 0)
		exit(1);
	if ((pid = fork()) == 0) {
		work(fd);
		mark(pair[1]);
		for (;;)
			(void)pause();
	}
	(void)close(pair[1]);
	if (read(pair[0], &c, 1) != 1)
		result("child", -1);
	(void)close(pair[0]);
	return pid;
}

/* Reads to the end, whatever it is, for 3 s at most. */
static ssize_t
read_out(int fd)
{
	const struct timeval limit = { .tv_sec = 3 };
	ssize_t n;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		;
	return n;
}

static void
use_own(int fd)
{
	(void)fd;
	(void)wire_line(wire_dial(LINE));
}

static void
use_given(int fd)
{
	(void)wire_echo(fd);
}

/* A sibling dies that had a stack of its own and held ours as well. */
static void
sibling(void)
{
	int fd = wire_dial(ECHO);
	pid_t own, given;

	section = "sibling";
	result("echo", wire_echo(fd));
	own = child_that(use_own, fd);
	given = child_that(use_given, fd);
	reap(own);
	result("echo-1", wire_echo(fd));
	reap(given);
	result("echo-2", wire_echo(fd));
	result("line", wire_line(wire_dial(LINE)));
	(void)close(fd);
}

static int passed[2];

static void
pass_own(int port)
{
	int fd = wire_dial(port);
	char byte = '!';
	struct iovec iov = { &byte, 1 };
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} c = { .h = { .cmsg_len = CMSG_LEN(sizeof(int)),
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &c, .msg_controllen = sizeof(c) };

	if (port == FLOWING)
		(void)recv(fd, buf, 1000, MSG_WAITALL);
	*(int *)(void *)CMSG_DATA(&c.h) = fd;
	(void)sendmsg(passed[0], &m, 0);
}

static int
take_passed(void)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} c = { .space = { 0 } };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &c, .msg_controllen = sizeof(c) };

	if (recvmsg(passed[1], &m, 0) != 1)
		return -1;
	return *(int *)(void *)CMSG_DATA(&c.h);
}

/* The child whose stack carries them dies; we hold them still. */
static void
owner(void)
{
	int silent, flowing;
	pid_t a, b;

	section = "owner";
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, passed) != 0)
		return;
	if (outlive) {
		a = child_that(pass_own, ECHO);
		silent = take_passed();
		reap(a);
		result("echo", wire_echo(silent));
		return;
	}
	a = child_that(pass_own, HANG);
	silent = take_passed();
	b = child_that(pass_own, FLOWING);
	flowing = take_passed();
	reap(a);
	reap(b);
	result("silent", read_out(silent));
	result("flowing", read_out(flowing));
	result("send", send(silent, "x", 1, MSG_NOSIGNAL));
	result("line", wire_line(wire_dial(LINE)));
}

/* The parent dies in whose stack its child's connection lives. */
static void
parent(void)
{
	int said[2], fd;
	pid_t pid;
	char c;

	section = "parent";
	if (pipe(said) != 0)
		return;
	(void)fflush(stdout);
	if ((pid = fork()) == 0) {
		const pid_t dying = getpid();

		fd = wire_dial(outlive ? ECHO : HANG);
		if (fork() == 0) {
			mark(said[1]);
			while (outlive && getppid() == dying)
				(void)poll(NULL, 0, 10);
			if (outlive)
				result("echo", wire_echo(fd));
			else
				result("recv", read_out(fd));
			result("line", wire_line(wire_dial(LINE)));
			exit(0);
		}
		for (;;)
			(void)pause();
	}
	(void)close(said[1]);
	if (read(said[0], &c, 1) != 1)
		result("mark", -1);
	reap(pid);
	/* The grandchild holds the pipe until it ends. */
	if (read(said[0], &c, 1) != 0)
		result("end", -1);
}

int
main(int argc, char **argv)
{
	if (argc < 2 || argc > 3)
		return 2;
	outlive = argc == 3 && strcmp(argv[2], "outlive") == 0;
	wire_addr = argv[1];
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(60);
	sibling();
	owner();
	parent();
	return 0;
}
