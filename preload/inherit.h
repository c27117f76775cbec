/*
 * inherit.h - descriptors that the caller left open (interposer spec 10.6).
 */
#ifndef SW_PRELOAD_INHERIT_H
#define SW_PRELOAD_INHERIT_H

/* The lowest inherited descriptor through which a program could reach the
 * network outside the tunnel: a socket of a family other than AF_UNIX,
 * AF_NETLINK and AF_ALG, unless it is connected or bound to loopback and can
 * do no more.  -1 when there is none. */
int inherit_find_inet(void);

#endif
