/*
 * loopback.h - TCP sockets on 127.0.0.1.
 */
#ifndef SW_TESTS_LOOPBACK_H
#define SW_TESTS_LOOPBACK_H

#include <stdint.h>

/* A listener on *port (0: any, which *port is then).  Aborts if there is none. */
int loopback_listen(uint16_t *port);

/* A port nobody listens on. */
uint16_t loopback_free_port(void);

/* Connected, or -1. */
int loopback_connect(uint16_t port);

#endif
