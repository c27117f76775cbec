/*
 * abuse ADDRESS DARK - what careful and careless programs do to descriptors
 * (interposer.md 17.7): closing all of them, putting others on their numbers,
 * running out, passing them on, sharing them with children.
 *
 * Each case is a child of its own, so that one cannot spoil the next.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "tests/probes/report.h"
#include "tests/probes/wire.h"

static const char *self, *dark;

static void
line(const char *key)
{
	int fd = wire_dial(LINE);

	result(key, wire_line(fd));
	(void)close(fd);
}

static void
close_by_closefrom(void)
{
	line("before");
	closefrom(3);
	line("after");
	closefrom(3);
	line("after-2");
}

static void
close_by_range(void)
{
	line("before");
	result("close_range", close_range(3, ~0U, 0));
	line("after");
	result("cloexec", close_range(3, ~0U, CLOSE_RANGE_CLOEXEC));
	line("after-2");
	result("backwards", close_range(9, 3, 0));
	result("syscall", syscall(SYS_close_range, 3, ~0U, 0));
	line("after-3");
}

static void
close_one_by_one(void)
{
	int i;

	line("before");
	for (i = 3; i < 1200; i++)
		(void)close(i);
	line("after");
	for (i = 3; i < 1200; i++)
		(void)syscall(SYS_close, i);
	line("after-2");
}

static void
dup2_over_all(void)
{
	int null = open("/dev/null", O_RDWR), i;

	line("before");
	for (i = 3; i < 1024; i++)
		if (i != null)
			(void)dup2(null, i);
	for (i = 3; i < 1024; i++)
		if (i != null)
			(void)close(i);
	line("after");
}

static void
lowest_number(void)
{
	int a, b, c;

	a = socket(AF_INET, SOCK_STREAM, 0);
	b = socket(AF_INET6, SOCK_DGRAM, 0);
	cell("next", "%d", b - a);
	(void)close(a);
	c = socket(AF_INET, SOCK_STREAM, 0);
	cell("reused", "%d", c == a);
	(void)wire_connect(c, LINE);
	int d = dup(c);
	cell("dup-next", "%d", d - b);
	(void)close(c);
	result("through-dup", wire_line(d));
}

static void
duplicates(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), d, e;
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);

	d = dup(fd);
	result("connect", wire_connect(fd, ECHO));
	result("echo-by-dup", wire_echo(d));
	result("getpeername-by-dup", getpeername(d, (struct sockaddr *)&sin,
	    &len));
	cell("port", "%d", ntohs(sin.sin_port));
	e = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	cell("dupfd", "%d,%d", e >= 100, fcntl(e, F_GETFD));
	(void)fcntl(d, F_SETFL, O_NONBLOCK);
	cell("nonblock-shared", "%d", (fcntl(e, F_GETFL) & O_NONBLOCK) != 0);
	(void)fcntl(d, F_SETFL, 0);
	(void)close(fd);
	(void)close(d);
	result("echo-by-last", wire_echo(e));
	/* A connected socket put over another connected one. */
	fd = wire_dial(ECHO);
	result("dup2", dup2(e, fd) == fd);
	(void)close(e);
	result("echo-after-dup2", wire_echo(fd));
	result("dup2-self", dup2(fd, fd) == fd);
	result("dup3-self", dup3(fd, fd, 0));
}

static void
shared_with_child(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), status;
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	pid_t pid;

	if ((pid = fork()) == 0)
		_exit(wire_connect(fd, ECHO) == 0 ? 0 : 1);
	(void)waitpid(pid, &status, 0);
	cell("child-connects", "%d", WEXITSTATUS(status));
	result("echo-in-parent", wire_echo(fd));
	result("getpeername", getpeername(fd, (struct sockaddr *)&sin, &len));
	if ((pid = fork()) == 0)
		_exit(wire_echo(fd) == 1 ? 0 : 1);
	(void)waitpid(pid, &status, 0);
	cell("echo-in-child", "%d", WEXITSTATUS(status));
	result("echo-in-parent-2", wire_echo(fd));
}

static int
pass(int over, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr h;
	} c = { .h = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec iov = { .iov_base = (char[]){ "p" }, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &c, .msg_controllen = sizeof(c) };

	memcpy(CMSG_DATA(&c.h), &fd, sizeof(fd));
	return (int)sendmsg(over, &m, 0);
}

static int
take(int over)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr h;
	} c;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &c, .msg_controllen = sizeof(c) };
	int fd = -1;

	if (recvmsg(over, &m, MSG_CMSG_CLOEXEC) == 1 &&
	    m.msg_controllen >= CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(&c.h), sizeof(fd));
	return fd;
}

