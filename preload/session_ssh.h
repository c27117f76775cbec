/*
 * session_ssh.h - the ssh tunnel of a session: what its files share.
 *
 *   session_ssh.c   life, state, status, published ports
 *   session_flow.c  what its splice asks: where flows go, datagrams
 */
#ifndef SW_PRELOAD_SESSION_SSH_H
#define SW_PRELOAD_SESSION_SSH_H

#include "preload/session_tunnel.h"
#include "stack/names.h"
#include "stack/splice.h"
#include "transport/names_service.h"
#include "transport/ssh_tunnel.h"

struct session_ssh {
	struct session_tunnel t;	/* first */
	struct ssh_tunnel *ssh;
	struct names *map;		/* virtual addresses */
	struct splice *splice;
};

extern const struct splice_ops session_flow_ops;	/* arg: session_ssh */

#endif
