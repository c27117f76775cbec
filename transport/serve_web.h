/*
 * serve_web.h - who comes to the TLS port and does not speak SSH: a small web
 * site of files, or a real web server that the connection is handed to.
 *
 * Answers, time-outs and faults are those of an ordinary nginx, so that the port
 * tells nothing of what else is behind it.
 */
#ifndef SW_TRANSPORT_SERVE_WEB_H
#define SW_TRANSPORT_SERVE_WEB_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"

#define SERVE_WEB_HEAD_MS 60000		/* for a request; for silence before one */
#define SERVE_WEB_KEEP_MS 75000		/* between requests */

struct serve_web;

/* where: a folder; "http://HOST:PORT", a web server (HOST numeric); NULL: a site
 * that has no page.  NULL: one line in why[]. */
struct serve_web *serve_web_new(struct loop *l, const char *where,
    char why[static 256]);
void serve_web_free(struct serve_web *w);	/* cuts; NULL is fine */

/* Take over a connection: `fd` (non-blocking, closed in the end), with the bytes
 * already read.  plain: it is no TLS, and is told so. */
void serve_web_take(struct serve_web *w, int fd, const uint8_t *first,
    size_t len, int plain);

/* Connections now; the one that has been there longest goes. */
size_t serve_web_count(const struct serve_web *w);
void serve_web_drop_oldest(struct serve_web *w);

#endif
