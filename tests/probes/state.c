/*
 * state OPEN4 OPEN6 DARK4 - the connect state table of interposer.md 5.1, one
 * cell a line.
 *
 * OPEN4 and OPEN6 run tests/lib/serve; DARK4 swallows packets.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/probes/socket.h"

static const char *open4, *open6, *dark4;
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
	disconnect();
	interrupted();
	return 0;
}
