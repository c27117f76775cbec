/*
 * probe - one way each to reach the network around an interposer.
 *
 *	probe list
 *		prints "NAME SINK" for every probe
 *	probe NAME ADDRESS4 ADDRESS6 PORT
 *		tries it; the test looks at the sinks, not at what is printed
 *
 * SINK says where a hit shows: `port` (TCP or UDP to PORT), `name` (a query
 * for leak-NAME.example.test, or for PORT's address backwards), `link` (any
 * other packet), `unix` (a line of the AF_UNIX sink), `inbound` (somebody else
 * can connect to PORT) or `lo` (a stub resolver on loopback).
 * Everything is bounded by an alarm. Rows are those of interposer.md 12.
 */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netpacket/packet.h>
#include <net/if.h>
#include <poll.h>
#include <resolv.h>
#include <sched.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif

static const char *addr4, *addr6, *port_text;
static struct sockaddr_in sin4;
static struct sockaddr_in6 sin6;
static char name[100];
static const char payload[] = "leak";

#define SA(x) ((struct sockaddr *)&(x))

static void
say(const char *what, long r)
{
	(void)printf("%s: %ld %s\n", what, r, r < 0 ? strerror(errno) : "");
}

/* --- names ------------------------------------------------------------- */

static void
n_getaddrinfo(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *ai = NULL;

	say("getaddrinfo", getaddrinfo(name, "80", &hints, &ai));
}

static void
n_getaddrinfo_null(void)
{
	struct addrinfo *ai = NULL;

	say("getaddrinfo", getaddrinfo(name, NULL, NULL, &ai));
}

static void
n_getaddrinfo_v6(void)
{
	struct addrinfo hints = { .ai_family = AF_INET6,
		.ai_flags = AI_CANONNAME | AI_V4MAPPED | AI_ALL }, *ai = NULL;

	say("getaddrinfo", getaddrinfo(name, NULL, &hints, &ai));
}

static void
n_getaddrinfo_a(void)
{
	struct gaicb cb = { .ar_name = name }, *list[1] = { &cb };

	say("getaddrinfo_a", getaddrinfo_a(GAI_WAIT, list, 1, NULL));
}

static void
n_gethostbyname(void)
{
	say("gethostbyname", gethostbyname(name) != NULL);
}

static void
n_gethostbyname2(void)
{
	say("gethostbyname2", gethostbyname2(name, AF_INET6) != NULL);
}

static void
n_gethostbyname_r(void)
{
	struct hostent he, *out;
	char buf[4096];
	int h;

	say("gethostbyname_r",
	    gethostbyname_r(name, &he, buf, sizeof(buf), &out, &h));
}

static void
n_gethostbyname2_r(void)
{
	struct hostent he, *out;
	char buf[4096];
	int h;

	say("gethostbyname2_r", gethostbyname2_r(name, AF_INET, &he, buf,
	    sizeof(buf), &out, &h));
}

/* 198.51.high.low of the port: an address of its own for each probe. */
static struct in_addr
own_address(void)
{
	struct in_addr a;

	a.s_addr = htonl(0xc6330000u | (uint32_t)atoi(port_text));
	return a;
}

static void
n_gethostbyaddr(void)
{
	struct in_addr a = own_address();

	say("gethostbyaddr", gethostbyaddr(&a, sizeof(a), AF_INET) != NULL);
}

static void
n_gethostbyaddr_r(void)
{
	struct in_addr a = own_address();
	struct hostent he, *out;
	char buf[4096];
	int h;

	say("gethostbyaddr_r", gethostbyaddr_r(&a, sizeof(a), AF_INET, &he,
	    buf, sizeof(buf), &out, &h));
}

static void
n_getnameinfo(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	char host[256];

	sin.sin_addr = own_address();
	say("getnameinfo", getnameinfo(SA(sin), sizeof(sin), host,
	    sizeof(host), NULL, 0, NI_NAMEREQD));
}

