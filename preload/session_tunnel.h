/*
 * session_tunnel.h - what a session needs of a tunnel.
 *
 * Owners of flows give IP packets (session_hop.h); a tunnel takes them to its
 * exit, in one of two ways:
 *
 *   ssh  session_ssh.c   packets end here, in the splice; each flow goes on as
 *                        a stream opened by name
 *   mix  session_mix.c   packets go to the exit as they are
 *
 * A tunnel also opens streams and UDP ports for the session itself (names,
 * proxies, another tunnel inside it).  With several --via each tunnel but the
 * first is reached through the one before; owners use the last.
 *
 *   CONNECTING -> UP <-> DOWN
 *             \-> FAILED, for good
 */
#ifndef SW_PRELOAD_SESSION_TUNNEL_H
#define SW_PRELOAD_SESSION_TUNNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "preload/tunnel_url.h"
#include "stack/datagram.h"
#include "stack/dialer.h"
#include "stack/link.h"

struct hop;
struct names_service;
struct session;
struct session_tunnel;

enum session_tunnel_state {
	STATE_CONNECTING, STATE_UP, STATE_DOWN, STATE_FAILED,
};

struct session_tunnel_ops {
	const char *kind;		/* "ssh", "mix" */
	/* Packets end in the session: programs' stacks are best run there. */
	bool ends_packets;

	/* Everything it opened ends; no callback follows.  Hops and owners
	 * have gone before. */
	void (*free)(struct session_tunnel *t);

	/* "key value" lines besides those of the session; never a
	 * destination.  The length, cut to fit. */
	size_t (*status)(const struct session_tunnel *t, char *buf, size_t cap);

	/* Flows of owners that are gone but have not been sent to the end. */
	size_t (*count_unsent)(const struct session_tunnel *t);

	/* A hop begins: fill in its config, but for LINK_UP.  False: there are
	 * no addresses or ports left. */
	bool (*attach)(struct session_tunnel *t, struct hop *h);
	void (*detach)(struct session_tunnel *t, struct hop *h);

	/* A frame of whole IP packets from an owner. */
	void (*input)(struct session_tunnel *t, struct hop *h,
	    struct link_frame *f);
	/* hop_send() has room again, after SW_AGAIN. */
	void (*writable)(struct session_tunnel *t, struct hop *h);

	/* The tunnel before it has come up: try now.  May be NULL. */
	void (*wake)(struct session_tunnel *t);
	/* The tunnel before it has failed for good, and so has this one: it
	 * says so, with this reason.  May be NULL. */
	void (*give_up)(struct session_tunnel *t, const char *why);
};

struct session_tunnel {
	const struct session_tunnel_ops *ops;
	struct session *s;
	struct session_tunnel *below, *above;	/* in the chain; or NULL */
	enum session_tunnel_state state;
	int err;			/* why it is not up; SW_OK if it is */

	/* For what the session opens itself; names as targets are fine. */
	struct dialer *dialer;
	const struct dialer_ops *dialer_ops;
	struct datagrams *datagrams;	/* NULL: it carries no UDP */
	const struct datagram_ops *datagram_ops;

	struct names_service *names;	/* of the last tunnel; else may be NULL */
};

/*
 * Make the one that `url` names and start connecting.  below: the tunnel that
 * leads to it, NULL for the host's own network.  NULL: one line of English in
 * `why`.
 */
struct session_tunnel *session_ssh_new(struct session *s,
    const struct tunnel_url *url, struct session_tunnel *below,
    char why[static 256]);
struct session_tunnel *session_mix_new(struct session *s,
    const struct tunnel_url *url, struct session_tunnel *below,
    char why[static 256]);

/*
 * The tunnel's state has changed: tell everybody whom it concerns.  err and
 * `why` (one line that says what went wrong and what to do; NULL: the usual
 * text of err) for DOWN and FAILED.
 */
void session_tunnel_tell(struct session_tunnel *t,
    enum session_tunnel_state state, int err, const char *why);

/* A person who waits reads what is being done. */
void session_tunnel_progress(struct session_tunnel *t, const char *text);

/* A line that a person should read, while the launcher still listens. */
void session_warn(struct session *s, const char *text);

#endif
