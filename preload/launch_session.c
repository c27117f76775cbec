#include "preload/launch_session.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload/launch.h"
#include "preload/orders.h"
#include "preload/parts.h"
#include "preload/say.h"
#include "preload/spawn.h"

#ifndef SW_LIBEXECDIR
#define SW_LIBEXECDIR "/usr/local/libexec"
#endif

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

/* Is anything asked for that only the start of a session can have?  0, or the
 * exit status; said. */
static int
refuse_late(const struct options *o)
{
	if (o->publish_n > 0 || options_has_services(o)) {
		say("cannot add %s to a session that is up already; give it to "
		    "\"smolwrap up\", or --via as well", o->publish_n > 0 ?
		    "--publish" : "--socks, -L or -R");
		return LAUNCH_FAILED;
	}
	if (o->session_only != NULL) {
		say("cannot give --%s to a session that is up already; leave it "
		    "out, or make a session of its own with --via",
		    o->session_only);
		return LAUNCH_FAILED;
	}
	return 0;
}

int
launch_join(const struct options *o, int *ctl, char path[static RENDEZVOUS_MAX])
{
	int r = reach_session(o, ctl, path);

	if (r == SW_OK)
		return refuse_late(o);
	if (r != SW_ERR_REFUSED || o->name != NULL)
		return LAUNCH_FAILED;
	if (o->via_n == 0) {
		explain_no_tunnel();
		return LAUNCH_FAILED;
	}
	return reach_new(o, ctl, path) == SW_OK ? 0 : LAUNCH_FAILED;
}

int
launch_start(const struct options *o, int *ctl)
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
