/*
 * sockets OPEN4 OPEN6 - what may be opened, bound and connected to, and how
 * datagrams and loopback do: interposer.md 4.1, 5.2, 6.2, one cell a line.
 *
 * OPEN4 and OPEN6 run tests/lib/serve.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/probes/socket.h"

static const char *open4, *open6;
static char buf[64];

/* A blocking connect to `sa` on a new socket, at most a second. */
static void
try_connect(const char *key, int family, int type, const void *sa,
    socklen_t len)
{
	struct timeval tv = { .tv_sec = 1 };
	int fd = socket(family, type, 0);

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	result(key, connect(fd, sa, len));
	(void)close(fd);
}

static void
addresses(void)
{
	struct sockaddr_in to = at4(open4, 7), bad = to;
	struct sockaddr_in6 to6 = at6(open6, 7), mapped;
	int one = 1, fd;

	section = "address";
	bad.sin_family = AF_UNIX;
	try_connect("family-unix", AF_INET, SOCK_STREAM, &bad, sizeof(bad));
	try_connect("short", AF_INET, SOCK_STREAM, &to, 8);
	try_connect("length-1", AF_INET, SOCK_STREAM, &to, 1);
	try_connect("length-0", AF_INET, SOCK_STREAM, &to, 0);
	try_connect("length-16-of-v6", AF_INET6, SOCK_STREAM, &to6, 16);
	try_connect("length-24-of-v6", AF_INET6, SOCK_STREAM, &to6, 24);
	try_connect("v4-on-v6", AF_INET6, SOCK_STREAM, &to, sizeof(to));
	try_connect("v4-on-v6-long", AF_INET6, SOCK_STREAM,
	    &(struct { struct sockaddr_in s; char pad[16]; }){ .s = to }, 28);
	try_connect("v6-on-v4", AF_INET, SOCK_STREAM, &to6, sizeof(to6));
	to.sin_port = 0;
	try_connect("port-0", AF_INET, SOCK_STREAM, &to, sizeof(to));
	to = at4("224.0.0.1", 80);
	try_connect("multicast", AF_INET, SOCK_STREAM, &to, sizeof(to));
	to = at4("255.255.255.255", 80);
	try_connect("broadcast", AF_INET, SOCK_STREAM, &to, sizeof(to));
	to = at4("240.0.0.1", 80);
	try_connect("class-e", AF_INET, SOCK_STREAM, &to, sizeof(to));
	to = at4("0.0.0.0", REFUSED);
	try_connect("any-is-loopback", AF_INET, SOCK_STREAM, &to, sizeof(to));
	to = at4("127.0.0.1", REFUSED);
	try_connect("loopback-refused", AF_INET, SOCK_STREAM, &to,
	    sizeof(to));
	to6 = at6("::1", REFUSED);
	try_connect("loopback6-refused", AF_INET6, SOCK_STREAM, &to6,
	    sizeof(to6));
	to6 = at6("ff02::1", 80);
	try_connect("multicast6", AF_INET6, SOCK_STREAM, &to6, sizeof(to6));
	to6 = at6("fe80::1", 80);
	try_connect("link-local-no-scope", AF_INET6, SOCK_STREAM, &to6,
	    sizeof(to6));

	(void)snprintf(buf, sizeof(buf), "::ffff:%s", open4);
	mapped = at6(buf, 7);
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	result("mapped-v6only", connect(fd, SA(mapped), sizeof(mapped)));
	(void)close(fd);
	fd = tcp(0);
	result("null", connect(fd, NULL, 16));
	result("not-open", connect(999, SA(bad), sizeof(bad)));
	result("bind-elsewhere", bind(fd,
	    SA((struct sockaddr_in){ .sin_family = AF_INET,
	    .sin_addr = { htonl(0x08080808) } }), sizeof(bad)));
	(void)close(fd);
}

