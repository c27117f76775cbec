/*
 * capture DEVICE FILE - count the packets that leave by a device.
 *
 * Writes FILE at the start, at each SIGUSR1 and at the end (SIGTERM), whole or
 * not at all: one line "PROTOCOL DESTINATION PORT PACKETS BYTES" for each
 * kind. For ICMP the port is the message type. tcpdump's place in our tests,
 * so that these need no more than a C compiler.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLOWS_MAX 4096

struct flow {
	char proto[12];
	char dst[INET6_ADDRSTRLEN];
	unsigned port;
	unsigned long packets;
	unsigned long bytes;
};

static struct flow flows[FLOWS_MAX];
static size_t flows_len;

static void
count(const char *proto, const char *dst, unsigned port, size_t bytes)
{
	struct flow *f;

	for (f = flows; f < flows + flows_len; f++)
		if (f->port == port && strcmp(f->proto, proto) == 0 &&
		    strcmp(f->dst, dst) == 0)
			break;
	if (f == flows + flows_len) {
		if (flows_len == FLOWS_MAX)
			return;
		flows_len++;
		(void)snprintf(f->proto, sizeof(f->proto), "%s", proto);
		(void)snprintf(f->dst, sizeof(f->dst), "%s", dst);
		f->port = port;
	}
	f->packets++;
	f->bytes += bytes;
}

static unsigned
be16(const uint8_t *p)
{
	return (unsigned)(p[0] << 8 | p[1]);
}

/* `p` is the transport header of a packet to `dst`; `len` may be short. */
static void
count_transport(unsigned proto, const char *dst, const uint8_t *p, size_t len,
    size_t bytes)
{
	char other[12];

	if ((proto == IPPROTO_TCP || proto == IPPROTO_UDP) && len >= 4) {
		count(proto == IPPROTO_TCP ? "tcp" : "udp", dst, be16(p + 2),
		    bytes);
	} else if (proto == IPPROTO_ICMP && len >= 1) {
		count("icmp", dst, p[0], bytes);
	} else if (proto == IPPROTO_ICMPV6 && len >= 1) {
		count("icmp6", dst, p[0], bytes);
	} else {
		(void)snprintf(other, sizeof(other), "ip%u", proto);
		count(other, dst, 0, bytes);
	}
}

static void
count_frame(unsigned type, const uint8_t *p, size_t len)
{
	char dst[INET6_ADDRSTRLEN];
	size_t head;

	if (type == ETH_P_IP && len >= 20) {
		head = (size_t)(p[0] & 15) * 4;
		if (head > len)
			head = len;
		(void)inet_ntop(AF_INET, p + 16, dst, sizeof(dst));
		count_transport(p[9], dst, p + head, len - head, len);
	} else if (type == ETH_P_IPV6 && len >= 40) {
		/* A hop-by-hop header comes before every MLD report. */
		head = p[6] == 0 && len >= 48 ? 40 + 8 + (size_t)p[41] * 8 : 40;
		if (head > len)
			head = len;
		(void)inet_ntop(AF_INET6, p + 24, dst, sizeof(dst));
		count_transport(head == 40 ? p[6] : p[40], dst, p + head,
		    len - head, len);
	} else {
		(void)snprintf(dst, sizeof(dst), "0x%04x", type);
		count(type == ETH_P_ARP ? "arp" : "link", dst, 0, len);
	}
}

static void
drain(int fd)
{
	static uint8_t buf[65536];
	struct sockaddr_ll from;
	socklen_t from_len;
	ssize_t n;
	int left;

	for (left = 100000; left > 0; left--) {
		from_len = sizeof(from);
		n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC,
		    (struct sockaddr *)&from, &from_len);
		if (n < 0)
			return;
		if (from.sll_pkttype != PACKET_OUTGOING)
			continue;
		count_frame(ntohs(from.sll_protocol), buf,
		    (size_t)n < sizeof(buf) ? (size_t)n : sizeof(buf));
	}
}

static void
write_counts(const char *path)
{
	char tmp[4096];
	const struct flow *f;
	FILE *out;

	(void)snprintf(tmp, sizeof(tmp), "%s.part", path);
	if ((out = fopen(tmp, "w")) == NULL) {
		perror(tmp);
		exit(1);
	}
	for (f = flows; f < flows + flows_len; f++)
		(void)fprintf(out, "%s %s %u %lu %lu\n", f->proto, f->dst,
		    f->port, f->packets, f->bytes);
	if (fclose(out) != 0 || rename(tmp, path) != 0) {
		perror(path);
		exit(1);
	}
}

int
main(int argc, char **argv)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET };
	struct signalfd_siginfo si;
	struct pollfd pfd[2];
	sigset_t set;
	int fd, sfd, room = 8 << 20;

	if (argc != 3) {
		(void)fprintf(stderr, "usage: capture device file\n");
		return 2;
	}
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	ll.sll_protocol = htons(ETH_P_ALL);
	ll.sll_ifindex = (int)if_nametoindex(argv[1]);
	fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL));
	sfd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0 || sfd < 0 || ll.sll_ifindex == 0 ||
	    bind(fd, (struct sockaddr *)&ll, sizeof(ll)) != 0) {
		perror("capture");
		return 1;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	write_counts(argv[2]);
	pfd[0] = (struct pollfd){ .fd = fd, .events = POLLIN };
	pfd[1] = (struct pollfd){ .fd = sfd, .events = POLLIN };
	for (;;) {
		if (poll(pfd, 2, -1) < 0 && errno != EINTR)
			return 1;
		drain(fd);
		if (!(pfd[1].revents & POLLIN))
			continue;
		if (read(sfd, &si, sizeof(si)) != sizeof(si))
			return 1;
		write_counts(argv[2]);
		if (si.ssi_signo == SIGTERM)
			return 0;
	}
}
