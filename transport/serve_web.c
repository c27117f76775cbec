/*
 *   HEAD --request--> BODY --sent--> HEAD (kept) or gone
 *   HEAD --(a real server)--> CONNECTING --> PUMP (serve_pump.c)
 */
#include "transport/serve_web.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/container.h"
#include "transport/list.h"
#include "transport/serve_http.h"

#define PIECE 16384
#define BACKEND_MS 60000

struct pipe {				/* one direction between two sockets */
	uint8_t buf[PIECE];
	size_t at, len;
	bool ended, told;		/* end of file read; and passed on */
};

struct web_conn {
	LIST_LINK(web_conn) link;
	struct serve_web *w;
	struct loop_fd client, backend;	/* backend.fd -1: none */
	struct loop_timer timer;
	enum { HEAD, BODY, CONNECTING, PUMP } state;
	bool keep, plain;
	struct pipe in, out;		/* from the client, to it */
	int file;			/* BODY: the rest is in it; -1: none */
	uint64_t left;
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
	loop_del(l, &c->backend);
	close(c->client.fd);
	if (c->backend.fd >= 0)
		close(c->backend.fd);
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

/* ---- two sockets, joined ---- */

/* Move what can be moved.  false: the connection broke. */
static bool
move(struct pipe *p, int from, int to)
{
	ssize_t n;

	for (;;) {
		if (p->at == p->len && !p->ended) {
			n = recv(from, p->buf, sizeof(p->buf), 0);
			if (n < 0)
				return errno == EAGAIN;
			p->at = 0;
			p->len = (size_t)n;
			p->ended = n == 0;
		}
		if (p->at == p->len)
			break;
		n = send(to, p->buf + p->at, p->len - p->at, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN;
		p->at += (size_t)n;
	}
	if (p->ended && !p->told) {
		p->told = true;
		(void)shutdown(to, SHUT_WR);
	}
	return true;
}

static uint32_t
wanted(const struct pipe *reads, const struct pipe *writes)
{
	return (reads->at == reads->len && !reads->ended ? EPOLLIN : 0u) |
	    (writes->at < writes->len ? EPOLLOUT : 0u);
}

static void
pump(struct web_conn *c)
{
	if (!move(&c->in, c->client.fd, c->backend.fd) ||
	    !move(&c->out, c->backend.fd, c->client.fd) ||
	    (c->in.told && c->out.told)) {
		conn_free(c);
		return;
	}
	loop_mod(c->w->l, &c->client, wanted(&c->in, &c->out));
	loop_mod(c->w->l, &c->backend, wanted(&c->out, &c->in));
	wait_for(c, SERVE_WEB_KEEP_MS);
}

/* ---- answering ---- */

static void
answer(struct web_conn *c, size_t len, bool keep)
{
	c->out.at = 0;
	c->out.len = len;
	c->keep = keep;
	c->state = BODY;
}

static void
answer_error(struct web_conn *c, const struct serve_http_request *r, int status,
    const char *to)
{
	/* nginx ends the connection after an error in the request itself. */
	bool keep = r->keep && status != 400;

	answer(c, serve_http_error((char *)c->out.buf, status, r->note, to,
	    r->head, keep, time(NULL)), keep);
}

/* A file of the site, or the error that says why not. */
static int
open_file(const struct serve_web *w, const char *path, struct stat *st,
    int *fd, char full[static 4096])
{
	bool folder = path[strlen(path) - 1] == '/';

	*fd = -1;
	if (w->root == NULL || (size_t)snprintf(full, 4096, "%s%s%s", w->root,
	    path, folder ? "index.html" : "") >= 4096)
		return 404;
	*fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0)
		return errno == EACCES || (folder && errno == ENOENT &&
		    strcmp(path, "/") == 0) ? 403 : 404;
	if (fstat(*fd, st) != 0 || (!S_ISREG(st->st_mode) &&
	    !S_ISDIR(st->st_mode)))
		return 404;
	return S_ISDIR(st->st_mode) ? 301 : 200;
}

static void
answer_request(struct web_conn *c, const struct serve_http_request *r)
{
	char full[4096], to[SERVE_HTTP_PATH_MAX + 1];
	struct serve_http_file f;
	struct stat st = { 0 };
	int status = r->status, fd = -1;

	if (status == 0)
		status = open_file(c->w, r->path, &st, &fd, full);
	if (status != 200) {
		if (fd >= 0)
			close(fd);
		snprintf(to, sizeof(to), "%s/", r->path);
		answer_error(c, r, status, status == 301 ? to : NULL);
		return;
	}
	if (r->since != 0 && r->since == st.st_mtime)
		status = 304;
	f = (struct serve_http_file){
		.type = serve_http_type(full), .size = (uint64_t)st.st_size,
		.changed = st.st_mtime,
	};
	answer(c, serve_http_file_head((char *)c->out.buf, status, &f, r->keep,
	    time(NULL)), r->keep);
	if (status == 304 || r->head) {
		close(fd);
		return;
	}
	c->file = fd;
	c->left = f.size;
}

/* Send; true when the answer is out, false: wait, or c is gone. */
static bool
send_answer(struct web_conn *c)
{
	struct pipe *p = &c->out;
	ssize_t n;

	for (;;) {
		if (p->at == p->len && c->left > 0) {
			n = read(c->file, p->buf, c->left < sizeof(p->buf) ?
			    (size_t)c->left : sizeof(p->buf));
			if (n <= 0) {		/* it got shorter */
				conn_free(c);
				return false;
			}
			p->at = 0;
			p->len = (size_t)n;
			c->left -= (uint64_t)n;
		}
		if (p->at == p->len)
			break;
		n = send(c->client.fd, p->buf + p->at, p->len - p->at,
		    MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			loop_mod(c->w->l, &c->client, EPOLLOUT);
			return false;
		}
		if (n < 0) {
			conn_free(c);
			return false;
		}
		p->at += (size_t)n;
	}
	if (c->file >= 0)
		close(c->file);
	c->file = -1;
	if (!c->keep) {
		(void)shutdown(c->client.fd, SHUT_WR);
		conn_free(c);
		return false;
	}
	c->state = HEAD;
	wait_for(c, SERVE_WEB_KEEP_MS);
	loop_mod(c->w->l, &c->client, EPOLLIN);
	return true;
}

/* Requests that are whole, one after the other. */
static void
serve_requests(struct web_conn *c)
{
	struct serve_http_request r;
	size_t used;

	while (c->state == HEAD && c->in.len > 0) {
		if (serve_http_parse(&r, (char *)c->in.buf, c->in.len, &used) ==
		    SW_AGAIN)
			return;
		if (c->plain && r.status == 0) {
			r.status = 400;
			r.note = "The plain HTTP request was sent to HTTPS port";
		}
		c->in.len -= used;
		memmove(c->in.buf, c->in.buf + used, c->in.len);
		wait_for(c, SERVE_WEB_HEAD_MS);
		answer_request(c, &r);
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

	if (c->state == PUMP) {
		pump(c);
		return;
	}
	if (c->state == BODY) {
		if ((events & (EPOLLHUP | EPOLLERR)) != 0)
			conn_free(c);
		else if (send_answer(c))
			serve_requests(c);
		return;
	}
	if (c->state == CONNECTING) {	/* it went away */
		conn_free(c);
		return;
	}
	n = recv(w->fd, c->in.buf + c->in.len, SERVE_HTTP_HEAD_MAX - c->in.len, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		conn_free(c);
		return;
	}
	c->in.len += (size_t)n;
	serve_requests(c);
}

static void
on_backend(struct loop_fd *w, uint32_t events)
{
	struct web_conn *c = CONTAINER_OF(w, struct web_conn, backend);
	struct serve_http_request r = { 0 };
	socklen_t len = sizeof(int);
	int e = 0;

	(void)events;
	if (c->state == CONNECTING) {
		(void)getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &e, &len);
		if (e != 0) {
			loop_del(c->w->l, w);
			answer_error(c, &r, 502, NULL);
			(void)send_answer(c);
			return;
		}
		c->state = PUMP;
	}
	pump(c);
}

/* Hand it over, whatever it says. */
static bool
connect_backend(struct web_conn *c)
{
	int family = addr_is_v4(&c->w->backend) ? AF_INET : AF_INET6;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	c->backend.fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);
	addr_to_sockaddr(&c->w->backend, family, (struct sockaddr *)&ss, &len);
	c->state = CONNECTING;
	wait_for(c, BACKEND_MS);
	return c->backend.fd >= 0 &&
	    (connect(c->backend.fd, (struct sockaddr *)&ss, len) == 0 ||
	    errno == EINPROGRESS) &&
	    loop_add(c->w->l, &c->backend, EPOLLOUT) == SW_OK;
}

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
	c->backend = (struct loop_fd){ .fd = -1, .ready = on_backend };
	c->timer.fire = on_timer;
	c->timer.at_ms = SW_NEVER;
	c->file = -1;
	c->plain = plain != 0;
	memcpy(c->in.buf, first, len);
	c->in.len = len;
	LIST_APPEND(&w->conns, c, link);
	w->n++;
	wait_for(c, SERVE_WEB_HEAD_MS);
	if (loop_add(w->l, &c->client, ours ? EPOLLIN : 0) != SW_OK ||
	    (!ours && !connect_backend(c)))
		conn_free(c);
	else if (ours)
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

