#include "preload/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/say.h"

/* Put descriptors where the session expects them, through numbers that are
 * out of the way, and close all others. */
static bool
arrange(int start, int ctl, bool keep_stderr)
{
	int null = open("/dev/null", O_RDWR);
	int high_start = fcntl(start, F_DUPFD, 10);
	int high_ctl = ctl < 0 ? -1 : fcntl(ctl, F_DUPFD, 10);
	unsigned first = ctl < 0 ? START_CTL_FD : START_CTL_FD + 1;

	if (null < 0 || high_start < 0 || (ctl >= 0 && high_ctl < 0))
		return false;
	if (dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    (!keep_stderr && dup2(null, 2) < 0) ||
	    dup2(high_start, START_FD) < 0 ||
	    (ctl >= 0 && dup2(high_ctl, START_CTL_FD) < 0))
		return false;
	return close_range(first, ~0u, 0) == 0;
}

static _Noreturn void
become_session(const char *exe, int start, int ctl, bool keep_stderr)
{
	char line[512];
	char *argv[] = { NULL, NULL };
	char word[] = "smolwrap-session";
	struct rlimit lim;
	sigset_t none;
	int tell = start, n;

	argv[0] = word;
	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* A library that the user preloads is meant for the program. */
	(void)unsetenv("LD_PRELOAD");
	/* The caller's limit is for the program; a session needs many. */
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
		lim.rlim_cur = lim.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &lim);
	}
	if (arrange(start, ctl, keep_stderr)) {
		tell = START_FD;
		execv(exe, argv);
	}
	n = snprintf(line, sizeof(line), "%ccould not start the session program "
	    "\"%.300s\": %s", START_FAILED, exe, errno == EINVAL ||
	    errno == EMFILE ? "too few descriptors; raise \"ulimit -n\"" :
	    strerror(errno));
	(void)send(tell, line, (size_t)n, MSG_NOSIGNAL);
	_exit(125);
}

/* Fork twice: the grandchild's parent is init, so the program that this
 * process becomes never meets a child it does not know. */
static int
start_process(const char *exe, int start, int ctl, bool keep_stderr)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return SW_ERR_SYS;
	if (pid == 0) {
		if (setsid() < 0 || (pid = fork()) < 0)
			_exit(1);
		if (pid == 0)
			become_session(exe, start, ctl, keep_stderr);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			/* SIGCHLD is ignored: reaped by the kernel. */
			return errno == ECHILD ? SW_OK : SW_ERR_SYS;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? SW_OK :
	    SW_ERR_SYS;
}

static void
show(const char *text)
{
	/* One line, redrawn; an empty text erases it. */
	if (*text == '\0')
		dprintf(2, "\r\033[K");
	else
		dprintf(2, "\r\033[Ksmolwrap: %s...", text);
}

/* Is standard error a terminal that knows how to erase a line? */
static bool
can_redraw(void)
{
	const char *term = getenv("TERM");

	return term != NULL && *term != '\0' && strcmp(term, "dumb") != 0 &&
	    isatty(2) == 1;
}

/* What fits, without bytes that could drive the terminal. */
static void
take_text(char *dst, size_t cap, const char *src)
{
	size_t n = 0;

	for (; n < cap - 1 && src[n] != '\0'; n++)
		dst[n] = (unsigned char)src[n] < ' ' || src[n] == 0x7f ? '?' :
		    src[n];
	dst[n] = '\0';
}

#define SHOW_AFTER_MS 200	/* what is quicker is not worth a flicker */

/*
 * The next answer, without a NUL; its length, or 0 when the session is gone.
 * While none comes, what was last heard of its progress is shown.
 */
static size_t
next_answer(int fd, char *msg, size_t cap, const char *progress, bool *shown)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (*progress != '\0' && poll(&p, 1, SHOW_AFTER_MS) == 0) {
		show(progress);
		*shown = true;
	}
	/* A session that ended without having read all says so first, once; what
	 * it has told is behind that. */
	do
		n = recv(fd, msg, cap, 0);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	return n < 0 ? 0 : (size_t)n;
}

/* Listen to the session until it is ready or has failed. */
static int
await(int fd, char path[static RENDEZVOUS_MAX])
{
	char msg[START_ANSWER_MAX], progress[128] = "";
	bool shown = false, terminal = can_redraw();

	for (;;) {
		size_t n = next_answer(fd, msg, sizeof(msg) - 1, progress,
		    &shown);

		msg[n] = '\0';
		if (n > 0 && msg[0] == START_PROGRESS) {
			if (terminal)
				take_text(progress, sizeof(progress), msg + 1);
			continue;
		}
		if (shown)
			show("");
		shown = false;
		if (n > 0 && msg[0] == START_WARNING) {
			say("%s", msg + 1);
			continue;
		}
		if (n > 0 && msg[0] == START_READY && n <= RENDEZVOUS_MAX) {
			memcpy(path, msg + 1, n);
			return SW_OK;
		}
		if (n == 0)
			say("the session ended before the tunnel was up");
		else if (msg[0] == START_FAILED)
			say("%s", msg + 1);
		else
			say("the session does not speak this version's protocol");
		return SW_ERR_DOWN;
	}
}

int
spawn_session(const char *exe, const struct start *s, int *ctl_fd,
    char path[static RENDEZVOUS_MAX])
{
	bool keep_stderr = s->verbose || getenv("SMOLWRAP_LOG") != NULL;
	char text[START_MSG_MAX];
	int start[2] = { -1, -1 }, ctl[2] = { -1, -1 };
	size_t len = start_write(s, text, sizeof(text));
	int r;

	if (ctl_fd != NULL)
		*ctl_fd = -1;
	if (len == 0) {
		say("an option is too long");
		return SW_ERR_TOO_LONG;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, start) != 0 ||
	    (ctl_fd != NULL && socketpair(AF_UNIX,
		SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ctl) != 0) ||
	    send(start[0], text, len, MSG_NOSIGNAL) != (ssize_t)len ||
	    start_process(exe, start[1], ctl[1], keep_stderr) != SW_OK) {
		say("could not start a session: %s", strerror(errno));
		r = SW_ERR_SYS;
		goto out;
	}
	close(start[1]);
	start[1] = -1;
	r = await(start[0], path);
	if (r == SW_OK && ctl_fd != NULL) {
		*ctl_fd = ctl[0];
		ctl[0] = -1;
	}
out:
	for (int i = 0; i < 2; i++) {
		if (start[i] >= 0)
			close(start[i]);
		if (ctl[i] >= 0)
			close(ctl[i]);
	}
	return r;
}
