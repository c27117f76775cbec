/* UDP, and what goes by link-layer broadcast. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/leak/ways/ways.h"

static void
u_sendto(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	say("sendto", sendto(fd, payload, 4, 0, SA(at.sin4), sizeof(at.sin4)));
}

static void
u_connected(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);

	say("connect", connect(fd, SA(at.sin4), sizeof(at.sin4)));
	say("send", send(fd, payload, 4, 0));
}

static void
u_write(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)connect(fd, SA(at.sin4), sizeof(at.sin4));
	say("write", write(fd, payload, 4));
}

static void
u_sendmsg(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	say("sendmsg", sendmsg(fd, &at.msg, 0));
}

static void
u_sendmmsg(void)
{
	struct mmsghdr mm = { .msg_hdr = at.msg };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	say("sendmmsg", sendmmsg(fd, &mm, 1, 0));
}

static void
u_sendto_v6(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	say("sendto", sendto(fd, payload, 4, 0, SA(at.sin6), sizeof(at.sin6)));
}

static void
u_syscall(void)
{
	long fd = syscall(SYS_socket, AF_INET, SOCK_DGRAM, 0);

	say("sendto", syscall(SYS_sendto, fd, payload, 4, 0, &at.sin4,
	    sizeof(at.sin4)));
}

static void
u_inline(void)
{
	long fd = raw(SYS_socket, AF_INET, SOCK_DGRAM, 0, 0, 0, 0);

	say("sendto", raw(SYS_sendto, fd, (long)payload, 4, 0, (long)&at.sin4,
	    sizeof(at.sin4)));
}

/* A loopback socket sent astray by the ancillary interface index. */
static void
u_pktinfo(void)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
		struct cmsghdr h;
	} c = { .h = { .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO,
		.cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo)) } };
	struct in_pktinfo via = {
		.ipi_ifindex = (int)if_nametoindex("eth0") };
	struct sockaddr_in lo = { .sin_family = AF_INET };
	struct msghdr m = at.msg;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	lo.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	(void)bind(fd, SA(lo), 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
	memcpy(CMSG_DATA(&c.h), &via, sizeof(via));
	m.msg_control = &c;
	m.msg_controllen = sizeof(c);
	say("sendmsg", sendmsg(fd, &m, 0));
}

static void
u_udplite(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);

	say("sendto", sendto(fd, payload, 4, 0, SA(at.sin4), sizeof(at.sin4)));
}

static void
u_multicast(void)
{
	struct sockaddr_in m = { .sin_family = AF_INET,
		.sin_port = htons(5353) };
	struct ip_mreqn via = { .imr_ifindex = (int)if_nametoindex("eth0") };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)inet_pton(AF_INET, "224.0.0.251", &m.sin_addr);
	(void)setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &via, sizeof(via));
	say("sendto", sendto(fd, payload, 4, 0, SA(m), sizeof(m)));
}

static void
u_broadcast(void)
{
	struct sockaddr_in all = at.sin4;
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;

	all.sin_addr.s_addr |= htonl(255);
	(void)setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
	say("sendto", sendto(fd, payload, 4, 0, SA(all), sizeof(all)));
}

const struct probe ways_datagrams[] = {
	{ "udp-sendto", "port", u_sendto },
	{ "udp-connected", "port", u_connected },
	{ "udp-write", "port", u_write },
	{ "udp-sendmsg", "port", u_sendmsg },
	{ "udp-sendmmsg", "port", u_sendmmsg },
	{ "udp-v6", "port", u_sendto_v6 },
	{ "udp-syscall", "port", u_syscall },
	{ "udp-inline", "port", u_inline },
	{ "udp-pktinfo", "port", u_pktinfo },
	{ "udplite", "link", u_udplite },
	{ "udp-multicast", "link", u_multicast },
	{ "udp-broadcast", "link", u_broadcast },
	{ .name = NULL },
};
