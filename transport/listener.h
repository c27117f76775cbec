/*
 * listener.h - local stream sockets that listen: TCP on one or more addresses,
 * or a socket of the file system.
 */
#ifndef SW_TRANSPORT_LISTENER_H
#define SW_TRANSPORT_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/loop.h"

struct listener;

/* A connection: fd is the callee's, non-blocking and close-on-exec. */
typedef void listener_accept_fn(void *arg, int fd);

/*
 * Bind, not listen yet.
 *
 * host   "localhost": both loopback addresses; "": every address; a numeric
 *        address; or, with a '/', the path of a socket to make (mode 0600;
 *        removed again by listener_free()).  Names are not looked up.
 * port   1 to 65535; 0 with a path.
 * *out   NULL unless SW_OK; else why[] holds one line of English.
 */
int listener_open(struct listener **out, struct loop *l, const char *host,
    uint16_t port, listener_accept_fn *accepted, void *arg,
    char why[static 256]) SW_MUST_CHECK;

/* Accept from now on.  SW_OK, or SW_ERR_* and a line in why[]. */
int listener_start(struct listener *s, char why[static 256]) SW_MUST_CHECK;

/* May anybody but this machine's own users reach it? */
bool listener_is_public(const struct listener *s);

void listener_free(struct listener *s);	/* NULL is fine */

#endif
