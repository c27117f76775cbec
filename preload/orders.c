#include "preload/orders.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload/say.h"

/* "~/x" and relative paths name files for us, not for a session in "/". */
static bool
absolute(char *buf, size_t len, const char *path)
{
	const char *home = getenv("HOME");
	char cwd[PATH_MAX];
	int n;

	if (*path == '/')
		n = snprintf(buf, len, "%s", path);
	else if (strncmp(path, "~/", 2) == 0 && home != NULL)
		n = snprintf(buf, len, "%s%s", home, path + 1);
	else if (getcwd(cwd, sizeof(cwd)) != NULL)
		n = snprintf(buf, len, "%s/%s", cwd, path);
	else
		return false;
	return n > 0 && (size_t)n < len;
}

static bool
may_read(const char *path, const char *what)
{
	struct stat st;

	if (access(path, R_OK) == 0 && stat(path, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			return true;
		errno = EISDIR;
	}
	say("could not read %s \"%s\": %s", what, path, strerror(errno));
	return false;
}

static bool
too_long(const char *what)
{
	say("%s is too long", what);
	return false;
}

static bool
fill_text(struct start *s, const struct options *o, enum options_text t)
{
	const struct options_text_fact *fact = &options_texts[t];
	const char *value = o->texts[t];
	char *to = s->texts[t];

	if (value == NULL)
		return true;
	if (fact->kind == TEXT_PLAIN)
		return snprintf(to, START_TEXT_MAX, "%s", value) <
		    START_TEXT_MAX || too_long(fact->what);
	if (!absolute(to, START_TEXT_MAX, value))
		return too_long(fact->what);
	return fact->kind == TEXT_STATE || may_read(to, fact->what);
}

/* The last of them is what the program talks through; the first is dialled
 * from this host. */
static bool
fill_via(struct start *s, const char *via)
{
	struct tunnel_url *u = &s->url[s->via_n];
	char *to = s->via[s->via_n];
	const size_t cap = sizeof(s->via[0]);
	char why[128];
	int r = tunnel_url_parse(u, via, why);

	if (r != SW_OK) {
		say("cannot use this tunnel: %s", why);
		return false;
	}
	if (u->kind == TUNNEL_MIX_FILE) {
		snprintf(to, cap, "mix:");
		if (!absolute(to + 4, cap - 4, u->host) ||
		    strlen(to + 4) > TUNNEL_PLACE_MAX)
			return too_long("the network's file name");
		if (!may_read(to + 4, "network file"))
			return false;
		memcpy(u->host, to + 4, strlen(to + 4) + 1);
	} else if (snprintf(to, cap, "%s", via) >= (int)cap)
		return too_long("a tunnel");
	s->via_n++;
	return true;
}

/* user:password@ of a URL, blotted out where a list of processes shows it. */
static void
wipe_userinfo(const char *url)
{
	const char *p = strstr(url, "://");
	const char *at = p == NULL ? NULL : strrchr(p, '@');

	if (at != NULL)
		memset((char *)(uintptr_t)(p + 3), 'x', (size_t)(at - p - 3));
}

#define KIND(k) (1u << (k))
#define SSH (KIND(TUNNEL_SSH) | KIND(TUNNEL_SSH_TLS) | KIND(TUNNEL_SSH_IROH))
#define MIXES (KIND(TUNNEL_MIX) | KIND(TUNNEL_MIX_FILE) | KIND(TUNNEL_MIX_LOCAL))
/* TLS is also the way to iroh's relay, to a directory and a gateway. */
#define WITH_TLS (KIND(TUNNEL_SSH_TLS) | KIND(TUNNEL_SSH_IROH) | MIXES)

static bool
is_for(const struct start *s, const char *option, unsigned kinds,
    const char *tunnels)
{
	for (size_t i = 0; i < s->via_n; i++)
		if ((kinds & KIND(s->url[i].kind)) != 0)
			return true;
	say("--%s is for %s, and no tunnel here is one", option, tunnels);
	return false;
}

/*
 * Who gives a pin believes that it is looked at: options that none of the
 * tunnels heeds are faults.  Not those of the configuration file when the
 * tunnel was named nearer to the user than they: it is for many commands.
 */
static bool
is_meant(const struct options *o, enum options_text t)
{
	return o->texts[t] != NULL && o->text_from[t] <= o->via_from;
}

static bool
all_are_heeded(const struct start *s, const struct options *o)
{
	static const struct {
		enum options_text text;
		unsigned kinds;
		const char *tunnels;
	} wants[] = {
		{ TEXT_IDENTITY, SSH, "ssh://, ssh+tls:// and ssh+iroh://" },
		{ TEXT_KNOWN_HOSTS, SSH, "ssh://, ssh+tls:// and ssh+iroh://" },
		{ TEXT_TLS_CA, WITH_TLS, "ssh+tls://, ssh+iroh:// and mix:" },
		{ TEXT_TLS_PIN, WITH_TLS, "ssh+tls://, ssh+iroh:// and mix:" },
		{ TEXT_TLS_NAME, WITH_TLS, "ssh+tls://, ssh+iroh:// and mix:" },
		{ TEXT_IROH_KEY, KIND(TUNNEL_SSH_IROH), "ssh+iroh://" },
		{ TEXT_IROH_RELAY, KIND(TUNNEL_SSH_IROH), "ssh+iroh://" },
		{ TEXT_IROH_ADDRESS, KIND(TUNNEL_SSH_IROH), "ssh+iroh://" },
		{ TEXT_IROH_ALPN, KIND(TUNNEL_SSH_IROH), "ssh+iroh://" },
		{ TEXT_DIRECTORY, MIXES, "mix:" },
		{ TEXT_ENTRY, MIXES, "mix:" },
		{ TEXT_ENTRY_TLS, MIXES, "mix:" },
		{ TEXT_EXIT, MIXES, "mix:" },
		{ TEXT_TRAFFIC, MIXES, "mix:" },
		{ TEXT_MIX_IDENTITY, MIXES, "mix:" },
	};

	for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++)
		if (is_meant(o, wants[i].text) && !is_for(s,
		    options_texts[wants[i].text].name, wants[i].kinds,
		    wants[i].tunnels))
			return false;
	if (is_meant(o, TEXT_SOCKS_AUTH) && o->texts[TEXT_SOCKS] == NULL) {
		say("--socks-auth says who may use --socks, which is not given");
		return false;
	}
	return !o->insecure || is_for(s, "insecure", WITH_TLS,
	    "ssh+tls://, ssh+iroh:// and mix:");
}

