#include "transport/serve_pump.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"

#define PIECE 16384

struct way {				/* one direction */
	uint8_t buf[PIECE];
	size_t at, len;
	bool ended, told;		/* end of file read; and passed on */
};

struct serve_pump {
	struct loop *l;
	const struct serve_pump_events *ev;
	void *arg;
	struct loop_fd client, server;	/* fd -1: none */
	struct loop_timer timer;
	bool connected;
	struct way in, out;		/* from the client, to it */
};

void
serve_pump_free(struct serve_pump *p)
{
	if (p == NULL)
		return;
	loop_set_timer(p->l, &p->timer, SW_NEVER);
	loop_del(p->l, &p->client);
	loop_del(p->l, &p->server);
	if (p->client.fd >= 0)
		close(p->client.fd);
	if (p->server.fd >= 0)
		close(p->server.fd);
	free(p);
}

/* give_back: the client's connection, to the owner. */
static void
end(struct serve_pump *p, bool give_back)
{
	const struct serve_pump_events *ev = p->ev;
	void *arg = p->arg;
	int fd = -1;

	if (give_back) {
		loop_del(p->l, &p->client);
		fd = p->client.fd;
		p->client.fd = -1;
	}
	serve_pump_free(p);
	ev->over(arg, fd);
}

static void
on_timer(struct loop_timer *t)
{
	struct serve_pump *p = CONTAINER_OF(t, struct serve_pump, timer);

	end(p, !p->connected);
}

/* Move what can be moved.  false: the connection broke. */
static bool
move(struct way *w, int from, int to)
{
	ssize_t n;

	for (;;) {
		if (w->at == w->len && !w->ended) {
			n = recv(from, w->buf, sizeof(w->buf), 0);
			if (n < 0)
				return errno == EAGAIN;
			w->at = 0;
			w->len = (size_t)n;
			w->ended = n == 0;
		}
		if (w->at == w->len)
			break;
		n = send(to, w->buf + w->at, w->len - w->at, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN;
		w->at += (size_t)n;
	}
	if (w->ended && !w->told) {
		w->told = true;
		(void)shutdown(to, SHUT_WR);
	}
	return true;
}

static uint32_t
wanted(const struct way *reads, const struct way *writes)
{
	return (reads->at == reads->len && !reads->ended ? EPOLLIN : 0u) |
	    (writes->at < writes->len ? EPOLLOUT : 0u);
}

static void
pump(struct serve_pump *p)
{
	if (!move(&p->in, p->client.fd, p->server.fd) ||
	    !move(&p->out, p->server.fd, p->client.fd) ||
	    (p->in.told && p->out.told)) {
		end(p, false);
		return;
	}
	loop_mod(p->l, &p->client, wanted(&p->in, &p->out));
	loop_mod(p->l, &p->server, wanted(&p->out, &p->in));
	loop_set_timer(p->l, &p->timer, p->l->now_ms + SERVE_PUMP_IDLE_MS);
}

static void
on_client(struct loop_fd *w, uint32_t events)
{
	struct serve_pump *p = CONTAINER_OF(w, struct serve_pump, client);

	(void)events;
	if (!p->connected)		/* it went away */
		end(p, false);
	else
		pump(p);
}

static void
on_server(struct loop_fd *w, uint32_t events)
{
	struct serve_pump *p = CONTAINER_OF(w, struct serve_pump, server);
	socklen_t len = sizeof(int);
	int e = 0;

	(void)events;
	if (!p->connected) {
		(void)getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &e, &len);
		if (e != 0) {
			end(p, true);
			return;
		}
		p->connected = true;
	}
	pump(p);
}

static int
dial(struct serve_pump *p, const struct sw_addr *to)
{
	int family = addr_is_v4(to) ? AF_INET : AF_INET6;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	p->server.fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (p->server.fd < 0)
		return SW_ERR_LIMIT;
	addr_to_sockaddr(to, family, (struct sockaddr *)&ss, &len);
	/* What goes wrong at once is told by the loop as well. */
	(void)connect(p->server.fd, (struct sockaddr *)&ss, len);
	return loop_add(p->l, &p->server, EPOLLOUT);
}

struct serve_pump *
serve_pump_new(struct loop *l, int fd, const uint8_t *first, size_t len,
    const struct sw_addr *to, const struct serve_pump_events *ev, void *arg)
{
	struct serve_pump *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->l = l;
	p->ev = ev;
	p->arg = arg;
	p->client = (struct loop_fd){ .fd = fd, .ready = on_client };
	p->server = (struct loop_fd){ .fd = -1, .ready = on_server };
	p->timer.fire = on_timer;
	p->timer.at_ms = SW_NEVER;
	p->in.len = len < SERVE_PUMP_FIRST ? len : SERVE_PUMP_FIRST;
	memcpy(p->in.buf, first, p->in.len);
	if (loop_add(l, &p->client, 0) != SW_OK || dial(p, to) != SW_OK) {
		loop_del(l, &p->client);
		p->client.fd = -1;
		serve_pump_free(p);
		return NULL;
	}
	loop_set_timer(l, &p->timer, l->now_ms + SERVE_PUMP_DIAL_MS);
	return p;
}

int
serve_pump_parse(struct sw_addr *out, const char *url)
{
	char host[SW_ADDR_TEXT_LEN];
	const char *p = url + strlen("http://"), *end_of_host;
	unsigned long port = 80;
	size_t n;
	char *rest;

	end_of_host = *p == '[' ? strchr(p, ']') : p + strcspn(p, ":/");
	if (end_of_host == NULL)
		return SW_ERR_FORMAT;
	p += *p == '[';
	n = (size_t)(end_of_host - p);
	if (n == 0 || n >= sizeof(host))
		return SW_ERR_FORMAT;
	memcpy(host, p, n);
	host[n] = '\0';
	end_of_host += *end_of_host == ']';
	if (*end_of_host == ':') {
		port = strtoul(end_of_host + 1, &rest, 10);
		end_of_host = rest;
	}
	if (port == 0 || port > 65535 ||
	    (*end_of_host != '\0' && strcmp(end_of_host, "/") != 0))
		return SW_ERR_FORMAT;
	if (strcmp(host, "localhost") == 0)
		memcpy(host, "127.0.0.1", sizeof("127.0.0.1"));
	if (addr_parse_ip(out, host) != SW_OK)
		return SW_ERR_FORMAT;
	out->port = (uint16_t)port;
	return SW_OK;
}
