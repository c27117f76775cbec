/*
 * serve_listen.h - where connections come from.
 */
#ifndef SW_TRANSPORT_SERVE_LISTEN_H
#define SW_TRANSPORT_SERVE_LISTEN_H

#include "transport/serve.h"
#include "transport/serve_options.h"

struct serve_front;
struct serve_listening;

/*
 * Open one listener for each option; say "listen KIND ADDRESS:PORT" on `out`
 * for each socket.  front: for those of TLS, borrowed.  NULL: one line in
 * why[].
 */
struct serve_listening *serve_listening_new(struct serve_server *v,
    struct serve_front *front, const struct serve_options *o, int out,
    char why[static 256]);
void serve_listening_free(struct serve_listening *g);	/* NULL is fine */

#endif
