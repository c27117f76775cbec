/*
 * The kernel does not tell connections that their device is gone: a program
 * that reads would wait for ever when the session is killed.  And a program
 * that closes every descriptor it does not know tells the session, by that,
 * that it has ended.  So a process of its own knows better.
 */
#include "preload/guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/netdev.h"

/* The guard's own two descriptors. */
#define DIAG 0
#define SESSION 1

/* The network namespace of a process ("self": ours).  One that has ended, but
 * nobody has waited for, has none. */
static bool
namespace_of(const char *process, struct stat *st)
{
	char path[64];

	return snprintf(path, sizeof(path), "/proc/%.20s/ns/net", process) > 0 &&
	    stat(path, st) == 0;
}

static bool
others_remain(void)
{
	struct stat ours, theirs;
	const struct dirent *e;
	bool found = false;
	DIR *dir;

	if (!namespace_of("self", &ours) || (dir = opendir("/proc")) == NULL)
		return false;
	while (!found && (e = readdir(dir)) != NULL)
		found = *e->d_name >= '0' && *e->d_name <= '9' &&
		    strtol(e->d_name, NULL, 10) != getpid() &&
		    namespace_of(e->d_name, &theirs) &&
		    theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev;
	(void)closedir(dir);
	return found;
}

static _Noreturn void
watch_over(void)
{
	for (;;) {
		char word;
		ssize_t n = recv(SESSION, &word, 1, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		word = others_remain() ? GUARD_SOME : GUARD_NONE;
		(void)send(SESSION, &word, 1, MSG_NOSIGNAL);
	}
	netdev_reset(DIAG);
	_exit(0);
}

int
guard_start(int session, int diag)
{
	pid_t pid = fork();

	if (pid < 0)
		return SW_ERR_SYS;
	/* Where SIGCHLD is ignored, the kernel reaps, and says ECHILD. */
	if (pid > 0)
		return waitpid(pid, NULL, 0) == pid || errno == ECHILD ?
		    SW_OK : SW_ERR_SYS;
	/* Nobody's child, with nothing of the program's. */
	if (fork() != 0)
		_exit(0);
	(void)setsid();
	if (chdir("/") != 0)
		_exit(1);
	/* The caller may have had 0 and 1 closed, and these be there. */
	diag = fcntl(diag, F_DUPFD, 3);
	session = fcntl(session, F_DUPFD, 3);
	if (diag < 0 || session < 0)
		_exit(1);
	(void)dup2(diag, DIAG);
	(void)dup2(session, SESSION);
	(void)syscall(SYS_close_range, 2, ~0u, 0);
	(void)prctl(PR_SET_NAME, "smolwrap-guard");
	watch_over();
}
