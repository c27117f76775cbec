/*
 * Theory of operation.  The session is forked first, then this very process
 * becomes the program: same pid, parent, terminal, signals, environment.  So
 * nothing is left behind that would have to pass signals or statuses on.
 *
 *   1. find the program; can the preload catch it?
 *   2. refuse live internet sockets among the inherited descriptors
 *   3. reach a session: a named one that is up, or a new one
 *   4. environment, control channel at a high number; for what the preload
 *      cannot catch, a network namespace; seat belt, exec
 *
 * The warm path (a session is up) is what `smolwrap true` costs: no file is
 * read but the configuration, no process is started.
 */
#include "preload/launch.h"

#include <dirent.h>
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
#include "preload/orders.h"
#include "preload/parts.h"
#include "preload/program.h"
#include "preload/rendezvous.h"
#include "preload/say.h"
#include "preload/seatbelt.h"
#include "preload/spawn.h"

#ifndef SW_LIBDIR
#define SW_LIBDIR "/usr/local/lib/smolwrap"
#endif
#ifndef SW_LIBEXECDIR
#define SW_LIBEXECDIR "/usr/local/libexec"
#endif

#define CTL_FD_WANTED 1000
#define CTL_FD_MOST 8192

static void
explain_no_tunnel(void)
{
	say("no tunnel is given, and nothing may leave without one");
	fputs("  --via ssh://USER@HOST  any SSH server: quick, and it sees "
	    "where you go\n"
	    "  --via mix:             the Nym mixnet: nobody sees who goes "
	    "where, slower\n"
	    "  --via mix:local        a mixnet on this machine, to try it\n"
	    "A line \"via ssh://USER@HOST\" in ~/.config/smolwrap/config makes "
	    "one the default;\n"
	    "\"smolwrap up --via ...\" keeps one ready.\n", stderr);
}

/* A session from its name.  SW_ERR_REFUSED when it is not up (not said). */
static int
reach_named(const char *name, int *ctl, char path[static RENDEZVOUS_MAX])
{
	int r = rendezvous_path(path, name, false);

	if (r == SW_OK)
		r = rendezvous_connect(path, ctl);
	else if (r == SW_ERR_SYS && errno == ENOENT)
		return SW_ERR_REFUSED;
	if (r == SW_ERR_DENIED)
		say("cannot trust \"%s\": it must be this user's alone, and its "
		    "folder's mode 0700", path);
	else if (r != SW_OK && r != SW_ERR_REFUSED)
		say("could not reach the session \"%s\": %s", name,
		    strerror(errno));
	return r;
}

static bool
is_socket_ino(int fd, unsigned long long ino)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == ino;
}

/* Inside a wrapped program already: the same session serves.  *ctl is -1 when
 * there is none around us. */
static int
reach_outer(int *ctl, char path[static RENDEZVOUS_MAX])
{
	const char *where = getenv("SMOLWRAP_PATH");
	const char *word = getenv("SMOLWRAP_CTL");
	unsigned long long ino;
	char *end;
	long fd;

	*ctl = -1;
	if (word == NULL || where == NULL || strlen(where) >= RENDEZVOUS_MAX)
		return SW_ERR_REFUSED;
	fd = strtol(word, &end, 10);
	if (fd < 0 || fd > INT_MAX || *end != ':')
		return SW_ERR_REFUSED;
	ino = strtoull(end + 1, NULL, 10);
	memcpy(path, where, strlen(where) + 1);
	if (is_socket_ino((int)fd, ino)) {
		*ctl = (int)fd;
		return SW_OK;
	}
	return rendezvous_connect(path, ctl);
}

/* The libraries of iroh and of the mixnet's directory service take 2 ms to load,
 * so the session that has them is a program of its own. */
static bool
find_session(char *buf, size_t len, const struct start *s)
{
	const char *name = "smolwrap-session";

	for (size_t i = 0; i < s->via_n; i++)
		if (s->url[i].kind == TUNNEL_SSH_IROH ||
		    s->url[i].kind == TUNNEL_MIX)
			name = "smolwrap-session-full";
	return parts_find(buf, len, name, SW_LIBEXECDIR);
}

static int
reach_new(const struct options *o, int *ctl, char path[static RENDEZVOUS_MAX])
{
	char exe[PATH_MAX];
	struct start s;

	if (!orders_fill(&s, o))
		return SW_ERR_CONFIG;
	s.pid = getpid();
	if (!find_session(exe, sizeof(exe), &s))
		return SW_ERR_TOO_LONG;
	return spawn_session(exe, &s, ctl, path);
}

