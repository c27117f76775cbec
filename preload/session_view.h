/*
 * session_view.h - what a program sees that asks the kernel for interfaces,
 * addresses and routes.
 *
 * An rtnetlink(7) socket tells of the network namespace that it was made in.
 * So programs get theirs from a namespace that has `lo`, one device with the
 * inner addresses of their owner, and default routes through it: the kernel
 * answers for the tunnel, and nothing of this machine's network is told.  The
 * device leads nowhere; nobody has an internet socket there.
 *
 * A process holds the namespace, and ends with view_free() or with us.
 */
#ifndef SW_PRELOAD_SESSION_VIEW_H
#define SW_PRELOAD_SESSION_VIEW_H

#include <stdint.h>

#include "stack/link.h"

struct view;

/* For an owner that was told `c`.  NULL without memory, descriptors or a
 * process.  Whether the kernel gives namespaces is found out by asking. */
struct view *view_new(const struct link_config *c);
void view_free(struct view *v);		/* NULL is fine */

/*
 * A NETLINK_ROUTE socket of `type`, SOCK_NONBLOCK included.  reply_fd, which is
 * borrowed, gets the descriptor, or an errno; at once or from that process.
 */
void view_ask(const struct view *v, uint32_t type, int reply_fd);

#endif
