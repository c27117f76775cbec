/*
 * mixtunnel.h - the mix tunnel: whole IP packets to and from an exit across
 * the mixnet, over one websocket to an entry gateway.
 *
 *	connecting -> session with the gateway -> asking the exit -> up
 *	a broken link: all again, after a pause; packets that were on their way
 *	are sent again by the mixnet's own acks
 *
 * Joins gwclient, mixclient and iprclient to a socket on the loop.  All of it
 * is the loop's thread's, but for what is prepared ahead; no callback comes from within start or send.
 *
 * Whoever wants the link to go by another way than a plain TCP connection
 * (TLS, a proxy, another tunnel) sets `dial`, opens a byte stream and hands
 * its descriptor to mixtunnel_dialed().
 */
#ifndef SW_MIX_MIXTUNNEL_H
#define SW_MIX_MIXTUNNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/loop.h"
#include "mix/gwlink.h"
#include "mix/mixclient.h"
#include "mix/nymaddr.h"
#include "mix/rng.h"
#include "mix/topology.h"

/* What a registration with a gateway leaves: enough to come back as the same
 * client.  Holds a secret. */
struct mixtunnel_registration {
	uint8_t gateway[NYM_KEY_LEN];
	uint8_t key[GWLINK_KEY_LEN];
	uint64_t last_auth;		/* Unix seconds; they have to grow */
};

/* Where a gateway takes clients. */
struct mixtunnel_endpoint {
	const char *host;		/* name for TLS; "" if it has none */
	struct sw_addr addr;		/* with its port */
	uint16_t port;			/* at host */
	bool tls;
};

struct mixtunnel_events {
	/* Packets may be sent, and from these addresses.  Again after each
	 * down(), possibly with others. */
	void (*up)(void *arg, const struct sw_addr *ip4,
	    const struct sw_addr *ip6, uint16_t mtu);
	/* Borrowed until return. */
	void (*packet)(void *arg, const uint8_t *pkt, size_t len);
	/* Room again; once after SW_AGAIN. */
	void (*writable)(void *arg);
	/* Not for now: it goes on trying.  Why: SW_ERR_*. */
	void (*down)(void *arg, int err);
	/* The gateway knows us: what to store, if identities are stored.  May
	 * be NULL; borrowed until return. */
	void (*registered)(void *arg, const struct mixtunnel_registration *r);
	/* Open a byte stream to the gateway and answer by mixtunnel_dialed(),
	 * later or at once.  May be NULL: plain TCP, no TLS.  Borrowed until
	 * return.  Asked again after ten seconds without an answer. */
	void (*dial)(void *arg, const struct mixtunnel_endpoint *to);
};

struct mixtunnel_config {
	struct loop *loop;		/* borrowed for life */
	/* Borrowed until mixtunnel_set_topology() or free. */
	const struct topology *topology;
	uint8_t entry[NYM_KEY_LEN];	/* identity of our gateway */
	struct recipient exit;
	const struct mix_profile *profile;
	const struct mixclient_keys *keys;	/* NULL: new ones */
	/* From an earlier time with these keys; NULL: none. */
	const struct mixtunnel_registration *registration;
	bool tls;			/* to the gateway; needs `dial` */
	uint8_t exit_version;		/* IPRMSG_V*; 0: what the exit speaks */
	bool fill_checksums;		/* packets come without them */
	bool ahead;			/* prepare packets ahead, by threads
					 * (preparer.h) */
	const struct mixtunnel_events *events;
	void *arg;
	struct rng *rng;
};

struct mixtunnel_stats {
	struct mixclient_stats mix;
	uint64_t links;			/* websockets opened */
	size_t shunned;			/* mixes that are avoided for now */
	bool linked, up;		/* to the gateway; to the exit */
};

struct mixtunnel;

/* SW_ERR_UNREACH_HOST: the entry is not in the topology, or takes no
 * clients.  *out is NULL unless SW_OK. */
int mixtunnel_new(struct mixtunnel **out, const struct mixtunnel_config *cfg)
    SW_MUST_CHECK;
/* Connect.  Again: now, not after the pause, unless there is a link. */
void mixtunnel_start(struct mixtunnel *t);

/* The network changed: use this from now on.  The old one may be freed. */
void mixtunnel_set_topology(struct mixtunnel *t, const struct topology *now);

/* The answer to dial(): a connected descriptor, which is the tunnel's from
 * here on, or -1 and why. */
void mixtunnel_dialed(struct mixtunnel *t, int fd, int err);

/* No callback follows; wipes.  NULL is fine. */
void mixtunnel_free(struct mixtunnel *t);

/* Copies.  SW_OK, SW_AGAIN, SW_ERR_DOWN, SW_ERR_TOO_LONG (more than the
 * MTU). */
int mixtunnel_send(struct mixtunnel *t, const uint8_t *pkt, size_t len)
    SW_MUST_CHECK;

/* Say goodbye to the exit; mixtunnel_free() soon after. */
void mixtunnel_stop(struct mixtunnel *t);

void mixtunnel_stats(const struct mixtunnel *t, struct mixtunnel_stats *out);

#endif
