/*
 * state OPEN4 OPEN6 DARK4 - the connect state table of interposer.md 5.1, and
 * the errors of 5.2, 6.2 and 4.1, one cell a line.
 *
 * OPEN4 and OPEN6 run tests/lib/serve; DARK4 swallows packets.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/probes/report.h"

#define SA(...) ((struct sockaddr *)&(__VA_ARGS__))

static const char *open4, *open6, *dark4;
enum { REFUSED = 5999, WAIT_MS = 5000 };

static struct sockaddr_in
at4(const char *addr, int port)
{
	struct sockaddr_in s = { .sin_family = AF_INET };

	s.sin_port = htons((uint16_t)port);
	(void)inet_pton(AF_INET, addr, &s.sin_addr);
	return s;
}

static struct sockaddr_in6
at6(const char *addr, int port)
{
	struct sockaddr_in6 s = { .sin6_family = AF_INET6 };

	s.sin6_port = htons((uint16_t)port);
	(void)inet_pton(AF_INET6, addr, &s.sin6_addr);
	return s;
}

static int
tcp(int flags)
{
	return socket(AF_INET, SOCK_STREAM | flags, 0);
}

static void
so_error(const char *key, int fd)
{
	int err = -1;
	socklen_t len = sizeof(err);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
		result(key, -1);
	else
		cell(key, "%s", name_of(err));
}

static void
peer(const char *key, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char text[INET6_ADDRSTRLEN] = "";
	int r = getpeername(fd, SA(ss), &len);

	if (r != 0) {
		result(key, r);
		return;
	}
	if (ss.ss_family == AF_INET)
		(void)inet_ntop(AF_INET,
		    &((struct sockaddr_in *)&ss)->sin_addr, text,
		    sizeof(text));
	else
		(void)inet_ntop(AF_INET6,
		    &((struct sockaddr_in6 *)&ss)->sin6_addr, text,
		    sizeof(text));
	cell(key, "%d,%s,%d,%u", ss.ss_family, text,
	    ntohs(((struct sockaddr_in *)&ss)->sin_port), len);
}

/* The local address differs by host, so only: is there one, and a port? */
static void
own(const char *key, int fd)
{
	static const uint8_t none[16];
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	int r = getsockname(fd, SA(ss), &len);
	bool any;

	if (r != 0) {
		result(key, r);
		return;
	}
	if (ss.ss_family == AF_INET)
		any = memcmp(&((struct sockaddr_in *)&ss)->sin_addr, none,
		    4) != 0;
	else
		any = memcmp(&((struct sockaddr_in6 *)&ss)->sin6_addr, none,
		    16) != 0;
	cell(key, "%d,%s,%s,%u", ss.ss_family, any ? "address" : "any",
	    ((struct sockaddr_in *)&ss)->sin_port ? "port" : "0", len);
}

static char buf[64];

