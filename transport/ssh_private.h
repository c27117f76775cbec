/*
 * ssh_private.h - what the parts of the ssh tunnel share: ssh_login.c (thread),
 * ssh_tunnel.c (life), ssh_dial.c (channels), ssh_lookup.c (the resolver on the
 * server).  Nobody else includes it.
 *
 * Rules of the house for libssh 0.10:
 *   - any call on a session may read the socket and run channel callbacks.  So
 *     our channel callbacks only note what happened and queue the dial; the
 *     user's callbacks run from ssh_dial_process(), where nothing of libssh is
 *     on the stack;
 *   - a channel is not freed while it is being opened (its confirmation would
 *     find nobody and the far end would stay open): it waits as a zombie;
 *   - ssh_channel_close() may send the EOF only and say "again"; the second
 *     call sends the close;
 *   - reading refills the receive window to 1.28 MB whatever is buffered, so a
 *     slow reader's backlog is taken out whole, never in slices;
 *   - why a channel was refused is told only as a warning text.
 */
#ifndef SW_TRANSPORT_SSH_PRIVATE_H
#define SW_TRANSPORT_SSH_PRIVATE_H

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

#include "transport/list.h"
#include "transport/ssh_tunnel.h"
#include "transport/ssh_wire.h"

/* A refused channel, as the log hook heard of it. */
struct ssh_refusal {
	uint32_t id;
	int err;
};

/* A connection that arrived at a published port. */
struct ssh_arrival {
	LIST_LINK(ssh_arrival) next;
	struct dial *d;
	uint16_t port, from_port;
	char from[64];
};

/* One logged-in session and what libssh's callbacks write down.  Made by the
 * login thread, then owned by the loop's thread. */
struct ssh_live {
	ssh_session session;
	ssh_event event;		/* made by the loop's thread */
	int fd;				/* a duplicate of the session's, ours */
	pid_t command;			/* what it runs over; 0: no command */
	struct ssh_counter_struct wire, raw;
	struct ssh_wire gathered;	/* while the loop has it */
	uint32_t last_id;		/* number of the channel made last */
	int64_t rtt_us;			/* quickest opening of a channel; 0: none yet */
	struct ssh_refusal *refused;
	size_t nrefused, refused_room;
	LIST_OF(ssh_arrivals, ssh_arrival) arrivals;
	size_t ninbound;	/* dials the server opened, until it closes them */
	size_t *unheard;	/* published ports (index) not listened on yet */
	size_t nunheard;
	uint16_t *bound;	/* the port that each of them got */
};

struct ssh_live *ssh_live_new(void);
void ssh_live_free(struct ssh_live *v);		/* NULL is fine */
/* Route this thread's libssh warnings to `v`; before every call. */
void ssh_live_enter(struct ssh_live *v);

/* ---- ssh_login.c: blocking, on a thread of its own ---- */

struct ssh_login;

/* A deep copy of the options. */
struct ssh_plan {
	char *host, *user, *known_hosts, *config, *ciphers;
	struct transport *transport;	/* a reference; never NULL */
	char **identities;		/* NULL ends it; never NULL itself */
	struct ssh_tunnel_publish *publish;
	size_t npublish;
	uint16_t port;
	int keepalive_s;
	bool no_agent, no_exec, patient;
};

static inline const char *
ssh_publish_bind(const struct ssh_tunnel_publish *p)
{
	return p->bind != NULL ? p->bind : "localhost";
}

/* ssh_plan.c; NULL without memory. */
struct ssh_plan *ssh_plan_new(const struct ssh_tunnel_options *o);
struct ssh_plan *ssh_plan_copy(const struct ssh_plan *p);
void ssh_plan_free(struct ssh_plan *p);

/* Start logging in; notify_fd (an eventfd, borrowed) becomes readable when
 * ssh_login_take() has something to say.  NULL without memory or thread. */
struct ssh_login *ssh_login_start(const struct ssh_plan *p, int notify_fd,
    bool again);

/*
 * SW_AGAIN while it runs.  Else SW_OK and *live is the caller's, or an SW_ERR_*
 * with why[]; *fatal: trying again cannot help.
 */
int ssh_login_take(struct ssh_login *g, struct ssh_live **live, bool *fatal,
    char why[static SSH_TUNNEL_WHY_LEN]);

/* Forget it, finished or not; the thread cleans up after itself. */
void ssh_login_free(struct ssh_login *g);

/* SW_OK, or SW_ERR_AUTH etc. with why[] (ssh_hostkey.c, ssh_auth.c). */
int ssh_hostkey_check(ssh_session s, const struct ssh_plan *p,
    char why[static SSH_TUNNEL_WHY_LEN]) SW_MUST_CHECK;
int ssh_auth_run(ssh_session s, const struct ssh_plan *p, int64_t deadline_ms,
    char why[static SSH_TUNNEL_WHY_LEN]) SW_MUST_CHECK;

/* ---- ssh_command.c ---- */

/* Run the ProxyCommand of ssh_config: *fd leads to it, *pid is to be ended.
 * SW_OK, or SW_ERR_CONFIG or _SYS with why[]. */
int ssh_command_start(ssh_session s, const struct ssh_plan *p,
    const char *command, int *fd, pid_t *pid,
    char why[static SSH_TUNNEL_WHY_LEN]) SW_MUST_CHECK;

/* End it, by force if it must be; half a second at most.  0 is fine. */
void ssh_command_end(pid_t pid);

/* ---- ssh_alive.c: does the server live; does it listen where it should ---- */

