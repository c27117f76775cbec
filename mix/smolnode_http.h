/* smolnode_http.h - serves a directory (directory.h) over HTTP or HTTPS. */
#ifndef SW_MIX_SMOLNODE_HTTP_H
#define SW_MIX_SMOLNODE_HTTP_H

#include "base/addr.h"
#include "base/err.h"
#include "base/loop.h"
#include "mix/directory.h"

struct smolnode_http;
struct tls_server;

/* Listen at *a (port 0: any; filled in).  d and tls (NULL: plain HTTP) are
 * borrowed for life. */
int smolnode_http_new(struct smolnode_http **out, struct loop *l,
    struct sw_addr *a, const struct directory *d, struct tls_server *tls)
    SW_MUST_CHECK;
void smolnode_http_free(struct smolnode_http *h);	/* NULL is fine */

#endif
