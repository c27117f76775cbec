/*
 * mixclient.h - a client of the mixnet, without its gateway.
 *
 * Theory of operation.  Messages are cut into fragments; each fragment waits
 * in a pool, leaves in a packet with a fresh route and a ready-made ack, and
 * stays in the pool until its ack is back or it is sent again.  When to send
 * is the profile's choice: at the ticks of a Poisson process, where a packet
 * of cover leaves if there is nothing to say, or at once.  What is waited
 * for an ack follows what acks take.  Replies to
 * anonymous peers leave at once by their SURBs and are not repeated.  Mixes
 * that lose packets are avoided (health.h).
 *
 * The owner gives `transmit`, which takes a finished packet and its first
 * hop to the gateway, and calls mixclient_deliver() with what the gateway
 * pushes.  Time is a parameter.  One thread.
 */
#ifndef SW_MIX_MIXCLIENT_H
#define SW_MIX_MIXCLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "mix/ack.h"
#include "mix/nymaddr.h"
#include "mix/nymmsg.h"
#include "mix/prepare.h"
#include "mix/rng.h"
#include "mix/topology.h"

/* How traffic is shaped: what a local observer learns is the price of speed.
 * Times are means of exponential distributions. */
struct mix_profile {
	const char *name;
	uint64_t hop_ns;		/* delay at each hop, data and acks */
	uint32_t send_us;		/* main stream; 0: send at once */
	uint32_t slow_us;		/* and where the network is too slow for
					 * that (slotrate.h); 0: never slower */
	uint32_t cover_us;		/* loop cover besides; 0: none */
	uint8_t size;			/* packet size code */
};

/* "default", "fast" or "raw"; NULL for any other name.
 *   default  as the Rust client: real packets replace cover, 50 a second
 *   fast     five times that, shorter delays, no extra cover; down to the
 *            default's rate where the network cannot carry it
 *   raw      no delays and no cover: hides contents and the ends' addresses,
 *            but not when and how much was sent */
const struct mix_profile *mix_profile_find(const char *name);

struct mixclient_keys {			/* all secret */
	uint8_t identity[32];		/* Ed25519 seed */
	uint8_t encryption[X25519_KEY_LEN];
	uint8_t ack[ACK_KEY_LEN];
};

struct mixclient_events {
	/* Send a packet to its first hop by the gateway.  SW_OK, or SW_AGAIN
	 * when there is no room: then mixclient_tick() later. */
	int (*transmit)(void *arg, const struct sw_addr *first,
	    uint8_t rotation, const uint8_t *pkt, size_t len);
	/* A whole message: plain, data or reply.  Borrowed until return. */
	void (*message)(void *arg, const struct nymmsg *m);
	/* A slot is due, and nothing waits: it goes to cover unless something
	 * is sent or given now.  May be NULL. */
	void (*idle)(void *arg);
};

struct mixclient_config {
	struct mixclient_keys keys;
	uint8_t gateway[NYM_KEY_LEN];	/* ours */
	const struct mix_profile *profile;	/* static */
	const struct mixclient_events *events;	/* static */
	void *arg;
	struct rng *rng;		/* borrowed for life */
	/* Packets prepared ahead; borrowed for life.  NULL: each is made when
	 * it leaves. */
	struct prepared_source *ahead;
	size_t pool;			/* fragments on their way; 0: default */
	size_t peers;			/* anonymous peers; 0: it answers none */
};

struct mixclient_stats {
	uint64_t sent, resent, cover, acked, replies, replies_dropped;
	uint64_t received, bad, surbs_made, surb_requests;
	uint64_t reply_packets;		/* that came by our SURBs */
	unsigned slots;			/* a second, now; 0: there are none */
};

struct mixclient;

/* New client; cfg is copied.  NULL: no memory. */
struct mixclient *mixclient_new(const struct mixclient_config *cfg);
void mixclient_free(struct mixclient *c);	/* wipes; NULL is fine */

/* Use this topology from now on; borrowed until the next call or free. */
void mixclient_set_topology(struct mixclient *c, const struct topology *t);

/* Our own address. */
const struct recipient *mixclient_address(const struct mixclient *c);

/*
 * Send `data` to `to` as an anonymous message with `surbs` SURBs attached.
 * The tag by which `to` knows us is the same for all messages to it.
 * SW_OK; SW_AGAIN (no room: try when fragments were acked); SW_ERR_TOO_LONG;
 * SW_ERR_UNREACH_HOST or _NET (routes).
 */
int mixclient_send(struct mixclient *c, const struct recipient *to,
    unsigned surbs, const void *data, size_t n) SW_MUST_CHECK;

/* Give `to` SURBs and nothing else. */
int mixclient_give(struct mixclient *c, const struct recipient *to,
    unsigned surbs) SW_MUST_CHECK;

/* Reply to the peer with this tag by its SURBs.  SW_OK; SW_ERR_LIMIT when it
 * has too few left (`control` may use the reserve, too). */
int mixclient_reply(struct mixclient *c,
    const uint8_t tag[static NYMMSG_TAG_LEN], bool control, const void *data,
    size_t n, int64_t now_ms) SW_MUST_CHECK;

/* SURBs left for replies to this peer, the reserve not counted. */
size_t mixclient_count_surbs(struct mixclient *c,
    const uint8_t tag[static NYMMSG_TAG_LEN]);

/* What the gateway pushed: n bytes, decrypted in place. */
void mixclient_deliver(struct mixclient *c, uint8_t *in, size_t n,
    int64_t now_ms);

/* Fragments that mixclient_send() could take now. */
size_t mixclient_room(const struct mixclient *c);
/* Fragments waiting to leave. */
size_t mixclient_queued(const struct mixclient *c);

/* Send what is due.  Also after mixclient_send() and when there is room
 * again after SW_AGAIN. */
void mixclient_tick(struct mixclient *c, int64_t now_ms);
int64_t mixclient_deadline(const struct mixclient *c);

/* Mixes that lose packets and are avoided for now. */
size_t mixclient_shunned(const struct mixclient *c);

const struct mixclient_stats *mixclient_stats(const struct mixclient *c);

#endif