/* SW_ERR_REFUSED: none is there, so a new one is to be made. */
static int
reach_session(const struct options *o, int *ctl,
    char path[static RENDEZVOUS_MAX])
{
	bool explicit = o->via_n > 0 && !o->via_is_default;
	int r;

	if (o->name != NULL) {
		r = reach_named(o->name, ctl, path);
		if (r == SW_ERR_REFUSED)
			say("session \"%s\" is not up; start it with "
			    "\"smolwrap up -s %s --via ...\"", o->name, o->name);
		return r;
	}
	if (reach_outer(ctl, path) == SW_OK) {
		if (!explicit)
			return SW_OK;
		say("cannot make another tunnel from inside a wrapped program");
		return SW_ERR_DENIED;
	}
	return explicit ? SW_ERR_REFUSED :
	    reach_named(RENDEZVOUS_DEFAULT, ctl, path);
}

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

int
launch_run(const struct options *o)
{
	char library[PATH_MAX], path[RENDEZVOUS_MAX];
	struct environ_facts facts = { .options = o };
	struct program program;
	struct verdict verdict;
	struct stat st;
	char **envp;
	int ctl = -1, r;

	if ((r = judge(o, &program, &verdict)) != 0 ||
	    (r = check_inherited(o)) != 0)
		return r;
	if (!parts_find(library, sizeof(library), "libsmolwrap.so",
	    SW_LIBDIR) || access(library, R_OK) != 0) {
		say("could not find the library \"%s\": %s", library,
		    strerror(errno));
		return LAUNCH_FAILED;
	}
	if (!environ_may_preload(library)) {
		say("cannot preload \"%s\": the path holds a space, colon or "
		    "dollar sign", library);
		return LAUNCH_FAILED;
	}
	r = reach_session(o, &ctl, path);
	if (r == SW_OK && (o->publish_n > 0 || options_has_services(o))) {
		say("cannot add %s to a session that is up already; give it to "
		    "\"smolwrap up\", or --via as well", o->publish_n > 0 ?
		    "--publish" : "--socks, -L or -R");
		return LAUNCH_FAILED;
	}
	if (r == SW_OK && o->session_only != NULL) {
		say("cannot give --%s to a session that is up already; leave it "
		    "out, or make a session of its own with --via",
		    o->session_only);
		return LAUNCH_FAILED;
	}
	if (r == SW_ERR_REFUSED && o->name == NULL) {
		if (o->via_n == 0) {
			explain_no_tunnel();
			return LAUNCH_FAILED;
		}
		r = reach_new(o, &ctl, path);
	}
	if (r != SW_OK)
		return LAUNCH_FAILED;

	facts.library = verdict.preload ? library : NULL;
	facts.isolated = verdict.isolated;
	facts.path = path;
	facts.ctl_fd = move_high(ctl);
	if (facts.ctl_fd < 0 || fstat(facts.ctl_fd, &st) != 0) {
		say("could not keep the control channel: %s", strerror(errno));
		return LAUNCH_FAILED;
	}
	close(ctl);
	facts.ctl_ino = st.st_ino;
	if ((envp = environ_build(environ, &facts)) == NULL) {
		say("out of memory");
		return LAUNCH_FAILED;
	}
	if (o->listen == LISTEN_OPEN)
		say("sockets that listen can be reached from the local "
		    "network, outside the tunnel");
	if ((r = confine(o, &verdict, facts.ctl_fd)) != 0)
		return r;
	execute(program.path, o->argv, envp);
	r = errno == ENOENT ? LAUNCH_NOT_FOUND : LAUNCH_CANNOT_RUN;
	say("could not run \"%s\": %s", o->argv[0], strerror(errno));
	return r;
}

/* A session without a program: one that stays (ctl NULL), or one that ends
 * with this process, which gets a control channel. */
static int
start_apart(const struct options *o, int *ctl)
{
	static struct start s;
	char exe[PATH_MAX], path[RENDEZVOUS_MAX];
	int outer;

	if (o->via_n == 0) {
		explain_no_tunnel();
		return SW_ERR_CONFIG;
	}
	if (reach_outer(&outer, path) == SW_OK) {
		say("cannot make another tunnel from inside a wrapped program");
		return SW_ERR_DENIED;
	}
	if (!orders_fill(&s, o) || !find_session(exe, sizeof(exe), &s))
		return SW_ERR_CONFIG;
	s.stay = ctl == NULL;
	if (s.stay)
		snprintf(s.name, sizeof(s.name), "%s",
		    o->name != NULL ? o->name : RENDEZVOUS_DEFAULT);
	else
		s.pid = getpid();
	return spawn_session(exe, &s, ctl, path);
}

int
launch_up(const struct options *o)
{
	return start_apart(o, NULL) == SW_OK ? 0 : LAUNCH_FAILED;
}

int
launch_serve(const struct options *o)
{
	struct pollfd p = { .events = POLLIN };

	if (o->name != NULL) {
		say("cannot add --socks, -L or -R to a session that is up "
		    "already; give them to \"smolwrap up\"");
		return LAUNCH_FAILED;
	}
	if (start_apart(o, &p.fd) != SW_OK)
		return LAUNCH_FAILED;
	say("ready");
	/* The session ends with this process, and this process with it: an
	 * interrupt needs nothing more. */
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	say("the session has ended");
	return LAUNCH_FAILED;
}
