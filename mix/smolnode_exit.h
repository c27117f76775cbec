/*
 * smolnode_exit.h - where the exit's IP packets meet the kernel: TCP flows
 * end in the splice (lwIP) and go on as sockets; datagrams have a socket for
 * each port of a client.  Needs no privilege.  One per process, as the splice is.
 */
#ifndef SW_MIX_SMOLNODE_EXIT_H
#define SW_MIX_SMOLNODE_EXIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/loop.h"
#include "mix/iprexit.h"

struct smolnode_exit;

struct smolnode_exit_ops {
	/* A packet for an inner address.  SW_OK, or SW_AGAIN: then
	 * smolnode_exit_events.writable() is due. */
	int (*packet)(void *arg, const struct sw_addr *to, const uint8_t *pkt,
	    size_t len);
};

/* NULL: no memory. */
struct smolnode_exit *smolnode_exit_new(struct loop *l,
    const struct smolnode_exit_ops *ops, void *arg);
void smolnode_exit_free(struct smolnode_exit *x);	/* NULL is fine */

/* What it has to hear of the clients: their packets, once policy has allowed
 * them; that there is room; that one has gone, and its flows with it.  The
 * argument is the smolnode_exit. */
extern const struct iprexit_events smolnode_exit_events;

#endif
