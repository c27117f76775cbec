/*
 * ipr_world.h - an IPR client and an exit across a mix network in memory.
 *
 * The world beyond the exit answers every packet with its addresses exchanged.
 * Time is the network's, and passes in world_run() only.
 */
#ifndef SW_TESTS_IPR_WORLD_H
#define SW_TESTS_IPR_WORLD_H

#include "mix/iprclient.h"
#include "mix/iprexit.h"
#include "tests/unit/fakenet.h"

/* An answer on its way. */
struct late {
	int64_t due_ms;
	size_t n;
	uint8_t bytes[3000];
};

struct world {
	struct fakenet net;		/* and the time */
	struct late late[64];
	size_t n_late;
	struct mixclient *cm, *xm;	/* the client's, the exit's */
	struct iprclient *client;
	struct iprexit *exit;

	/* What the client was told. */
	bool up;
	int down;			/* why; 0 */
	uint8_t ip4[4], ip6[16];
	uint16_t mtu;
	unsigned got, writable;		/* packets; times */
	uint64_t got_bytes;
	unsigned disorder;		/* large packets behind a later one */
	uint8_t last_mark;
	uint8_t last[2000];		/* the last packet */
	size_t last_len;

	/* What the exit was told. */
	unsigned gone;			/* clients */
	unsigned asked[11];		/* connects by version */

	/* What a test may change. */
	int64_t lag_ms;			/* of the exit's answers */
	bool deaf;			/* the world does not answer */
	bool forgetful;			/* the exit hears no data any more */
	bool mute;			/* its answers do not arrive */
	bool wordy;			/* only what it says does, no packets */
	uint8_t only;			/* version the exit speaks; 0: all */
};

/* A client that asks by `version` (0: it tries), over a network that loses
 * `loss` percent; `seed` is of all that is random.  world_free() frees it. */
struct world *world_new(uint8_t version, unsigned loss, uint8_t seed);
struct world *world_new_as(const char *profile, uint8_t version, unsigned loss,
    uint8_t seed);
void world_free(struct world *w);

/* Let `ms` of the network's time pass. */
void world_run(struct world *w, int64_t ms);

/* Start the client and see it up. */
void world_connect(struct world *w);

/* An exit that knows nobody, at the same place. */
void world_restart_exit(struct world *w);

/* A UDP-like IPv4 packet of `len` bytes from the client to 1.1.1.1, filled with
 * `salt`. */
void world_packet(const struct world *w, uint8_t *p, size_t len, uint8_t salt);

/* What o'clock it is for iprclient_config; `arg` is not looked at. */
int64_t world_unix_now(void *arg);

#endif
