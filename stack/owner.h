/*
 * owner.h - runs TCP and UDP flows for programs: the pump between the far end
 * of each descriptor pair and lwIP, on one loop.
 *
 * The same code serves as the thread inside a wrapped process (one owner) and
 * inside the session (one owner for each handed-over or session-hosted
 * process).  An owner reads its channel (owner_proto.h) and exchanges packets
 * over its link (link.h).
 */
#ifndef SW_STACK_OWNER_H
#define SW_STACK_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "stack/link.h"

struct owner;

struct owner_events {
	/* The owner has no channel peer, no flow and no data left (its program
	 * is gone and everything was sent), or its link has died.  It may be
	 * freed from within. */
	void (*idle)(void *arg, struct owner *o);
};

/*
 * owner_new() - start serving.
 *
 * l        borrowed, must outlive the owner.
 * id       the owner id carried in messages.
 * chan_fd  taken: server end of the channel, or -1 (flows come by import).
 * link_fd  taken: the link; LINK_CONFIG is expected as its first message, and
 *          channel messages wait until it has come.
 * ev       borrowed; arg is passed back.  May be NULL.
 *
 * Returns NULL when out of memory or descriptors; both are then closed.
 */
struct owner *owner_new(struct loop *l, uint32_t id, int chan_fd, int link_fd,
    const struct owner_events *ev, void *arg);

/* The same, for a hop whose other end is `peer` on the same loop (link.h). */
struct owner *owner_new_near(struct loop *l, uint32_t id, int chan_fd,
    struct link *peer, const struct owner_events *ev, void *arg);

/* Reset every flow, close everything, free.  NULL is fine. */
void owner_free(struct owner *o);

/* Flows that are not finished (for the decision whether to hand over). */
size_t owner_count_flows(const struct owner *o);

/*
 * owner_export() - hand everything over: config, flows, bytes, descriptors.
 *
 * Writes to `fd` (borrowed; a blocking AF_UNIX SEQPACKET socket) a sequence of
 * messages that ends with an end marker: the channel and link descriptors,
 * and for each live flow its far end, its TCP state and both directions' bytes
 * that are in our hands.  The owner is freed.  Packets that wait unread in the
 * link's queue, and messages that wait in the channel's, move with them.
 *
 * Returns SW_OK, or SW_ERR_SYS when the peer went away; flows are then reset.
 */
int owner_export(struct owner *o, int fd) SW_MUST_CHECK;

/*
 * owner_import_start() - the other half, in the session, while its loop goes on.
 *
 * fd       taken: the other end of what owner_export() writes to.
 * id       the owner that it must be.
 * granted  in, copied: the addresses that this owner was given.  What the
 *          image says of them is not believed.
 * ev, arg  the new owner's, as in owner_new().
 * done     called once, from the loop, with the owner; or with NULL when the
 *          image is malformed, too large, late (IMAGE_WHOLE_MS), or memory is
 *          out: what had arrived is closed.  The import is gone then.
 *
 * NULL when it cannot even start; done is not called then.
 */
struct owner_import;
struct owner_import *owner_import_start(struct loop *l, int fd, uint32_t id,
    const struct link_config *granted, const struct owner_events *ev,
    void *arg, void (*done)(void *arg, struct owner *o)) SW_MUST_CHECK;

/* Give it up: what has arrived is closed, done is not called.  NULL is fine. */
void owner_import_cancel(struct owner_import *i);
/*
 * stack_forget() - in a forked child, before anything else here: forget the
 * parent's owners, flows and memory, in whatever state the fork caught them,
 * so that owner_new() starts afresh.  Nothing is sent, and no descriptor is
 * closed: those are the caller's affair (in the shim they live in the stack
 * thread's own table, which a child does not inherit).
 */
void stack_forget(void);

#endif