/* "http://ADDRESS[:PORT][/]" */
static int
parse_backend(struct sw_addr *out, const char *url)
{
	char host[SW_ADDR_TEXT_LEN];
	const char *p = url + strlen("http://"), *end;
	unsigned long port = 80;
	size_t n;
	char *rest;

	end = *p == '[' ? strchr(p, ']') : p + strcspn(p, ":/");
	if (end == NULL)
		return SW_ERR_FORMAT;
	p += *p == '[';
	n = (size_t)(end - p);
	if (n == 0 || n >= sizeof(host))
		return SW_ERR_FORMAT;
	memcpy(host, p, n);
	host[n] = '\0';
	end += *end == ']';
	if (*end == ':') {
		port = strtoul(end + 1, &rest, 10);
		end = rest;
	}
	if (port == 0 || port > 65535 || (*end != '\0' && strcmp(end, "/") != 0))
		return SW_ERR_FORMAT;
	if (strcmp(host, "localhost") == 0)
		memcpy(host, "127.0.0.1", sizeof("127.0.0.1"));
	if (addr_parse_ip(out, host) != SW_OK)
		return SW_ERR_FORMAT;
	out->port = (uint16_t)port;
	return SW_OK;
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
		if (parse_backend(&w->backend, where) == SW_OK)
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
