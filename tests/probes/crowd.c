/*
 * crowd ADDRESS - threads that all start children at the same time, each in
 * another way, while they talk themselves; a signal handler that does; and
 * libc's own ways to a reserved port.
 */
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "tests/probes/report.h"
#include "tests/probes/wire.h"

#define THREADS 6
#define ROUNDS 3

extern char **environ;

static const char *self;
static atomic_int by_fork, by_vfork, by_spawn, by_threads, by_handler;

static bool
talks(void)
{
	int fd = wire_dial(LINE);
	long n = wire_line(fd);

	(void)close(fd);
	return n == 7;
}

static bool
ended_well(pid_t pid)
{
	int status;

	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static pid_t
start_by_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(talks() ? 0 : 1);
	return pid;
}

static pid_t
start_by_vfork(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		(void)execl(self, self, "--talk", wire_addr, (char *)NULL);
		_exit(127);
	}
	return pid;
}

/* Everything is closed on the way, the library's own descriptors too. */
static pid_t
start_by_spawn(void)
{
	char *argv[] = { (char *)(uintptr_t)self, (char *)(uintptr_t)"--talk",
		(char *)(uintptr_t)wire_addr, NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	(void)posix_spawn(&pid, self, &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static void *
run(void *arg)
{
	static const struct {
		pid_t (*start)(void);
		atomic_int *count;
	} ways[] = {
		{ start_by_fork, &by_fork }, { start_by_vfork, &by_vfork },
		{ start_by_spawn, &by_spawn },
	};
	size_t way = *(const size_t *)arg % 3;

	for (int i = 0; i < ROUNDS; i++) {
		if (ended_well(ways[way].start()))
			atomic_fetch_add(ways[way].count, 1);
		if (talks())
			atomic_fetch_add(&by_threads, 1);
	}
	return NULL;
}

static void
threads(void)
{
	static size_t number[THREADS];
	pthread_t t[THREADS];

	section = "threads";
	for (size_t i = 0; i < THREADS; i++) {
		number[i] = i;
		(void)pthread_create(&t[i], NULL, run, &number[i]);
	}
	for (size_t i = 0; i < THREADS; i++)
		(void)pthread_join(t[i], NULL);
	result("fork", by_fork);
	result("vfork", by_vfork);
	result("spawn", by_spawn);
	result("themselves", by_threads);
}

static void
on_signal(int sig)
{
	(void)sig;
	if (talks() && ended_well(start_by_fork()) &&
	    ended_well(start_by_vfork()))
		atomic_fetch_add(&by_handler, 1);
}

/* The handler runs while a read of ours waits for a server that is silent, or
 * just before; not within our fork(), where a second one may not begin. */
static void
handler(void)
{
	int fd = wire_dial(HANG), go[2] = { -1, -1 };
	char byte = 'g';
	long n;

	section = "handler";
	(void)signal(SIGUSR1, on_signal);
	if (pipe(go) != 0)
		return;
	if (fork() == 0) {
		if (read(go[0], &byte, 1) != 1)
			_exit(1);
		(void)kill(getppid(), SIGUSR1);
		(void)shutdown(fd, SHUT_RDWR);
		_exit(0);
	}
	(void)!write(go[1], &byte, 1);
	while ((n = recv(fd, &byte, 1, 0)) < 0 && errno == EINTR)
		;
	result("recv", n);
	result("talked", by_handler);
	(void)close(fd);
	while (wait(NULL) > 0)
		;
}

static void
reserved_ports(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct sockaddr_in unix_one = { .sin_family = AF_UNIX };
	int fd = socket(AF_INET, SOCK_STREAM, 0), first = 1000, second = 1000;
	int a, b;

	section = "reserved-port";
	result("bind", bindresvport(fd, &sin));
	result("is-one", ntohs(sin.sin_port) >= 512 &&
	    ntohs(sin.sin_port) < 1024);
	result("again", bindresvport(fd, NULL));
	result("family", bindresvport(fd, &unix_one));
	result("connect", wire_connect(fd, LINE));
	result("line", wire_line(fd));
	(void)close(fd);
	a = rresvport(&first);
	b = rresvport_af(&second, AF_INET6);
	result("given", a >= 0 && b >= 0);
	result("ports", first);
	result("v6-port", second);
	result("no-family", rresvport_af(&first, AF_UNIX));
	(void)close(a);
	(void)close(b);
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--talk") == 0) {
		wire_addr = argv[2];
		return talks() ? 0 : 1;
	}
	if (argc != 2)
		return 2;
	self = argv[0];
	wire_addr = argv[1];
	(void)alarm(60);
	reserved_ports();
	threads();
	handler();
	return 0;
}
