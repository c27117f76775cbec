/*
 * serve_family.h - which of a name's addresses a client of smolserve means.
 *
 * A direct-tcpip channel (RFC 4254, 7.2) is opened by name and says nothing of
 * families.  Our client puts one of these words where the originator's address
 * is wanted, if its program asked for a family; the server then tries addresses
 * of that one alone, if the name has any.  To other servers it says nothing.
 */
#ifndef SW_TRANSPORT_SERVE_FAMILY_H
#define SW_TRANSPORT_SERVE_FAMILY_H

#define SERVE_FAMILY_4 "smolwrap-ipv4"
#define SERVE_FAMILY_6 "smolwrap-ipv6"

#endif
