/*
 * serve_front.h - the TLS port: handshake, then the first bytes decide between
 * SSH and the web.
 *
 * We say nothing before the client does.  "SSH-2.0-" or "SSH-1.99-" is SSH; the
 * first byte that differs makes it the web's; silence is the web's too, and
 * ends as there.
 */
#ifndef SW_TRANSPORT_SERVE_FRONT_H
#define SW_TRANSPORT_SERVE_FRONT_H

#include "transport/serve.h"

struct serve_front;

struct serve_front_options {
	const char *cert, *key;		/* PEM files */
	const char *web;		/* as serve_web_new() */
};

/* NULL: one line in why[]. */
struct serve_front *serve_front_new(struct serve_server *v,
    const struct serve_front_options *o, char why[static 256]);
void serve_front_free(struct serve_front *f);	/* cuts; NULL is fine */

/* A connection came to a TLS port; fd is taken. */
void serve_front_take(struct serve_front *f, int fd,
    const struct serve_info *who);

/* The certificate's files again.  SW_OK, or why[] and the old one stays. */
int serve_front_reload(struct serve_front *f, char why[static 256])
    SW_MUST_CHECK;

#endif
