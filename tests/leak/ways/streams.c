/* TCP: by libc, by the kernel itself, by other copies of libc. */
#include <dlfcn.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/leak/ways/ways.h"

static void
connect_by(int (*how)(int, const struct sockaddr *, socklen_t))
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	say("connect", how(fd, SA(at.sin4), sizeof(at.sin4)));
	(void)!write(fd, payload, 4);
	(void)close(fd);
}

void
probe_connect(void)
{
	connect_by(connect);
}

static void
t_connect_nonblock(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 6);

	(void)connect(fd, SA(at.sin4), sizeof(at.sin4));
	say("poll", poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1,
	    2000));
}

static void
t_connect_v6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	say("connect", connect(fd, SA(at.sin6), sizeof(at.sin6)));
}

static void
t_connect_mapped(void)
{
	struct sockaddr_in6 m = at.sin6;
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	memset(&m.sin6_addr, 0, 10);
	memset((uint8_t *)&m.sin6_addr + 10, 0xff, 2);
	memcpy((uint8_t *)&m.sin6_addr + 12, &at.sin4.sin_addr, 4);
	say("connect", connect(fd, SA(m), sizeof(m)));
}

static void
t_connect_alias(void)
{
	int (*alias)(int, const struct sockaddr *, socklen_t);

	*(void **)&alias = dlsym(RTLD_DEFAULT, "__connect");
	connect_by(alias);
}

static void
t_syscall(void)
{
	long fd = syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

	say("connect", syscall(SYS_connect, fd, &at.sin4, sizeof(at.sin4)));
}

void
probe_connect_raw(void)
{
	long fd = raw(SYS_socket, AF_INET, SOCK_STREAM, 0, 0, 0, 0);

	say("connect", raw(SYS_connect, fd, (long)&at.sin4,
	    sizeof(at.sin4), 0, 0, 0));
}

/* A socket of the library, entered by an instruction of the program. */
static void
t_inline_connect(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	say("connect", raw(SYS_connect, fd, (long)&at.sin4,
	    sizeof(at.sin4), 0, 0, 0));
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
	say("connect", c(fd, SA(at.sin4), sizeof(at.sin4)));
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
t_fastopen_sendto(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	say("sendto", sendto(fd, payload, 4, MSG_FASTOPEN, SA(at.sin4),
	    sizeof(at.sin4)));
}

static void
t_fastopen_sendmsg(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	say("sendmsg", sendmsg(fd, &at.msg, MSG_FASTOPEN));
}

static void
t_fastopen_sendmmsg(void)
{
	struct mmsghdr mm = { .msg_hdr = at.msg };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	say("sendmmsg", sendmmsg(fd, &mm, 1, MSG_FASTOPEN));
}

static void
t_fastopen_connect(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, 30 /* TCP_FASTOPEN_CONNECT */, &on,
	    sizeof(on));
	(void)connect(fd, SA(at.sin4), sizeof(at.sin4));
	say("send", send(fd, payload, 4, MSG_NOSIGNAL));
}

static void
t_mptcp(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 262);

	say("connect", connect(fd, SA(at.sin4), sizeof(at.sin4)));
}

const struct probe ways_streams[] = {
	{ "connect", "port", probe_connect },
	{ "connect-nonblock", "port", t_connect_nonblock },
	{ "connect-v6", "port", t_connect_v6 },
	{ "connect-v4-mapped", "port", t_connect_mapped },
	{ "__connect", "port", t_connect_alias },
	{ "syscall", "port", t_syscall },
	{ "inline", "port", probe_connect_raw },
	{ "inline-connect", "port", t_inline_connect },
	{ "dlmopen", "port", t_dlmopen },
	{ "dlsym-libc", "port", t_dlsym_libc },
	{ "dlsym-next", "port", t_dlsym_next },
	{ "fastopen-sendto", "port", t_fastopen_sendto },
	{ "fastopen-sendmsg", "port", t_fastopen_sendmsg },
	{ "fastopen-sendmmsg", "port", t_fastopen_sendmmsg },
	{ "fastopen-connect", "port", t_fastopen_connect },
	{ "mptcp", "port", t_mptcp },
	{ .name = NULL },
};