bool
orders_fill(struct start *s, const struct options *o)
{
	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < o->via_n; i++)
		if (!fill_via(s, o->via[i]))
			return false;
	if (!all_are_heeded(s, o))
		return false;
	for (int i = 0; i < OPTIONS_TEXTS; i++)
		if (!fill_text(s, o, (enum options_text)i))
			return false;
	if (o->texts[TEXT_PROXY] != NULL)
		wipe_userinfo(o->texts[TEXT_PROXY]);
	memcpy(s->publish, o->publish, sizeof(s->publish));
	s->publish_n = o->publish_n;
	/* Options of at most FORWARD_TEXT_MAX bytes, as their parser saw to. */
	for (size_t i = 0; i < o->local_n; i++)
		snprintf(s->local[i], FORWARD_TEXT_MAX, "%s", o->local[i]);
	for (size_t i = 0; i < o->remote_n; i++)
		snprintf(s->remote[i], FORWARD_TEXT_MAX, "%s", o->remote[i]);
	s->local_n = o->local_n;
	s->remote_n = o->remote_n;
	s->no_drain = o->no_drain;
	s->no_loopback = o->no_loopback;
	s->listen_open = o->listen == LISTEN_OPEN;
	s->wait = o->wait;
	s->verbose = o->verbose;
	s->insecure = o->insecure;
	return true;
}
