/*
 * session_route.h - whose is a packet, when many owners share one address
 * pair?  Its local port says so: of TCP and UDP, of the packet that an ICMP
 * error is about, the id of an echo.  Later fragments have none; they belong
 * where their first one went.
 *
 * No descriptors, no clock.
 */
#ifndef SW_PRELOAD_SESSION_ROUTE_H
#define SW_PRELOAD_SESSION_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

/* --- from owners --------------------------------------------------------- */

/* The datagram that an owner is sending in pieces. */
struct route_source {
	uint32_t old_id, new_id;
	uint16_t port;
	bool valid;
};

/*
 * route_source() - the local port that a packet of an owner comes from.
 *
 * p     in/out, one whole packet.  Owners number their fragmented datagrams
 *       each for themselves, so fragments get new numbers, from *next_id.
 * s     in/out, the owner's.
 *
 * SW_OK; SW_ERR_UNSUPPORTED (neither TCP nor UDP); SW_ERR_FORMAT.
 */
int route_source(struct route_source *s, uint8_t *p, size_t len,
    uint32_t *next_id, uint16_t *port) SW_MUST_CHECK;

/* --- from the exit ------------------------------------------------------- */

#define ROUTE_DATAGRAMS 64		/* in pieces at a time */
#define ROUTE_HELD_MAX (128u << 10)	/* bytes that wait for a first piece */
#define ROUTE_FRAGMENTS_MS 30000

struct route_held;

struct route_datagram {
	bool used, known;		/* known: `port` is */
	uint8_t proto;
	uint16_t port;
	uint32_t id;
	struct sw_addr src, dst;
	int64_t since_ms;
	struct route_held *held;	/* pieces that overtook the first */
};

struct route {
	struct route_datagram datagram[ROUTE_DATAGRAMS];
	size_t held_bytes;
};

/* A packet for that port; borrowed until return. */
typedef void route_deliver_fn(void *arg, uint16_t port, const uint8_t *p,
    size_t len);

/* Take one whole packet: `deliver` is called for it, or later, with the
 * pieces it waits for, or not at all. */
void route_input(struct route *r, const uint8_t *p, size_t len,
    int64_t now_ms, route_deliver_fn *deliver, void *arg);

void route_wipe(struct route *r);

#endif