static void
passed(void)
{
	int sv[2], fd, got, status;
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	pid_t pid;

	(void)socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	if ((pid = fork()) == 0) {
		fd = wire_dial(ECHO);
		_exit(pass(sv[1], fd) == 1 ? 0 : 1);
	}
	got = take(sv[0]);
	(void)waitpid(pid, &status, 0);
	cell("sent", "%d", WEXITSTATUS(status));
	result("echo", wire_echo(got));
	result("getpeername", getpeername(got, (struct sockaddr *)&sin,
	    &len));
	/* Unconnected, and connected by the receiver. */
	if ((pid = fork()) == 0) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		_exit(pass(sv[1], fd) == 1 ? 0 : 1);
	}
	got = take(sv[0]);
	(void)waitpid(pid, &status, 0);
	result("connect", wire_connect(got, ECHO));
	result("echo-2", wire_echo(got));
	result("on-inet", pass(got, 0));
}

static void
without_standard(void)
{
	int pipefd[2], status;
	char number[12], text[64];
	ssize_t n;
	pid_t pid;

	if (pipe(pipefd) != 0)
		return;
	if ((pid = fork()) == 0) {
		(void)dup2(pipefd[1], 9);
		(void)close(0);
		(void)close(1);
		(void)close(2);
		(void)snprintf(number, sizeof(number), "%d", 9);
		(void)execl(self, self, "--report-to", number, wire_addr,
		    (char *)NULL);
		_exit(1);
	}
	(void)close(pipefd[1]);
	n = read(pipefd[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	(void)waitpid(pid, &status, 0);
	cell("first-socket-and-line", "%s", text);
}

static void
few_descriptors(void)
{
	struct rlimit rl = { 8, 8 };
	int n = 0, fds[16], err;

	line("before");
	(void)setrlimit(RLIMIT_NOFILE, &rl);
	line("limit-8");
	while (n < 16 && (fds[n] = socket(AF_INET, SOCK_STREAM, 0)) >= 0)
		n++;
	err = errno;
	cell("sockets", "%d,%s", n, name_of(err));
	while (n > 0)
		(void)close(fds[--n]);
	line("after");
}

static void
few_from_the_start(void)
{
	struct rlimit rl = { 8, 8 };

	(void)setrlimit(RLIMIT_NOFILE, &rl);
	line("limit-8");
	line("limit-8-again");
}

static void
many_descriptors(void)
{
	struct rlimit rl = { 1024, 1024 };
	int n = 0, i, err;

	(void)setrlimit(RLIMIT_NOFILE, &rl);
	while (n < 2000 && socket(AF_INET, SOCK_STREAM, 0) >= 0)
		n++;
	err = errno;
	cell("sockets", "%s,%s", n > 900 ? "many" : "few", name_of(err));
	result("last-connects", wire_line(wire_connect(n + 2, LINE) == 0 ?
	    n + 2 : -1));
	for (i = 3; i < n + 3; i++)
		(void)close(i);
	line("after");
}

static void *
connect_dark(void *arg)
{
	struct sockaddr_in s = wire_at(dark, 80);

	(void)connect(*(int *)arg, (struct sockaddr *)&s, sizeof(s));
	return NULL;
}

static void
closed_while_connecting(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), again;
	pthread_t t;

	(void)pthread_create(&t, NULL, connect_dark, &fd);
	(void)usleep(200000);
	result("close", close(fd));
	again = socket(AF_INET, SOCK_STREAM, 0);
	cell("same-number", "%d", again == fd);
	result("connect", wire_connect(again, LINE));
	result("line", wire_line(again));
}

static void
looks_like_a_socket(void)
{
	int fd = wire_dial(ECHO), n = -1, null, p[2];
	struct stat st;
	char path[64], link[64] = "";
	char buf[16];
	off_t at = 0;

	(void)fstat(fd, &st);
	cell("s_ifsock", "%d", S_ISSOCK(st.st_mode));
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	(void)!readlink(path, link, sizeof(link) - 1);
	cell("proc", "%.7s", link);
	n = isatty(fd);
	cell("isatty", "%d,%s", n, name_of(errno));
	result("lseek", lseek(fd, 0, SEEK_SET));
	result("pread", pread(fd, buf, 1, 0));
	result("write", write(fd, "abcdef", 6));
	(void)poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 5000);
	(void)usleep(100000);
	(void)ioctl(fd, FIONREAD, &n);
	cell("fionread", "%d", n);
	struct iovec iov[2] = { { buf, 2 }, { buf + 2, 4 } };
	result("readv", readv(fd, iov, 2));
	n = 1;
	result("fionbio", ioctl(fd, FIONBIO, &n));
	result("read-nothing", read(fd, buf, 1));
	n = 0;
	(void)ioctl(fd, FIONBIO, &n);
	null = open(self, O_RDONLY);
	result("sendfile", sendfile(fd, null, &at, 10));
	result("recv-back", recv(fd, buf, 10, MSG_WAITALL));
	cell("elf", "%.3s", buf + 1);
	(void)!pipe(p);
	(void)!write(p[1], "spliced", 7);
	result("splice-in", splice(p[0], NULL, fd, NULL, 7, 0));
	(void)poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 5000);
	result("splice-out", splice(fd, NULL, p[1], NULL, 7, 0));
	FILE *f = fdopen(dup(fd), "r+");
	(void)fprintf(f, "hello\n");
	(void)fflush(f);
	cell("stdio", "%s", fgets(buf, sizeof(buf), f) != NULL &&
	    strcmp(buf, "hello\n") == 0 ? "hello" : "?");
}

