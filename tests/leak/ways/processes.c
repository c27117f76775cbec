/* Processes: each ends in a plain connect of a new image, or of a child. */
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/leak/ways/ways.h"

static char *no_env[] = { NULL };

static void
reap(pid_t pid)
{
	int status = 0;

	if (pid > 0)
		(void)waitpid(pid, &status, 0);
	say("child", pid > 0 ? status : -1);
}

static void
x_fork(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		probe_connect();
		_exit(0);
	}
	reap(pid);
}

static void
x_vfork(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		(void)connect(fd, SA(at.sin4), sizeof(at.sin4));
		_exit(0);
	}
	reap(pid);
}

static void
x_execve_clean(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)execve(at.argv[0], at.argv, no_env);
		_exit(1);
	}
	reap(pid);
}

static void
x_execle_clean(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)execle(at.argv[0], at.argv[0], at.argv[1],
		    at.argv[2], at.argv[3], at.argv[4], (char *)NULL,
		    no_env);
		_exit(1);
	}
	reap(pid);
}

static void
x_vfork_execve_clean(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		(void)execve(at.argv[0], at.argv, no_env);
		_exit(1);
	}
	reap(pid);
}

static void
x_fexecve_clean(void)
{
	int fd = open(at.argv[0], O_RDONLY | O_CLOEXEC);
	pid_t pid = fork();

	if (pid == 0) {
		(void)fexecve(fd, at.argv, no_env);
		_exit(1);
	}
	reap(pid);
}

static void
x_spawn_clean(void)
{
	pid_t pid = -1;

	(void)posix_spawn(&pid, at.argv[0], NULL, NULL, at.argv,
	    no_env);
	reap(pid);
}

static void
x_clearenv_system(void)
{
	char line[512];

	(void)clearenv();
	(void)snprintf(line, sizeof(line), "%s %s %s %s %s", at.argv[0],
	    at.argv[1], at.argv[2], at.argv[3], at.argv[4]);
	say("system", system(line));
}

static void
x_env_i(void)
{
	char line[512];
	FILE *p;

	(void)snprintf(line, sizeof(line), "env -i %s %s %s %s %s",
	    at.argv[0], at.argv[1], at.argv[2], at.argv[3],
	    at.argv[4]);
	if ((p = popen(line, "r")) != NULL)
		say("popen", pclose(p));
}

/* An exec that no wrapper sees. */
static void
x_syscall_exec_clean(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)raw(SYS_execve, (long)at.argv[0], (long)at.argv,
		    (long)no_env, 0, 0, 0);
		_exit(1);
	}
	reap(pid);
}

static void
x_static(void)
{
	char path[4096];
	pid_t pid;

	(void)snprintf(path, sizeof(path), "%s", at.argv[0]);
	(void)snprintf(strrchr(path, '/'), 10, "/static");
	if ((pid = fork()) == 0) {
		(void)execl(path, path, at.addr4, at.port_text, (char *)NULL);
		_exit(1);
	}
	reap(pid);
}

static int
clone_main(void *arg)
{
	(void)arg;
	probe_connect();
	return 0;
}

static void
x_clone(void)
{
	static char stack[256 << 10] __attribute__((aligned(16)));

	reap(clone(clone_main, stack + sizeof(stack), SIGCHLD, NULL));
}

const struct probe ways_processes[] = {
	{ "fork", "port", x_fork },
	{ "vfork", "port", x_vfork },
	{ "clone", "port", x_clone },
	{ "execve-clean", "port", x_execve_clean },
	{ "execle-clean", "port", x_execle_clean },
	{ "vfork-execve-clean", "port", x_vfork_execve_clean },
	{ "fexecve-clean", "port", x_fexecve_clean },
	{ "spawn-clean", "port", x_spawn_clean },
	{ "clearenv-system", "port", x_clearenv_system },
	{ "env-i", "port", x_env_i },
	{ "inline-exec-clean", "port", x_syscall_exec_clean },
	{ "static", "port", x_static },
	{ .name = NULL },
};
