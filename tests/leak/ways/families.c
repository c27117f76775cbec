/* Other families, other people's sockets, and being reached. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/leak/ways/ways.h"

static void
o_icmp_raw(void)
{
	struct icmphdr h = { .type = ICMP_ECHO, .checksum = htons(0xf7ff) };
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);

	say("sendto", sendto(fd, &h, sizeof(h), 0, SA(at.sin4),
	    sizeof(at.sin4)));
}

static void
o_packet(void)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET,
		.sll_protocol = htons(0x88b5), .sll_halen = 6,
		.sll_addr = { 255, 255, 255, 255, 255, 255 } };
	int fd = socket(AF_PACKET, SOCK_DGRAM, 0);

	ll.sll_ifindex = (int)if_nametoindex("eth0");
	say("sendto", sendto(fd, payload, 4, 0, SA(ll), sizeof(ll)));
}

static void
o_vsock(void)
{
	/* No sink: creating one at all is the hit, told by the output. */
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	(void)printf(fd >= 0 ? "open\n" : "closed\n");
}

static void
o_unix(const char *path, size_t skip)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	size_t len = strlen(path);

	memcpy(sun.sun_path + skip, path, len);
	say("connect", connect(fd, SA(sun), (socklen_t)
	    (offsetof(struct sockaddr_un, sun_path) + skip + len)));
	(void)!write(fd, payload, 4);
}

static void
o_unix_nscd(void)
{
	o_unix("/run/nscd/socket", 0);
}

static void
o_unix_nscd_var(void)
{
	o_unix("/var/run/nscd/socket", 0);
}

static void
o_unix_nscd_self(void)
{
	o_unix("/proc/self/root/run/nscd/socket", 0);
}

static void
o_unix_resolved(void)
{
	o_unix("/run/systemd/resolve/io.systemd.Resolve", 0);
}

static void
o_unix_docker(void)
{
	o_unix("/run/docker.sock", 0);
}

static void
o_unix_snapd(void)
{
	o_unix("/run/snapd.socket", 0);
}

static void
o_unix_podman(void)
{
	o_unix("/run/user/0/podman/podman.sock", 0);
}

static void
o_listen(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	any.sin_port = at.sin4.sin_port;
	say("bind", bind(fd, SA(any), sizeof(any)));
	say("listen", listen(fd, 1));
	if (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 3000) > 0)
		(void)usleep(300000);	/* an exit at once would reset it */
}

static void
o_listen_v6(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	any.sin6_port = at.sin4.sin_port;
	say("bind", bind(fd, SA(any), sizeof(any)));
	say("listen", listen(fd, 1));
	if (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 3000) > 0)
		(void)usleep(300000);	/* an exit at once would reset it */
}

static void
o_stub(void)
{
	struct sockaddr_in stub = { .sin_family = AF_INET,
		.sin_port = htons(53) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)inet_pton(AF_INET, "127.0.0.53", &stub.sin_addr);
	say("sendto", sendto(fd, at.name, strlen(at.name), 0, SA(stub),
	    sizeof(stub)));
}

const struct probe ways_families[] = {
	{ "icmp-raw", "link", o_icmp_raw },
	{ "packet", "link", o_packet },
	{ "vsock", "output", o_vsock },
	{ "unix-nscd", "unix", o_unix_nscd },
	{ "unix-nscd-var-run", "unix", o_unix_nscd_var },
	{ "unix-nscd-proc-root", "unix", o_unix_nscd_self },
	{ "unix-resolved", "unix", o_unix_resolved },
	{ "unix-docker", "unix", o_unix_docker },
	{ "unix-podman", "unix", o_unix_podman },
	{ "unix-snapd", "unix", o_unix_snapd },
	{ "listen", "inbound", o_listen },
	{ "listen-v6", "inbound", o_listen_v6 },
	{ "stub-resolver", "lo", o_stub },
	{ .name = NULL },
};
