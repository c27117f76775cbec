/*
 * ends ADDRESS - how connections end (interposer.md 5.3), seen by this side;
 * the other side's view is in the log of tests/lib/serve.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/pattern.h"
#include "tests/probes/report.h"

static const char *address;
static char buf[PATTERN_LEN];

static int
dial(const char *name, int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	section = name;
	sin.sin_port = htons((uint16_t)port);
	(void)inet_pton(AF_INET, address, &sin.sin_addr);
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0)
		result("connect", -1);
	return fd;
}

static void
wait_for(int fd, short events)
{
	(void)poll(&(struct pollfd){ .fd = fd, .events = events }, 1, 5000);
}

/* A second at most: poll(2) itself would return for the hang-up. */
static void
wait_for_error(int fd)
{
	struct pollfd p = { .fd = fd };

	for (int i = 0; i < 50 && !(p.revents & POLLERR); i++) {
		(void)usleep(20000);
		(void)poll(&p, 1, 0);
	}
}

static void
put(int fd, size_t len)
{
	size_t at = 0, n;

	while (at < len) {
		n = len - at < PATTERN_LEN ? len - at : PATTERN_LEN;
		if (send(fd, pattern_at(at), n, MSG_NOSIGNAL) != (ssize_t)n) {
			result("send", -1);
			return;
		}
		at += n;
	}
}

static void
remote_fin(void)
{
	int fd = dial("remote-fin", 5004);

	wait_for(fd, POLLRDHUP);
	ready("poll", fd, 0);
	result("recv", recv(fd, buf, 100, MSG_WAITALL));
	result("recv-end", recv(fd, buf, 100, 0));
	result("read-end", read(fd, buf, 100));
	ready("poll-end", fd, 0);
	put(fd, 1000);
	result("shutdown", shutdown(fd, SHUT_WR));
	(void)usleep(200000);
	ready("poll-both", fd, 0);
	(void)close(fd);
}

static void
remote_reset(void)
{
	int fd = dial("reset-then-recv", 5001);

	put(fd, 1);
	wait_for(fd, POLLIN);
	ready("poll", fd, 0);
	result("recv-1", recv(fd, buf, 100, 0));
	result("recv-2", recv(fd, buf, 100, 0));
	result("send", send(fd, "x", 1, MSG_NOSIGNAL));
	(void)close(fd);

	fd = dial("reset-then-send", 5001);
	put(fd, 1);
	wait_for(fd, 0);		/* hung up, not just at an end */
	result("send-1", send(fd, "x", 1, MSG_NOSIGNAL));
	result("send-2", send(fd, "x", 1, MSG_NOSIGNAL));
	result("recv", recv(fd, buf, 100, 0));
	(void)close(fd);

	fd = dial("reset-then-read", 5001);
	put(fd, 1);
	wait_for(fd, 0);		/* hung up, not just at an end */
	result("read-1", read(fd, buf, 100));
	result("read-2", read(fd, buf, 100));
	result("write", write(fd, "x", 1));
	(void)close(fd);

	fd = dial("reset-then-so_error", 5001);
	int err = 0;
	socklen_t len = sizeof(err);

	put(fd, 1);
	wait_for(fd, 0);		/* hung up, not just at an end */
	(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	cell("so_error", "%s", name_of(err));
	result("recv", recv(fd, buf, 100, 0));
	result("getpeername", getpeername(fd, (struct sockaddr *)buf,
	    &(socklen_t){ 28 }));
	(void)close(fd);

	fd = dial("reset-after-data", 5006);
	(void)usleep(600000);
	result("recv-1", recv(fd, buf, 1000, 0));
	result("recv-2", recv(fd, buf, 1000, 0));
	result("recv-3", recv(fd, buf, 1000, 0));
	(void)close(fd);

	fd = dial("reset-at-once", 5005);
	wait_for(fd, POLLIN);
	(void)usleep(100000);
	result("recv-1", recv(fd, buf, 1000, 0));
	result("recv-2", recv(fd, buf, 1000, 0));
	(void)close(fd);
}

static void
own_end(void)
{
	struct linger now = { .l_onoff = 1 }, wait = { .l_onoff = 1,
		.l_linger = 5 };
	int fd = dial("half-close", 5003);
	ssize_t n;

	put(fd, 200000);
	result("shutdown", shutdown(fd, SHUT_WR));
	result("send", send(fd, "x", 1, MSG_NOSIGNAL));
	n = recv(fd, buf, 100, MSG_WAITALL);
	buf[n > 0 ? n - 1 : 0] = '\0';
	cell("answer", "%s", buf);
	result("recv-end", recv(fd, buf, 100, 0));
	(void)close(fd);

	fd = dial("close", 5003);
	put(fd, 100001);
	result("close", close(fd));

	fd = dial("close-linger", 5003);
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &wait, sizeof(wait));
	put(fd, 100002);
	result("close", close(fd));

	/* The pause lets the data arrive: a reset may overtake it. */
	fd = dial("close-reset", 5003);
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	put(fd, 10);
	(void)usleep(300000);
	result("close", close(fd));

	fd = dial("close-unread", 7);
	put(fd, 11);
	wait_for(fd, POLLIN);
	(void)usleep(100000);
	result("close", close(fd));

	fd = dial("close-duplicate", 5003);
	int fd2 = dup(fd);

	put(fd, 500);
	(void)close(fd);
	result("send", send(fd2, pattern_at(500), 500, 0));
	(void)close(fd2);

	fd = dial("shutdown-rd", 7);
	result("shutdown", shutdown(fd, SHUT_RD));
	ready("poll", fd, 0);
	result("recv", recv(fd, buf, 1, 0));
	result("send", send(fd, "xyz", 3, MSG_NOSIGNAL));
	(void)shutdown(fd, SHUT_WR);
	(void)usleep(200000);
	(void)close(fd);

	/* Before and after the peer's answer to nobody was reset. */
	fd = dial("shutdown-rdwr", 9);
	put(fd, 1004);
	result("shutdown", shutdown(fd, SHUT_RDWR));
	result("send", send(fd, "x", 1, MSG_NOSIGNAL));
	(void)close(fd);

	fd = dial("shutdown-rdwr-answered", 5003);
	put(fd, 1003);
	result("shutdown", shutdown(fd, SHUT_RDWR));
	wait_for_error(fd);
	result("send-1", send(fd, "x", 1, MSG_NOSIGNAL));
	result("send-2", send(fd, "x", 1, MSG_NOSIGNAL));
	(void)close(fd);
}

static void
remote_ends(void)
{
	uint64_t total = 0;
	int fd = dial("download", 5000);
	bool good = true;
	ssize_t n;

	result("send", send(fd, "3000000\n", 8, 0));
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		good = good && pattern_matches(total, buf, (size_t)n);
		total += (uint64_t)n;
	}
	cell("bytes", "%llu,%s,%zd", (unsigned long long)total,
	    good ? "good" : "bad", n);
	ready("poll-end", fd, 0);
	(void)close(fd);

	fd = dial("line", 13);
	result("recv", recv(fd, buf, sizeof(buf), MSG_WAITALL));
	(void)close(fd);
}

int
main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	address = argv[1];
	pattern_init();
	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(60);
	remote_fin();
	remote_reset();
	own_end();
	remote_ends();
	return 0;
}
