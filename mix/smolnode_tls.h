/* smolnode_tls.h - the certificate of a role that takes TLS, from files. */
#ifndef SW_MIX_SMOLNODE_TLS_H
#define SW_MIX_SMOLNODE_TLS_H

#include "mix/smolnode.h"
#include "transport/tls_server.h"

struct smolnode_tls {
	const char *cert, *key;		/* options; NULL: not given */
	struct tls_server *server;	/* NULL: no TLS */
	struct loop *loop;
	struct loop_fd hangup;		/* SIGHUP: read the files again */
};

/*
 * Read the files, and again at each SIGHUP: on failure then what was read
 * before stays.  SW_OK, also when no certificate is given, or SW_ERR_CONFIG:
 * said why on stderr.  Close it in both cases, before the loop goes.
 */
int smolnode_tls_open(struct smolnode_tls *t, struct loop *l) SW_MUST_CHECK;
void smolnode_tls_close(struct smolnode_tls *t);

#endif
