/*
 * session_ssh.h - the ssh tunnel of a session: what its files share.
 *
 *   session_ssh.c   life, state, status, published ports
 *   session_flow.c  what its splice asks: where flows go, datagrams
 *   session_udp.c   datagrams through a server that carries them
 */
#ifndef SW_PRELOAD_SESSION_SSH_H
#define SW_PRELOAD_SESSION_SSH_H

#include "preload/session_tunnel.h"
#include "stack/names.h"
#include "stack/splice.h"
#include "transport/names_service.h"
#include "transport/ssh_tunnel.h"
#include "transport/through.h"

struct session_udp;

struct session_ssh {
	struct session_tunnel t;
	struct ssh_tunnel *ssh;
	struct through *door;		/* to the tunnel before it; or NULL */
	struct names *map;		/* virtual addresses */
	struct splice *splice;
	struct session_udp *udp;
};

extern const struct splice_ops session_flow_ops;	/* arg: session_ssh */

/* ---- session_udp.c ---- */

struct session_udp *session_udp_new(struct session_ssh *t);
void session_udp_free(struct session_udp *u);	/* NULL is fine */

/* A program's datagram: sent on from the port that stands for its own.  SW_OK,
 * or why not. */
int session_udp_send(struct session_udp *u, const struct sw_addr *src,
    const struct sw_addr *dst, const uint8_t *data, size_t len);

/* The owner of inner address `inner` is gone, and its ports. */
void session_udp_forget(struct session_udp *u, const struct sw_addr *inner);

#endif