static void
send_recv(const char *first, const char *second, int fd)
{
	char key[40];

	(void)snprintf(key, sizeof(key), "send-%s", first);
	result(key, send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
	(void)snprintf(key, sizeof(key), "recv-%s", second);
	result(key, recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
}

static void
never_connected(void)
{
	int fd = tcp(0);


	section = "never";
	ready("poll", fd, 0);
	send_recv("1", "1", fd);
	so_error("so_error", fd);
	peer("getpeername", fd);
	own("getsockname", fd);
	result("shutdown-wr", shutdown(fd, SHUT_WR));
	result("shutdown-bad", shutdown(fd, 9));
	result("accept", accept(fd, NULL, NULL));
	result("sendto-address", sendto(fd, "x", 1, MSG_NOSIGNAL,
	    SA((struct sockaddr_in){ .sin_family = AF_INET }),
	    sizeof(struct sockaddr_in)));

	(void)close(fd);
}

static volatile sig_atomic_t signals;

static void
on_signal(int sig)
{
	(void)sig;
	signals++;
}

static void
sigpipe(void)
{
	int fd = tcp(0);

	section = "sigpipe";
	signals = 0;
	(void)signal(SIGPIPE, on_signal);
	result("send-unconnected", send(fd, "x", 1, 0));
	cell("signals", "%d", (int)signals);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)close(fd);
}

static void
in_progress(void)
{
	struct sockaddr_in dark = at4(dark4, 80);
	int fd = tcp(SOCK_NONBLOCK);

	section = "progress";
	result("connect", connect(fd, SA(dark), sizeof(dark)));
	ready("poll", fd, 100);
	send_recv("1", "1", fd);
	peer("getpeername", fd);
	own("getsockname", fd);
	result("connect-2", connect(fd, SA(dark), sizeof(dark)));
	so_error("so_error", fd);
	result("listen", listen(fd, 1));
	result("bind", bind(fd, SA(dark), sizeof(dark)));
	(void)close(fd);

	section = "progress-shutdown";
	fd = tcp(SOCK_NONBLOCK);
	(void)connect(fd, SA(dark), sizeof(dark));
	result("shutdown", shutdown(fd, SHUT_RDWR));
	ready("poll", fd, 200);
	send_recv("1", "1", fd);
	peer("getpeername", fd);
	(void)close(fd);

	section = "progress-unspec";
	fd = tcp(SOCK_NONBLOCK);
	(void)connect(fd, SA(dark), sizeof(dark));
	result("disconnect", connect(fd,
	    SA((struct sockaddr_in){ .sin_family = AF_UNSPEC }),
	    sizeof(struct sockaddr_in)));
	peer("getpeername", fd);
	ready("poll", fd, 100);
	(void)close(fd);
}

static void
interrupted(void)
{
	struct sockaddr_in dark = at4(dark4, 80);
	struct timeval tv = { .tv_usec = 300000 };
	struct sigaction sa = { .sa_handler = on_signal };
	struct itimerval in = { .it_value = { .tv_usec = 200000 } };
	int fd = tcp(0);

	section = "interrupted";
	(void)sigaction(SIGALRM, &sa, NULL);
	(void)setitimer(ITIMER_REAL, &in, NULL);
	result("connect", connect(fd, SA(dark), sizeof(dark)));
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	result("connect-2", connect(fd, SA(dark), sizeof(dark)));
	ready("poll", fd, 0);
	(void)close(fd);

	section = "restarted";
	fd = tcp(0);
	sa.sa_flags = SA_RESTART;
	(void)sigaction(SIGALRM, &sa, NULL);
	(void)setitimer(ITIMER_REAL, &in, NULL);
	tv.tv_usec = 800000;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	result("connect", connect(fd, SA(dark), sizeof(dark)));
	(void)close(fd);

	section = "sndtimeo";
	fd = tcp(0);
	tv.tv_usec = 300000;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	result("connect", connect(fd, SA(dark), sizeof(dark)));
	result("connect-2", connect(fd, SA(dark), sizeof(dark)));
	ready("poll", fd, 0);
	(void)close(fd);

	section = "rcvtimeo";
	fd = tcp(0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	struct sockaddr_in hang = at4(open4, 5002);
	result("connect", connect(fd, SA(hang), sizeof(hang)));
	result("recv", recv(fd, buf, 1, 0));
	(void)close(fd);
}

static void
established(void)
{
	struct sockaddr_in to = at4(open4, 7);
	struct sockaddr_in6 to6 = at6(open6, 7);
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	int fd = tcp(0);

	section = "open-blocking";
	result("connect", connect(fd, SA(to), sizeof(to)));
	ready("poll", fd, 0);
	peer("getpeername", fd);
	own("getsockname", fd);
	result("connect-2", connect(fd, SA(to), sizeof(to)));
	so_error("so_error", fd);
	result("bind", bind(fd, SA(to), sizeof(to)));
	result("listen", listen(fd, 1));
	result("accept", accept(fd, NULL, NULL));
	result("recv-nothing", recv(fd, buf, 1, MSG_DONTWAIT));
	result("sendto-address", sendto(fd, "hello", 5, 0, SA(to),
	    sizeof(to)));
	(void)poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1,
	    WAIT_MS);
	ready("poll-echo", fd, 0);
	result("peek", recv(fd, buf, 5, MSG_PEEK));
	result("recvfrom", recvfrom(fd, buf, 2, 0, SA(from), &from_len));
	cell("recvfrom-address", "%u", from_len);
	result("recv-trunc", recv(fd, buf, 2, MSG_TRUNC));
	result("recv-oob", recv(fd, buf, 2, MSG_OOB));
	result("recv-errqueue", recv(fd, buf, 2, MSG_ERRQUEUE));
	result("recv-rest", recv(fd, buf, 5, MSG_DONTWAIT));
	result("shutdown-wr", shutdown(fd, SHUT_WR));
	result("send-after", send(fd, "x", 1, MSG_NOSIGNAL));
	result("recv-end", recv(fd, buf, 5, 0));
	(void)usleep(200000);
	ready("poll-end", fd, 0);
	so_error("so_error-end", fd);
	(void)close(fd);

	section = "open-nonblock";
	fd = tcp(SOCK_NONBLOCK);
	result("connect", connect(fd, SA(to), sizeof(to)));
	(void)poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1,
	    WAIT_MS);
	ready("poll", fd, 0);
	so_error("so_error", fd);
	result("connect-2", connect(fd, SA(to), sizeof(to)));
	result("connect-3", connect(fd, SA(to), sizeof(to)));
	peer("getpeername", fd);
	result("recv-nothing", recv(fd, buf, 1, 0));
	result("send", send(fd, "x", 1, 0));
	(void)close(fd);

	section = "open-v6";
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	own("getsockname-before", fd);
	result("connect", connect(fd, SA(to6), sizeof(to6)));
	peer("getpeername", fd);
	own("getsockname", fd);
	(void)close(fd);

	section = "open-mapped";
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	(void)snprintf(buf, sizeof(buf), "::ffff:%s", open4);
	to6 = at6(buf, 7);
	result("connect", connect(fd, SA(to6), sizeof(to6)));
	peer("getpeername", fd);
	own("getsockname", fd);
	(void)close(fd);
}

