/*
 * gwclient.h - a client's session with its gateway, above the websocket.
 *
 *	new -> asked version -> registering   -> claiming -> ready
 *	                     \-> proving (with a key from before) -/
 *	any state -> failed
 *
 * A gateway pushes what it stored before it says that we are registered, so
 * binary frames are taken from the moment there is a key.
 */
#ifndef SW_MIX_GWCLIENT_H
#define SW_MIX_GWCLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "mix/gwlink.h"
#include "mix/rng.h"

#define GWCLIENT_STEP_MS 5000		/* each answer has to come within */

struct gwclient_events {
	/* Send one websocket message.  SW_OK, SW_AGAIN (binary only), or an
	 * error. */
	int (*send)(void *arg, bool binary, const void *data, size_t n);
	void (*ready)(void *arg);
	/* A payload from the mixnet; in place, borrowed until return. */
	void (*pushed)(void *arg, uint8_t *data, size_t n);
	/* Over.  SW_ERR_AUTH: prove failed, so register again (without key);
	 * SW_ERR_DENIED: no bandwidth to be had here; others. */
	void (*failed)(void *arg, int err);
};

/* Holds secrets. */
struct gwclient {
	const struct gwclient_events *events;
	void *arg;
	struct rng *rng;
	int state;			/* gwclient.c's own */
	uint8_t seed[32];		/* our identity */
	uint8_t gateway[32];
	uint8_t key[GWLINK_KEY_LEN];	/* shared; valid once registered */
	bool has_key;
	uint8_t version;
	struct gwlink link;
	int64_t available;		/* bytes we may still send */
	bool claiming;
	int64_t deadline_ms;
	uint64_t unix_now;		/* for authentication */
};

/* `key` is what an earlier registration gave, or NULL.  unix_now must be
 * larger than in any earlier authentication of this identity. */
void gwclient_init(struct gwclient *g, const uint8_t seed[static 32],
    const uint8_t gateway[static 32], const uint8_t *key, uint64_t unix_now,
    const struct gwclient_events *events, void *arg, struct rng *rng);
void gwclient_wipe(struct gwclient *g);

/* The websocket is open. */
void gwclient_start(struct gwclient *g, int64_t now_ms);
/* A message from it; binary ones are decrypted in place. */
void gwclient_take(struct gwclient *g, bool binary, uint8_t *data, size_t n,
    int64_t now_ms);
void gwclient_tick(struct gwclient *g, int64_t now_ms);
int64_t gwclient_deadline(const struct gwclient *g);

/* Forward a packet.  SW_OK, SW_AGAIN (no room, or no bandwidth for now),
 * SW_ERR_DOWN. */
int gwclient_forward(struct gwclient *g, const struct sw_addr *first,
    uint8_t rotation, const uint8_t *pkt, size_t len) SW_MUST_CHECK;

#endif
