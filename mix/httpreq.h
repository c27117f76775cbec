/*
 * httpreq.h - the requests a directory answers, read from bytes: HTTP/1.0 and
 * 1.1, a head of bounded size, a body of announced length or none.
 */
#ifndef SW_MIX_HTTPREQ_H
#define SW_MIX_HTTPREQ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define HTTPREQ_HEAD_MAX 8192
#define HTTPREQ_BODY_MAX 65536
#define HTTPREQ_PATH_LEN 256

enum httpreq_method { HTTPREQ_GET, HTTPREQ_HEAD, HTTPREQ_POST };

struct httpreq {
	enum httpreq_method method;
	/* Without the query; doubled slashes made one. */
	char path[HTTPREQ_PATH_LEN];
	const char *body;		/* borrowed from the input */
	size_t body_len;
	size_t len;			/* bytes of the whole request */
	bool close;			/* the client wants no more than this */
};

/*
 * httpreq_read() - take one request off the front of `in`.
 *
 * SW_OK; SW_AGAIN when it is not complete; SW_ERR_TOO_LONG (head, body or
 * path); SW_ERR_UNSUPPORTED (another method or version, a transfer coding);
 * SW_ERR_FORMAT.
 */
int httpreq_read(struct httpreq *q, const void *in, size_t n) SW_MUST_CHECK;

#endif
