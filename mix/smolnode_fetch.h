/* smolnode_fetch.h - asks a directory over HTTP or HTTPS, one request at a
 * time, on the loop. */
#ifndef SW_MIX_SMOLNODE_FETCH_H
#define SW_MIX_SMOLNODE_FETCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"

struct smolnode_fetch;

struct transport;

/* The answer: body is borrowed until return; err is SW_OK whatever the HTTP
 * status, else why there is none (status 0), and body is a line that says it. */
typedef void smolnode_fetched(void *arg, int err, int status,
    const char *body, size_t n);

/* host: a name or an address without brackets, copied.  A reference to the
 * transport is taken.  *out is NULL unless SW_OK. */
int smolnode_fetch_new(struct smolnode_fetch **out, struct loop *l,
    struct transport *t, const char *host, uint16_t port) SW_MUST_CHECK;
void smolnode_fetch_free(struct smolnode_fetch *f);	/* NULL is fine */

/* Ask; body NULL: GET, else POST.  done() comes once, from the loop, unless
 * smolnode_fetch_free() comes first.  SW_ERR_IN_USE while another is asked. */
int smolnode_fetch(struct smolnode_fetch *f, const char *path,
    const char *body, smolnode_fetched *done, void *arg) SW_MUST_CHECK;

#endif
