/*
 * ssh_udp.h - UDP ports at the exit over an ssh tunnel, when its server is
 * smolserve (transport/udp_channel.h).  Each port is a channel of its own.
 */
#ifndef SW_TRANSPORT_SSH_UDP_H
#define SW_TRANSPORT_SSH_UDP_H

#include "stack/datagram.h"
#include "transport/ssh_tunnel.h"

/* For struct session_tunnel; valid in every state.  open() says
 * SW_ERR_UNSUPPORTED when the server is another. */
struct datagrams *ssh_udp(struct ssh_tunnel *t);
extern const struct datagram_ops ssh_udp_ops;

#endif
