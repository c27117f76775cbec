/*
 * netdir_ask - looks the network up as a session does, once, and says what it
 * chose; for tests of netdir.
 *
 *	netdir_ask [-f FILE] [-u URL]... [-c CACHE] [-a CA] [-e ENTRY]
 *	    [-x EXIT] [-t]
 *
 * Prints "nodes N", "entry ID" and "exit ADDRESS"; a reason on stderr, and
 * status 1, if there is nothing to be had.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "mix/netdir.h"
#include "mix/prim.h"
#include "transport/transport.h"

static struct loop loop;
static struct topology *found;
static int failure;

static void
on_topology(void *arg, struct topology *t)
{
	(void)arg;
	found = t;
	loop.stop = true;
}

static void
on_failed(void *arg, int err, const char *why)
{
	(void)arg;
	fprintf(stderr, "%s\n", why);
	failure = err;
	loop.stop = true;
}

static const struct netdir_events events = { on_topology, on_failed };

static int
report(const char *entry, const char *exit, bool tls)
{
	char id[BASE58_TEXT_LEN(NYM_KEY_LEN)], text[RECIPIENT_TEXT_LEN];
	struct netdir_avoid avoid = { .n = 1 };
	const struct topology_node *n;
	struct recipient to;
	int r;

	printf("nodes %zu\n", found->n);
	if ((r = netdir_choose_exit(found, exit, NULL, &rng_system, &to)) !=
	    SW_OK) {
		fprintf(stderr, "no exit: %s\n", sw_strerror(r));
		return 1;
	}
	memcpy(avoid.id[0], to.gateway, sizeof(avoid.id[0]));
	if ((r = netdir_choose_entry(found, entry, tls, &avoid, &rng_system, &n)) !=
	    SW_OK) {
		fprintf(stderr, "no entry: %s\n", sw_strerror(r));
		return 1;
	}
	base58_encode(id, n->identity, NYM_KEY_LEN);
	recipient_format(text, &to);
	printf("entry %s\nexit %s\n", id, text);
	return 0;
}

int
main(int argc, char **argv)
{
	struct netdir_config cfg = { .loop = &loop, .events = &events };
	const struct transport_options way = { .kind = TRANSPORT_TCP };
	const char *entry = NULL, *exit = NULL;
	char why[TRANSPORT_WHY_LEN];
	struct netdir *d;
	size_t urls = 0;
	bool tls = false;
	int opt, r;

	while ((opt = getopt(argc, argv, "f:u:c:a:e:x:t")) != -1)
		switch (opt) {
		case 'f': cfg.file = optarg; break;
		case 'u': cfg.url[urls++ % NETDIR_URLS] = optarg; break;
		case 'c': cfg.cache = optarg; break;
		case 'a': cfg.ca_file = optarg; break;
		case 'e': entry = optarg; break;
		case 'x': exit = optarg; break;
		case 't': tls = true; break;
		default: return 2;
		}
	if (prim_init() != SW_OK || loop_init(&loop) != SW_OK)
		return 2;
	if (transport_new(&cfg.transport, &way, why) != SW_OK) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	if ((r = netdir_new(&d, &cfg)) != SW_OK) {
		fprintf(stderr, "%s\n", sw_strerror(r));
		return 1;
	}
	netdir_start(d);
	r = loop_run(&loop);
	netdir_free(d);
	transport_unref(cfg.transport);
	loop_wipe(&loop);
	r = r != SW_OK || failure != SW_OK ? 1 : report(entry, exit, tls);
	topology_free(found);
	return r;
}
