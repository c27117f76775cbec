/*
 * greeter.h - the TLS handshakes of those who connect to a listener: so many
 * at once, and none for longer than some seconds.
 */
#ifndef SW_MIX_GREETER_H
#define SW_MIX_GREETER_H

#include <stddef.h>

#include "base/loop.h"

struct greeting;
struct tls_server;

/* Set all but the last two. */
struct greeter {
	struct loop *loop;		/* borrowed for life, as the next */
	struct tls_server *tls;
	size_t max;
	/* What follows is a connection as without TLS: fd is the plain end,
	 * not blocking, the receiver's. */
	void (*ready)(void *arg, int fd);
	void (*failed)(void *arg);	/* a handshake; may be NULL */
	void *arg;
	struct greeting *first;
	size_t n;
};

/* Take a connection from the listener; closed if there are too many. */
void greeter_take(struct greeter *g, int fd);

/* End all that have not finished. */
void greeter_close(struct greeter *g);

#endif
