/*
 * gwserver.h - the gateway's side of one client's session, above the
 * websocket.  What is common to all clients (keys, bandwidth, inbox, who is
 * connected) is behind the host's callbacks.
 *
 * Who last proved to be a client has its session: the earlier one ends.  (Nym's
 * gateways ask the earlier one first, and make the newcomer wait; a client
 * whose connection died unnoticed is back at once here.)
 */
#ifndef SW_MIX_GWSERVER_H
#define SW_MIX_GWSERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "mix/gwlink.h"
#include "mix/rng.h"

#define GWSERVER_FIRST_MS 10000		/* for each message before we know it */
#define GWSERVER_STEP_MS 5000		/* within the handshake */
#define GWSERVER_SKEW_S 120
#define GWSERVER_CLAIM_BYTES 68719476736	/* one free claim */

/* What a gateway remembers of a client.  Holds a secret. */
struct gwserver_account {
	uint8_t identity[32];
	uint8_t key[GWLINK_KEY_LEN];
	int64_t available;		/* bytes; counted only within `day` */
	int64_t day;			/* Unix days: a claim ends with its day */
	uint64_t last_auth;		/* Unix seconds */
};

struct gwserver;

struct gwserver_host {
	int (*send)(void *arg, bool binary, const void *data, size_t n);
	/* The account of an identity, or with `create` a new one; NULL. */
	struct gwserver_account *(*account)(void *arg,
	    const uint8_t identity[static 32], bool create);
	/* It is this session's now, whoever had it: push what is stored. */
	void (*joined)(void *arg, struct gwserver_account *a);
	/* The client wants to be forgotten: key, bandwidth, inbox. */
	void (*forget)(void *arg, struct gwserver_account *a);
	/* Send a packet into the mixnet. */
	void (*forward)(void *arg, const struct sw_addr *first,
	    uint8_t rotation, const uint8_t *pkt, size_t len);
	int64_t (*unix_now)(void *arg);
};

struct gwserver {
	const struct gwserver_host *host;
	void *arg;
	struct rng *rng;
	const uint8_t *seed;		/* the gateway's identity, borrowed */
	enum { GWSERVER_FRESH, GWSERVER_REGISTERING, GWSERVER_JOINED } state;
	struct gwlink link;
	uint8_t version;
	struct gwserver_account *account;	/* when joined */
	int64_t deadline_ms;
};

/* A client has connected.  `seed` (32 bytes, secret), host and rng are borrowed
 * until gwserver_wipe().  It has GWSERVER_FIRST_MS to say who it is. */
void gwserver_init(struct gwserver *g, const uint8_t *seed,
    const struct gwserver_host *host, void *arg, struct rng *rng,
    int64_t now_ms);
void gwserver_wipe(struct gwserver *g);

/* A message from the client.  SW_OK, or an error: say goodbye to it. */
int gwserver_take(struct gwserver *g, bool binary, uint8_t *data, size_t n,
    int64_t now_ms) SW_MUST_CHECK;

/* Push a payload.  SW_AGAIN when there is no room. */
int gwserver_push(struct gwserver *g, const uint8_t *data, size_t n)
    SW_MUST_CHECK;

/* After this time the session is to be closed; SW_NEVER once joined. */
int64_t gwserver_deadline(const struct gwserver *g);

#endif
