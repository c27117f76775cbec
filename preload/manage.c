#include "preload/manage.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/ask.h"
#include "preload/environ.h"
#include "preload/isolate.h"
#include "preload/program.h"
#include "preload/rendezvous.h"
#include "preload/say.h"
#include "preload/session_proto.h"

#define DOWN_MS 5000

/* A question whose answer is a text.  SW_OK or an SW_ERR_*. */
static int
ask(int ctl, enum session_op op, char *buf, size_t cap)
{
	const struct ask a = { .op = op };
	size_t len;
	int r = ask_session(ctl, &a, buf, cap - 1, &len);

	buf[len] = '\0';
	return r;
}

static const char *
name_of(const struct options *o)
{
	return o->name != NULL ? o->name : RENDEZVOUS_DEFAULT;
}

static int
reach(const struct options *o, int *ctl, char path[static RENDEZVOUS_MAX])
{
	int r = rendezvous_path(path, name_of(o), false);

	if (r == SW_ERR_SYS && errno == ENOENT)
		return SW_ERR_REFUSED;
	return r == SW_OK ? rendezvous_connect(path, ctl) : r;
}

static int
not_up(const struct options *o, const char *path, int r)
{
	if (r == SW_ERR_REFUSED)
		say("session \"%s\" is not up", name_of(o));
	else if (r == SW_ERR_DENIED)
		say("cannot trust \"%s\": it must be this user's alone, and its "
		    "folder's mode 0700", path);
	else
		say("could not reach the session \"%s\": %s", name_of(o),
		    sw_strerror(r));
	return 1;
}

int
manage_status(const struct options *o)
{
	char text[SESSION_MSG_MAX], path[RENDEZVOUS_MAX];
	int ctl, r;

	if ((r = reach(o, &ctl, path)) == SW_ERR_REFUSED) {
		puts("state none");
		return 1;
	}
	if (r == SW_OK) {
		r = ask(ctl, SESSION_STATUS, text, sizeof(text));
		close(ctl);
	}
	if (r != SW_OK)
		return not_up(o, path, r);
	fputs(text, stdout);
	return 0;
}

int
manage_down(const struct options *o)
{
	char text[256], path[RENDEZVOUS_MAX];
	struct pollfd p = { .events = POLLIN };
	int ctl, r;

	if ((r = reach(o, &ctl, path)) == SW_OK)
		r = ask(ctl, SESSION_STOP, text, sizeof(text));
	if (r != SW_OK)
		return not_up(o, path, r);
	/* It is gone when its end of the connection is, and nobody listens. */
	do {
		p.fd = ctl;
		r = poll(&p, 1, DOWN_MS);
		close(ctl);
	} while (r > 0 && rendezvous_connect(path, &ctl) == SW_OK);
	return 0;
}

/* The library keeps programs from these; one that it cannot enter, and that a
 * wrapped but not isolated program starts, finds them. */
static void
print_resolvers(void)
{
	static const char *const paths[] = { "/run/nscd/socket",
		"/run/systemd/resolve/io.systemd.Resolve",
		"/run/avahi-daemon/socket" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (access(paths[i], F_OK) == 0)
			printf("resolver %s: it answers static programs that a "
			    "wrapped one starts, unless --isolate always\n",
			    paths[i]);
}

/* An isolated program's namespace serves for what it starts; the belt around
 * one that is wrapped only would not let it. */
static int
try_isolation(char why[static ISOLATE_WHY_MAX])
{
	bool inside = getenv("SMOLWRAP_CTL") != NULL;
	int r = inside && isolate_is_here() ? SW_OK : isolate_try(why);

	if (r != SW_OK && inside)
		snprintf(why, ISOLATE_WHY_MAX, "not from within a wrapped program; "
		    "start that one with \"smolwrap --isolate always\"");
	return r;
}

/* Does it work here, and 0 or 1 for the exit status. */
static int
check_host(void)
{
	unsigned action = SECCOMP_RET_ERRNO;
	bool belt = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0,
	    &action) == 0;
	char why[ISOLATE_WHY_MAX];

	printf("seat-belt %s\n", belt ? "yes" : "no");
	if (try_isolation(why) == SW_OK)
		puts("isolation yes");
	else
		printf("isolation no: %s\n", why);
	print_resolvers();
	if (environ_local_proxy(environ) != NULL)
		printf("proxy %.*s: on this machine's loopback, outside the "
		    "tunnel\n", (int)strcspn(environ_local_proxy(environ), "="),
		    environ_local_proxy(environ));
	printf("leak %s\n", belt ? "no: what the library does not catch, the "
	    "kernel refuses" : "possible: this kernel has no seccomp filter, so "
	    "raw system calls are not stopped");
	return belt ? 0 : 1;
}

/* How it would be run; true when it reaches the tunnel. */
static bool
print_result(const struct program *p, enum options_isolate when)
{
	const char *why = program_why_not(p);
	char no[ISOLATE_WHY_MAX];

	if (when != ISOLATE_NEVER && (why != NULL || p->is_go)) {
		bool ok = try_isolation(no) == SW_OK;

		if (ok)
			puts("result runs in a network namespace of its own, "
			    "inside the tunnel");
		else
			printf("result refused: %s; it cannot be isolated: %s\n",
			    why != NULL ? why : "Go makes its system calls "
			    "itself", no);
		return ok;
	}
	if (why != NULL)
		printf("result refused: %s\n", why);
	else if (p->is_go)
		puts("result runs, but Go makes its system calls itself, so the "
		    "kernel filter refuses its sockets");
	else if (p->is_set_id || p->has_caps)
		puts("result runs without its privilege, inside the tunnel");
	else if (!p->is_elf)
		puts("result runs; the file could not be read as a program");
	else
		puts("result runs inside the tunnel");
	return why == NULL && !p->is_go;
}

int
manage_check(const struct options *o)
{
	struct program p;
	bool ok;

	if (*o->argv == NULL)
		return check_host();
	if (program_find(&p, *o->argv) != SW_OK) {
		say(errno == ENOENT ? "could not find program \"%s\"" :
		    "could not inspect program \"%s\": %s", *o->argv,
		    strerror(errno));
		return 1;
	}
	printf("program %s\n", p.path);
	if (p.is_script)
		printf("interpreter %s\n", p.loader);
	printf("kind %s\n", !p.is_elf ? "unknown" :
	    p.is_static ? "static" : "dynamic");
	if (p.is_elf)
		printf("architecture %s, %u bit\n",
		    p.is_foreign ? "foreign" : "native", p.bits);
	if (p.interp[0] != '\0')
		printf("loader %s\n", p.interp);
	printf("go %s\n", p.is_go ? "yes" : "no");
	printf("set-id %s\n", p.is_set_id ? "yes" : "no");
	printf("capabilities %s\n", p.has_caps ? "yes" : "no");
	ok = print_result(&p, o->isolate);
	return check_host() == 0 && ok ? 0 : 1;
}