static uint8_t answer[4096];

static void
n_res_query(void)
{
	say("res_query", res_query(name, C_IN, T_MX, answer, sizeof(answer)));
}

static void
n_res_search(void)
{
	say("res_search", res_search(name, C_IN, T_TXT, answer,
	    sizeof(answer)));
}

static void
n_res_querydomain(void)
{
	char first[100];

	(void)snprintf(first, sizeof(first), "%.*s",
	    (int)(strchr(name, '.') - name), name);
	say("res_querydomain", res_querydomain(first, "example.test", C_IN,
	    T_A, answer, sizeof(answer)));
}

static void
n_res_send(void)
{
	uint8_t q[512];
	int n;

	(void)res_init();
	n = res_mkquery(QUERY, name, C_IN, T_A, NULL, 0, NULL, q, sizeof(q));
	say("res_send", res_send(q, n, answer, sizeof(answer)));
}

static void
n_res_nquery(void)
{
	struct __res_state st;

	memset(&st, 0, sizeof(st));
	(void)res_ninit(&st);
	say("res_nquery", res_nquery(&st, name, C_IN, T_SRV, answer,
	    sizeof(answer)));
}

static void
n_res_nsearch(void)
{
	struct __res_state st;

	memset(&st, 0, sizeof(st));
	(void)res_ninit(&st);
	say("res_nsearch", res_nsearch(&st, name, C_IN, T_A, answer,
	    sizeof(answer)));
}

static void
n_res_nsend(void)
{
	struct __res_state st;
	uint8_t q[512];
	int n;

	memset(&st, 0, sizeof(st));
	(void)res_ninit(&st);
	n = res_nmkquery(&st, QUERY, name, C_IN, T_A, NULL, 0, NULL, q,
	    sizeof(q));
	say("res_nsend", res_nsend(&st, q, n, answer, sizeof(answer)));
}

/* The symbol of old binaries: found by version, as their linker would. */
static void
n_res_query_old(void)
{
	int (*f)(const char *, int, int, unsigned char *, int);

	*(void **)&f = dlvsym(RTLD_DEFAULT, "__res_query", "GLIBC_2.2.5");
	if (f != NULL)
		say("__res_query", f(name, C_IN, T_A, answer,
		    sizeof(answer)));
}

/* What c-ares, musl and Go do: read resolv.conf, then send by UDP. */
static void
n_own_resolver(void)
{
	struct sockaddr_in ns = { .sin_family = AF_INET,
		.sin_port = htons(53) };
	uint8_t q[512];
	int n, fd;

	(void)inet_pton(AF_INET, addr4, &ns.sin_addr);
	n = res_mkquery(QUERY, name, C_IN, T_A, NULL, 0, NULL, q, sizeof(q));
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	say("sendto", sendto(fd, q, (size_t)n, 0, SA(ns), sizeof(ns)));
}

/* --- TCP --------------------------------------------------------------- */

static int (*use_connect)(int, const struct sockaddr *, socklen_t) = connect;

static void
t_connect(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	say("connect", use_connect(fd, SA(sin4), sizeof(sin4)));
	(void)!write(fd, payload, 4);
	(void)close(fd);
}

static void
t_connect_nonblock(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 6);

	(void)connect(fd, SA(sin4), sizeof(sin4));
	say("poll", poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1,
	    2000));
}

static void
t_connect_v6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	say("connect", connect(fd, SA(sin6), sizeof(sin6)));
}

static void
t_connect_mapped(void)
{
	struct sockaddr_in6 m = sin6;
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	memset(&m.sin6_addr, 0, 10);
	memset((uint8_t *)&m.sin6_addr + 10, 0xff, 2);
	memcpy((uint8_t *)&m.sin6_addr + 12, &sin4.sin_addr, 4);
	say("connect", connect(fd, SA(m), sizeof(m)));
}

