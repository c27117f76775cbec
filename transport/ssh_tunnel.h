/*
 * ssh_tunnel.h - one SSH session to a server, as a dialer.
 *
 * Connecting, key exchange and authentication block, so they run on a thread
 * of their own; the finished session is then handed to the loop's thread and
 * is non-blocking from there on.  Everything below is called on the loop's
 * thread, and every callback comes there.
 *
 *   new -> CONNECTING -> UP -> DOWN (back-off) -> CONNECTING -> UP ...
 *                     -> FAILED, for good: the first attempt failed (unless
 *                        `patient`), or the server's identity is in doubt
 *
 * A dial is one `direct-tcpip` channel, opened by name: the server resolves.
 * When the session is lost every dial ends with closed(SW_ERR_RESET) (a
 * pending one with failed(SW_ERR_DOWN)); new dials work once it is up again.
 */
#ifndef SW_TRANSPORT_SSH_TUNNEL_H
#define SW_TRANSPORT_SSH_TUNNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "stack/dialer.h"
#include "transport/transport.h"
#include "transport/lookup.h"

#define SSH_TUNNEL_WHY_LEN 1024

enum ssh_tunnel_state {
	SSH_TUNNEL_CONNECTING,
	SSH_TUNNEL_UP,
	SSH_TUNNEL_DOWN,		/* will try again by itself */
	SSH_TUNNEL_FAILED,		/* will not */
};

/* A port of the server that leads here (--publish, tcpip-forward). */
struct ssh_tunnel_publish {
	const char *bind;	/* address on the server; NULL: "localhost" */
	uint16_t port;		/* 0: the server chooses; see `listens` */
};

/* Every string is copied.  NULL or 0 means the default. */
struct ssh_tunnel_options {
	const char *host;		/* name, address or ssh_config alias;
					 * or what the transport calls a peer */
	struct transport *transport;	/* a reference is taken; NULL: TCP */
	uint16_t port;			/* ssh_config's, else 22; of another
					 * transport: its usual one */
	const char *user;		/* ssh_config's, else the caller's own */
	const char *const *identities;	/* key files, NULL ends the list; tried
					 * before the agent and the usual files */
	const char *known_hosts;	/* instead of the usual two files */
	const char *config;		/* instead of the usual two files; "none" */
	const char *ciphers;		/* instead of AES-GCM, then ChaCha20 */
	const struct ssh_tunnel_publish *publish;
	size_t npublish;
	int keepalive_s;		/* 0: 15 s; negative: none */
	bool no_agent;
	bool no_exec;			/* do not run the resolver on the server */
	bool patient;			/* retry the first attempt as well */
	bool asleep;			/* begin with ssh_tunnel_wake() only */
};

struct ssh_tunnel_events {
	/*
	 * The state changed.  For DOWN and FAILED `err` is an SW_ERR_* and `why`
	 * one line that says what went wrong and what to do (borrowed).  May not
	 * free the tunnel.
	 */
	void (*state)(void *arg, enum ssh_tunnel_state state, int err,
	    const char *why);
	/* The server chose `port` for publish[i], which asked for none; before
	 * the first UP.  May be NULL. */
	void (*listens)(void *arg, size_t i, uint16_t port);
	/*
	 * A connection arrived at a published port.  `d` is an opened dial:
	 * give it events with ssh_tunnel_adopt(), now or in this turn, or end it
	 * with abort().  from: numeric text, as the server tells it.
	 */
	void (*inbound)(void *arg, uint16_t port, const char *from,
	    uint16_t from_port, struct dial *d);
};

struct ssh_tunnel;

/* Start connecting.  l and ev are borrowed and must outlive the tunnel.  NULL
 * when out of memory, threads or descriptors. */
struct ssh_tunnel *ssh_tunnel_new(struct loop *l,
    const struct ssh_tunnel_options *o, const struct ssh_tunnel_events *ev,
    void *arg);

/* The way to the server has just become free (the tunnel before this one is
 * up): do not wait any longer before the next attempt. */
void ssh_tunnel_wake(struct ssh_tunnel *t);

/* The way to the server is gone for good (the tunnel before this one failed):
 * every dial ends, nothing is tried again, and the state is FAILED with `why`.
 * Not from within a callback of this tunnel. */
void ssh_tunnel_give_up(struct ssh_tunnel *t, const char *why);

/* Drop the session.  Every dial is gone and no callback follows, so the
 * splice must be freed, or told of another dialer, before.  NULL is fine. */
void ssh_tunnel_free(struct ssh_tunnel *t);

/* For splice_set_dialer(); valid in every state (open() says SW_ERR_DOWN). */
struct dialer *ssh_tunnel_dialer(struct ssh_tunnel *t);
extern const struct dialer_ops ssh_tunnel_dialer_ops;

/* Give an inbound dial its events. */
void ssh_tunnel_adopt(struct dial *d, const struct dial_events *ev, void *arg);

enum ssh_tunnel_state ssh_tunnel_state(const struct ssh_tunnel *t);

/* It is up, and the server says that it is smolserve: then it carries datagrams
 * (ssh_udp.h), and looks names up without running a command. */
bool ssh_tunnel_is_smolserve(const struct ssh_tunnel *t);
#define SSH_TUNNEL_SMOLSERVE "SSH-2.0-smolserve_"

/* Status as "key value" lines for `smolwrap status`; never a destination.
 * Answers the length, cut to fit `cap`. */
size_t ssh_tunnel_status(const struct ssh_tunnel *t, char *buf, size_t cap);

/* Does a name exist, as the server's own resolver sees it?  UNSUPPORTED: the
 * account may not run commands or has no getent. */
typedef void ssh_tunnel_lookup_fn(void *arg, const struct lookup *);

/* Ask.  `name` is copied; `done` comes exactly once, never from within, unless
 * ssh_tunnel_forget() was called with the same arg.  SW_OK, SW_ERR_FORMAT (not
 * a strict host name), SW_ERR_NOMEM or SW_ERR_LIMIT. */
int ssh_tunnel_lookup(struct ssh_tunnel *t, const char *name,
    ssh_tunnel_lookup_fn *done, void *arg) SW_MUST_CHECK;
void ssh_tunnel_forget(struct ssh_tunnel *t, const void *arg);

/* The server's own first name server, numeric; NULL while unknown. */
const char *ssh_tunnel_nameserver(const struct ssh_tunnel *t);

#endif