static void
binding(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	struct sockaddr_in to = at4(open4, 7), got = any, other = any;
	socklen_t len = sizeof(got);
	int fd = tcp(0), fd2 = tcp(0);

	section = "bind";
	result("any-0", bind(fd, SA(any), sizeof(any)));
	own("getsockname", fd);
	result("again", bind(fd, SA(any), sizeof(any)));
	(void)getsockname(fd, SA(got), &len);
	other.sin_port = got.sin_port;
	result("same-port", bind(fd2, SA(other), sizeof(other)));
	result("connect", connect(fd, SA(to), sizeof(to)));
	len = sizeof(got);
	(void)getsockname(fd, SA(got), &len);
	cell("keeps-port", "%d", got.sin_port == other.sin_port);
	own("getsockname-connected", fd);
	result("short", bind(fd2, SA(any), 4));
	any.sin_family = AF_UNIX;
	result("family", bind(fd2, SA(any), sizeof(any)));
	(void)close(fd);
	(void)close(fd2);

	section = "truncated";
	fd = tcp(0);
	(void)connect(fd, SA(to), sizeof(to));
	len = 4;
	memset(&got, 0x55, sizeof(got));
	result("getpeername", getpeername(fd, SA(got), &len));
	cell("length", "%u", len);
	cell("rest-untouched", "%d", got.sin_addr.s_addr == 0x55555555);
	len = (socklen_t)-1;
	result("negative", getpeername(fd, SA(got), &len));
	len = 0;
	result("zero", getpeername(fd, SA(got), &len));
	result("null", getpeername(fd, NULL, &len));
	result("null-length", getpeername(fd, SA(got), NULL));
	(void)close(fd);
}

static void
datagrams(void)
{
	static char big[65536];
	struct sockaddr_in to = at4(open4, 7);
	struct sockaddr_in un = { .sin_family = AF_UNSPEC };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	section = "udp";
	ready("poll", fd, 0);
	own("getsockname", fd);
	peer("getpeername", fd);
	result("send", send(fd, "x", 1, 0));
	result("recv", recv(fd, buf, 1, 0));
	result("write", write(fd, "x", 1));
	result("shutdown", shutdown(fd, SHUT_WR));
	result("listen", listen(fd, 1));
	result("accept", accept(fd, NULL, NULL));
	to.sin_port = 0;
	result("sendto-port-0", sendto(fd, "x", 1, 0, SA(to), sizeof(to)));
	to.sin_port = htons(7);
	result("sendto-big", sendto(fd, big, 65508, 0, SA(to), sizeof(to)));
	result("sendto-short", sendto(fd, "x", 1, 0, SA(to), 8));
	result("bind", bind(fd, SA((struct sockaddr_in){
	    .sin_family = AF_INET }), sizeof(to)));
	own("getsockname-bound", fd);
	to = at4("255.255.255.255", 9);
	result("broadcast-forbidden", sendto(fd, "x", 1, 0, SA(to),
	    sizeof(to)));
	result("unspec", connect(fd, SA(un), sizeof(un)));
	(void)close(fd);

	/* Only where the carrier has UDP do these succeed; stock sshd has
	 * none, and the refusal at connect and sendto is the product's. */
	section = "udp-carried";
	to = at4(open4, 7);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	result("sendto", sendto(fd, "x", 1, 0, SA(to), sizeof(to)));
	result("connect", connect(fd, SA(to), sizeof(to)));
	(void)close(fd);

	/* Loopback is real, with or without a carrier. */
	section = "udp-loopback";
	int a = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in lo = at4("127.0.0.1", 0), from = lo;
	socklen_t len = sizeof(lo);

	result("bind", bind(a, SA(lo), sizeof(lo)));
	(void)getsockname(a, SA(lo), &len);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	result("sendto", sendto(fd, "abc", 3, 0, SA(lo), sizeof(lo)));
	result("recv-trunc", recvfrom(a, buf, 1, MSG_TRUNC, SA(from), &len));
	cell("from-loopback", "%d",
	    from.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	result("send-empty", sendto(fd, "", 0, 0, SA(lo), sizeof(lo)));
	result("recv-empty", recv(a, buf, 1, 0));
	result("connect", connect(fd, SA(lo), sizeof(lo)));
	result("send", send(fd, "xy", 2, 0));
	result("recv", recv(a, buf, 9, 0));
	result("unspec", connect(fd, SA(un), sizeof(un)));
	result("send-unspec", send(fd, "xy", 2, 0));
	(void)close(a);
	result("connect-closed", connect(fd, SA(lo), sizeof(lo)));
	(void)send(fd, "x", 1, 0);
	/* At once, but where the kernel's own threads wait for a processor. */
	(void)poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 2000);
	result("recv-refused", recv(fd, buf, 1, MSG_DONTWAIT));
	(void)close(fd);
}

