/*
 * iprexit.h - the exit's half of the IPR protocol: which anonymous client has
 * which inner address, what it may send, and how packets reach it.
 *
 * Packets go out by `packet` (to a stack that owns real sockets) and come
 * back by iprexit_send().  A client is known by its sender tag; unlike the
 * reference we let nobody use an address that is another's.
 *
 * What the policy refuses is answered twice: by ICMP, which the program that
 * connects understands, and now and then by an Info message, which its client
 * may log.  A client that was silent for a minute is told that it is dropped;
 * so is one that we do not know (any more), such as after a restart, if it gave
 * us a SURB to say it by.
 */
#ifndef SW_MIX_IPREXIT_H
#define SW_MIX_IPREXIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "mix/exitpolicy.h"
#include "mix/iprmsg.h"
#include "mix/mixclient.h"

#define IPREXIT_CLIENTS 256
#define IPREXIT_IDLE_MS 60000
#define IPREXIT_QUEUE (128u << 10)	/* bytes that wait for SURBs */
#define IPREXIT_QUANTUM 32		/* bundles a client gets in a turn */
#define IPREXIT_COMPLAIN_MS 1000	/* between two words about the policy */
#define IPREXIT_STRANGERS 16		/* that are remembered as told */
#define IPREXIT_STRANGER_MS 1000	/* between two words to one of them */

struct iprexit_events {
	/* An IP packet whose source is the client's own address. */
	void (*packet)(void *arg, const uint8_t *pkt, size_t len);
	/* A client left; its addresses may be given to another. */
	void (*gone)(void *arg, const struct sw_addr *ip4,
	    const struct sw_addr *ip6);
	/* There is room for packets again, after SW_AGAIN; once for each of
	 * the client's addresses. */
	void (*writable)(void *arg, const struct sw_addr *inner);
};

struct iprexit_config {
	struct mixclient *mix;		/* borrowed for life; peers > 0 */
	const struct exitpolicy *policy;	/* borrowed for life */
	const struct iprexit_events *events;
	void *arg;
	struct rng *rng;
};

/* Clients there are, and packets since the beginning. */
struct iprexit_stats {
	size_t clients;
	uint64_t up, down;		/* to the world, to clients */
	uint64_t spoofed;		/* not from the client's own address */
	uint64_t refused;		/* by the policy */
	uint64_t dropped, malformed;
	uint64_t strangers;		/* messages of who was never let in */
};

struct iprexit;

/* The configuration is copied.  NULL: no memory. */
struct iprexit *iprexit_new(const struct iprexit_config *cfg);
void iprexit_free(struct iprexit *x);	/* NULL is fine */

/* A message that the mixclient received. */
void iprexit_take(struct iprexit *x, const struct nymmsg *m, int64_t now_ms);

/* A packet for an inner address; copied.  SW_OK (also: nobody is there),
 * SW_AGAIN (writable() follows), SW_ERR_TOO_LONG. */
int iprexit_send(struct iprexit *x, const struct sw_addr *to,
    const uint8_t *pkt, size_t len) SW_MUST_CHECK;

/* Send what waits; forget who is silent.  At each turn's end. */
void iprexit_tick(struct iprexit *x, int64_t now_ms);
int64_t iprexit_deadline(const struct iprexit *x);

/* Kept up to date; as long-lived as x. */
const struct iprexit_stats *iprexit_stats(struct iprexit *x);

/* The exit's own inner addresses, 10.0.0.1 and fc00::1: packets to them pass
 * whatever the policy says, and are the exit's to answer. */
bool iprexit_is_own(const struct sw_addr *a);

#endif