static void
t_connect_alias(void)
{
	*(void **)&use_connect = dlsym(RTLD_DEFAULT, "__connect");
	t_connect();
}

static void
t_syscall(void)
{
	long fd = syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

	say("connect", syscall(SYS_connect, fd, &sin4, sizeof(sin4)));
}

/* The kernel entered by the program's own instruction, as Go does. */
static long
raw(long nr, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b),
	    "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return r;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2),
	    "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
#else
	errno = ENOSYS;
	(void)nr, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
	return -ENOSYS;
#endif
}

static void
t_inline(void)
{
	long fd = raw(SYS_socket, AF_INET, SOCK_STREAM, 0, 0, 0, 0);

	say("connect", raw(SYS_connect, fd, (long)&sin4, sizeof(sin4), 0, 0,
	    0));
}

/* A socket of the library, entered by an instruction of the program. */
static void
t_inline_connect(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	say("connect", raw(SYS_connect, fd, (long)&sin4, sizeof(sin4), 0, 0,
	    0));
}

struct ring {
	int fd;
	struct io_uring_params p;
	uint8_t *sq, *cq;
	struct io_uring_sqe *sqe;
};

static int
ring_open(struct ring *r)
{
	size_t sq_len, cq_len;

	memset(r, 0, sizeof(*r));
	r->fd = (int)raw(SYS_io_uring_setup, 4, (long)&r->p, 0, 0, 0, 0);
	if (r->fd < 0) {
		errno = -r->fd;
		return -1;
	}
	sq_len = r->p.sq_off.array + r->p.sq_entries * 4;
	cq_len = r->p.cq_off.cqes +
	    r->p.cq_entries * sizeof(struct io_uring_cqe);
	r->sq = mmap(NULL, sq_len, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
	    IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, cq_len, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
	    IORING_OFF_CQ_RING);
	r->sqe = mmap(NULL, r->p.sq_entries * sizeof(*r->sqe),
	    PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQES);
	return r->sq == MAP_FAILED || r->cq == MAP_FAILED ||
	    r->sqe == MAP_FAILED ? -1 : 0;
}

static int
ring_run(struct ring *r, const struct io_uring_sqe *sqe)
{
	const struct io_uring_cqe *cqe;
	uint32_t *tail, *head, at;

	tail = (uint32_t *)(void *)(r->sq + r->p.sq_off.tail);
	at = *tail & (r->p.sq_entries - 1);
	r->sqe[at] = *sqe;
	((uint32_t *)(void *)(r->sq + r->p.sq_off.array))[at] = at;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (raw(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, 0,
	    0) < 0)
		return -1;
	head = (uint32_t *)(void *)(r->cq + r->p.cq_off.head);
	cqe = (const struct io_uring_cqe *)(void *)
	    (r->cq + r->p.cq_off.cqes) + (*head & (r->p.cq_entries - 1));
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return cqe->res;
}

static void
t_uring_connect(void)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_CONNECT };
	struct ring r;

	sqe.fd = socket(AF_INET, SOCK_STREAM, 0);
	sqe.addr = (uintptr_t)&sin4;
	sqe.off = sizeof(sin4);
	say("ring", ring_open(&r) < 0 ? -1 : ring_run(&r, &sqe));
}

static void
t_uring_socket(void)
{
	struct io_uring_sqe sqe = { .opcode = 45 /* IORING_OP_SOCKET */ };
	struct ring r;
	int fd;

	if (ring_open(&r) < 0) {
		say("ring", -1);
		return;
	}
	sqe.fd = AF_INET;
	sqe.off = SOCK_STREAM;
	fd = ring_run(&r, &sqe);
	memset(&sqe, 0, sizeof(sqe));
	sqe.opcode = IORING_OP_CONNECT;
	sqe.fd = fd;
	sqe.addr = (uintptr_t)&sin4;
	sqe.off = sizeof(sin4);
	say("ring", ring_run(&r, &sqe));
}

