/*
 * serve_http.h - as much HTTP/1.1 (RFC 9110, 9112) as a small site of files
 * needs: request heads read, answers written, both the way nginx does, since a
 * prober compares.  Pure.
 *
 *   serve_http.c         heads of requests      serve_http_path.c    targets
 *   serve_http_match.c   conditions, ranges     serve_http_body.c    bodies
 *   serve_http_answer.c  heads and pages of answers
 */
#ifndef SW_TRANSPORT_SERVE_HTTP_H
#define SW_TRANSPORT_SERVE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/err.h"

#define SERVE_HTTP_LINE_MAX 8192	/* of a head */
#define SERVE_HTTP_HEAD_MAX 32768	/* of a request */
#define SERVE_HTTP_PATH_MAX SERVE_HTTP_LINE_MAX
#define SERVE_HTTP_BODY_MAX (UINT64_C(1) << 20) /* that is read, and thrown away */
#define SERVE_HTTP_ANSWER_MAX 10240	/* of a head, and of an error's page */
#define SERVE_HTTP_RANGES_MAX 64	/* of one request; with more, all is sent */

/* Bytes of a request, where they stand in its buffer; p NULL: not given. */
struct serve_http_text { const char *p; size_t len; };

/* A request's body, of which nothing is wanted but its end. */
struct serve_http_body {
	enum { SERVE_HTTP_NO_BODY, SERVE_HTTP_COUNTED, SERVE_HTTP_CHUNKED } kind;
	uint64_t left;			/* of it, or of a chunk */
	enum { SERVE_HTTP_SIZE, SERVE_HTTP_EXTENSION, SERVE_HTTP_DATA,
	    SERVE_HTTP_DATA_END, SERVE_HTTP_TRAILER, SERVE_HTTP_LINE } at;
	bool digits;
};

/* Skip what belongs to it in p[0..len): how much that is.  kind is NO_BODY when
 * it has ended.  SW_ERR_FORMAT: nonsense. */
int serve_http_body_skip(struct serve_http_body *b, const char *p, size_t len,
    size_t *used) SW_MUST_CHECK;

enum serve_http_method {
	SERVE_HTTP_OTHER, SERVE_HTTP_GET, SERVE_HTTP_HEAD, SERVE_HTTP_POST,
};

struct serve_http_request {
	int status;			/* 0, or what to answer at once */
	const char *note;		/* for a page of status 400, or NULL */
	enum serve_http_method method;
	bool bare;			/* HTTP/0.9: answers have no head */
	bool keep;			/* the connection stays */
	char path[SERVE_HTTP_PATH_MAX];	/* decoded, without query, begins with
					 * '/', no "." nor ".." in it */
	struct serve_http_text query;	/* with its '?' */
	struct serve_http_text host, range, if_range, if_match, if_none_match,
	    if_modified, if_unmodified;
	struct serve_http_body body;
	/* serve_http_take()'s own: */
	size_t at;			/* bytes that were read */
	bool has_line, at_least_1_1, has_host, has_length, has_coding;
};

/* A request begins. */
void serve_http_begin(struct serve_http_request *r);

/*
 * Its head, in p[0..len): the bytes of the last call, at the same place, and
 * perhaps more.  SW_OK with its length in *used, when it is whole or can already
 * be refused (r->status; all the bytes are used then); SW_AGAIN: more is needed.
 * The texts in *r are borrowed from p.
 */
int serve_http_take(struct serve_http_request *r, const char *p, size_t len,
    size_t *used) SW_MUST_CHECK;

/* The path of a target ("/a%20b?c") into out, decoded, its dots and double
 * slashes resolved; *query is what follows.  false: it makes no sense, or leads
 * above the root. */
bool serve_http_path(const char *p, size_t len,
    char out[static SERVE_HTTP_PATH_MAX], struct serve_http_text *query);

/* What is answered from. */
struct serve_http_file {
	const char *type;		/* "text/html" */
	uint64_t size;
	time_t changed;
};

struct serve_http_part { uint64_t from, to; };	/* bytes [from, to) */

/* The parts of a file that are wanted. */
struct serve_http_parts {
	struct serve_http_part at[SERVE_HTTP_RANGES_MAX];
	size_t n;			/* 0: all of it */
	uint64_t boundary;		/* between two or more; the caller's */
};

/* What the request's conditions and ranges come to, for a file that is there:
 * 200, 206 with its parts, 304, 412 or 416. */
int serve_http_match(const struct serve_http_request *r,
    const struct serve_http_file *f, struct serve_http_parts *parts);

/* The head of an answer that is a file, for status 200, 206 and 304, into out;
 * its length. */
size_t serve_http_file_head(char out[static SERVE_HTTP_ANSWER_MAX], int status,
    const struct serve_http_file *f, const struct serve_http_parts *parts,
    bool keep, time_t now);

/* What stands before part i of several, or, with i the number of parts, after
 * the last; its length. */
size_t serve_http_part_head(char out[static SERVE_HTTP_ANSWER_MAX],
    const struct serve_http_file *f, const struct serve_http_parts *parts,
    size_t i);

/* A whole answer that is an error, or 301: head, and page unless it is to have
 * none; its length. */
struct serve_http_error {
	int status;
	const char *note;		/* of a 400; NULL */
	const char *to;			/* of a 301 */
	uint64_t size;			/* of the file, for a 416 */
	bool no_page, bare, keep;
};
size_t serve_http_error(char out[static SERVE_HTTP_ANSWER_MAX],
    const struct serve_http_error *e, time_t now);

/* The media type that goes with a file's name. */
const char *serve_http_type(const char *path);

#endif
