/*
 *   HEAD --request--> ANSWER --sent--> HEAD (kept), REST or gone
 *   REST: what the client still sends is read, so that no reset overtakes the
 *   answer
 *   a real server: all of it goes to a pump
 */
#include "transport/serve_web.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "transport/list.h"
#include "transport/serve_http.h"
#include "transport/serve_pump.h"

#define PIECE 16384			/* of a file; an answer's head fits */
#define REST_MS 5000

_Static_assert(PIECE >= SERVE_HTTP_ANSWER_MAX, "a piece holds a head");

struct web_conn {
	LIST_LINK(web_conn) link;
	struct serve_web *w;
	struct serve_pump *pump;	/* NULL: it is served here */
	struct loop_fd client;
	struct loop_timer timer;
	enum { HEAD, ANSWER, REST } state;
	bool keep, plain;
	struct serve_http_request r;	/* that is being read */
	struct serve_http_body skip;	/* of the one before */
	uint8_t in[SERVE_HTTP_HEAD_MAX];
	size_t in_len;
	uint8_t out[PIECE];
	size_t out_at, out_len;
	int file;			/* ANSWER: the rest is in it; -1: none */
	uint64_t pos, left;
	struct serve_http_file f;
	struct serve_http_parts parts;
	size_t part;			/* of several, the next */
};

struct serve_web {
	struct loop *l;
	char *root;			/* NULL: no files */
	bool has_backend;
	struct sw_addr backend;
	LIST_OF(web_conns, web_conn) conns;
	size_t n;
};

static void
conn_free(struct web_conn *c)
{
	struct loop *l = c->w->l;

	loop_set_timer(l, &c->timer, SW_NEVER);
	loop_del(l, &c->client);
	serve_pump_free(c->pump);
	if (c->client.fd >= 0)
		close(c->client.fd);
	if (c->file >= 0)
		close(c->file);
	LIST_DROP(&c->w->conns, c, link);
	c->w->n--;
	free(c);
}

static void
on_timer(struct loop_timer *t)
{
	conn_free(CONTAINER_OF(t, struct web_conn, timer));
}

static void
wait_for(struct web_conn *c, int64_t ms)
{
	loop_set_timer(c->w->l, &c->timer, c->w->l->now_ms + ms);
}

/* ---- answering ---- */

/* `len` bytes in c->out come first. */
static void
begin_answer(struct web_conn *c, size_t len, bool keep)
{
	c->out_at = 0;
	c->out_len = len;
	c->keep = keep;
	c->state = ANSWER;
}

/* Where a folder's name without its slash leads, as nginx writes it. */
static void
redirect(const struct serve_http_request *r, char *out, size_t room)
{
	struct serve_http_text host = r->host;
	int n = 0;

	if (host.len > 4 && memcmp(host.p + host.len - 4, ":443", 4) == 0)
		host.len -= 4;
	if (host.p != NULL)
		n = snprintf(out, room, "https://%.*s", (int)host.len, host.p);
	for (int i = 0; i < n && (size_t)i < room; i++)
		out[i] = (char)tolower((unsigned char)out[i]);
	if (n >= 0 && (size_t)n < room)
		(void)snprintf(out + n, room - (size_t)n, "%s/%.*s", r->path,
		    (int)r->query.len, r->query.p != NULL ? r->query.p : "");
}

static void
answer_error(struct web_conn *c, const struct serve_http_request *r, int status)
{
	char to[3 * SERVE_HTTP_LINE_MAX];
	const struct serve_http_error e = {
		.status = status, .note = r->note,
		.to = status == 301 ? to : NULL, .size = c->f.size,
		.no_page = r->method == SERVE_HTTP_HEAD, .bare = r->bare,
		.keep = r->keep,
	};

	if (status == 301)
		redirect(r, to, sizeof(to));
	begin_answer(c, serve_http_error((char *)c->out, &e, time(NULL)),
	    r->keep);
}

/* A file of the site: 200 with *fd, or why not. */
static int
open_file(struct web_conn *c, const char *path, int *fd)
{
	const char *root = c->w->root;
	size_t len = strlen(path);
	bool folder = path[len - 1] == '/';
	char full[SERVE_HTTP_PATH_MAX + 4096];
	struct stat st;
	int status = 200;

	*fd = -1;
	if (root == NULL || (size_t)snprintf(full, sizeof(full), "%s%s%s", root,
	    path, folder ? "index.html" : "") >= sizeof(full))
		return 404;
	*fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0 && errno == EACCES)
		return 403;
	if (*fd < 0) {
		full[strlen(root) + len] = '\0';
		return folder && stat(full, &st) == 0 && S_ISDIR(st.st_mode) ?
		    403 : 404;
	}
	if (fstat(*fd, &st) != 0 || (!S_ISREG(st.st_mode) &&
	    !S_ISDIR(st.st_mode)))
		status = 404;
	else if (S_ISDIR(st.st_mode))
		status = 301;
	if (status == 200) {
		c->f = (struct serve_http_file){
			.type = serve_http_type(full),
			.size = (uint64_t)st.st_size, .changed = st.st_mtime,
		};
		return 200;
	}
	close(*fd);
	*fd = -1;
	return status;
}

