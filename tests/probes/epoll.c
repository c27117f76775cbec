/*
 * epoll ADDRESS - what epoll, poll and select tell about a socket through its
 * life, registered early, late, twice and nested (interposer.md 17.8).
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "tests/probes/report.h"
#include "tests/probes/wire.h"

static int
events_of(int ep, struct epoll_event *ev, int ms)
{
	memset(ev, 0, sizeof(*ev));
	return epoll_wait(ep, ev, 1, ms);
}

/* The next event within `ms`, as poll would print it. */
static void
next(const char *key, int ep, int ms)
{
	struct epoll_event ev;
	int n = events_of(ep, &ev, ms);

	if (n <= 0)
		cell(key, "%s", n < 0 ? name_of(errno) : "timeout");
	else
		bits(key, (short)ev.events);
}

static void
watch(const char *key, int op, int ep, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };

	result(key, epoll_ctl(ep, op, fd, &ev));
}

enum { ALL = EPOLLIN | EPOLLOUT | EPOLLRDHUP };

static void
early(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	section = "before-connect-edge";
	watch("add", EPOLL_CTL_ADD, ep, fd, ALL | EPOLLET);
	(void)setsockopt(fd, IPPROTO_TCP, 1, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	struct epoll_event ev;
	(void)events_of(ep, &ev, 0);	/* the kernel says OUT HUP here */
	result("connect", wire_connect(fd, ECHO));
	next("connected", ep, 5000);
	next("edge-once", ep, 100);
	/* A queue that was emptied may raise an edge for OUT of its own. */
	result("send", send(fd, "ab", 2, 0));
	(void)poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 5000);
	next("echo", ep, 5000);
	next("edge-again", ep, 100);
	watch("mod", EPOLL_CTL_MOD, ep, fd, EPOLLIN);
	next("level", ep, 100);
	next("level-again", ep, 100);
	char buf[8];
	result("recv", recv(fd, buf, sizeof(buf), 0));
	next("drained", ep, 100);
	watch("add-again", EPOLL_CTL_ADD, ep, fd, EPOLLIN);
	watch("del", EPOLL_CTL_DEL, ep, fd, 0);
	watch("del-again", EPOLL_CTL_DEL, ep, fd, 0);
	(void)close(fd);
	(void)close(ep);

	section = "before-connect-level";
	ep = epoll_create1(0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	watch("add", EPOLL_CTL_ADD, ep, fd, EPOLLOUT);
	result("connect", wire_connect(fd, ECHO));
	next("connected", ep, 5000);
	next("connected-2", ep, 0);
	(void)close(fd);
	next("after-close", ep, 100);
	(void)close(ep);
}

static void
oneshot(void)
{
	int ep = epoll_create1(0);
	int fd = wire_dial(ECHO);

	section = "oneshot";
	watch("add", EPOLL_CTL_ADD, ep, fd, EPOLLOUT | EPOLLONESHOT);
	next("first", ep, 1000);
	next("second", ep, 100);
	watch("mod", EPOLL_CTL_MOD, ep, fd, EPOLLOUT | EPOLLONESHOT);
	next("third", ep, 1000);
	(void)close(fd);
	(void)close(ep);

	section = "exclusive";
	ep = epoll_create1(0);
	fd = wire_dial(ECHO);
	watch("add", EPOLL_CTL_ADD, ep, fd, EPOLLIN | EPOLLEXCLUSIVE);
	result("send", send(fd, "x", 1, 0));
	next("echo", ep, 5000);
	watch("mod", EPOLL_CTL_MOD, ep, fd, EPOLLIN);
	(void)close(fd);
	(void)close(ep);
}

static void
failing(void)
{
	int ep = epoll_create1(0), err = 0, fd;
	socklen_t len = sizeof(err);

	section = "refused";
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	result("connect", wire_connect(fd, REFUSED));
	watch("add", EPOLL_CTL_ADD, ep, fd, ALL);
	next("event", ep, 5000);
	(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	cell("so_error", "%s", name_of(err));
	watch("mod", EPOLL_CTL_MOD, ep, fd, EPOLLIN);
	watch("del", EPOLL_CTL_DEL, ep, fd, 0);
	(void)close(fd);

	section = "refused-early";
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	watch("add", EPOLL_CTL_ADD, ep, fd, EPOLLOUT | EPOLLET);
	struct epoll_event ev;
	(void)events_of(ep, &ev, 0);
	result("connect", wire_connect(fd, REFUSED));
	next("event", ep, 5000);
	err = 0;
	(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	cell("so_error", "%s", name_of(err));
	(void)close(fd);

	/* A retry on the same number, registered all the while. */
	section = "refused-retry";
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	watch("add", EPOLL_CTL_ADD, ep, fd, EPOLLOUT);
	(void)wire_connect(fd, REFUSED);
	(void)poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, 5000);
	result("connect-2", wire_connect(fd, REFUSED));
	result("connect-3", wire_connect(fd, ECHO));
	next("event", ep, 5000);
	err = 0;
	(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	cell("so_error", "%s", name_of(err));
	watch("del", EPOLL_CTL_DEL, ep, fd, 0);
	(void)close(fd);

	section = "reset";
	fd = wire_dial(5001);
	watch("add", EPOLL_CTL_ADD, ep, fd, EPOLLIN | EPOLLET);
	result("send", send(fd, "x", 1, 0));
	next("event", ep, 5000);
	(void)close(fd);

	section = "fin";
	fd = wire_dial(5004);
	watch("add", EPOLL_CTL_ADD, ep, fd, EPOLLIN | EPOLLRDHUP);
	(void)usleep(200000);
	next("event", ep, 5000);
	(void)close(fd);
	(void)close(ep);
}

static void
twice(void)
{
	int ep = epoll_create1(0), outer = epoll_create1(0), fd2;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	char buf[8];

	section = "dup-before-connect";
	fd2 = dup(fd);
	watch("add-dup", EPOLL_CTL_ADD, ep, fd2, EPOLLIN);
	result("connect", wire_connect(fd, ECHO));
	(void)poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, 5000);
	result("send", send(fd2, "abc", 3, 0));
	next("event", ep, 5000);
	result("recv", recv(fd2, buf, 8, 0));
	(void)close(fd);
	result("send-dup", send(fd2, "d", 1, 0));
	next("event-dup", ep, 5000);
	result("recv-dup", recv(fd2, buf, 8, 0));
	watch("del", EPOLL_CTL_DEL, ep, fd2, 0);
	(void)close(fd2);

	section = "nested";
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	watch("add-outer", EPOLL_CTL_ADD, outer, ep, EPOLLIN);
	watch("add", EPOLL_CTL_ADD, ep, fd, EPOLLIN);
	(void)wire_connect(fd, LINE);
	/* A newborn kernel socket says HUP, so wait for the data itself. */
	(void)poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 5000);
	next("outer", outer, 5000);
	next("inner", ep, 5000);
	(void)close(fd);
	next("outer-after-close", outer, 100);
	(void)close(ep);
	(void)close(outer);
}

/* Sockets that turn out to be loopback, registered before that is known. */
static void
loopback(void)
{
	struct sockaddr_in lo = wire_at("127.0.0.1", 0);
	socklen_t len = sizeof(lo);
	int ep = epoll_create1(0), l, c, a;
	int one = 1;

	section = "loopback";
	l = socket(AF_INET, SOCK_STREAM, 0);
	(void)setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	(void)bind(l, (struct sockaddr *)&lo, sizeof(lo));
	watch("add-listener", EPOLL_CTL_ADD, ep, l, EPOLLIN);
	result("listen", listen(l, 4));
	(void)getsockname(l, (struct sockaddr *)&lo, &len);
	c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	watch("add-client", EPOLL_CTL_ADD, ep, c, EPOLLOUT | EPOLLET);
	struct epoll_event ev;
	(void)events_of(ep, &ev, 0);
	(void)connect(c, (struct sockaddr *)&lo, sizeof(lo));
	(void)poll(&(struct pollfd){ .fd = l, .events = POLLIN }, 1, 1000);
	struct epoll_event both[4];
	result("ready", epoll_wait(ep, both, 4, 1000));
	watch("mod-client", EPOLL_CTL_MOD, ep, c, EPOLLIN);
	a = accept(l, NULL, NULL);
	result("send", send(a, "z", 1, 0));
	next("client", ep, 1000);
	int reuse = 0;
	len = sizeof(reuse);
	(void)getsockopt(l, SOL_SOCKET, SO_REUSEADDR, &reuse, &len);
	cell("reuseaddr", "%d", reuse);
	(void)close(a);
	(void)close(c);
	(void)close(l);
	(void)close(ep);
}

static void
selecting(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct timeval tv = { .tv_sec = 5 };
	fd_set w, r;

	section = "select";
	(void)wire_connect(fd, ECHO);
	FD_ZERO(&w);
	FD_SET(fd, &w);
	result("write", select(fd + 1, NULL, &w, NULL, &tv));
	(void)send(fd, "x", 1, 0);
	FD_ZERO(&r);
	FD_SET(fd, &r);
	tv.tv_sec = 5;
	result("read", select(fd + 1, &r, NULL, NULL, &tv));
	(void)close(fd);
}

int
main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	wire_addr = argv[1];
	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(120);
	early();
	oneshot();
	failing();
	twice();
	loopback();
	selecting();
	return 0;
}
