#include "mix/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/container.h"
#include "base/log.h"
#include "mix/reserve.h"

#define READ_CHUNK 65536
#define KEEPALIVE_S 30

static void
watch(struct stream *s)
{
	uint32_t events = EPOLLIN;

	if (s->connecting || s->out_len > s->out_at || s->wants_room)
		events |= EPOLLOUT;
	loop_mod(s->loop, &s->w, events);
}

void
stream_close(struct stream *s)
{
	if (!stream_is_open(s))
		return;
	loop_del(s->loop, &s->w);
	close(s->w.fd);
	s->w.fd = -1;
	free(s->in);
	free(s->out);
	s->in = s->out = NULL;
	s->in_len = s->in_cap = s->out_at = s->out_len = s->out_cap = 0;
}

bool
stream_is_open(const struct stream *s)
{
	return s->loop != NULL && s->w.fd >= 0;
}

static void
fail(struct stream *s, int err)
{
	stream_close(s);
	s->ops->closed(s, err);
}

/* Read once: the loop comes back if there is more.  False: it is closed. */
static bool
read_some(struct stream *s)
{
	struct rbuf in;
	ssize_t n;
	int r;

	if (s->in_len + READ_CHUNK > STREAM_IN_MAX ||
	    reserve(&s->in, &s->in_cap, s->in_len + READ_CHUNK) != SW_OK) {
		fail(s, SW_ERR_LIMIT);
		return false;
	}
	n = read(s->w.fd, s->in + s->in_len, READ_CHUNK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) {
		fail(s, n == 0 ? SW_ERR_CLOSED : sw_err_from_errno(errno));
		return false;
	}
	s->in_len += (size_t)n;
	in = (struct rbuf){ s->in, s->in_len };
	r = s->ops->data(s, &in);
	if (!stream_is_open(s))
		return false;
	if (r != SW_OK) {
		fail(s, r);
		return false;
	}
	if (in.left > 0)
		memmove(s->in, in.p, in.left);
	s->in_len = in.left;
	return true;
}

static bool
write_some(struct stream *s)
{
	ssize_t n;

	while (s->out_at < s->out_len) {
		n = send(s->w.fd, s->out + s->out_at, s->out_len - s->out_at,
		    MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0) {
			fail(s, sw_err_from_errno(errno));
			return false;
		}
		s->out_at += (size_t)n;
	}
	if (s->out_at == s->out_len)
		s->out_at = s->out_len = 0;
	return true;
}

static bool
finish_connect(struct stream *s)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(s->w.fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
		err = errno;
	if (err != 0) {
		fail(s, sw_err_from_errno(err));
		return false;
	}
	s->connecting = false;
	s->wants_room = true;
	return true;
}

static void
ready(struct loop_fd *w, uint32_t events)
{
	struct stream *s = CONTAINER_OF(w, struct stream, w);

	if (s->connecting) {
		if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0)
			return;
		if (!finish_connect(s))
			return;
	}
	if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0 && !read_some(s))
		return;
	if (!write_some(s))
		return;
	if (s->wants_room && s->out_len - s->out_at < STREAM_OUT_MAX / 2) {
		s->wants_room = false;
		if (s->ops->writable != NULL)
			s->ops->writable(s);
		if (!stream_is_open(s))
			return;
	}
	watch(s);
}

int
stream_open(struct stream *s, struct loop *l, int fd, bool connecting,
    const struct stream_ops *ops)
{
	int one = 1, r;

	memset(s, 0, sizeof(*s));
	s->w.fd = fd;
	s->w.ready = ready;
	s->loop = l;
	s->ops = ops;
	s->connecting = connecting;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	r = loop_add(l, &s->w, connecting ? EPOLLIN | EPOLLOUT : EPOLLIN);
	if (r != SW_OK) {
		close(fd);
		s->w.fd = -1;
	}
	return r;
}

int
stream_put(struct stream *s, const void *p, size_t n)
{
	bool idle;

	if (!stream_is_open(s))
		return SW_ERR_CLOSED;
	idle = s->out_len == s->out_at;
	if (s->out_len - s->out_at + n > STREAM_OUT_MAX) {
		s->wants_room = true;
		return SW_AGAIN;
	}
	if (s->out_at > s->out_cap / 2) {
		memmove(s->out, s->out + s->out_at, s->out_len - s->out_at);
		s->out_len -= s->out_at;
		s->out_at = 0;
	}
	if (reserve(&s->out, &s->out_cap, s->out_len + n) != SW_OK)
		return SW_AGAIN;
	memcpy(s->out + s->out_len, p, n);
	s->out_len += n;
	if (idle)
		watch(s);
	return SW_OK;
}

void
stream_ask_room(struct stream *s)
{
	s->wants_room = true;
	watch(s);
}

static int
new_socket(const struct sw_addr *a, struct sockaddr_storage *ss,
    socklen_t *len)
{
	int family = addr_is_v4(a) ? AF_INET : AF_INET6;

	*len = sizeof(*ss);
	addr_to_sockaddr(a, family, (struct sockaddr *)ss, len);
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Without a port of its own choice until it connects: then two connections to
 * different ends may share one. */
static int
bind_from(int fd, const struct sw_addr *from)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct sw_addr a = *from;
	int one = 1;

	a.port = 0;
	addr_to_sockaddr(&a, addr_is_v4(&a) ? AF_INET : AF_INET6,
	    (struct sockaddr *)&ss, &len);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	return bind(fd, (struct sockaddr *)&ss, len);
}

int
stream_connect_fd(const struct sw_addr *a)
{
	return stream_connect_from_fd(a, NULL);
}

int
stream_connect_from_fd(const struct sw_addr *a, const struct sw_addr *from)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd = new_socket(a, &ss, &len);

	if (fd < 0)
		return -1;
	if (from != NULL && addr_is_v4(from) == addr_is_v4(a) &&
	    bind_from(fd, from) != 0) {
		close(fd);
		return -1;
	}
	if (connect(fd, (struct sockaddr *)&ss, len) == 0 ||
	    errno == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}

int
stream_listen_fd(struct sw_addr *a)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int one = 1, fd = new_socket(a, &ss, &len);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&ss, len) == 0 &&
	    listen(fd, 128) == 0) {
		len = sizeof(ss);
		if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
		    addr_from_sockaddr(a, (struct sockaddr *)&ss, len) ==
		    SW_OK)
			return fd;
	}
	close(fd);
	return -1;
}

int
stream_accept_fd(int fd)
{
	return accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

void
stream_keep_alive(int fd)
{
	static const int on = 1, idle = KEEPALIVE_S, tries = 4;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof(tries));
}
