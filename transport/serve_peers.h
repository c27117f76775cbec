/*
 * serve_peers.h - whom a client has sent datagrams to from one port, by which
 * name, and when last.  Bounded: the one longest unused makes room.
 */
#ifndef SW_TRANSPORT_SERVE_PEERS_H
#define SW_TRANSPORT_SERVE_PEERS_H

#include "base/addr.h"

#define SERVE_PEERS_MAX 64

struct serve_peer {
	struct sw_addr addr;		/* as the kernel tells it */
	char *name;			/* as the client wrote it, or NULL */
	int64_t used_ms;
	int64_t found_ms;		/* when the name was looked up */
};

/* All zero: empty. */
struct serve_peers {
	struct serve_peer peer[SERVE_PEERS_MAX];
	size_t n;
};

void serve_peers_wipe(struct serve_peers *t);

/* The peer at that address and port, or NULL; good until the next note. */
struct serve_peer *serve_peers_at(struct serve_peers *t,
    const struct sw_addr *addr);

/* The one at that address, by any port, that was used last. */
struct serve_peer *serve_peers_of_host(struct serve_peers *t,
    const struct sw_addr *addr);

/* The peer by that name, whatever its case, and port. */
struct serve_peer *serve_peers_named(struct serve_peers *t, const char *name,
    uint16_t port);

/* Something is sent to `addr`, which the client calls `name` (copied), or NULL. */
void serve_peers_note(struct serve_peers *t, const char *name,
    const struct sw_addr *addr, int64_t now_ms);

#endif
