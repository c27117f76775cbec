/*
 * A loopback socket sent astray.
 *
 * Each makes a socket of this machine's loopback by libc's calls, so that a
 * wrapped program gets what it would be granted, and then tries the kernel's
 * ways past that by the instruction itself.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/leak/ways/ways.h"

#define DEVICES 40

/* Ancillary data and room for it. */
struct astray {
	struct msghdr m;
	union {
		size_t align;
		char space[128];
	} control;
};

static void
astray_init(struct astray *a, const struct msghdr *to, int level, int type,
    const void *data, size_t len)
{
	struct cmsghdr h = { .cmsg_len = CMSG_LEN(len), .cmsg_level = level,
		.cmsg_type = type };

	memset(a, 0, sizeof(*a));
	a->m = *to;
	a->m.msg_control = a->control.space;
	a->m.msg_controllen = CMSG_SPACE(len);
	memcpy(a->control.space, &h, sizeof(h));
	memcpy(a->control.space + CMSG_LEN(0), data, len);
}

static struct sockaddr_in
loopback4(int port)
{
	struct sockaddr_in lo = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };

	lo.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return lo;
}

static int
bound4(void)
{
	struct sockaddr_in lo = loopback4(0);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	say("bind", bind(fd, SA(lo), sizeof(lo)));
	return fd;
}

static int
connected4(void)
{
	struct sockaddr_in lo = loopback4(9);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	say("connect", connect(fd, SA(lo), sizeof(lo)));
	return fd;
}

/* By every device but lo: a wrapped program is shown other indexes. */
static void
send_astray(long fd)
{
	struct astray a;

	for (int i = 2; i < DEVICES; i++) {
		struct in_pktinfo via = { .ipi_ifindex = i };
		long r;

		astray_init(&a, &at.msg, IPPROTO_IP, IP_PKTINFO, &via,
		    sizeof(via));
		r = raw(SYS_sendmsg, fd, (long)&a.m, 0, 0, 0, 0);
		if (r >= 0 || i == 2)
			(void)printf("sendmsg by %d: %ld\n", i, r);
	}
}

static void
g_pktinfo(void)
{
	send_astray(bound4());
}

static void
g_pktinfo_connected(void)
{
	send_astray(connected4());
}

static void
g_pktinfo_dup(void)
{
	send_astray(dup(connected4()));
}

static void
g_pktinfo_mmsg(void)
{
	int fd = bound4();

	for (int i = 2; i < DEVICES; i++) {
		struct in_pktinfo via = { .ipi_ifindex = i };
		struct mmsghdr mm = { .msg_len = 0 };
		struct astray a;

		astray_init(&a, &at.msg, IPPROTO_IP, IP_PKTINFO, &via,
		    sizeof(via));
		mm.msg_hdr = a.m;
		(void)raw(SYS_sendmmsg, fd, (long)&mm, 1, 0, 0, 0);
	}
}

/* Through a pair and back, received by the instruction itself. */
static void
g_pktinfo_passed(void)
{
	struct msghdr plain = { .msg_iov = &at.iov, .msg_iovlen = 1 };
	int fd = bound4(), pair[2], got = -1;
	struct astray a;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return;
	astray_init(&a, &plain, SOL_SOCKET, SCM_RIGHTS, &fd, sizeof(fd));
	(void)raw(SYS_sendmsg, pair[0], (long)&a.m, 0, 0, 0, 0);
	(void)raw(SYS_recvmsg, pair[1], (long)&a.m, 0, 0, 0, 0);
	memcpy(&got, a.control.space + CMSG_LEN(0), sizeof(got));
	send_astray(got);
}

/* IPv4 through an IPv6 socket. */
static void
g_pktinfo_mapped(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 }, to = any;
	struct msghdr m = { .msg_name = &to, .msg_namelen = sizeof(to),
		.msg_iov = &at.iov, .msg_iovlen = 1 };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	say("bind", bind(fd, SA(any), sizeof(any)));
	to.sin6_port = at.sin4.sin_port;
	to.sin6_addr.s6_addr[10] = to.sin6_addr.s6_addr[11] = 0xff;
	memcpy(to.sin6_addr.s6_addr + 12, &at.sin4.sin_addr, 4);
	for (unsigned i = 2; i < DEVICES; i++) {
		struct in6_pktinfo via = { .ipi6_ifindex = i };
		struct astray a;

		via.ipi6_addr.s6_addr[10] = via.ipi6_addr.s6_addr[11] = 0xff;
		astray_init(&a, &m, IPPROTO_IPV6, IPV6_PKTINFO, &via,
		    sizeof(via));
		(void)raw(SYS_sendmsg, fd, (long)&a.m, 0, 0, 0, 0);
	}
}

