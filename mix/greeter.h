/*
 * greeter.h - the TLS handshakes of those who connect to a listener: so many
 * at once, and none for longer than some seconds.  Where there are too many,
 * the oldest makes room: who is honest is done in less than a second.
 */
#ifndef SW_MIX_GREETER_H
#define SW_MIX_GREETER_H

#include <stddef.h>

#include "base/loop.h"
#include "transport/list.h"

struct tls_server;

/* Set all but the last two. */
struct greeter {
	struct loop *loop;		/* borrowed for life, as the next */
	struct tls_server *tls;
	size_t max;			/* at least 1 */
	/* What follows is a connection as without TLS: fd is the plain end,
	 * not blocking, the receiver's. */
	void (*ready)(void *arg, int fd);
	void (*failed)(void *arg);	/* a handshake; may be NULL */
	void *arg;
	LIST_OF(greetings, greeting) all;
	size_t n;
};

/* Take a connection from the listener. */
void greeter_take(struct greeter *g, int fd);

/* End all that have not finished. */
void greeter_close(struct greeter *g);

#endif
