/*
 * serve.h - smolserve: listeners, sessions and what they forward, all on one
 * loop's thread.  (Names are looked up on threads of serve_resolve.c.)
 *
 *   listener --(fd, who)--> limits --> session: SSH engine + descriptor
 *                                        |- relay: channel <-> TCP socket
 *                                        |- ports: channel <-> UDP sockets
 *                                        |- names: channel <-> resolver
 *                                        `- remote: listening socket -> relays
 */
#ifndef SW_TRANSPORT_SERVE_H
#define SW_TRANSPORT_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/loop.h"
#include "transport/list.h"
#include "transport/serve_authkeys.h"
#include "transport/serve_dial.h"
#include "transport/serve_hostkey.h"
#include "transport/serve_policy.h"
#include "transport/serve_resolv.h"
#include "transport/serve_ssh.h"

#define SERVE_SCRATCH ((size_t)192 * 1024)	/* larger than any packet */
#define SERVE_FAR ((size_t)64 * 1024)

/* How a connection came. */
enum serve_kind { SERVE_TCP, SERVE_TLS, SERVE_IROH };

#define SERVE_PEER_MAX 80

struct serve_info {
	enum serve_kind kind;
	bool has_addr;			/* of the peer, not of a relay */
	struct sw_addr addr;
	char peer[SERVE_PEER_MAX];	/* address, or endpoint id */
};

struct serve_limits {
	unsigned connections, per_ip;	/* at once; 0: no limit */
	unsigned startups;		/* not logged in yet, at once */
	unsigned login_s;		/* to log in */
	unsigned keepalive_s;		/* a question after so much silence */
};

enum serve_remote { SERVE_REMOTE_NO, SERVE_REMOTE_LOOPBACK, SERVE_REMOTE_ANY };

struct serve_session;
struct serve_relay;
LIST_OF(serve_sessions, serve_session);
LIST_OF(serve_relays, serve_relay);

struct serve_server {
	struct loop l;
	struct serve_limits limits;
	enum serve_remote remote;
	struct serve_keys *keys;
	struct serve_policy policy;
	struct serve_nameservers nameservers;
	struct serve_hostkey hostkey;
	struct serve_budget budget;
	struct serve_ssh_config ssh;
	struct serve_dialing dialing;
	struct serve_sessions sessions, dirty;
	struct serve_relays lingering;	/* that outlive their session */
	struct loop_turn turn;
	size_t nsessions, nstarting;
	bool draining;			/* no new channels, no new sessions */
	bool no_udp;
	uint8_t *scratch;		/* SERVE_SCRATCH bytes, of clients */
	uint8_t *far;			/* SERVE_FAR bytes, for them */
};

/* ---- serve_session.c ---- */

/*
 * Take over a connected stream: `fd`, closed in any case, and the `len` bytes
 * already read from it.  Over a limit, the connection is closed and logged.
 */
void serve_session_start(struct serve_server *v, int fd,
    const struct serve_info *who, const uint8_t *first, size_t len);

/* ---- serve_server.c ---- */

/* One more from this address would be too many.  Logs. */
bool serve_is_crowded(struct serve_server *v, const struct serve_info *who);

/* Flush and disconnect every session; each goes when its output is sent. */
void serve_sessions_bye(struct serve_server *v);
void serve_sessions_free(struct serve_server *v);
/* Channels that are open, of all sessions; bytes that wait to go anywhere. */
bool serve_sessions_are_idle(const struct serve_server *v);

/* Set up and take down what sessions hang on. */
int serve_server_init(struct serve_server *v) SW_MUST_CHECK;
void serve_server_wipe(struct serve_server *v);

/* ---- serve_reason.c ---- */

/* The SSH reason and words for why a dial failed. */
enum serve_reason serve_reason_of(int err, const char **words);

#endif