/* socket() and connect() out of a handle, whatever handle that is. */
static void
by_handle(void *h)
{
	int (*s)(int, int, int);
	int (*c)(int, const struct sockaddr *, socklen_t);
	int fd;

	if (h == NULL)
		return;
	*(void **)&s = dlsym(h, "socket");
	*(void **)&c = dlsym(h, "connect");
	fd = s(AF_INET, SOCK_STREAM, 0);
	say("connect", c(fd, SA(sin4), sizeof(sin4)));
}

static void
t_dlmopen(void)
{
	by_handle(dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW));
}

static void
t_dlsym_libc(void)
{
	by_handle(dlopen("libc.so.6", RTLD_NOW));
}

static void
t_dlsym_next(void)
{
	by_handle(RTLD_NEXT);
}

static void
n_dlsym_getaddrinfo(void)
{
	int (*f)(const char *, const char *, const struct addrinfo *,
	    struct addrinfo **);
	struct addrinfo *ai = NULL;
	void *h = dlopen("libc.so.6", RTLD_NOW);

	*(void **)&f = dlsym(h, "getaddrinfo");
	say("getaddrinfo", f(name, NULL, NULL, &ai));
}

static void
t_fastopen_sendto(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	say("sendto", sendto(fd, payload, 4, MSG_FASTOPEN, SA(sin4),
	    sizeof(sin4)));
}

static struct iovec iov = { .iov_base = (char *)(uintptr_t)payload,
	.iov_len = 4 };
static struct msghdr msg4 = { .msg_name = &sin4, .msg_namelen = sizeof(sin4),
	.msg_iov = &iov, .msg_iovlen = 1 };

static void
t_fastopen_sendmsg(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	say("sendmsg", sendmsg(fd, &msg4, MSG_FASTOPEN));
}

static void
t_fastopen_sendmmsg(void)
{
	struct mmsghdr mm = { .msg_hdr = msg4 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	say("sendmmsg", sendmmsg(fd, &mm, 1, MSG_FASTOPEN));
}

static void
t_fastopen_connect(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, 30 /* TCP_FASTOPEN_CONNECT */, &on,
	    sizeof(on));
	(void)connect(fd, SA(sin4), sizeof(sin4));
	say("send", send(fd, payload, 4, MSG_NOSIGNAL));
}

static void
t_mptcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 262);

	say("connect", connect(fd, SA(sin4), sizeof(sin4)));
}

/* --- processes: each ends in a plain connect of a new image -------------- */

static char *child_argv[6];
static char *no_env[] = { NULL };

static void
reap(pid_t pid)
{
	int status = 0;

	if (pid > 0)
		(void)waitpid(pid, &status, 0);
	say("child", pid > 0 ? status : -1);
}

static void
x_fork(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		t_connect();
		_exit(0);
	}
	reap(pid);
}

static void
x_vfork(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		(void)connect(fd, SA(sin4), sizeof(sin4));
		_exit(0);
	}
	reap(pid);
}

static void
x_execve_clean(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)execve(child_argv[0], child_argv, no_env);
		_exit(1);
	}
	reap(pid);
}

static void
x_execle_clean(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)execle(child_argv[0], child_argv[0], child_argv[1],
		    child_argv[2], child_argv[3], child_argv[4], (char *)NULL,
		    no_env);
		_exit(1);
	}
	reap(pid);
}

static void
x_vfork_execve_clean(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		(void)execve(child_argv[0], child_argv, no_env);
		_exit(1);
	}
	reap(pid);
}

static void
x_fexecve_clean(void)
{
	int fd = open(child_argv[0], O_RDONLY | O_CLOEXEC);
	pid_t pid = fork();

	if (pid == 0) {
		(void)fexecve(fd, child_argv, no_env);
		_exit(1);
	}
	reap(pid);
}

static void
x_spawn_clean(void)
{
	pid_t pid = -1;

	(void)posix_spawn(&pid, child_argv[0], NULL, NULL, child_argv,
	    no_env);
	reap(pid);
}

