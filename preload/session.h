/*
 * session.h - the process that owns one tunnel: what its files share.
 *
 * One thread, one loop.  Wrapped processes speak to it over control
 * connections (session_control.c) and exchange IP packets with it over links,
 * called hops here (session_hop.c), which go to the tunnel (session_tunnel.h).
 *
 *   STARTING -> UP <-> DOWN -> DRAINING -> gone
 *      |         \______________/^
 *      '-> FAILED (the launcher is told the reason) -> gone
 *
 * An unnamed session lives while somebody could still use it: a control
 * connection, a process with a stack of its own, or the program it was started
 * for.  Then it sends what is unsent, for at most DRAIN_MS, and ends.  A named
 * session ends by `smolwrap down` or SIGTERM.
 */
#ifndef SW_PRELOAD_SESSION_H
#define SW_PRELOAD_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/loop.h"
#include "preload/rendezvous.h"
#include "preload/session_resolv.h"
#include "preload/session_tunnel.h"
#include "preload/start_proto.h"
#include "stack/link.h"
#include "stack/local_udp.h"
#include "stack/splice.h"
#include "transport/names_service.h"

#define SESSION_DRAIN_MS 60000
#define SESSION_MTU 65535	/* of the local hop, bytes */

struct control;
struct device;
struct hop;
struct hosted;
struct question;
struct services;

struct session {
	struct loop loop;
	struct start start;
	int start_fd;			/* -1 once the launcher has its answer */
	int listen_fd, lock_fd;
	char path[RENDEZVOUS_MAX];	/* of the socket; empty: none */
	bool tunnel_up, draining;
	int64_t born_ms, drain_until;

	struct loop_fd listener, start_watch, program_watch, signals;
	bool program_lives;
	struct loop_timer drain, tidy;

	struct session_tunnel *tunnel;
	struct services *services;	/* NULL: none are asked for */
	struct resolv resolv;

	struct control *controls;
	struct hop *hops;		/* all */
	struct hop *hop_table[1024];	/* by inner address */
	uint32_t hop_last;		/* index given last */
	size_t hop_n;
	struct hosted *hosted;		/* owners that run here */
	struct local_udp_set local;	/* datagram sockets on loopback */
	struct device *devices;		/* of isolated programs */
	struct question *questions;
	size_t question_n;
	uint32_t noted;			/* bits by enum session_reason */

	uint64_t bytes_in, bytes_out;	/* to and from the programs */
};

/* Make everything and start connecting.  SW_OK, or an SW_ERR_* and the reason
 * in `why`.  `s` is zeroed storage with `start`, `start_fd` set; ctl_fd (-1:
 * none) is taken. */
int session_init(struct session *s, int ctl_fd, char why[static 256])
    SW_MUST_CHECK;
void session_wipe(struct session *s);

/* The launcher has its answer: it is left alone. */
void session_end_start(struct session *s);

/* Something that keeps the session alive has gone; perhaps it is time. */
void session_consider_end(struct session *s);

/* "key value" lines; the length, cut to fit. */
size_t session_status(const struct session *s, char *buf, size_t cap);

/* --- answers ------------------------------------------------------------ */

/* A question of a wrapped process that waits for its answer. */
struct question {
	struct session *s;
	int reply_fd;
	struct splice *splice;		/* a datagram to answer, no reply_fd: */
	struct sw_addr src, dst;	/* where it came and from whom */
	struct question *prev, *next;
};
#define SESSION_QUESTIONS_MAX 4096

/* NULL at the limit or without memory.  fd is taken only on success. */
struct question *session_ask(struct session *s, int fd);
void session_ask_done(struct question *q);	/* closes, frees */

/* Send one answer; fd -1 for none.  The reply end stays open. */
void session_reply(int reply_fd, int error, uint32_t arg, const void *payload,
    size_t len, int fd);

/* Is `dst` an address whose DNS questions are the session's to answer?  Public
 * ones that the program chose itself are not: there the exit asks. */
bool session_is_our_resolver(struct session *s, const struct sw_addr *dst);

/* A DNS question that a program sent from src to dst by UDP: the answer leaves
 * by the splice, cut to udp_max bytes. */
void session_ask_names(struct session_tunnel *t, struct splice *splice,
    const struct sw_addr *src, const struct sw_addr *dst, const uint8_t *msg,
    size_t len, size_t udp_max);

#endif
