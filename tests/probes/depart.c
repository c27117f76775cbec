/*
 * depart HOW ADDRESS - 200,000 bytes to ADDRESS:5003, then away, as programs
 * leave (interposer.md, rule 1). The server's log tells how many arrived.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/pattern.h"

enum { TOTAL = 200000, HALF = 100000 };

static void
put(int fd, size_t from, size_t to)
{
	ssize_t n;
	size_t want;

	while (from < to) {
		want = to - from < PATTERN_LEN ? to - from : PATTERN_LEN;
		n = write(fd, pattern_at(from), want);
		if (n <= 0) {
			perror("depart: write");
			_exit(1);
		}
		from += (size_t)n;
	}
}

static int
dial(const char *address)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_port = htons(5003);
	(void)inet_pton(AF_INET, address, &sin.sin_addr);
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0) {
		perror("depart: connect");
		_exit(1);
	}
	return fd;
}

static void *
leave_later(void *arg)
{
	(void)arg;
	(void)usleep(200000);
	exit(0);
}

static void
again(const char *how, int fd, char **env)
{
	char number[12], self[] = "/proc/self/exe";
	char *argv[] = { self, (char *)(uintptr_t)how, number, NULL };

	(void)snprintf(number, sizeof(number), "%d", fd);
	(void)execve(self, argv, env);
	perror("depart: exec");
	_exit(1);
}

int
main(int argc, char **argv)
{
	static char *no_env[] = { NULL };
	const char *how;
	pthread_t t;
	pid_t pid;
	int fd, status;

	if (argc != 3)
		return 2;
	how = argv[1];
	pattern_init();
	(void)alarm(60);
	/* The second halves of the exec forms. */
	if (strcmp(how, "write-all") == 0) {
		put(atoi(argv[2]), 0, TOTAL);
		return 0;
	}
	if (strcmp(how, "write-half") == 0) {
		put(atoi(argv[2]), HALF, TOTAL);
		return 0;
	}
	fd = dial(argv[2]);
	if (strcmp(how, "exec") == 0)
		again("write-all", fd, environ);
	if (strcmp(how, "exec-clean") == 0)
		again("write-all", fd, no_env);
	if (strcmp(how, "exec-half") == 0) {
		put(fd, 0, HALF);
		again("write-half", fd, environ);
	}
	if (strcmp(how, "shell") == 0) {
		(void)dup2(fd, 1);
		(void)execlp("sh", "sh", "-c", "\"$0\" write-all 1",
		    argv[0], (char *)NULL);
	}
	if (strcmp(how, "fork-child-writes") == 0) {
		if (fork() != 0)
			_exit(0);
		(void)usleep(300000);
		put(fd, 0, TOTAL);
		_exit(0);
	}
	if (strcmp(how, "daemon") == 0) {
		put(fd, 0, HALF);
		if (daemon(0, 0) != 0)
			return 1;
		(void)usleep(300000);
		put(fd, HALF, TOTAL);
		return 0;
	}
	if (strcmp(how, "double-fork") == 0) {
		if (fork() != 0)
			exit(0);
		(void)setsid();
		if (fork() != 0)
			_exit(0);
		(void)usleep(300000);
		put(fd, 0, TOTAL);
		exit(0);
	}
	if (strcmp(how, "fork-both") == 0) {
		put(fd, 0, HALF);
		if ((pid = fork()) == 0) {
			put(fd, HALF, TOTAL);
			_exit(0);
		}
		(void)waitpid(pid, &status, 0);
		return 0;
	}
	if (strcmp(how, "child-exits-first") == 0) {
		if ((pid = fork()) == 0)
			exit(0);
		(void)waitpid(pid, &status, 0);
		put(fd, 0, TOTAL);
		return 0;
	}
	if (strcmp(how, "vfork-between") == 0) {
		put(fd, 0, HALF);
		if ((pid = vfork()) == 0)
			_exit(0);
		(void)waitpid(pid, &status, 0);
		put(fd, HALF, TOTAL);
		return 0;
	}
	put(fd, 0, TOTAL);
	if (strcmp(how, "exit") == 0)
		exit(0);
	if (strcmp(how, "_exit") == 0)
		_exit(0);
	if (strcmp(how, "quick_exit") == 0)
		quick_exit(0);
	if (strcmp(how, "exit_group") == 0)
		(void)syscall(SYS_exit_group, 0);
	if (strcmp(how, "close-_exit") == 0) {
		(void)close(fd);
		_exit(0);
	}
	if (strcmp(how, "shutdown-_exit") == 0) {
		(void)shutdown(fd, SHUT_WR);
		_exit(0);
	}
	if (strcmp(how, "thread-exit") == 0) {
		(void)pthread_create(&t, NULL, leave_later, NULL);
		(void)pause();
	}
	if (strcmp(how, "main-thread-ends") == 0) {
		(void)pthread_create(&t, NULL, leave_later, NULL);
		pthread_exit(NULL);
	}
	if (strcmp(how, "exec-true") == 0) {
		(void)execlp("true", "true", (char *)NULL);
	}
	if (strcmp(how, "abort") == 0)
		abort();
	if (strcmp(how, "sigkill") == 0)
		(void)kill(getpid(), SIGKILL);
	if (strcmp(how, "sigterm") == 0)
		(void)kill(getpid(), SIGTERM);
	return 3;
}
