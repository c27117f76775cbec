/*
 * stack_bench - what the local hop costs, against kernel TCP over loopback.
 *
 *   program thread -> descriptor pair -> owner thread (lwIP) -> link ->
 *   session process (splice, lwIP) -> a dialer that eats, makes or echoes
 *
 * usage: stack_bench [mtu [megabytes [runs]]]
 * Prints medians, and the ratio to loopback TCP measured in the same run.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/container.h"
#include "base/sys.h"
#include "stack/link.h"
#include "stack/owner.h"
#include "stack/owner_proto.h"
#include "stack/splice.h"

enum { PORT_ECHO = 7, PORT_SINK = 9, PORT_SOURCE = 19 };

static size_t total = (size_t)2048 << 20;
static uint16_t mtu = 65535;

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- the session process ---- */

struct dial {
	const struct dial_events *ev;
	void *arg;
	struct loop_timer timer;
	uint16_t port;
	size_t got, sent;
	bool shut;
};

static struct loop loop;
static struct splice *splice;
static struct link *link_in;
static uint8_t block[256 * 1024];

static void
source(struct dial *d)
{
	while (d->sent < total) {
		size_t n = sizeof(block), took;

		if (n > total - d->sent)
			n = total - d->sent;
		took = d->ev->data(d->arg, block, n);
		d->sent += took;
		if (took < n)
			return;
	}
	d->ev->eof(d->arg);
}

static void
answer(struct loop_timer *t)
{
	struct dial *d = CONTAINER_OF(t, struct dial, timer);

	d->ev->opened(d->arg);
	if (d->port == PORT_SOURCE)
		source(d);
}

static struct dial *
dial_open(struct dialer *er, const struct dial_target *t,
    const struct dial_events *ev, void *arg, int *err)
{
	struct dial *d = calloc(1, sizeof(*d));

	(void)er;
	(void)err;
	d->ev = ev;
	d->arg = arg;
	d->port = t->port;
	d->timer.fire = answer;
	loop_set_timer(&loop, &d->timer, loop.now_ms);
	return d;
}

static size_t
dial_write(struct dial *d, const uint8_t *buf, size_t len)
{
	d->got += len;
	if (d->port == PORT_ECHO)
		d->ev->data(d->arg, buf, len);
	else if (d->port == PORT_SINK && d->got == total)
		d->ev->data(d->arg, (const uint8_t *)"!", 1);
	return len;
}

static void
dial_shutdown(struct dial *d)
{
	d->shut = true;
	if (d->port != PORT_SOURCE)
		d->ev->eof(d->arg);
	d->ev->closed(d->arg, SW_OK);
	free(d);
}

static void
dial_resume(struct dial *d)
{
	source(d);
}

static void
dial_abort(struct dial *d)
{
	free(d);
}

static const struct dialer_ops dial_ops = {
	dial_open, dial_write, dial_shutdown, dial_resume, dial_abort,
};

static int
out(void *arg, const struct sw_addr *dst, const struct iovec *iov, int n)
{
	(void)arg;
	(void)dst;
	return link_send(link_in, iov, n) == SW_AGAIN ? SW_AGAIN : SW_OK;
}

static int
target(void *arg, const struct sw_addr *src, const struct sw_addr *dst,
    struct dial_target *t)
{
	(void)arg;
	(void)src;
	t->port = dst->port;
	return SW_OK;
}

static const struct splice_ops splice_ops = { .output = out, .target = target };

static void
got_frame(void *arg, struct link_frame *f)
{
	(void)arg;
	splice_input(splice, f);
}

static void
got_control(void *arg, const struct link_control *c, const uint8_t *p, int fd)
{
	(void)arg;
	(void)c;
	(void)p;
	if (fd >= 0)
		close(fd);
}

static void
writable(void *arg)
{
	(void)arg;
	splice_writable(splice, NULL);
}

static void
dead(void *arg)
{
	(void)arg;
	_exit(0);
}

static const struct link_events link_events = {
	got_frame, got_control, writable, dead,
};

static void
session(int fd)
{
	struct link_control c = {
		.op = LINK_CONFIG, .len = sizeof(struct link_config),
	};
	struct link_config config = {
		.inner4 = addr_v4(0x0a000001, 0), .mtu = mtu,
		.port_lo = 10000, .port_hi = 60000, .flags = LINK_UP,
	};

	if (loop_init(&loop) != SW_OK)
		die("loop");
	splice = splice_new(&loop, &splice_ops, NULL);
	splice_set_dialer(splice, NULL, &dial_ops);
	link_in = link_open(&loop, fd, &link_events, NULL);
	(void)!link_send_control(link_in, &c, &config, -1);
	(void)!loop_run(&loop);
	_exit(0);
}

/* ---- the wrapped process ---- */