static int
refused_now(void)
{
	struct sockaddr_in no = at4(open4, REFUSED);
	int fd = tcp(SOCK_NONBLOCK);

	(void)connect(fd, SA(no), sizeof(no));
	(void)poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1,
	    WAIT_MS);
	return fd;
}

static void
refused(void)
{
	struct sockaddr_in no = at4(open4, REFUSED), to = at4(open4, 7);
	struct sockaddr_in6 no6 = at6(open6, REFUSED);
	int fd = tcp(0);

	section = "refused-blocking";
	result("connect", connect(fd, SA(no), sizeof(no)));
	so_error("so_error", fd);
	ready("poll", fd, 0);
	peer("getpeername", fd);
	send_recv("1", "1", fd);
	result("connect-2", connect(fd, SA(no), sizeof(no)));
	result("connect-open", connect(fd, SA(to), sizeof(to)));
	peer("getpeername-open", fd);
	result("send-open", send(fd, "x", 1, MSG_NOSIGNAL));
	result("recv-open", recv(fd, buf, 1, 0));
	(void)close(fd);

	section = "refused-nonblock";
	fd = refused_now();
	ready("poll", fd, 0);
	peer("getpeername", fd);
	so_error("so_error-1", fd);
	so_error("so_error-2", fd);
	ready("poll-after", fd, 0);
	result("connect-2", connect(fd, SA(no), sizeof(no)));
	(void)close(fd);

	section = "refused-by-connect";
	fd = refused_now();
	result("connect-2", connect(fd, SA(no), sizeof(no)));
	result("connect-3", connect(fd, SA(to), sizeof(to)));
	(void)poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1,
	    WAIT_MS);
	so_error("so_error-open", fd);
	peer("getpeername-open", fd);
	(void)close(fd);

	section = "refused-by-send";
	fd = refused_now();
	result("send-1", send(fd, "x", 1, MSG_NOSIGNAL));
	result("send-2", send(fd, "x", 1, MSG_NOSIGNAL));
	(void)close(fd);

	section = "refused-by-recv";
	fd = refused_now();
	result("recv-1", recv(fd, buf, 1, 0));
	result("recv-2", recv(fd, buf, 1, 0));
	(void)close(fd);

	section = "refused-by-read";
	fd = refused_now();
	result("read-1", read(fd, buf, 1));
	result("read-2", read(fd, buf, 1));
	(void)close(fd);

	section = "refused-by-write";
	fd = refused_now();
	result("write-1", write(fd, buf, 1));
	result("write-2", write(fd, buf, 1));
	(void)close(fd);

	section = "refused-v6";
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	result("connect", connect(fd, SA(no6), sizeof(no6)));
	(void)close(fd);
}

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
disconnect(void)
{
	struct sockaddr_in to = at4(open4, 7);
	struct sockaddr_in un = { .sin_family = AF_UNSPEC };
	int fd = tcp(0);

	section = "unspec";
	result("fresh", connect(fd, SA(un), sizeof(un)));
	(void)connect(fd, SA(to), sizeof(to));
	result("connected", connect(fd, SA(un), sizeof(un)));
	peer("getpeername", fd);
	send_recv("1", "1", fd);
	result("connect-again", connect(fd, SA(to), sizeof(to)));
	result("send-again", send(fd, "y", 1, MSG_NOSIGNAL));
	result("recv-again", recv(fd, buf, sizeof(buf), 0));
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
	if (argc != 4)
		return 2;
	open4 = argv[1];
	open6 = argv[2];
	dark4 = argv[3];
	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(120);
	never_connected();
	sigpipe();
	in_progress();
	established();
	refused();
	addresses();
	binding();
	disconnect();
	datagrams();
	families();
	looping();
	interrupted();
	return 0;
}