static void
answer_file(struct web_conn *c, const struct serve_http_request *r, int status,
    int fd)
{
	if (getrandom(&c->parts.boundary, sizeof(c->parts.boundary), 0) < 0)
		c->parts.boundary = (uint64_t)c->w->l->now_ms;
	begin_answer(c, r->bare ? 0 : serve_http_file_head((char *)c->out,
	    status, &c->f, &c->parts, r->keep, time(NULL)), r->keep);
	c->part = c->parts.n + 1;
	if (status == 304 || r->method == SERVE_HTTP_HEAD) {
		close(fd);
		return;
	}
	c->file = fd;
	c->pos = 0;
	c->left = c->f.size;
	if (c->parts.n == 1) {
		c->pos = c->parts.at[0].from;
		c->left = c->parts.at[0].to - c->pos;
	} else if (c->parts.n > 1) {
		c->left = 0;
		c->part = 0;
	}
}

static void
answer_request(struct web_conn *c, struct serve_http_request *r)
{
	int status = r->status, fd = -1;

	if (c->plain && (status == 0 || status == 404 || status == 405)) {
		status = 400;
		r->note = "The plain HTTP request was sent to HTTPS port";
		r->keep = false;
	}
	if (status == 0)
		status = open_file(c, r->path, &fd);
	if (status == 200 && r->method == SERVE_HTTP_POST)
		status = 405;
	if (status == 200)
		status = serve_http_match(r, &c->f, &c->parts);
	if (status == 200 || status == 206 || status == 304) {
		answer_file(c, r, status, fd);
		return;
	}
	if (fd >= 0)
		close(fd);
	answer_error(c, r, status);
}

/* The next bytes of the answer into c->out; false: the file got shorter. */
static bool
refill(struct web_conn *c)
{
	ssize_t n;

	c->out_at = c->out_len = 0;
	if (c->left > 0) {
		n = pread(c->file, c->out, c->left < PIECE ? (size_t)c->left :
		    PIECE, (off_t)c->pos);
		if (n <= 0)
			return false;
		c->out_len = (size_t)n;
		c->pos += (uint64_t)n;
		c->left -= (uint64_t)n;
	} else if (c->file >= 0 && c->part <= c->parts.n) {
		c->out_len = serve_http_part_head((char *)c->out, &c->f,
		    &c->parts, c->part);
		if (c->part < c->parts.n) {
			c->pos = c->parts.at[c->part].from;
			c->left = c->parts.at[c->part].to - c->pos;
		}
		c->part++;
	}
	return true;
}

static void
drop_input(struct web_conn *c, size_t n)
{
	c->in_len -= n;
	memmove(c->in, c->in + n, c->in_len);
}

/* What is left of a request's body; after nonsense, all is.  true: no more. */
static bool
skip_body(struct web_conn *c)
{
	size_t used;

	if (serve_http_body_skip(&c->skip, (char *)c->in, c->in_len, &used) !=
	    SW_OK) {
		c->skip = (struct serve_http_body){ SERVE_HTTP_COUNTED,
		    UINT64_MAX, SERVE_HTTP_SIZE, false };
		c->keep = false;
		used = c->in_len;
	}
	drop_input(c, used);
	return c->skip.kind == SERVE_HTTP_NO_BODY;
}

/* Nothing follows. */
static void
end_conn(struct web_conn *c)
{
	(void)shutdown(c->client.fd, SHUT_WR);
	conn_free(c);
}

/* The answer is out. */
static void
end_answer(struct web_conn *c)
{
	if (c->file >= 0)
		close(c->file);
	c->file = -1;
	if (c->keep) {
		c->state = HEAD;
		wait_for(c, SERVE_WEB_KEEP_MS);
		loop_mod(c->w->l, &c->client, EPOLLIN);
		return;
	}
	if (c->skip.kind == SERVE_HTTP_NO_BODY) {
		end_conn(c);
		return;
	}
	c->state = REST;
	wait_for(c, REST_MS);
	loop_mod(c->w->l, &c->client, EPOLLIN);
}

/* Send; true when the answer is out and the next request may come, false: wait,
 * or c is gone. */
static bool
send_answer(struct web_conn *c)
{
	bool keep = c->keep;
	ssize_t n;

	for (;;) {
		if (c->out_at == c->out_len && !refill(c)) {
			conn_free(c);
			return false;
		}
		if (c->out_at == c->out_len)
			break;
		n = send(c->client.fd, c->out + c->out_at, c->out_len - c->out_at,
		    MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			loop_mod(c->w->l, &c->client, EPOLLOUT);
			return false;
		}
		if (n < 0) {
			conn_free(c);
			return false;
		}
		c->out_at += (size_t)n;
	}
	end_answer(c);
	return keep;
}