static int chan;

static void *
owner_thread(void *arg)
{
	int *fd = arg;
	static struct loop l;

	if (loop_init(&l) != SW_OK ||
	    owner_new(&l, 1, fd[0], fd[1], NULL, NULL) == NULL)
		die("owner");
	(void)!loop_run(&l);
	return NULL;
}

static void
tell(struct owner_msg *m, int fd)
{
	char room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { m, sizeof(*m) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

	m->magic = OWNER_MAGIC;
	if (fd >= 0) {
		h.msg_control = room;
		h.msg_controllen = sizeof(room);
		CMSG_FIRSTHDR(&h)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&h)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&h)->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&h)), &fd, sizeof(int));
	}
	if (sendmsg(chan, &h, 0) < 0)
		die("channel");
}

static int
wrapped_connect(uint16_t port, int type)
{
	static uint8_t filler[65536];
	struct owner_msg m = { .op = OWNER_OPEN };
	socklen_t n = sizeof(m.cookie);
	struct pollfd p = { .events = POLLOUT };
	ssize_t r;
	int fd[2];

	(void)type;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) != 0)
		die("pair");
	getsockopt(fd[0], SOL_SOCKET, SO_COOKIE, &m.cookie, &n);
	tell(&m, fd[1]);
	close(fd[1]);
	m = (struct owner_msg){
		.op = OWNER_CONNECT, .cookie = m.cookie,
		.addr = addr_v4(0xcb007101, port),
	};
	while ((r = send(fd[0], filler, sizeof(filler), MSG_DONTWAIT)) > 0)
		m.arg += (uint32_t)r;
	tell(&m, -1);
	p.fd = fd[0];
	poll(&p, 1, -1);
	return fd[0];
}

/* ---- kernel TCP, for comparison ---- */

static struct sockaddr_in kernel_addr[20];

static void
kernel_server(int l, int port)
{
	static uint8_t buf[256 * 1024];

	for (;;) {
		int fd = accept(l, NULL, NULL), one = 1;
		size_t got = 0, sent = 0;
		ssize_t n;

		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (port == PORT_SOURCE)
			while (sent < total && (n = send(fd, buf,
			    total - sent < sizeof(buf) ? total - sent :
			    sizeof(buf), MSG_NOSIGNAL)) > 0)
				sent += (size_t)n;
		else
			while ((n = read(fd, buf, sizeof(buf))) > 0) {
				got += (size_t)n;
				if (port == PORT_ECHO)
					(void)!write(fd, buf, (size_t)n);
				else if (got == total)
					(void)!write(fd, "!", 1);
			}
		close(fd);
	}
}

static pid_t
start_kernel_server(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0);
	pid_t pid;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(l, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(l, 8) != 0)
		die("loopback");
	getsockname(l, (struct sockaddr *)&kernel_addr[port], &n);
	if ((pid = fork()) == 0)
		kernel_server(l, port);
	close(l);
	return pid;
}

