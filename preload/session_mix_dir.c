/*
 * mix: - the network as a directory service describes it.  Linked only into
 * the session that is started for it: the library that speaks HTTPS takes long
 * to load.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "mix/netdir.h"
#include "preload/session_mix.h"

static void
got_topology(void *arg, struct topology *net)
{
	struct session_mix *t = arg;

	if (t->mix == NULL)
		mix_connect(t, net);
	else
		mix_change_network(t, net);
}

static void
has_failed(void *arg, int err, const char *why)
{
	mix_fail(arg, err, why);
}

static const struct netdir_events events = { got_topology, has_failed };

/* A file of the user's own, for the main network only: a private one may be
 * another tomorrow.  False: there is no place for it. */
static bool
find_cache(char *path, size_t len)
{
	const char *dir = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int n;

	if (dir != NULL && *dir == '/')
		n = snprintf(path, len, "%s/smolwrap", dir);
	else if (home != NULL && *home == '/')
		n = snprintf(path, len, "%s/.cache/smolwrap", home);
	else
		return false;
	if (n < 0 || (size_t)n >= len - sizeof("/network"))
		return false;
	for (char *p = strrchr(path, '/'); p != NULL; p = NULL) {
		*p = '\0';
		(void)mkdir(path, 0700);
		*p = '/';
	}
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return false;
	memcpy(path + n, "/network", sizeof("/network"));
	return true;
}

int
mix_dir_start(struct session_mix *t, char why[static 256])
{
	struct netdir_config cfg = {
		.loop = &t->t.s->loop, .events = &events, .arg = t,
		.transport = t->link.tcp,
		.ca_file = start_text(&t->t.s->start, TEXT_TLS_CA),
	};
	const char *given = start_text(&t->t.s->start, TEXT_DIRECTORY);
	char urls[START_TEXT_MAX], cache[4096], *at = urls;
	size_t n = 0;
	int r;

	if (given == NULL) {
		for (; n < NETDIR_URLS && netdir_mainnet[n] != NULL; n++)
			cfg.url[n] = netdir_mainnet[n];
		if (find_cache(cache, sizeof(cache)))
			cfg.cache = cache;
	} else {
		memcpy(urls, given, strlen(given) + 1);
		while (n < NETDIR_URLS && at != NULL)
			cfg.url[n++] = strsep(&at, ",");
	}
	r = netdir_new(&t->dir, &cfg);
	if (r != SW_OK) {
		snprintf(why, 256, r == SW_ERR_CONFIG ? "--directory wants an "
		    "address that begins with http:// or https://" :
		    "could not ask the directory service: %s", sw_strerror(r));
		return r;
	}
	session_tunnel_progress(&t->t, "asking the directory service");
	netdir_start(t->dir);
	return SW_OK;
}

void
mix_dir_stop(struct session_mix *t)
{
	netdir_free(t->dir);
	t->dir = NULL;
}

void
mix_dir_ask(struct session_mix *t)
{
	if (t->dir != NULL)
		netdir_ask(t->dir);
}
