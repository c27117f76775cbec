/*
 * far_server.h - a small server on loopback for tunnels to lead to.
 *
 * The first byte of a connection says what it does:
 *
 *	e	echoes until end of file, then ends
 *	s	sends as many bytes as the next eight say, in this machine's order
 *	k	takes bytes until end of file, and sends their number, eight bytes,
 *		if they were right
 *	h	ends its own direction at once, and takes bytes
 *	q	reads nothing
 */
#ifndef SW_TESTS_FAR_SERVER_H
#define SW_TESTS_FAR_SERVER_H

#include <stdint.h>
#include <sys/types.h>

/* Byte i of every stream, for i below 65536, where they begin anew. */
uint8_t far_byte(uint64_t i);

/* A process that serves on *port, which is chosen.  It dies with its parent; the
 * caller kills it before. */
pid_t far_server_start(uint16_t *port);

#endif
