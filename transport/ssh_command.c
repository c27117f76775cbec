/*
 * ProxyCommand of ssh_config, and ProxyJump, which libssh turns into one: run
 * here, because libssh lets the command inherit our blocked signals and its own
 * end of the pair, and then waits for it to end (0.10).
 */
#include "transport/ssh_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMAND_MAX 2048
#define END_MS 500

extern char **environ;

static bool
add(char *out, size_t *n, const char *text)
{
	size_t len = strlen(text);

	if (len >= COMMAND_MAX - *n)
		return false;
	memcpy(out + *n, text, len + 1);
	*n += len;
	return true;
}

/* A shell will read it. */
static bool
is_harmless(const char *text)
{
	return text[0] != '-' && text[strcspn(text, " \t\r\n'\"`$\\;&<>|(){}*?")]
	    == '\0';
}

/* %h, %p, %r, %n, %% (ssh_config(5), TOKENS). */
static bool
expand(ssh_session s, const struct ssh_plan *p, const char *command,
    char out[static COMMAND_MAX])
{
	char *host = NULL, *user = NULL, port_text[8];
	unsigned port = 22;
	size_t n = 0;
	bool fine;

	(void)ssh_options_get(s, SSH_OPTIONS_HOST, &host);
	(void)ssh_options_get(s, SSH_OPTIONS_USER, &user);
	(void)ssh_options_get_port(s, &port);
	snprintf(port_text, sizeof(port_text), "%u", port);
	fine = host != NULL && is_harmless(host) && is_harmless(p->host) &&
	    (user == NULL || is_harmless(user)) && add(out, &n, "exec ");
	for (; fine && *command != '\0'; command++) {
		const char one[2] = { *command, '\0' };
		const char *what = one;

		if (*command == '%')
			switch (*++command) {
			case 'h':
				what = host;
				break;
			case 'n':
				what = p->host;
				break;
			case 'p':
				what = port_text;
				break;
			case 'r':
				what = user != NULL ? user : "";
				break;
			case '%':
				break;
			default:
				what = NULL;
			}
		fine = what != NULL && add(out, &n, what);
	}
	ssh_string_free_char(host);
	ssh_string_free_char(user);
	return fine;
}

/* By a shell, as ssh does it; with all signals as they are by default. */
static int
spawn_shell(const char *command, int end, pid_t *pid)
{
	const char *shell = getenv("SHELL");
	char *argv[] = { (char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c",
	    (char *)(uintptr_t)command, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int r;

	if (shell == NULL || shell[0] != '/')
		shell = "/bin/sh";
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_adddup2(&files, end, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&files, end, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null",
	    O_WRONLY, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr,
	    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	r = posix_spawn(pid, shell, &files, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return r == 0 ? SW_OK : SW_ERR_SYS;
}

int
ssh_command_start(ssh_session s, const struct ssh_plan *p, const char *command,
    int *fd, pid_t *pid, char why[static SSH_TUNNEL_WHY_LEN])
{
	char line[COMMAND_MAX];
	int ends[2], r;

	if (!expand(s, p, command, line)) {
		snprintf(why, SSH_TUNNEL_WHY_LEN, "the ProxyCommand of "
		    "ssh_config cannot be used: it is too long, has a %%x other "
		    "than %%h %%n %%p %%r, or the host's name is not one for a "
		    "shell");
		return SW_ERR_CONFIG;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
		snprintf(why, SSH_TUNNEL_WHY_LEN, "out of descriptors");
		return SW_ERR_SYS;
	}
	r = spawn_shell(line, ends[1], pid);
	close(ends[1]);
	if (r != SW_OK) {
		close(ends[0]);
		snprintf(why, SSH_TUNNEL_WHY_LEN, "could not run the "
		    "ProxyCommand of ssh_config: %s", strerror(errno));
		return r;
	}
	*fd = ends[0];
	return SW_OK;
}

void
ssh_command_end(pid_t pid)
{
	const struct timespec step = { .tv_nsec = 10 * 1000000L };

	if (pid <= 0)
		return;
	(void)kill(pid, SIGTERM);
	for (int ms = 0; ms < END_MS; ms += 10) {
		if (waitpid(pid, NULL, WNOHANG) != 0)
			return;
		(void)nanosleep(&step, NULL);
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}
