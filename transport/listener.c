#include "transport/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"

#define SOCKETS_MAX 2
#define BATCH 64		/* connections taken in one turn */
#define PAUSE_MS 200		/* without descriptors to take more */

struct listening {
	struct loop_fd w;
	struct listener *owner;
};

struct listener {
	struct loop *l;
	struct listening at[SOCKETS_MAX];
	size_t n;
	bool is_public;
	struct loop_timer pause;
	listener_accept_fn *accepted;
	void *arg;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static void
ready(struct loop_fd *w, uint32_t events)
{
	struct listener *s = CONTAINER_OF(w, struct listening, w)->owner;
	const int one = 1;

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		int fd = accept4(w->fd, NULL, NULL,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
			    sizeof(one));
			s->accepted(s->arg, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
			log_warn("listener: out of descriptors, pausing");
			for (size_t k = 0; k < s->n; k++)
				loop_del(s->l, &s->at[k].w);
			loop_set_timer(s->l, &s->pause,
			    s->l->now_ms + PAUSE_MS);
			return;
		}
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

static void
resume(struct loop_timer *t)
{
	struct listener *s = CONTAINER_OF(t, struct listener, pause);

	for (size_t i = 0; i < s->n; i++)
		if (loop_add(s->l, &s->at[i].w, EPOLLIN) != SW_OK)
			log_err("listener: could not go on: %s",
			    strerror(errno));
}

/* One more socket.  0 or an errno. */
static int
bind_one(struct listener *s, const struct sockaddr *sa, socklen_t len)
{
	const int one = 1, both = 0;
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0);
	int e;

	if (fd < 0)
		return errno;
	if (sa->sa_family != AF_UNIX)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
		    sizeof(one));
	if (sa->sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY,
		    s->is_public ? &both : &one, sizeof(one));
	if (bind(fd, sa, len) != 0) {
		e = errno;
		close(fd);
		return e;
	}
	s->at[s->n].owner = s;
	s->at[s->n++].w = (struct loop_fd){ .fd = fd, .ready = ready };
	return 0;
}

static int
bind_ip(struct listener *s, const char *text, uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct sw_addr a;

	if (addr_parse_ip(&a, text) != SW_OK)
		return EINVAL;
	a.port = port;
	s->is_public |= !addr_is_loopback(&a);
	addr_to_sockaddr(&a, addr_is_v4(&a) ? AF_INET : AF_INET6,
	    (struct sockaddr *)&sa, &len);
	return bind_one(s, (struct sockaddr *)&sa, len);
}

static int
bind_path(struct listener *s, const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	mode_t mask;
	int e;

	if (strlen(path) >= sizeof(sa.sun_path))
		return ENAMETOOLONG;
	memcpy(sa.sun_path, path, strlen(path) + 1);
	mask = umask(0177);
	e = bind_one(s, (struct sockaddr *)&sa, sizeof(sa));
	(void)umask(mask);
	if (e == 0)
		memcpy(s->path, path, strlen(path) + 1);
	return e;
}

static int
bind_all(struct listener *s, const char *host, uint16_t port)
{
	int e, e6;

	if (strchr(host, '/') != NULL)
		return bind_path(s, host);
	if (*host == '\0') {
		e = bind_ip(s, "::", port);	/* takes IPv4 as well */
		return e == EAFNOSUPPORT || e == EADDRNOTAVAIL ?
		    bind_ip(s, "0.0.0.0", port) : e;
	}
	if (strcmp(host, "localhost") != 0)
		return bind_ip(s, host, port);
	e = bind_ip(s, "127.0.0.1", port);
	if (e != 0)
		return e;
	/* A machine without IPv6 is none the worse. */
	e6 = bind_ip(s, "::1", port);
	return e6 == EADDRINUSE ? e6 : 0;
}

int
listener_open(struct listener **out, struct loop *l, const char *host,
    uint16_t port, listener_accept_fn *accepted, void *arg,
    char why[static 256])
{
	struct listener *s = calloc(1, sizeof(*s));
	int e;

	*out = NULL;
	if (s == NULL) {
		snprintf(why, 256, "out of memory");
		return SW_ERR_NOMEM;
	}
	s->l = l;
	s->pause.fire = resume;
	s->accepted = accepted;
	s->arg = arg;
	e = bind_all(s, host, port);
	if (e == 0) {
		*out = s;
		return SW_OK;
	}
	if (e == EINVAL)
		snprintf(why, 256, "cannot listen on \"%.100s\": it is not an "
		    "address", host);
	else if (strchr(host, '/') != NULL)
		snprintf(why, 256, "could not listen on \"%.100s\": %s", host,
		    strerror(e));
	else
		snprintf(why, 256, "could not listen on %s%.100sport %u: %s",
		    host, *host != '\0' ? " " : "", port, strerror(e));
	listener_free(s);
	return e == EINVAL ? SW_ERR_CONFIG : sw_err_from_errno(e);
}

int
listener_start(struct listener *s, char why[static 256])
{
	for (size_t i = 0; i < s->n; i++)
		if (listen(s->at[i].w.fd, SOMAXCONN) != 0 ||
		    (!s->at[i].w.added &&
		    loop_add(s->l, &s->at[i].w, EPOLLIN) != SW_OK)) {
			snprintf(why, 256, "could not listen: %s",
			    strerror(errno));
			return sw_err_from_errno(errno);
		}
	return SW_OK;
}

bool
listener_is_public(const struct listener *s)
{
	return s->is_public;
}

void
listener_free(struct listener *s)
{
	if (s == NULL)
		return;
	loop_set_timer(s->l, &s->pause, SW_NEVER);
	for (size_t i = 0; i < s->n; i++) {
		loop_del(s->l, &s->at[i].w);
		close(s->at[i].w.fd);
	}
	if (s->path[0] != '\0')
		(void)unlink(s->path);
	free(s);
}
