/*
 * serve_http.h - as much HTTP/1.1 (RFC 9112) as a small site of files needs:
 * request heads read, answers written the way nginx words them.  Pure.
 */
#ifndef SW_TRANSPORT_SERVE_HTTP_H
#define SW_TRANSPORT_SERVE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/err.h"

#define SERVE_HTTP_HEAD_MAX 8192	/* of a request */
#define SERVE_HTTP_PATH_MAX 1024
#define SERVE_HTTP_ANSWER_MAX 2048	/* of a head, and of an error's page */

struct serve_http_request {
	int status;			/* 0, or what to answer at once */
	const char *note;		/* for a page of status 400, or NULL */
	bool head;			/* HEAD: no body */
	bool keep;			/* the connection stays */
	char path[SERVE_HTTP_PATH_MAX];	/* decoded, without query, begins with
					 * '/', no ".." in it */
	time_t since;			/* If-Modified-Since; 0: none */
};

/*
 * The request at the beginning of p[0..len).  SW_OK with its length in *used,
 * when it is whole or can already be refused (status 400, 405, 414, 505);
 * SW_AGAIN: more is needed.
 */
int serve_http_parse(struct serve_http_request *r, const char *p, size_t len,
    size_t *used) SW_MUST_CHECK;

/* An answer's head for a file, into out; its length. */
struct serve_http_file {
	const char *type;		/* "text/html" */
	uint64_t size;
	time_t changed;
};
size_t serve_http_file_head(char out[static SERVE_HTTP_ANSWER_MAX], int status,
    const struct serve_http_file *f, bool keep, time_t now);

/* A whole answer that is an error (or 301, with `to`): head, and page unless
 * `head`; its length. */
size_t serve_http_error(char out[static SERVE_HTTP_ANSWER_MAX], int status,
    const char *note, const char *to, bool head, bool keep, time_t now);

/* The media type that goes with a file's name. */
const char *serve_http_type(const char *path);

#endif
