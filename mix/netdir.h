/*
 * netdir.h - where a client learns the network from: an offline topology file
 * or the directory service (nym-api) over HTTP or HTTPS, with a cache on disk.
 *
 *	file      read once, on netdir_start()
 *	service   the cache first when it is young; then the service, by several
 *	          addresses in turn, on a thread of its own; again every few
 *	          minutes.  What cannot be refreshed stays for a while.
 *
 * The thread downloads and reads (reading makes tables, some 80 us a node);
 * results come on the loop.  netdir_free() never waits for it.
 *
 * What the directory service sees: our address, and that we ask.  It is asked
 * for the whole network, so it does not see what we choose.
 */
#ifndef SW_MIX_NETDIR_H
#define SW_MIX_NETDIR_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "mix/topology.h"

#define NETDIR_URLS 8
#define NETDIR_WHY_LEN 256

/* What the main network's clients ask when nothing else is configured. */
extern const char *const netdir_mainnet[];	/* ends with NULL */

struct transport;

struct netdir_events {
	/* The network, also each time it has changed.  The receiver owns *t:
	 * topology_free() when nothing uses it any more. */
	void (*topology)(void *arg, struct topology *t);
	/* Nothing to be had for now, and nothing was before: it goes on trying
	 * if it asks a service.  why: one line, no newline. */
	void (*failed)(void *arg, int err, const char *why);
};

struct netdir_config {
	struct loop *loop;		/* borrowed for life */
	const char *file;		/* offline topology; NULL: a service */
	const char *url[NETDIR_URLS];	/* bases like "https://host/api/"; the
					 * first NULL ends them */
	const char *cache;		/* file for it; NULL: none */
	/* The way to the service, which the environment's proxies do not
	 * change; a reference is taken.  May be NULL with a file. */
	struct transport *transport;
	const char *ca_file;		/* to trust besides nothing; NULL: the
					 * system's */
	const struct netdir_events *events;	/* static */
	void *arg;
};

struct netdir;

/* Texts are copied.  SW_OK; SW_ERR_CONFIG (neither file nor address, no way, or an
 * address that is not http or https); SW_ERR_NOMEM, SW_ERR_SYS. */
int netdir_new(struct netdir **out, const struct netdir_config *cfg)
    SW_MUST_CHECK;
/* No callback comes from within. */
void netdir_start(struct netdir *d);
/* Something of the network is not where it was: ask the service again before
 * its time, if it was not asked just now. */
void netdir_ask(struct netdir *d);
/* No callback follows; does not wait.  NULL is fine. */
void netdir_free(struct netdir *d);

#define NETDIR_AVOID 16

/* Identities of nodes. */
struct netdir_avoid {
	size_t n;
	uint8_t id[NETDIR_AVOID][NYM_KEY_LEN];
};

/*
 * netdir_choose_entry() - the gateway to connect to.
 *
 * given  its identity in base58, or NULL for one at random, weighted by
 *        performance.
 * tls    it must take clients over TLS.
 * avoid  gateways not to draw: the exit's, since one that is both sees who
 *        speaks with whom, and those that did not answer.  May be NULL; does
 *        not count for `given`.
 *
 * *out is the topology's.  SW_OK; SW_ERR_FORMAT (not an identity);
 * SW_ERR_UNREACH_HOST (not there, or it takes no clients so).
 */
int netdir_choose_entry(const struct topology *t, const char *given, bool tls,
    const struct netdir_avoid *avoid, struct rng *rng,
    const struct topology_node **out) SW_MUST_CHECK;

/*
 * netdir_choose_exit() - the IP packet router to leave by.
 *
 * given  its address (identity.encryption@gateway), or the identity in base58
 *        of the node it runs on, or NULL for one at random, weighted by
 *        performance.
 * avoid  as above.
 *
 * Results as above; SW_ERR_UNREACH_HOST also when the directory names no exit.
 */
int netdir_choose_exit(const struct topology *t, const char *given,
    const struct netdir_avoid *avoid, struct rng *rng, struct recipient *out)
    SW_MUST_CHECK;

#endif
