/*
 * session_hop.h - the session's end of a link to a stack owner: one inner
 * address pair, packets both ways.
 */
#ifndef SW_PRELOAD_SESSION_HOP_H
#define SW_PRELOAD_SESSION_HOP_H

#include "preload/session.h"

#define HOP_LISTENS_MAX 32

struct hop {
	struct session *s;
	struct link *link;
	uint32_t owner;			/* its id, as it told us */
	uint32_t index;			/* of its inner addresses */
	bool hosted;			/* its owner runs in this process */
	bool foreign;			/* no owner: a device of the kernel's */
	void *user;			/* the tunnel's own of it */
	struct link_config config;
	struct view *view;		/* once its owner has asked for it */
	struct sw_addr listens[HOP_LISTENS_MAX];
	size_t listen_n;
	struct hop *prev, *next, *same;	/* same: in the table */
};

/* Attach: give addresses, send LINK_CONFIG.  link_fd is taken, also on
 * failure; -1: the owner will be in this process.  NULL without memory,
 * descriptors or addresses. */
struct hop *hop_new(struct session *s, uint32_t owner, int link_fd);

/* Detach: its flows end with a reset.  Fine from within its callbacks. */
void hop_free(struct hop *h);

/* By its owner's id, by one of its inner addresses; NULL for none. */
struct hop *hop_find_owner(struct session *s, uint32_t owner);
struct hop *hop_find_inner(struct session *s, const struct sw_addr *inner);

/* For tunnels: give it a pair of inner addresses of its own. */
void hop_own_addresses(struct hop *h);
/* The session's own inner address; its port 53 is the programs' resolver. */
struct sw_addr hop_session_address(uint16_t port);

/* Tell the owner its config, or that the tunnel came up or went. */
bool hop_tell_config(struct hop *h);
void hop_tell_tunnel(struct hop *h, bool up);

/* Packets towards the owner.  SW_OK; SW_AGAIN: the tunnel's writable()
 * follows. */
int hop_send(struct hop *h, const struct iovec *iov, int n) SW_MUST_CHECK;

/* A control message, after the packets that wait.  fd (-1: none) is
 * borrowed.  False when it could not be sent. */
bool hop_control(struct hop *h, enum link_control_op op, uint16_t arg,
    const void *payload, size_t len, int fd);

/* Who listens on `port`, and where: NULL for nobody. */
struct hop *hop_find_listener(struct session *s, uint16_t port,
    struct sw_addr *at);

/* Does every packet in this frame come from one of the two addresses? */
bool hop_is_honest(const struct link_config *c, const uint8_t *frame,
    size_t len);

#endif