static void
x_clearenv_system(void)
{
	char line[512];

	(void)clearenv();
	(void)snprintf(line, sizeof(line), "%s %s %s %s %s", child_argv[0],
	    child_argv[1], child_argv[2], child_argv[3], child_argv[4]);
	say("system", system(line));
}

static void
x_env_i(void)
{
	char line[512];
	FILE *p;

	(void)snprintf(line, sizeof(line), "env -i %s %s %s %s %s",
	    child_argv[0], child_argv[1], child_argv[2], child_argv[3],
	    child_argv[4]);
	if ((p = popen(line, "r")) != NULL)
		say("popen", pclose(p));
}

/* An exec that no wrapper sees. */
static void
x_syscall_exec_clean(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)raw(SYS_execve, (long)child_argv[0], (long)child_argv,
		    (long)no_env, 0, 0, 0);
		_exit(1);
	}
	reap(pid);
}

static void
x_static(void)
{
	char path[4096];
	pid_t pid;

	(void)snprintf(path, sizeof(path), "%s", child_argv[0]);
	(void)snprintf(strrchr(path, '/'), 10, "/static");
	if ((pid = fork()) == 0) {
		(void)execl(path, path, addr4, port_text, (char *)NULL);
		_exit(1);
	}
	reap(pid);
}

static int
clone_main(void *arg)
{
	(void)arg;
	t_connect();
	return 0;
}

static void
x_clone(void)
{
	static char stack[256 << 10] __attribute__((aligned(16)));

	reap(clone(clone_main, stack + sizeof(stack), SIGCHLD, NULL));
}

/* --- UDP --------------------------------------------------------------- */

static void
u_sendto(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	say("sendto", sendto(fd, payload, 4, 0, SA(sin4), sizeof(sin4)));
}

static void
u_connected(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);

	say("connect", connect(fd, SA(sin4), sizeof(sin4)));
	say("send", send(fd, payload, 4, 0));
}

static void
u_write(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)connect(fd, SA(sin4), sizeof(sin4));
	say("write", write(fd, payload, 4));
}

static void
u_sendmsg(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	say("sendmsg", sendmsg(fd, &msg4, 0));
}

