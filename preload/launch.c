/*
 * Theory of operation.  The session is forked first, then this very process
 * becomes the program: same pid, parent, terminal, signals, environment.  So
 * nothing is left behind that would have to pass signals or statuses on.
 *
 *   1. find the program; can the preload catch it?
 *   2. refuse live internet sockets among the inherited descriptors
 *   3. reach a session: a named one that is up, or a new one (launch_session.c)
 *   4. environment, control channel at a high number; for what the preload
 *      cannot catch, a network namespace; seat belt, exec
 *
 * The warm path (a session is up) is what `smolwrap true` costs: no file is
 * read but the configuration, no process is started.
 */
#include "preload/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload/environ.h"
#include "preload/inherit.h"
#include "preload/isolate.h"
#include "preload/launch_session.h"
#include "preload/parts.h"
#include "preload/program.h"
#include "preload/say.h"
#include "preload/seatbelt.h"

#ifndef SW_LIBDIR
#define SW_LIBDIR "/usr/local/lib/smolwrap"
#endif

#define CTL_FD_WANTED 1000
#define CTL_FD_MOST 8192

/* One more descriptor number than a program may have, if it can be had: those
 * that list, count or close the numbers below their limit never meet it. */
static int
move_above(int ctl, struct rlimit lim)
{
	struct rlimit more = { lim.rlim_max, lim.rlim_max };
	int fd;

	/* The kernel's table grows with the number. */
	if (lim.rlim_cur >= lim.rlim_max || lim.rlim_cur > CTL_FD_MOST ||
	    setrlimit(RLIMIT_NOFILE, &more) != 0)
		return -1;
	fd = fcntl(ctl, F_DUPFD, (int)lim.rlim_cur);
	if (setrlimit(RLIMIT_NOFILE, &lim) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The control channel goes where programs rarely look. */
static int
move_high(int ctl)
{
	struct rlimit lim;
	rlim_t wanted = CTL_FD_WANTED;
	int fd;

	if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
		if ((fd = move_above(ctl, lim)) >= 0)
			return fd;
		if (lim.rlim_cur < CTL_FD_WANTED + 16)
			wanted = lim.rlim_cur > 32 ? lim.rlim_cur - 16 :
			    lim.rlim_cur / 2;
	}
	fd = fcntl(ctl, F_DUPFD, (int)wanted);
	if (fd < 0)
		fd = fcntl(ctl, F_DUPFD, 3);
	return fd;
}

/* As execvp(3) goes on after ENOEXEC: a script without "#!". */
static void
execute(const char *path, char **argv, char **envp)
{
	char **shell;
	size_t n = 0;
	char sh[] = "/bin/sh";
	char *copy;

	execve(path, argv, envp);
	if (errno != ENOEXEC)
		return;
	while (argv[n] != NULL)
		n++;
	shell = calloc(n + 2, sizeof(*shell));
	copy = strdup(path);
	if (shell != NULL && copy != NULL) {
		shell[0] = sh;
		shell[1] = copy;
		for (size_t i = 1; i < n; i++)
			shell[i + 1] = argv[i];
		execve(sh, shell, envp);
	}
	free(shell);
	free(copy);
}

/* What will hold the program's traffic, and why not the library alone. */
struct verdict {
	bool isolated, preload;
	const char *why;		/* NULL: it would do */
};

/* Started by a wrapped program, for its session, as far as we were told? */
static bool
is_inside(const struct options *o)
{
	return o->name == NULL && getenv("SMOLWRAP_CTL") != NULL;
}

/* Then its namespace serves, too. */
static bool
is_isolated(const struct options *o)
{
	return is_inside(o) && isolate_is_here();
}

/* 0, or the exit status; said. */
static int
judge(const struct options *o, struct program *p, struct verdict *v)
{
	if (program_find(p, o->argv[0]) != SW_OK) {
		bool absent = errno == ENOENT;

		say(absent && *p->path != '\0' && p->is_script ?
		    "could not run \"%s\": its interpreter was not found" :
		    absent ? "could not find program \"%s\"" :
		    "could not run \"%s\": %s", o->argv[0], strerror(errno));
		return absent ? LAUNCH_NOT_FOUND : LAUNCH_CANNOT_RUN;
	}
	v->why = program_why_not(p);
	v->isolated = o->isolate == ISOLATE_ALWAYS ||
	    (o->isolate == ISOLATE_AUTO && (v->why != NULL || p->is_go ||
	    is_isolated(o)));
	v->preload = !p->is_foreign && !p->is_musl;
	if (v->isolated)
		return 0;
	if (v->why == NULL && o->no_seatbelt && (p->is_set_id || p->has_caps))
		v->why = "it gains privilege, so without the seat belt the "
		    "library would be left out";
	if (v->why != NULL) {
		say("cannot wrap \"%s\": %s", o->argv[0], v->why);
		return LAUNCH_CANNOT_RUN;
	}
	return 0;
}

/* As isolate(); the belt around us would not let us. */
static int
isolate_here(const struct options *o, int ctl, char why[static ISOLATE_WHY_MAX])
{
	int r;

	if (is_isolated(o))
		return SW_OK;
	r = isolate(ctl, why);
	if (r != SW_OK && is_inside(o))
		snprintf(why, ISOLATE_WHY_MAX, "the program that started it is "
		    "wrapped, but not isolated; start that one with \"smolwrap "
		    "--isolate always\"");
	return r;
}

/* 0, or the exit status; said. */
static int
confine(const struct options *o, const struct verdict *v, int ctl)
{
	char why[ISOLATE_WHY_MAX];

	if (v->isolated && isolate_here(o, ctl, why) != SW_OK) {
		if (v->why != NULL)
			say("cannot wrap \"%s\": %s; and it cannot be isolated: "
			    "%s", o->argv[0], v->why, why);
		else
			say("cannot isolate \"%s\": %s", o->argv[0], why);
		return v->why != NULL ? LAUNCH_CANNOT_RUN : LAUNCH_FAILED;
	}
	if (!o->no_seatbelt && seatbelt_fasten(v->isolated) != SW_OK) {
		say("could not install the kernel filter: %s (--no-seatbelt runs "
		    "without, and may leak)", strerror(errno));
		return LAUNCH_FAILED;
	}
	return 0;
}

static int
check_inherited(const struct options *o)
{
	int fd = inherit_find_inet();

	if (fd < 0 || o->inherit)
		return 0;
	say("cannot start with descriptor %d: it is an internet socket outside "
	    "the tunnel (--inherit accepts it)", fd);
	return LAUNCH_FAILED;
}

/* The library's path, in a place that LD_PRELOAD can name.  0, or the exit
 * status; said. */
static int
find_library(char path[static PATH_MAX])
{
	if (!parts_find(path, PATH_MAX, "libsmolwrap.so", SW_LIBDIR) ||
	    access(path, R_OK) != 0) {
		say("could not find the library \"%s\": %s", path,
		    strerror(errno));
		return LAUNCH_FAILED;
	}
	if (!environ_may_preload(path)) {
		say("cannot preload \"%s\": the path holds a space, colon or "
		    "dollar sign", path);
		return LAUNCH_FAILED;
	}
	return 0;
}

/* Keep `ctl`, which is closed, at a high number, as *f tells the program.  0,
 * or the exit status; said. */
static int
keep_channel(int ctl, struct environ_facts *f)
{
	struct stat st;

	f->ctl_fd = move_high(ctl);
	if (f->ctl_fd < 0 || fstat(f->ctl_fd, &st) != 0) {
		say("could not keep the control channel: %s", strerror(errno));
		return LAUNCH_FAILED;
	}
	close(ctl);
	f->ctl_ino = st.st_ino;
	return 0;
}

/* Of what the options and the environment lead around the tunnel. */
static void
warn(const struct options *o)
{
	const char *proxy = o->no_loopback || is_inside(o) ? NULL :
	    environ_local_proxy(environ);

	if (o->listen == LISTEN_OPEN)
		say("sockets that listen can be reached from the local "
		    "network, outside the tunnel");
	if (proxy != NULL)
		say("%.*s names a proxy on this machine, which is outside the "
		    "tunnel; unset it, or use --no-loopback",
		    (int)strcspn(proxy, "="), proxy);
}

int
launch_run(const struct options *o)
{
	char library[PATH_MAX], path[RENDEZVOUS_MAX];
	struct environ_facts facts = { .options = o, .path = path };
	struct program program;
	struct verdict verdict;
	char **envp;
	int ctl = -1, r;

	if ((r = judge(o, &program, &verdict)) != 0 ||
	    (r = check_inherited(o)) != 0 ||
	    (r = find_library(library)) != 0 ||
	    (r = launch_join(o, &ctl, path)) != 0 ||
	    (r = keep_channel(ctl, &facts)) != 0)
		return r;
	facts.library = verdict.preload ? library : NULL;
	facts.isolated = verdict.isolated;
	if ((envp = environ_build(environ, &facts)) == NULL) {
		say("out of memory");
		return LAUNCH_FAILED;
	}
	warn(o);
	if ((r = confine(o, &verdict, facts.ctl_fd)) != 0)
		return r;
	execute(program.path, o->argv, envp);
	r = errno == ENOENT ? LAUNCH_NOT_FOUND : LAUNCH_CANNOT_RUN;
	say("could not run \"%s\": %s", o->argv[0], strerror(errno));
	return r;
}

int
launch_up(const struct options *o)
{
	return launch_start(o, NULL) == SW_OK ? 0 : LAUNCH_FAILED;
}

int
launch_serve(const struct options *o)
{
	struct pollfd p = { .events = POLLIN };
	char path[RENDEZVOUS_MAX];

	if (o->name != NULL || (o->via_n == 0 &&
	    rendezvous_path(path, RENDEZVOUS_DEFAULT, false) == SW_OK &&
	    rendezvous_connect(path, &p.fd) == SW_OK)) {
		say("cannot add --socks, -L or -R to a session that is up "
		    "already; give them to \"smolwrap up\", or --via as well");
		return LAUNCH_FAILED;
	}
	if (launch_start(o, &p.fd) != SW_OK)
		return LAUNCH_FAILED;
	say("ready");
	/* The session ends with this process, and this process with it: an
	 * interrupt needs nothing more. */
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	say("the session has ended");
	return LAUNCH_FAILED;
}