static void
families(void)
{
	static const struct {
		const char *key;
		int family, type, protocol;
	} f[] = {
		{ "raw-icmp", AF_INET, SOCK_RAW, IPPROTO_ICMP },
		{ "raw-tcp6", AF_INET6, SOCK_RAW, IPPROTO_TCP },
		{ "ping", AF_INET, SOCK_DGRAM, IPPROTO_ICMP },
		{ "ping6", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6 },
		{ "udplite", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE },
		{ "sctp", AF_INET, SOCK_STREAM, IPPROTO_SCTP },
		{ "dccp", AF_INET, SOCK_DCCP, IPPROTO_DCCP },
		{ "mptcp", AF_INET, SOCK_STREAM, 262 },
		{ "stream-17", AF_INET, SOCK_STREAM, IPPROTO_UDP },
		{ "dgram-6", AF_INET, SOCK_DGRAM, IPPROTO_TCP },
		{ "seqpacket", AF_INET, SOCK_SEQPACKET, 0 },
		{ "type-0", AF_INET, 0, 0 },
		{ "protocol-999", AF_INET, SOCK_STREAM, 999 },
		{ "packet", AF_PACKET, SOCK_RAW, 0 },
		{ "xdp", 44, SOCK_RAW, 0 },
		{ "vsock", 40, SOCK_STREAM, 0 },
		{ "tipc", 30, SOCK_RDM, 0 },
		{ "smc", 43, SOCK_STREAM, 0 },
		{ "rds", 21, SOCK_SEQPACKET, 0 },
		{ "bluetooth", 31, SOCK_STREAM, 0 },
		{ "can", 29, SOCK_RAW, 1 },
		{ "key", 15, SOCK_RAW, 2 },
		{ "netlink-route", AF_NETLINK, SOCK_RAW, 0 },
		{ "netlink-generic", AF_NETLINK, SOCK_RAW, 16 },
		{ "unix", AF_UNIX, SOCK_STREAM, 0 },
		{ "family-99", 99, SOCK_STREAM, 0 },
	};
	size_t i;
	int fd, sv[2];

	section = "family";
	for (i = 0; i < sizeof(f) / sizeof(*f); i++) {
		fd = socket(f[i].family, f[i].type, f[i].protocol);
		cell(f[i].key, "%s", fd < 0 ? name_of(errno) : "ok");
		if (fd >= 0)
			(void)close(fd);
	}
	result("socketpair-inet", socketpair(AF_INET, SOCK_STREAM, 0, sv));
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cell("cloexec", "%d", fcntl(fd, F_GETFD));
	cell("nonblock", "%d", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	(void)close(fd);
}

static void
looping(void)
{
	struct sockaddr_in lo = at4("127.0.0.1", 0), from;
	socklen_t len = sizeof(lo);
	int l = tcp(0), c = tcp(0), a;

	section = "loopback";
	result("bind", bind(l, SA(lo), sizeof(lo)));
	result("listen", listen(l, 4));
	(void)getsockname(l, SA(lo), &len);
	result("connect", connect(c, SA(lo), sizeof(lo)));
	len = sizeof(from);
	a = accept4(l, SA(from), &len, SOCK_NONBLOCK);
	cell("accept", "%s", a < 0 ? name_of(errno) : "ok");
	cell("accept-length", "%u", len);
	cell("accept-nonblock", "%d", (fcntl(a, F_GETFL) & O_NONBLOCK) != 0);
	result("recv-nothing", recv(a, buf, 1, 0));
	result("send", send(c, "ab", 2, 0));
	(void)poll(&(struct pollfd){ .fd = a, .events = POLLIN }, 1, 1000);
	result("recv", recv(a, buf, 9, 0));
	result("connect-listening", connect(l, SA(lo), sizeof(lo)));
	(void)close(a);
	result("recv-end", recv(c, buf, 9, 0));
	(void)close(c);
	(void)close(l);

	section = "listen-wildcard";
	l = tcp(0);
	result("listen-unbound", listen(l, 4));
	own("getsockname", l);
	(void)close(l);
}

int
main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	open4 = argv[1];
	open6 = argv[2];
	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(120);
	addresses();
	binding();
	datagrams();
	families();
	looping();
	return 0;
}
