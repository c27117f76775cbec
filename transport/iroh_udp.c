#include "transport/iroh_udp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "transport/iroh_socks.h"

#define SOCKET_BUFFER (4 << 20)	/* what we ask for; the kernel may give less */

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

static void
set(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

/* Options that make it better where the kernel has them. */
static void
tune(const struct iroh_udp *u)
{
	set(u->fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER);
	set(u->fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER);
	set(u->fd, SOL_UDP, UDP_GRO, 1);
	/* PROBE: set "don't fragment", and leave path MTU discovery to QUIC. */
	set(u->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
	if (u->v4_only) {
		set(u->fd, IPPROTO_IP, IP_PKTINFO, 1);
		return;
	}
	set(u->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
	set(u->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

static int
open_socket(struct iroh_udp *u)
{
	u->fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (u->fd >= 0) {
		set(u->fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
		return 0;
	}
	u->v4_only = true;
	u->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return u->fd < 0 ? -1 : 0;
}

static int
bind_to(const struct iroh_udp *u, struct sw_addr at)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (u->v4_only && !addr_is_v4(&at)) {
		if (!addr_is_any(&at)) {
			errno = EAFNOSUPPORT;
			return -1;
		}
		at = addr_v4(0, at.port);
	}
	addr_to_sockaddr(&at, u->v4_only ? AF_INET : AF_INET6,
	    (struct sockaddr *)&sa, &len);
	return bind(u->fd, (struct sockaddr *)&sa, len);
}

int
iroh_udp_open(struct iroh_udp *u, const char *text, uint16_t port,
    char why[static 256])
{
	struct sw_addr at = { .port = 0 };
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	int e;

	*u = (struct iroh_udp){ .fd = -1 };
	if (text != NULL && addr_parse_ip(&at, text) != SW_OK) {
		snprintf(why, 256, "\"%.64s\" is no address to listen on",
		    text);
		return SW_ERR_CONFIG;
	}
	at.port = port;
	if (open_socket(u) != 0 || (bind_to(u, at) != 0 &&
	    /* Without IPv6 addresses a socket of that family still opens. */
	    (errno != EADDRNOTAVAIL || text != NULL)) ||
	    getsockname(u->fd, (struct sockaddr *)&sa, &len) != 0 ||
	    addr_from_sockaddr(&at, (struct sockaddr *)&sa, len) != SW_OK) {
		e = errno;
		snprintf(why, 256, "could not open UDP port %u: %s", port,
		    strerror(e));
		iroh_udp_close(u);
		return e == EADDRINUSE ? SW_ERR_IN_USE : SW_ERR_SYS;
	}
	u->port = at.port;
	tune(u);
	return SW_OK;
}

void
iroh_udp_close(struct iroh_udp *u)
{
	if (u->fd >= 0)
		close(u->fd);
	u->fd = -1;
}

/* Ancillary data of a send: the source address and the length to split at. */
union control {
	char buf[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
	    CMSG_SPACE(sizeof(uint16_t))];
	struct cmsghdr align;
};

static void
put_source(struct msghdr *m, struct cmsghdr *c, const struct sw_addr *local,
    bool v4_only)
{
	if (v4_only) {
		struct in_pktinfo info = { .ipi_ifindex = 0 };

		memcpy(&info.ipi_spec_dst, local->ip + 12, 4);
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		m->msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		struct in6_pktinfo info = { .ipi6_ifindex = local->scope };

		memcpy(&info.ipi6_addr, local->ip, 16);
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		m->msg_controllen = CMSG_SPACE(sizeof(info));
	}
}

static void
put_segment(struct msghdr *m, union control *ctl, size_t segment)
{
	struct cmsghdr *c =
	    (struct cmsghdr *)(void *)(ctl->buf + m->msg_controllen);
	uint16_t v = (uint16_t)segment;

	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(v));
	memcpy(CMSG_DATA(c), &v, sizeof(v));
	m->msg_controllen += CMSG_SPACE(sizeof(v));
}

/* One system call.  False: this kernel or device cannot split. */
static bool
send_once(const struct iroh_udp *u, const struct sw_addr *local,
    const struct sw_addr *to, struct iovec *iov, size_t iovlen, size_t n,
    size_t segment)
{
	struct sockaddr_storage sa;
	socklen_t salen = sizeof(sa);
	union control ctl = { .buf = { 0 } };
	struct msghdr m = { .msg_name = &sa, .msg_iov = iov,
	    .msg_iovlen = iovlen, .msg_control = &ctl };

	if (u->v4_only && !addr_is_v4(to))
		return true;		/* no way there: lost */
	addr_to_sockaddr(to, u->v4_only ? AF_INET : AF_INET6,
	    (struct sockaddr *)&sa, &salen);
	m.msg_namelen = salen;
	if (local != NULL && !addr_is_any(local))
		put_source(&m, &ctl.align, local, u->v4_only);
	if (segment < n)
		put_segment(&m, &ctl, segment);
	if (m.msg_controllen == 0)
		m.msg_control = NULL;
	return sendmsg(u->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
	    segment >= n || (errno != EIO && errno != EINVAL &&
	    errno != EOPNOTSUPP);
}

void
iroh_udp_send(struct iroh_udp *u, const struct sw_addr *local,
    const struct sw_addr *to, const uint8_t *data, size_t n, size_t segment)
{
	uint8_t head[SOCKS_UDP_HEAD_MAX];
	struct iovec iov[2] = { { head, 0 } };

	if (!u->proxied && !u->no_segment && segment < n) {
		iov[1] = (struct iovec){ (void *)(uintptr_t)data, n };
		if (send_once(u, local, to, &iov[1], 1, n, segment))
			return;
		u->no_segment = true;
	}
	if (u->proxied)
		iov[0].iov_len = socks_udp_put(head, to);
	while (n > 0) {
		size_t one = n < segment ? n : segment;

		iov[1] = (struct iovec){ (void *)(uintptr_t)data, one };
		if (u->proxied)
			(void)send_once(u, NULL, &u->proxy, iov, 2, one, one);
		else
			(void)send_once(u, local, to, &iov[1], 1, one, one);
		data += one;
		n -= one;
	}
}

/* What the kernel told beside a datagram. */
static size_t
take_control(struct msghdr *m, struct sw_addr *local, size_t n)
{
	size_t segment = n;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
	    c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 &&
		    c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			memcpy(local->ip, &info.ipi6_addr, 16);
			if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
				local->scope = info.ipi6_ifindex;
		} else if (c->cmsg_level == IPPROTO_IP &&
		    c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			*local = addr_v4(ntohl(info.ipi_addr.s_addr),
			    local->port);
		} else if (c->cmsg_level == SOL_UDP &&
		    c->cmsg_type == UDP_GRO) {
			int v;

			memcpy(&v, CMSG_DATA(c), sizeof(v));
			if (v > 0 && (size_t)v < n)
				segment = (size_t)v;
		}
	}
	return segment;
}

static void
deliver(const struct iroh_udp *u, iroh_udp_fn *fn, void *arg,
    const struct sw_addr *local, struct sw_addr from, const uint8_t *data,
    size_t n)
{
	if (u->proxied) {
		if (memcmp(&from, &u->proxy, sizeof(from)) != 0 ||
		    socks_udp_get(&from, &data, &n) != SW_OK)
			return;
	}
	fn(arg, local, &from, data, n);
}

void
iroh_udp_read(struct iroh_udp *u, iroh_udp_fn *fn, void *arg)
{
	static _Thread_local uint8_t buf[65536];
	union {
		char buf[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
		    CMSG_SPACE(sizeof(struct in_pktinfo)) +
		    CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} ctl;

	for (int i = 0; i < UDP_READS_MAX && u->fd >= 0; i++) {
		struct sockaddr_storage sa;
		struct iovec iov = { buf, sizeof(buf) };
		struct msghdr m = { .msg_name = &sa, .msg_namelen = sizeof(sa),
		    .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl,
		    .msg_controllen = sizeof(ctl) };
		struct sw_addr local = { .port = u->port }, from;
		ssize_t n = recvmsg(u->fd, &m, MSG_DONTWAIT);
		size_t segment;

		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0 || addr_from_sockaddr(&from, (struct sockaddr *)&sa,
		    m.msg_namelen) != SW_OK)
			/* an ICMP error, or an empty datagram */
			continue;
		segment = take_control(&m, &local, (size_t)n);
		for (size_t at = 0; at < (size_t)n; at += segment)
			deliver(u, fn, arg, &local, from, buf + at,
			    (size_t)n - at < segment ? (size_t)n - at :
			    segment);
	}
}