static int
kernel_connect(uint16_t port, int type)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	(void)type;
	if (connect(fd, (struct sockaddr *)&kernel_addr[port],
	    sizeof(kernel_addr[port])) != 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* ---- measurements ---- */

typedef int connect_fn(uint16_t, int);

static double
upload(connect_fn *c)
{
	static uint8_t buf[65536];
	int fd = c(PORT_SINK, 0);
	double t = seconds();
	char ok;

	for (size_t n = 0; n < total;) {
		ssize_t r = write(fd, buf, total - n < sizeof(buf) ?
		    total - n : sizeof(buf));

		if (r <= 0)
			die("write");
		n += (size_t)r;
	}
	if (read(fd, &ok, 1) != 1)
		die("no answer");
	t = seconds() - t;
	close(fd);
	return (double)total / t / 1e6;
}

static double
download(connect_fn *c)
{
	static uint8_t buf[256 * 1024];
	int fd = c(PORT_SOURCE, 0);
	double t = seconds();
	size_t n = 0;
	ssize_t r;

	while ((r = read(fd, buf, sizeof(buf))) > 0)
		n += (size_t)r;
	t = seconds() - t;
	if (n != total)
		die("short");
	close(fd);
	return (double)total / t / 1e6;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Microseconds of one byte there and back, median. */
static double
round_trip(connect_fn *c)
{
	enum { N = 4000 };
	static double us[N];
	int fd = c(PORT_ECHO, 0);
	char x = 'x';

	for (int i = 0; i < N; i++) {
		double t = seconds();

		if (write(fd, &x, 1) != 1 || read(fd, &x, 1) != 1)
			die("echo");
		us[i] = (seconds() - t) * 1e6;
	}
	close(fd);
	qsort(us, N, sizeof(us[0]), by_size);
	return us[N / 2];
}

/* Microseconds from socket() to the first echoed byte, median. */
static double
first_byte(connect_fn *c)
{
	enum { N = 500 };
	static double us[N];
	char x = 'x';

	for (int i = 0; i < N; i++) {
		double t = seconds();
		int fd = c(PORT_ECHO, 0);

		if (write(fd, &x, 1) != 1 || read(fd, &x, 1) != 1)
			die("echo");
		us[i] = (seconds() - t) * 1e6;
		close(fd);
	}
	qsort(us, N, sizeof(us[0]), by_size);
	return us[N / 2];
}

static pid_t session_pid, server_pids[20];

static double
cpu_of(pid_t pid)
{
	struct timespec ts = { 0 };
	clockid_t c;

	if (clock_getcpuclockid(pid, &c) == 0)
		clock_gettime(c, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* All that works for us: this process with its owner thread, the session, the
 * loopback servers. */
static double
cpu(void)
{
	return cpu_of(0) + cpu_of(session_pid) + cpu_of(server_pids[7]) +
	    cpu_of(server_pids[9]) + cpu_of(server_pids[19]);
}

static void
compare(const char *what, const char *unit, double (*f)(connect_fn *),
    int runs, bool more_is_better)
{
	double a[32], b[32], ratio, ca = 0, cb = 0, t;

	for (int i = 0; i < runs; i++) {
		t = cpu();
		a[i] = f(wrapped_connect);
		ca += cpu() - t;
		t = cpu();
		b[i] = f(kernel_connect);
		cb += cpu() - t;
	}
	qsort(a, (size_t)runs, sizeof(a[0]), by_size);
	qsort(b, (size_t)runs, sizeof(b[0]), by_size);
	ratio = a[runs / 2] / b[runs / 2];
	printf("%-22s %9.1f %s (%.1f-%.1f)  loopback TCP %9.1f  ratio %.2f%s"
	    "  [cpu %.2f s, %.2f s]\n",
	    what, a[runs / 2], unit, a[0], a[runs - 1], b[runs / 2], ratio,
	    more_is_better ? "" : " (less is better)",
	    ca / runs, cb / runs);
	fflush(stdout);
}

/* Does a connection cost more where there are thousands? */
static void
compare_among(int others)
{
	struct rlimit r;
	double alone = first_byte(wrapped_connect), among, ca, cb;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	ca = cpu();
	alone = first_byte(wrapped_connect);
	ca = cpu() - ca;
	for (int i = 0; i < others; i++)
		(void)wrapped_connect(PORT_ECHO, 0);
	cb = cpu();
	among = first_byte(wrapped_connect);
	cb = cpu() - cb;
	printf("connect + first byte, among %d others %.1f us, alone %.1f us  "
	    "ratio %.2f  [cpu %.2f s, %.2f s]\n", others, among, alone,
	    among / alone, cb, ca);
}

int
main(int argc, char **argv)
{
	int runs = argc > 3 ? atoi(argv[3]) : 5;
	int link[2], ch[2], fds[2];
	pthread_t t;
	pid_t pid;

	if (argc > 1)
		mtu = (uint16_t)atoi(argv[1]);
	if (argc > 2)
		total = (size_t)atoi(argv[2]) << 20;
	if (runs < 1 || runs > 32)
		runs = 5;
	server_pids[PORT_SINK] = start_kernel_server(PORT_SINK);
	server_pids[PORT_SOURCE] = start_kernel_server(PORT_SOURCE);
	server_pids[PORT_ECHO] = start_kernel_server(PORT_ECHO);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, link) != 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ch) != 0)
		die("pair");
	if ((pid = fork()) == 0) {
		close(link[1]);
		close(ch[0]);
		close(ch[1]);
		session(link[0]);
	}
	session_pid = pid;
	close(link[0]);
	chan = ch[0];
	fds[0] = ch[1];
	fds[1] = link[1];
	pthread_create(&t, NULL, owner_thread, fds);
	printf("mtu %u, %zu MB, median of %d runs\n", mtu, total >> 20, runs);
	const char *only = getenv("ONLY");

	if (only == NULL || *only == 'u')
	compare("upload", "MB/s", upload, runs, true);
	if (only == NULL || *only == 'd')
	compare("download", "MB/s", download, runs, true);
	if (only == NULL || *only == 'r')
	compare("1 byte round trip", "us  ", round_trip, runs, false);
	if (only == NULL || *only == 'c')
	compare("connect + first byte", "us  ", first_byte, runs, false);
	if (only == NULL || *only == 'm')
		compare_among(8000);
	for (int i = 0; i < 20; i++)
		if (server_pids[i] > 0)
			kill(server_pids[i], SIGKILL);
	kill(pid, SIGKILL);
	return 0;
}