/* Numbers that are no socket, with an address that nothing of this machine's may
 * go to; names that are asked for without room; messages without parts. */
static void
careless_arguments(void)
{
	struct sockaddr_in to = wire_at(wire_addr, LINE);
	struct sockaddr *sa = (struct sockaddr *)&to;
	struct iovec iov = { .iov_base = (char[]){ "p" }, .iov_len = 1 };
	struct msghdr m = { .msg_name = &to, .msg_namelen = sizeof(to),
		.msg_iov = &iov, .msg_iovlen = 1 };
	int null = open("/dev/null", O_RDWR);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = 0;

	result("connect-closed", connect(777, sa, sizeof(to)));
	result("bind-closed", bind(777, sa, sizeof(to)));
	result("sendto-closed", sendto(777, "p", 1, 0, sa, sizeof(to)));
	result("sendmsg-closed", sendmsg(777, &m, 0));
	result("connect-file", connect(null, sa, sizeof(to)));
	result("bind-file", bind(null, sa, sizeof(to)));
	result("sendto-file", sendto(null, "p", 1, 0, sa, sizeof(to)));
	result("sendmsg-file", sendmsg(null, &m, 0));
	result("connect-long", connect(fd, sa, 200));
	result("connect-negative", connect(fd, sa, (socklen_t)-1));
	result("getsockname", getsockname(fd, NULL, &len));
	cell("getsockname-len", "%u", len);
	result("getpeername", getpeername(fd, NULL, NULL));
	len = sizeof(to);
	to = wire_at("127.0.0.1", 9);
	result("bind-here", bind(fd, (struct sockaddr *)&(struct sockaddr_in){
	    .sin_family = AF_INET, .sin_addr = to.sin_addr }, sizeof(to)));
	m.msg_iov = NULL;
	result("no-parts", sendmsg(fd, &m, 0));
	m.msg_iov = &iov;
	m.msg_iovlen = (size_t)1 << 40;
	result("many-parts", sendmsg(fd, &m, 0));
	m.msg_iov = NULL;
	m.msg_iovlen = 1;
	result("no-parts-received", recvmsg(fd, &m, MSG_DONTWAIT));
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "closefrom", close_by_closefrom },
	{ "close_range", close_by_range },
	{ "close-each", close_one_by_one },
	{ "dup2-over-all", dup2_over_all },
	{ "lowest-number", lowest_number },
	{ "duplicates", duplicates },
	{ "shared-with-child", shared_with_child },
	{ "passed", passed },
	{ "without-0-1-2", without_standard },
	{ "nofile-8", few_descriptors },
	{ "nofile-8-start", few_from_the_start },
	{ "nofile-1024", many_descriptors },
	{ "closed-while-connecting", closed_while_connecting },
	{ "a-socket", looks_like_a_socket },
	{ "careless", careless_arguments },
};

int
main(int argc, char **argv)
{
	size_t i;
	pid_t pid;
	int status, fd;

	if (argc == 4 && strcmp(argv[1], "--report-to") == 0) {
		wire_addr = argv[3];
		fd = wire_dial(LINE);
		(void)dprintf(atoi(argv[2]), "%d,%ld", fd, wire_line(fd));
		return 0;
	}
	if (argc != 3)
		return 2;
	self = argv[0];
	wire_addr = argv[1];
	dark = argv[2];
	(void)signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		section = cases[i].name;
		if ((pid = fork()) == 0) {
			(void)alarm(20);
			cases[i].run();
			_exit(0);
		}
		(void)waitpid(pid, &status, 0);
		cell("status", "%d", status);
	}
	return 0;
}
