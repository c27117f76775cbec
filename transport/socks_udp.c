#include "transport/socks_udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/container.h"
#include "transport/socks_parse.h"

#define BATCH 64

struct socks_udp {
	struct loop *l;
	struct loop_fd w;
	struct sw_addr client;		/* port 0 until it has sent */
	struct datagram_port *port;
	const struct datagram_ops *ops;
	void (*ended)(void *arg);
	void *arg;
};

static uint8_t packet[SOCKS_UDP_HEADER_MAX + DATAGRAM_MAX]; /* one loop */

static bool
is_client(struct socks_udp *u, const struct sw_addr *from)
{
	if (!addr_same_ip(from, &u->client))
		return false;
	if (u->client.port == 0)
		u->client.port = from->port;
	return from->port == u->client.port;
}

static void
from_client(struct loop_fd *w, uint32_t events)
{
	struct socks_udp *u = CONTAINER_OF(w, struct socks_udp, w);

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		struct sockaddr_storage sa;
		socklen_t len = sizeof(sa);
		ssize_t n = recvfrom(w->fd, packet, sizeof(packet),
		    MSG_DONTWAIT, (struct sockaddr *)&sa, &len);
		struct datagram_peer to = { .name = NULL };
		struct dial_target target;
		struct sw_addr from;
		size_t at;

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 || addr_from_sockaddr(&from, (struct sockaddr *)&sa,
		    len) != SW_OK || !is_client(u, &from) ||
		    socks_udp_parse(packet, (size_t)n, &target, &at) != SW_OK)
			continue;
		if (addr_parse_ip(&to.addr, target.host) != SW_OK)
			to.name = target.host;
		to.addr.port = target.port;
		(void)u->ops->send(u->port, &to, packet + at, (size_t)n - at);
	}
}

static void
from_exit(void *arg, const struct datagram_peer *from, const uint8_t *data,
    size_t len)
{
	struct socks_udp *u = arg;
	uint8_t header[SOCKS_UDP_HEADER_MAX];
	struct iovec iov[2] = {
		{ .iov_base = header, .iov_len = socks_udp_header(header,
		    from->name, &from->addr) },
		{ .iov_base = (void *)(uintptr_t)data, .iov_len = len },
	};
	struct sockaddr_storage sa;
	struct msghdr m = { .msg_name = &sa, .msg_namelen = sizeof(sa),
		.msg_iov = iov, .msg_iovlen = 2 };

	if (u->client.port == 0)
		return;
	addr_to_sockaddr(&u->client, addr_is_v4(&u->client) ? AF_INET :
	    AF_INET6, (struct sockaddr *)&sa, &m.msg_namelen);
	(void)sendmsg(u->w.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* RFC 1928 has no word for it; the client waits in vain, as on a network. */
static void
refused(void *arg, const struct datagram_peer *to, int err)
{
	(void)arg;
	(void)to;
	(void)err;
}

static void
closed(void *arg, int err)
{
	struct socks_udp *u = arg;

	(void)err;
	u->port = NULL;
	u->ended(u->arg);
}

static const struct datagram_events port_events = {
	.packet = from_exit, .refused = refused, .closed = closed,
};

/* Bind beside the TCP connection, whose two addresses are told. */
static int
open_socket(int tcp, struct sw_addr *client, struct sw_addr *bound)
{
	struct sockaddr_storage here, there;
	socklen_t n = sizeof(here), m = sizeof(there);
	int fd;

	if (getsockname(tcp, (struct sockaddr *)&here, &n) != 0 ||
	    getpeername(tcp, (struct sockaddr *)&there, &m) != 0 ||
	    addr_from_sockaddr(bound, (struct sockaddr *)&here, n) != SW_OK ||
	    addr_from_sockaddr(client, (struct sockaddr *)&there, m) != SW_OK)
		return -1;
	bound->port = client->port = 0;
	n = sizeof(here);
	addr_to_sockaddr(bound, addr_is_v4(bound) ? AF_INET : AF_INET6,
	    (struct sockaddr *)&here, &n);
	fd = socket(here.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);
	if (fd < 0)
		return -1;
	n = sizeof(here);
	if (bind(fd, (struct sockaddr *)&here, here.ss_family == AF_INET ?
		sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)) != 0 ||
	    getsockname(fd, (struct sockaddr *)&here, &n) != 0 ||
	    addr_from_sockaddr(bound, (struct sockaddr *)&here, n) != SW_OK) {
		close(fd);
		return -1;
	}
	return fd;
}

struct socks_udp *
socks_udp_open(struct loop *l, int fd, struct datagrams *d,
    const struct datagram_ops *ops, void (*ended)(void *arg), void *arg,
    struct sw_addr *bound, int *err)
{
	struct socks_udp *u = calloc(1, sizeof(*u));

	*err = SW_ERR_NOMEM;
	if (u == NULL)
		return NULL;
	u->l = l;
	u->ops = ops;
	u->ended = ended;
	u->arg = arg;
	*err = SW_ERR_SYS;
	u->w = (struct loop_fd){ .ready = from_client,
		.fd = open_socket(fd, &u->client, bound) };
	if (u->w.fd < 0 || loop_add(l, &u->w, EPOLLIN) != SW_OK)
		goto bad;
	u->port = ops->open(d, &port_events, u, err);
	if (u->port == NULL)
		goto bad;
	return u;
bad:
	socks_udp_free(u);
	return NULL;
}

void
socks_udp_free(struct socks_udp *u)
{
	if (u == NULL)
		return;
	if (u->port != NULL)
		u->ops->close(u->port);
	if (u->w.fd >= 0) {
		loop_del(u->l, &u->w);
		close(u->w.fd);
	}
	free(u);
}