/* Requests that are whole, one after the other. */
static void
serve_requests(struct web_conn *c)
{
	size_t used;

	while (c->state == HEAD) {
		if (!skip_body(c))
			return;
		if (serve_http_take(&c->r, (char *)c->in, c->in_len, &used) ==
		    SW_AGAIN)
			return;
		wait_for(c, SERVE_WEB_HEAD_MS);
		answer_request(c, &c->r);
		c->skip = c->r.body;
		serve_http_begin(&c->r);
		drop_input(c, used);
		(void)skip_body(c);
		if (!send_answer(c))
			return;
	}
}

/* ---- the loop's side ---- */

static void
on_client(struct loop_fd *w, uint32_t events)
{
	struct web_conn *c = CONTAINER_OF(w, struct web_conn, client);
	ssize_t n;

	if (c->state == ANSWER) {
		if ((events & (EPOLLHUP | EPOLLERR)) != 0)
			conn_free(c);
		else if (send_answer(c))
			serve_requests(c);
		return;
	}
	n = recv(w->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		conn_free(c);
		return;
	}
	c->in_len += (size_t)n;
	if (c->state == HEAD)
		serve_requests(c);
	else if (skip_body(c))
		end_conn(c);
}

/* The real server's part is over, or it never answered. */
static void
on_pump_over(void *arg, int fd)
{
	struct web_conn *c = arg;

	c->pump = NULL;
	c->client.fd = fd;
	if (fd < 0 || loop_add(c->w->l, &c->client, EPOLLIN) != SW_OK) {
		conn_free(c);
		return;
	}
	answer_error(c, &c->r, 502);
	(void)send_answer(c);
}

static const struct serve_pump_events pump_events = { on_pump_over };

void
serve_web_take(struct serve_web *w, int fd, const uint8_t *first, size_t len,
    int plain)
{
	struct web_conn *c = calloc(1, sizeof(*c));
	bool ours = !w->has_backend || plain;

	if (c == NULL || len > SERVE_HTTP_HEAD_MAX) {
		free(c);
		close(fd);
		return;
	}
	c->w = w;
	c->client = (struct loop_fd){ .fd = fd, .ready = on_client };
	c->timer.fire = on_timer;
	c->timer.at_ms = SW_NEVER;
	c->file = -1;
	c->plain = plain != 0;
	serve_http_begin(&c->r);
	LIST_APPEND(&w->conns, c, link);
	w->n++;
	if (!ours && (c->pump = serve_pump_new(w->l, fd, first, len, &w->backend,
	    &pump_events, c)) != NULL) {
		c->client.fd = -1;
		return;
	}
	if (loop_add(w->l, &c->client, EPOLLIN) != SW_OK) {
		conn_free(c);
		return;
	}
	wait_for(c, SERVE_WEB_HEAD_MS);
	if (!ours) {			/* no descriptor for the way there */
		answer_error(c, &c->r, 502);
		(void)send_answer(c);
		return;
	}
	memcpy(c->in, first, len);
	c->in_len = len;
	serve_requests(c);
}

size_t
serve_web_count(const struct serve_web *w)
{
	return w->n;
}

void
serve_web_drop_oldest(struct serve_web *w)
{
	if (!LIST_IS_EMPTY(&w->conns))
		conn_free(LIST_FIRST(&w->conns));
}

struct serve_web *
serve_web_new(struct loop *l, const char *where, char why[static 256])
{
	struct serve_web *w = calloc(1, sizeof(*w));
	struct stat st;

	snprintf(why, 256, "out of memory");
	if (w == NULL)
		return NULL;
	w->l = l;
	LIST_INIT(&w->conns);
	if (where == NULL)
		return w;
	if (strncmp(where, "http://", 7) == 0) {
		w->has_backend = true;
		if (serve_pump_parse(&w->backend, where) == SW_OK)
			return w;
		snprintf(why, 256, "--web \"%.100s\" is not http://ADDRESS:PORT",
		    where);
	} else if (stat(where, &st) != 0 || !S_ISDIR(st.st_mode)) {
		snprintf(why, 256, "--web \"%.100s\" is no folder", where);
	} else if ((w->root = realpath(where, NULL)) != NULL) {
		return w;
	}
	serve_web_free(w);
	return NULL;
}

void
serve_web_free(struct serve_web *w)
{
	struct web_conn *c, *next;

	if (w == NULL)
		return;
	for (c = LIST_FIRST(&w->conns); c != NULL; c = next) {
		next = LIST_NEXT(c, link);
		conn_free(c);
	}
	free(w->root);
	free(w);
}