/* The scope of a multicast address chooses the device. */
static void
g_scope(void)
{
	struct sockaddr_in6 lo = { .sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT }, all = lo;
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	say("bind", bind(fd, SA(lo), sizeof(lo)));
	(void)inet_pton(AF_INET6, "ff02::1", &all.sin6_addr);
	all.sin6_port = at.sin6.sin6_port;
	for (unsigned i = 2; i < DEVICES; i++) {
		all.sin6_scope_id = i;
		(void)raw(SYS_sendto, fd, (long)payload, 4, 0, (long)&all,
		    sizeof(all));
	}
}

static void
forget_peer(int fd)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	(void)printf("unspec: %ld\n", raw(SYS_connect, fd, (long)&none,
	    sizeof(none), 0, 0, 0));
}

/* With the peer the kernel forgets the device. */
static void
g_unspec(void)
{
	int fd = connected4();

	forget_peer(fd);
	(void)printf("sendto: %ld\n", raw(SYS_sendto, fd, (long)payload, 4, 0,
	    (long)&at.sin4, sizeof(at.sin4)));
}

static void
g_device(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	say("bind", bind(fd, SA(any), sizeof(any)));
	(void)printf("device: %ld\n", raw(SYS_setsockopt, fd, SOL_SOCKET,
	    SO_BINDTODEVICE, (long)"eth0", 5, 0));
	(void)printf("sendto: %ld\n", raw(SYS_sendto, fd, (long)payload, 4, 0,
	    (long)&at.sin4, sizeof(at.sin4)));
}

static void
g_resolver(void)
{
	struct sockaddr_in stub = { .sin_family = AF_INET,
		.sin_port = htons(53) };
	int fd = bound4();

	(void)inet_pton(AF_INET, "127.0.0.53", &stub.sin_addr);
	(void)printf("sendto: %ld\n", raw(SYS_sendto, fd, (long)at.name,
	    (long)strlen(at.name), 0, (long)&stub, sizeof(stub)));
}

/* A stream that was refused here, and so is the kernel's. */
static int
refused4(void)
{
	struct sockaddr_in lo = loopback4(9);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	say("connect", connect(fd, SA(lo), sizeof(lo)));
	return fd;
}

static void
connect_astray(int fd)
{
	(void)printf("connect: %ld\n", raw(SYS_connect, fd, (long)&at.sin4,
	    sizeof(at.sin4), 0, 0, 0));
}

static void
g_stream(void)
{
	connect_astray(refused4());
}

static void
g_stream_unspec(void)
{
	struct sockaddr_in lo = loopback4(0);
	socklen_t len = sizeof(lo);
	int l = socket(AF_INET, SOCK_STREAM, 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	say("bind", bind(l, SA(lo), sizeof(lo)));
	say("listen", listen(l, 1));
	(void)getsockname(l, SA(lo), &len);
	say("connect", connect(fd, SA(lo), sizeof(lo)));
	forget_peer(fd);
	connect_astray(fd);
}

static void
g_stream_device(void)
{
	int fd = refused4();

	(void)printf("device: %ld\n", raw(SYS_setsockopt, fd, SOL_SOCKET,
	    SO_BINDTODEVICE, (long)"eth0", 5, 0));
	connect_astray(fd);
}

static void
g_stream_fastopen(void)
{
	(void)printf("sendto: %ld\n", raw(SYS_sendto, refused4(),
	    (long)payload, 4, MSG_FASTOPEN, (long)&at.sin4, sizeof(at.sin4)));
}

const struct probe ways_granted[] = {
	{ "lo-pktinfo", "port", g_pktinfo },
	{ "lo-pktinfo-connected", "port", g_pktinfo_connected },
	{ "lo-pktinfo-dup", "port", g_pktinfo_dup },
	{ "lo-pktinfo-mmsg", "port", g_pktinfo_mmsg },
	{ "lo-pktinfo-passed", "port", g_pktinfo_passed },
	{ "lo-pktinfo-mapped", "port", g_pktinfo_mapped },
	{ "lo-scope", "port", g_scope },
	{ "lo-unspec", "port", g_unspec },
	{ "lo-device", "port", g_device },
	{ "lo-resolver", "lo", g_resolver },
	{ "lo-stream", "port", g_stream },
	{ "lo-stream-unspec", "port", g_stream_unspec },
	{ "lo-stream-device", "port", g_stream_device },
	{ "lo-stream-fastopen", "port", g_stream_fastopen },
	{ .name = NULL },
};
