/*
 * serve_iroh.h - connections from iroh peers (transport/iroh.h): a listener
 * without a public address.
 */
#ifndef SW_TRANSPORT_SERVE_IROH_H
#define SW_TRANSPORT_SERVE_IROH_H

#include "transport/serve.h"
#include "transport/serve_options.h"

struct serve_iroh;

/* key_file is made when absent.  Says "listen iroh ENDPOINT-ID" on `out`.  NULL:
 * one line in why[]. */
struct serve_iroh *serve_iroh_new(struct serve_server *v,
    const struct serve_listen *where, const char *key_file, const char *relay,
    int out, char why[static 256]);

/* No new ones from here on. */
void serve_iroh_stop(struct serve_iroh *i);
/* Waits a moment for what streams still hold.  NULL is fine. */
void serve_iroh_free(struct serve_iroh *i);

#endif
