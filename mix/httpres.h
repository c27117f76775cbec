/*
 * httpres.h - answers of a directory, read from bytes: a status and a body of
 * announced length.
 */
#ifndef SW_MIX_HTTPRES_H
#define SW_MIX_HTTPRES_H

#include <stddef.h>

#include "base/err.h"

#define HTTPRES_HEAD_MAX 8192
#define HTTPRES_BODY_MAX (16u << 20)

struct httpres {
	int status;
	const char *body;		/* borrowed from the input */
	size_t body_len;
	size_t len;			/* bytes of the whole answer */
};

/* Take one answer off the front of `in`.  SW_OK; SW_AGAIN when it is not
 * complete; SW_ERR_FORMAT, SW_ERR_UNSUPPORTED (no length), SW_ERR_TOO_LONG. */
int httpres_read(struct httpres *a, const void *in, size_t n) SW_MUST_CHECK;

#endif
