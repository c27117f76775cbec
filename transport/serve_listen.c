#include "transport/serve_listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "transport/serve_front.h"

#define BACKLOG 1024
#define ACCEPTS_A_TURN 64
#define PAUSE_MS 200			/* when there are no descriptors left */
#define SOCKETS_MAX 64

struct serve_socket {
	struct loop_fd w;
	struct loop_timer pause;
	struct serve_listening *g;
	enum serve_kind kind;
};

struct serve_listening {
	struct serve_server *v;
	struct serve_front *front;
	struct serve_socket at[SOCKETS_MAX];
	size_t n;
};

static void
arrive(struct serve_socket *k, int fd, const struct sw_addr *from)
{
	struct serve_info who = { .kind = k->kind, .has_addr = true };
	int on = 1;

	who.addr = *from;
	(void)addr_ip_text(from, who.peer);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (k->kind == SERVE_TCP)
		serve_session_start(k->g->v, fd, &who, NULL, 0);
	else if (serve_is_crowded(k->g->v, &who))
		close(fd);
	else
		serve_front_take(k->g->front, fd, &who);
}

static void
on_ready(struct loop_fd *w, uint32_t events)
{
	struct serve_socket *k = CONTAINER_OF(w, struct serve_socket, w);
	struct loop *l = &k->g->v->l;

	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		struct sockaddr_storage ss;
		socklen_t len = sizeof(ss);
		struct sw_addr from;
		int fd = accept4(w->fd, (struct sockaddr *)&ss, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EMFILE || errno == ENFILE ||
		    errno == ENOBUFS || errno == ENOMEM)) {
			log_warn("no descriptors or memory left; waiting");
			loop_mod(l, w, 0);
			loop_set_timer(l, &k->pause, l->now_ms + PAUSE_MS);
			return;
		}
		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0)
			continue;	/* that one went away again */
		if (addr_from_sockaddr(&from, (struct sockaddr *)&ss, len) !=
		    SW_OK)
			close(fd);
		else
			arrive(k, fd, &from);
	}
}

static void
on_pause(struct loop_timer *t)
{
	struct serve_socket *k = CONTAINER_OF(t, struct serve_socket, pause);

	loop_mod(&k->g->v->l, &k->w, EPOLLIN);
}

static int
open_at(struct serve_listening *g, const struct addrinfo *ai,
    enum serve_kind kind, int out)
{
	struct serve_socket *k = &g->at[g->n];
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char ip[SW_ADDR_TEXT_LEN];
	struct sw_addr a;
	int on = 1, fd;

	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return SW_ERR_SYS;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ai->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	*k = (struct serve_socket){
		.w = { .fd = fd, .ready = on_ready }, .g = g, .kind = kind,
		.pause = { .fire = on_pause, .at_ms = SW_NEVER },
	};
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 ||
	    listen(fd, BACKLOG) != 0 ||
	    getsockname(fd, (struct sockaddr *)&ss, &len) != 0 ||
	    addr_from_sockaddr(&a, (struct sockaddr *)&ss, len) != SW_OK ||
	    loop_add(&g->v->l, &k->w, EPOLLIN) != SW_OK) {
		int e = errno;

		close(fd);
		errno = e;
		return SW_ERR_SYS;
	}
	g->n++;
	dprintf(out, addr_is_v4(&a) ? "listen %s %s:%u\n" :
	    "listen %s [%s]:%u\n", kind == SERVE_TLS ? "tls" : "tcp",
	    addr_ip_text(&a, ip), a.port);
	return SW_OK;
}

static int
open_one(struct serve_listening *g, const struct serve_listen *one, int out,
    char why[static 256])
{
	const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE,
	};
	struct addrinfo *list = NULL, *ai;
	char port[8];
	size_t up = 0;
	int e;

	snprintf(port, sizeof(port), "%u", one->port);
	if ((e = getaddrinfo(one->host, port, &hints, &list)) != 0) {
		snprintf(why, 256, "cannot listen on \"%.100s\": %s",
		    one->host != NULL ? one->host : "*", gai_strerror(e));
		return SW_ERR_CONFIG;
	}
	for (ai = list; ai != NULL && g->n < SOCKETS_MAX; ai = ai->ai_next)
		if (open_at(g, ai, one->kind, out) == SW_OK)
			up++;
		else if (errno != EAFNOSUPPORT)
			e = errno;
	freeaddrinfo(list);
	/* Every address with one family missing is still every address; one
	 * that is taken is a fault. */
	if (up > 0 && e != EADDRINUSE && e != EACCES)
		return SW_OK;
	snprintf(why, 256, "could not listen on port %u: %s", one->port,
	    strerror(e));
	return SW_ERR_SYS;
}

struct serve_listening *
serve_listening_new(struct serve_server *v, struct serve_front *front,
    const struct serve_options *o, int out, char why[static 256])
{
	struct serve_listening *g = calloc(1, sizeof(*g));

	if (g == NULL) {
		snprintf(why, 256, "out of memory");
		return NULL;
	}
	g->v = v;
	g->front = front;
	for (size_t i = 0; i < o->nlisten; i++)
		if (o->listen[i].kind != SERVE_IROH &&
		    open_one(g, &o->listen[i], out, why) != SW_OK) {
			serve_listening_free(g);
			return NULL;
		}
	return g;
}

void
serve_listening_free(struct serve_listening *g)
{
	if (g == NULL)
		return;
	for (size_t i = 0; i < g->n; i++) {
		loop_del(&g->v->l, &g->at[i].w);
		loop_set_timer(&g->v->l, &g->at[i].pause, SW_NEVER);
		close(g->at[i].w.fd);
	}
	free(g);
}
