#include "preload/manage.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "preload/program.h"
#include "preload/rendezvous.h"
#include "preload/say.h"
#include "preload/session_proto.h"

#define ANSWER_MS 5000

/* One question of our own to a session; the answer's text, if any, in buf.
 * SW_OK or an SW_ERR_*. */
static int
ask(int ctl, enum session_op op, char *buf, size_t cap)
{
	struct session_msg m = {
		.magic = SESSION_MAGIC, .op = (uint16_t)op,
		.flags = SESSION_HAS_REPLY,
	};
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = &m, .iov_len = sizeof(m) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	struct session_reply rep;
	struct iovec in[2] = {
		{ .iov_base = &rep, .iov_len = sizeof(rep) },
		{ .iov_base = buf, .iov_len = cap - 1 },
	};
	struct pollfd p;
	struct cmsghdr *c;
	int pair[2];
	ssize_t n;

	buf[0] = '\0';
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return SW_ERR_SYS;
	memset(&control, 0, sizeof(control));
	c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &pair[1], sizeof(int));
	n = sendmsg(ctl, &msg, MSG_NOSIGNAL);
	close(pair[1]);
	p = (struct pollfd){ .fd = pair[0], .events = POLLIN };
	if (n != (ssize_t)sizeof(m) || poll(&p, 1, ANSWER_MS) != 1) {
		close(pair[0]);
		return SW_ERR_TIMEOUT;
	}
	n = readv(pair[0], in, 2);
	close(pair[0]);
	if (n < (ssize_t)sizeof(rep) || rep.magic != SESSION_MAGIC)
		return SW_ERR_CLOSED;
	buf[(size_t)n - sizeof(rep)] = '\0';
	return rep.error;
}

static int
reach(const struct options *o, const char **name, int *ctl)
{
	char path[RENDEZVOUS_MAX];
	int r;

	*name = o->name != NULL ? o->name : RENDEZVOUS_DEFAULT;
	r = rendezvous_path(path, *name, false);
	if (r == SW_ERR_SYS && errno == ENOENT)
		return SW_ERR_REFUSED;
	return r == SW_OK ? rendezvous_connect(path, ctl) : r;
}

static int
not_up(const char *name, int r)
{
	if (r == SW_ERR_REFUSED)
		say("session \"%s\" is not up", name);
	else if (r == SW_ERR_DENIED)
		say("cannot trust the session folder: it is not this user's "
		    "alone");
	else
		say("could not reach the session \"%s\": %s", name,
		    sw_strerror(r));
	return 1;
}

int
manage_status(const struct options *o)
{
	char text[SESSION_MSG_MAX];
	const char *name;
	int ctl, r;

	if ((r = reach(o, &name, &ctl)) == SW_ERR_REFUSED) {
		puts("state none");
		return 1;
	}
	if (r == SW_OK) {
		r = ask(ctl, SESSION_STATUS, text, sizeof(text));
		close(ctl);
	}
	if (r != SW_OK)
		return not_up(name, r);
	fputs(text, stdout);
	return 0;
}

int
manage_down(const struct options *o)
{
	char text[256];
	const char *name;
	struct pollfd p = { .events = POLLIN };
	int ctl, r;

	if ((r = reach(o, &name, &ctl)) == SW_OK)
		r = ask(ctl, SESSION_STOP, text, sizeof(text));
	if (r != SW_OK)
		return not_up(name, r);
	/* It is gone when its end of the connection is. */
	p.fd = ctl;
	(void)poll(&p, 1, ANSWER_MS);
	close(ctl);
	return 0;
}

static int
check_host(void)
{
	unsigned action = SECCOMP_RET_ERRNO;
	bool belt = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0,
	    &action) == 0;

	printf("seat-belt %s\n", belt ? "yes" : "no");
	printf("leak %s\n", belt ? "no: what the library does not catch, the "
	    "kernel refuses" : "possible: this kernel has no seccomp filter, so "
	    "raw system calls are not stopped");
	return belt ? 0 : 1;
}

int
manage_check(const struct options *o)
{
	struct program p;
	const char *why;

	if (*o->argv == NULL)
		return check_host();
	if (program_find(&p, *o->argv) != SW_OK) {
		say(errno == ENOENT ? "could not find program \"%s\"" :
		    "could not inspect program \"%s\": %s", *o->argv,
		    strerror(errno));
		return 1;
	}
	why = program_why_not(&p);
	printf("program %s\n", p.path);
	if (p.is_script)
		printf("interpreter %s\n", p.loader);
	printf("kind %s\n", !p.is_elf ? "unknown" :
	    p.is_static ? "static" : "dynamic");
	if (p.is_elf)
		printf("architecture %s, %u bit\n",
		    p.is_foreign ? "foreign" : "native", p.bits);
	if (p.interp[0] != '\0')
		printf("loader %s\n", p.interp);
	printf("go %s\n", p.is_go ? "yes" : "no");
	printf("set-id %s\n", p.is_set_id ? "yes" : "no");
	printf("capabilities %s\n", p.has_caps ? "yes" : "no");
	if (why != NULL)
		printf("result refused: %s\n", why);
	else if (p.is_go)
		printf("result runs, but Go makes its system calls itself, so the "
		    "kernel filter refuses its sockets\n");
	else if (p.is_set_id || p.has_caps)
		printf("result runs without its privilege, inside the tunnel\n");
	else if (!p.is_elf)
		printf("result runs; the file could not be read as a program\n");
	else
		printf("result runs inside the tunnel\n");
	return check_host() == 0 && why == NULL && !p.is_go ? 0 : 1;
}
