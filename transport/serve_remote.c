/*
 * Ports that listen here for a client (RFC 4254 section 7.1).  A client hears
 * the bind address back exactly as it wrote it.
 */
#include "transport/serve_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <netinet/in.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"

#define LISTENERS_MAX 32		/* of one session */
#define BACKLOG 128
#define ACCEPTS_A_TURN 16
#define PAUSE_MS 200			/* when there are no descriptors left */
#define BINDS 2				/* both families */

struct serve_listener {
	LIST_LINK(serve_listener) link;
	struct serve_session *s;
	struct socket_watch { struct loop_fd w; struct serve_listener *o; }
	    at[BINDS];
	struct loop_timer pause;
	char bind[DIAL_HOST_MAX + 1];
	uint16_t asked, port;
};

static void
listener_free(struct serve_listener *o)
{
	loop_set_timer(&o->s->v->l, &o->pause, SW_NEVER);
	for (int i = 0; i < BINDS; i++) {
		loop_del(&o->s->v->l, &o->at[i].w);
		if (o->at[i].w.fd >= 0)
			close(o->at[i].w.fd);
	}
	LIST_DROP(&o->s->listeners, o, link);
	o->s->nlisteners--;
	free(o);
}

static void
watch(struct serve_listener *o, uint32_t events)
{
	for (int i = 0; i < BINDS; i++)
		if (o->at[i].w.fd >= 0)
			loop_mod(&o->s->v->l, &o->at[i].w, events);
}

static void
on_pause(struct loop_timer *t)
{
	watch(CONTAINER_OF(t, struct serve_listener, pause), EPOLLIN);
}

static void
on_ready(struct loop_fd *w, uint32_t events)
{
	struct serve_listener *o = (CONTAINER_OF(w, struct socket_watch, w))->o;

	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		struct sockaddr_storage ss;
		socklen_t len = sizeof(ss);
		struct sw_addr from;
		int fd = accept4(w->fd, (struct sockaddr *)&ss, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EMFILE || errno == ENFILE ||
		    errno == ENOBUFS || errno == ENOMEM)) {
			watch(o, 0);
			loop_set_timer(&o->s->v->l, &o->pause,
			    o->s->v->l.now_ms + PAUSE_MS);
			return;
		}
		if (fd < 0)
			return;
		if (o->s->v->draining || addr_from_sockaddr(&from,
		    (struct sockaddr *)&ss, len) != SW_OK) {
			close(fd);
			continue;
		}
		serve_relay_offer(o->s, fd, o->bind, o->port, &from);
	}
}

static int
listen_at(struct serve_listener *o, int i, const struct sw_addr *a)
{
	int family = addr_is_v4(a) ? AF_INET : AF_INET6, on = 1;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct sw_addr got;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return sw_err_from_errno(errno);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	addr_to_sockaddr(a, family, (struct sockaddr *)&ss, &len);
	if (bind(fd, (struct sockaddr *)&ss, len) != 0 ||
	    listen(fd, BACKLOG) != 0)
		goto bad;
	len = sizeof(ss);
	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0 ||
	    addr_from_sockaddr(&got, (struct sockaddr *)&ss, len) != SW_OK)
		goto bad;
	o->at[i].w.fd = fd;
	if (loop_add(&o->s->v->l, &o->at[i].w, EPOLLIN) != SW_OK)
		return SW_ERR_SYS;	/* closed with the listener */
	o->port = got.port;
	return SW_OK;
bad:
	close(fd);
	return SW_ERR_IN_USE;
}

/* The addresses a bind name stands for: RFC 4254, with OpenSSH's GatewayPorts
 * (no: loopback whatever is asked; clientspecified). */
static size_t
addresses(const struct serve_session *s, const char *bind,
    struct sw_addr out[static BINDS])
{
	static const struct sw_addr any6 = { .port = 0 };
	struct sw_addr loop6 = { .port = 0 };

	loop6.ip[15] = 1;
	if (s->v->remote == SERVE_REMOTE_LOOPBACK ||
	    strcasecmp(bind, "localhost") == 0) {
		out[0] = addr_v4(INADDR_LOOPBACK, 0);
		out[1] = loop6;
		return 2;
	}
	if (*bind == '\0' || strcmp(bind, "*") == 0) {
		out[0] = addr_v4(INADDR_ANY, 0);
		out[1] = any6;
		return 2;
	}
	return addr_parse_ip(&out[0], bind) == SW_OK ? 1 : 0;
}

int
serve_remote_listen(struct serve_session *s, const char *bind, uint16_t port,
    uint16_t *bound)
{
	struct serve_listener *o;
	struct sw_addr at[BINDS];
	size_t n, up = 0;

	*bound = 0;
	if (s->v->remote == SERVE_REMOTE_NO || !s->may_forward ||
	    s->v->draining ||
	    !serve_permits_has(&s->grant->listen, bind, port))
		return SW_ERR_DENIED;
	if ((n = addresses(s, bind, at)) == 0)
		return SW_ERR_FORMAT;
	if (s->nlisteners >= LISTENERS_MAX)
		return SW_ERR_LIMIT;
	if ((o = calloc(1, sizeof(*o))) == NULL)
		return SW_ERR_NOMEM;
	o->s = s;
	o->pause = (struct loop_timer){ .fire = on_pause, .at_ms = SW_NEVER };
	for (int i = 0; i < BINDS; i++) {
		o->at[i].w = (struct loop_fd){ .fd = -1, .ready = on_ready };
		o->at[i].o = o;
	}
	memcpy(o->bind, bind, strlen(bind) + 1);
	o->asked = port;
	LIST_APPEND(&s->listeners, o, link);
	s->nlisteners++;
	for (size_t i = 0; i < n; i++) {
		at[i].port = up > 0 ? o->port : port;
		up += listen_at(o, (int)i, &at[i]) == SW_OK;
	}
	if (up == 0) {
		listener_free(o);
		return SW_ERR_IN_USE;
	}
	*bound = o->port;
	return SW_OK;
}

int
serve_remote_unlisten(struct serve_session *s, const char *bind, uint16_t port)
{
	struct serve_listener *o;

	LIST_EACH(o, &s->listeners, link)
		if (strcmp(o->bind, bind) == 0 &&
		    (o->port == port || (port == 0 && o->asked == 0)))
			break;
	if (o == NULL)
		return SW_ERR_NO_NAME;
	listener_free(o);
	return SW_OK;
}

void
serve_remote_free(struct serve_session *s)
{
	struct serve_listener *o, *next;

	for (o = LIST_FIRST(&s->listeners); o != NULL; o = next) {
		next = LIST_NEXT(o, link);
		listener_free(o);
	}
}
