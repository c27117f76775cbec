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

struct smolnode_exit;

struct smolnode_exit_ops {
	/* A packet for an inner address.  SW_OK, or SW_AGAIN: then
	 * smolnode_exit_writable() is due. */
	int (*packet)(void *arg, const struct sw_addr *to, const uint8_t *pkt,
	    size_t len);
};

/* NULL: no memory. */
struct smolnode_exit *smolnode_exit_new(struct loop *l,
    const struct smolnode_exit_ops *ops, void *arg);
void smolnode_exit_free(struct smolnode_exit *x);	/* NULL is fine */

/* A packet from an inner address; its policy was checked. */
void smolnode_exit_take(struct smolnode_exit *x, const uint8_t *pkt,
    size_t len);
void smolnode_exit_writable(struct smolnode_exit *x,
    const struct sw_addr *inner);
/* The owner of this address has gone: so do its flows. */
void smolnode_exit_forget(struct smolnode_exit *x,
    const struct sw_addr *inner);

#endif