static void
u_sendmmsg(void)
{
	struct mmsghdr mm = { .msg_hdr = msg4 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	say("sendmmsg", sendmmsg(fd, &mm, 1, 0));
}

static void
u_sendto_v6(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	say("sendto", sendto(fd, payload, 4, 0, SA(sin6), sizeof(sin6)));
}

static void
u_syscall(void)
{
	long fd = syscall(SYS_socket, AF_INET, SOCK_DGRAM, 0);

	say("sendto", syscall(SYS_sendto, fd, payload, 4, 0, &sin4,
	    sizeof(sin4)));
}

static void
u_inline(void)
{
	long fd = raw(SYS_socket, AF_INET, SOCK_DGRAM, 0, 0, 0, 0);

	say("sendto", raw(SYS_sendto, fd, (long)payload, 4, 0, (long)&sin4,
	    sizeof(sin4)));
}

static void
u_udplite(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);

	say("sendto", sendto(fd, payload, 4, 0, SA(sin4), sizeof(sin4)));
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
	struct sockaddr_in all = sin4;
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;

	all.sin_addr.s_addr |= htonl(255);
	(void)setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
	say("sendto", sendto(fd, payload, 4, 0, SA(all), sizeof(all)));
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
	struct msghdr m = msg4;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	lo.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	(void)bind(fd, SA(lo), 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
	memcpy(CMSG_DATA(&c.h), &via, sizeof(via));
	m.msg_control = &c;
	m.msg_controllen = sizeof(c);
	say("sendmsg", sendmsg(fd, &m, 0));
}

/* --- sockets of the loopback's ------------------------------------------- */

#include "granted.h"

/* --- out of the wrap ----------------------------------------------------- */

#include "outside.h"

/* --- other families ------------------------------------------------------ */

static void
o_icmp_raw(void)
{
	struct icmphdr h = { .type = ICMP_ECHO, .checksum = htons(0xf7ff) };
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);

	say("sendto", sendto(fd, &h, sizeof(h), 0, SA(sin4), sizeof(sin4)));
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
o_unix_podman(void)
{
	o_unix("/run/user/0/podman/podman.sock", 0);
}

static void
o_listen(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	any.sin_port = sin4.sin_port;
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

	any.sin6_port = sin4.sin_port;
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
	say("sendto", sendto(fd, name, strlen(name), 0, SA(stub),
	    sizeof(stub)));
}

static const struct probe {
	const char *name;
	const char *sink;
	void (*run)(void);
} probes[] = {
	{ "getaddrinfo", "name", n_getaddrinfo },
	{ "getaddrinfo-null-hints", "name", n_getaddrinfo_null },
	{ "getaddrinfo-v6", "name", n_getaddrinfo_v6 },
	{ "getaddrinfo_a", "name", n_getaddrinfo_a },
	{ "gethostbyname", "name", n_gethostbyname },
	{ "gethostbyname2", "name", n_gethostbyname2 },
	{ "gethostbyname_r", "name", n_gethostbyname_r },
	{ "gethostbyname2_r", "name", n_gethostbyname2_r },
	{ "gethostbyaddr", "name", n_gethostbyaddr },
	{ "gethostbyaddr_r", "name", n_gethostbyaddr_r },
	{ "getnameinfo", "name", n_getnameinfo },
	{ "res_query", "name", n_res_query },
	{ "res_search", "name", n_res_search },
	{ "res_querydomain", "name", n_res_querydomain },
	{ "res_send", "name", n_res_send },
	{ "res_nquery", "name", n_res_nquery },
	{ "res_nsearch", "name", n_res_nsearch },
	{ "res_nsend", "name", n_res_nsend },
	{ "res_query-2.2.5", "name", n_res_query_old },
	{ "own-resolver", "name", n_own_resolver },
	{ "dlsym-getaddrinfo", "name", n_dlsym_getaddrinfo },
	{ "connect", "port", t_connect },
	{ "connect-nonblock", "port", t_connect_nonblock },
	{ "connect-v6", "port", t_connect_v6 },
	{ "connect-v4-mapped", "port", t_connect_mapped },
	{ "__connect", "port", t_connect_alias },
	{ "syscall", "port", t_syscall },
	{ "inline", "port", t_inline },
	{ "inline-connect", "port", t_inline_connect },
	{ "uring-connect", "port", t_uring_connect },
	{ "uring-socket", "port", t_uring_socket },
	{ "dlmopen", "port", t_dlmopen },
	{ "dlsym-libc", "port", t_dlsym_libc },
	{ "dlsym-next", "port", t_dlsym_next },
	{ "fastopen-sendto", "port", t_fastopen_sendto },
	{ "fastopen-sendmsg", "port", t_fastopen_sendmsg },
	{ "fastopen-sendmmsg", "port", t_fastopen_sendmmsg },
	{ "fastopen-connect", "port", t_fastopen_connect },
	{ "mptcp", "port", t_mptcp },
	{ "fork", "port", x_fork },
	{ "vfork", "port", x_vfork },
	{ "clone", "port", x_clone },
	{ "execve-clean", "port", x_execve_clean },
	{ "execle-clean", "port", x_execle_clean },
	{ "vfork-execve-clean", "port", x_vfork_execve_clean },
	{ "fexecve-clean", "port", x_fexecve_clean },
	{ "spawn-clean", "port", x_spawn_clean },
	{ "clearenv-system", "port", x_clearenv_system },
	{ "env-i", "port", x_env_i },
	{ "inline-exec-clean", "port", x_syscall_exec_clean },
	{ "static", "port", x_static },
	{ "udp-sendto", "port", u_sendto },
	{ "udp-connected", "port", u_connected },
	{ "udp-write", "port", u_write },
	{ "udp-sendmsg", "port", u_sendmsg },
	{ "udp-sendmmsg", "port", u_sendmmsg },
	{ "udp-v6", "port", u_sendto_v6 },
	{ "udp-syscall", "port", u_syscall },
	{ "udp-inline", "port", u_inline },
	{ "udp-pktinfo", "port", u_pktinfo },
	{ "lo-pktinfo", "port", g_pktinfo },
	{ "lo-pktinfo-connected", "port", g_pktinfo_connected },
	{ "lo-pktinfo-dup", "port", g_pktinfo_dup },
	{ "lo-pktinfo-mmsg", "port", g_pktinfo_mmsg },
	{ "lo-pktinfo-passed", "port", g_pktinfo_passed },
	{ "lo-pktinfo-mapped", "port", g_pktinfo_mapped },
	{ "lo-scope", "port", g_scope },
	{ "lo-unspec", "port", g_unspec },
	{ "lo-device", "port", g_device },
	{ "lo-resolver", "lo", g_resolver },
	{ "lo-stream", "port", g_stream },
	{ "lo-stream-unspec", "port", g_stream_unspec },
	{ "lo-stream-device", "port", g_stream_device },
	{ "lo-stream-fastopen", "port", g_stream_fastopen },
	{ "udplite", "link", u_udplite },
	{ "udp-multicast", "link", u_multicast },
	{ "udp-broadcast", "link", u_broadcast },
	{ "icmp-raw", "link", o_icmp_raw },
	{ "packet", "link", o_packet },
	{ "vsock", "output", o_vsock },
	{ "unix-nscd", "unix", o_unix_nscd },
	{ "unix-nscd-var-run", "unix", o_unix_nscd_var },
	{ "unix-nscd-proc-root", "unix", o_unix_nscd_self },
	{ "unix-resolved", "unix", o_unix_resolved },
	{ "unix-docker", "unix", o_unix_docker },
	{ "unix-podman", "unix", o_unix_podman },
	{ "listen", "inbound", o_listen },
	{ "listen-v6", "inbound", o_listen_v6 },
	{ "stub-resolver", "lo", o_stub },
	{ "setns", "port", w_setns_net },
	{ "setns-any", "port", w_setns_any },
	{ "request-key", "output", w_request_key },
};

int
main(int argc, char **argv)
{
	const struct probe *p;
	static char self[4096];
	ssize_t n;

	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		for (p = probes; p < probes + sizeof(probes) / sizeof(*p); p++)
			(void)printf("%s %s\n", p->name, p->sink);
		return 0;
	}
	if (argc != 5)
		return 2;
	(void)alarm(15);
	addr4 = argv[2];
	addr6 = argv[3];
	port_text = argv[4];
	sin4.sin_family = AF_INET;
	sin4.sin_port = htons((uint16_t)atoi(port_text));
	sin6.sin6_family = AF_INET6;
	sin6.sin6_port = sin4.sin_port;
	if (inet_pton(AF_INET, addr4, &sin4.sin_addr) != 1 ||
	    inet_pton(AF_INET6, addr6, &sin6.sin6_addr) != 1)
		return 2;
	(void)snprintf(name, sizeof(name), "leak-%s.example.test", port_text);
	if ((n = readlink("/proc/self/exe", self, sizeof(self) - 1)) < 0)
		return 1;
	self[n] = '\0';
	child_argv[0] = self;
	child_argv[1] = (char *)(uintptr_t)"connect";
	child_argv[2] = argv[2];
	child_argv[3] = argv[3];
	child_argv[4] = argv[4];
	for (p = probes; p < probes + sizeof(probes) / sizeof(*p); p++)
		if (strcmp(p->name, argv[1]) == 0) {
			p->run();
			return 0;
		}
	return 2;
}
