/*
 * smolwrap-session - owns one tunnel.  Started by smolwrap, never by hand.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "preload/session.h"
#include "preload/session_memory.h"
#include "transport/transport.h"

/* In smolwrap-session-full only. */
extern const struct transport_ops transport_iroh __attribute__((weak));
/* Where the address sanitizer is, whose check would be one of exit()'s. */
extern void __lsan_do_leak_check(void) __attribute__((weak));

/* Said by the launcher, before the session is ready. */
static void
warn(const char *text, const char *value, const char *reason)
{
	char msg[400];
	int n = snprintf(msg, sizeof(msg), "%c%s \"%.250s\": %s", START_WARNING,
	    text, value, reason);

	(void)send(START_FD, msg, (size_t)n, MSG_NOSIGNAL);
}

static void
open_log(bool verbose)
{
	const char *word = getenv("SMOLWRAP_LOG");
	const char *file = getenv("SMOLWRAP_LOG_FILE");
	int level = word == NULL ? -1 : log_level_parse(word);
	int fd = 2;

	if (word != NULL && *word != '\0' && level < 0)
		warn("cannot use SMOLWRAP_LOG", word,
		    "it is err, warn, info or debug");
	if (level < 0 && verbose)
		level = LOG_LEVEL_INFO;
	if (level < 0)
		return;
	if (file != NULL)
		fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
		    O_NOFOLLOW, 0600);
	if (fd >= 0)
		log_open(fd, (enum log_level)level, "smolwrap-session");
	else
		warn("could not open the log", file, strerror(errno));
}

/* Keys are in here: no core file, no debugger of the same user. */
static void
harden(void)
{
	struct rlimit lim = { 0, 0 };

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)setrlimit(RLIMIT_CORE, &lim);
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
		lim.rlim_cur = lim.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &lim);
	}
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)umask(077);
}

static int
give_up(const char *why)
{
	char msg[300];
	int n = snprintf(msg, sizeof(msg), "%c%s", START_FAILED, why);

	(void)send(START_FD, msg, (size_t)n, MSG_NOSIGNAL);
	return 125;
}

int
main(void)
{
	static struct session s;
	char text[START_MSG_MAX], why[256];
	struct stat st;
	ssize_t n;
	int r;

	harden();
	session_memory_keep();
	if (fstat(START_FD, &st) != 0 || !S_ISSOCK(st.st_mode)) {
		fprintf(stderr, "usage: started by smolwrap only\n");
		return 125;
	}
	n = recv(START_FD, text, sizeof(text), 0);
	if (n <= 0 || start_read(&s.start, text, (size_t)n) != SW_OK)
		return give_up("the session could not read its orders");
	open_log(s.start.verbose);
	if (&transport_iroh != NULL)
		transport_provide(&transport_iroh);
	(void)!chdir("/");
	s.start_fd = START_FD;
	(void)fcntl(START_FD, F_SETFD, FD_CLOEXEC);
	r = session_init(&s, s.start.stay ? -1 : START_CTL_FD, why);
	if (r != SW_OK) {
		(void)give_up(why);
	} else {
		log_info("session: started");
		r = loop_run(&s.loop);
		log_info("session: ends");
	}
	session_wipe(&s);
	/* A log-in or a question that was given up may still run in its thread:
	 * exit() would take OpenSSL away beneath it. */
	if (__lsan_do_leak_check != NULL)
		__lsan_do_leak_check();
	_exit(r == SW_OK ? 0 : 125);
}
