/*
 * session_device.h - an owner whose stack is the kernel's: the TUN device of a
 * network namespace, for programs that no library can catch.
 *
 *   programs -- kernel's TCP/IP -- TUN device -- (this) -- link -- hop
 *
 * It speaks the owner's side of a link, so the session and the tunnels see a
 * hop like any other.  What the link says of addresses and of the tunnel's
 * state becomes the device's addresses and default routes: while the tunnel is
 * down, there is no route, and connections fail with ENETUNREACH.
 */
#ifndef SW_PRELOAD_SESSION_DEVICE_H
#define SW_PRELOAD_SESSION_DEVICE_H

#include "preload/session.h"

struct control;
struct hop;

#define DEVICE_FDS 4

/*
 * Serve a device.  Descriptors, all taken, also on failure: the device itself
 * (IFF_TUN, IFF_NO_PI), a NETLINK_ROUTE and a NETLINK_SOCK_DIAG socket of its
 * namespace, where the device is number `index`, and one to the namespace's
 * guard (guard.h), held open as long as the device is served.  `of`: the control
 * connection whose programs use it.
 * SW_OK with *config what the namespace has been given, or an SW_ERR_*.
 */
int device_new(struct session *s, const struct control *of, int index,
    const int fds[DEVICE_FDS], struct link_config *config) SW_MUST_CHECK;

/* The programs of this control connection are gone, or have closed it: its
 * devices follow when none are left in their namespaces and what they sent has
 * left. */
void device_orphan(struct session *s, const struct control *of);

/* The hop of a device in whose namespace somebody listens on TCP port `port`,
 * and where; NULL for nobody. */
struct hop *device_find_listener(struct session *s, uint16_t port,
    struct sw_addr *at);

/* The session ends. */
void device_free_all(struct session *s);

#endif