void ssh_alive_init(struct ssh_tunnel *t);
void ssh_alive_begin(struct ssh_tunnel *t);	/* a session is there */
void ssh_alive_end(struct ssh_tunnel *t);
void ssh_alive_heard(struct ssh_tunnel *t);	/* perhaps: bytes came */
void ssh_alive_spoke(struct ssh_tunnel *t);	/* perhaps: bytes went */

/* ---- ssh_dial.c ---- */

enum ssh_dial_state {
	DIAL_OPENING,		/* the server has not answered */
	DIAL_REQUESTING,	/* exec only: open, the command not yet granted */
	DIAL_OPEN,
	DIAL_ENDED,		/* the user was told, or asked for it: to reap */
};

/* Received bytes that the user may keep (stack/dialer.h). */
struct ssh_block {
	struct dial_block lent;
	size_t room;			/* bytes */
	uint8_t bytes[];
};

struct dial {
	LIST_LINK(dial) link;		/* in the tunnel's pending or open list */
	LIST_LINK(dial) ready;	/* in its queue, if queued */
	LIST_LINK(dial) wait;		/* in its writers, if waiting */
	struct ssh_tunnel *t;
	const struct dial_events *ev;	/* NULL: nobody is to be told */
	void *arg;
	ssh_channel ch;
	struct ssh_channel_callbacks_struct cb;
	char *command;			/* exec only */
	uint32_t id;
	enum ssh_dial_state state;
	bool queued, waiting, paused;
	bool inbound;			/* the server opened it */
	bool closing;			/* and is to close it as well */
	bool choosy;			/* took a part only, the last time */
	bool got_eof, got_close;	/* from the server */
	bool told_eof, sent_eof;
	size_t avail;			/* bytes libssh holds for us */
	struct ssh_block *held;		/* bytes we hold: held_at..held_len */
	size_t held_at, held_len;
	size_t window, since;		/* aim; bytes read since the last refill */
	size_t streak;			/* bytes taken since mark_us */
	int64_t mark_us;		/* when the opening, then the streak, began */
};

LIST_OF(dial_list, dial);

/* The dials of one tunnel. */
struct ssh_dials {
	struct dial_list pending, open;
	LIST_OF(ready_list, dial) ready;
	struct dial_list writers;
	size_t npending, nopen;
	size_t windows;			/* grown by, all dials together */
	uint64_t opened, failed;	/* totals, for the status text */
	uint64_t seen_bytes;	/* input up to here has been looked at */
	uint8_t *scratch;
};

int ssh_dials_init(struct ssh_dials *s);
void ssh_dials_wipe(struct ssh_dials *s);	/* frees dials, tells nobody */

/* Run a command on the server as a dial. */
struct dial *ssh_dial_exec(struct ssh_tunnel *t, const char *command,
    const struct dial_events *ev, void *arg, int *err);

/* libssh's message callback; arg is the struct ssh_live. */
int ssh_dial_on_message(ssh_session session, ssh_message m, void *arg);
void ssh_dial_drop_arrivals(struct ssh_live *v);

/* Tell users what has happened, until nothing is left to tell. */
void ssh_dial_process(struct ssh_tunnel *t);

/* Input came that ssh_dial_process() has not seen. */
bool ssh_dial_is_behind(const struct ssh_tunnel *t);

/* The session is gone: end every dial. */
void ssh_dial_end_all(struct ssh_tunnel *t);

/* ---- ssh_lookup.c ---- */

struct ssh_lookups;

struct ssh_lookups *ssh_lookups_new(struct ssh_tunnel *t);
void ssh_lookups_free(struct ssh_lookups *k);
void ssh_lookups_up(struct ssh_lookups *k);	/* a session is there */
void ssh_lookups_down(struct ssh_lookups *k);
void ssh_lookups_process(struct ssh_lookups *k);

/* ---- ssh_tunnel.c ---- */

struct ssh_tunnel {
	struct loop *l;
	const struct ssh_tunnel_events *ev;
	void *arg;
	struct ssh_plan *plan;
	enum ssh_tunnel_state state;
	struct ssh_login *login;
	struct ssh_live *live;		/* while UP */
	struct loop_fd login_w, wire_w;
	struct loop_timer work, retry, alive, listen, linger;
	struct loop_turn turn;
	uint32_t wire_events;		/* what wire_w waits for */
	struct ssh_dials dials;
	struct ssh_lookups *lookups;
	unsigned attempt;		/* since it was last up */
	bool listening;			/* a tcpip-forward is unanswered */
	struct ssh_life {
		unsigned misses;	/* questions without an answer */
		int64_t heard_ms;	/* when bytes came last */
		uint64_t heard_bytes;	/* as counted then */
		uint64_t said_bytes;	/* sent by then */
		bool waiting;		/* something was sent since */
		int64_t since_ms;	/* when; or when we asked last */
		int unsent;		/* in the socket, when we asked last */
	} life;
	uint64_t sessions;		/* logins that succeeded */
	int64_t up_since_ms;
	bool broken;			/* libssh said so; handled in process */
	char broken_why[256];
	char cipher[64];
	char why[SSH_TUNNEL_WHY_LEN];	/* of the last failure */
};

/* Something is queued: process it in this turn of the loop. */
void ssh_tunnel_schedule(struct ssh_tunnel *t);

/* The session is lost: taken down where nothing of libssh is on the stack. */
void ssh_tunnel_break(struct ssh_tunnel *t, const char *why);

/* Deliver, flush, and wait for what is to be waited for. */
void ssh_tunnel_serve(struct ssh_tunnel *t);

/* Bytes wait in libssh for the socket to take them. */
bool ssh_tunnel_is_clogged(struct ssh_tunnel *t);

#endif
