/*
 * fake_session - runs a program under the library with a session that only
 * answers names, from a table below.
 *
 *	fake_session LIBRARY [-l LOG] PROGRAM [ARG...]
 *
 * LOG gets one line per question: "resolve NAME FAMILY", "reverse ADDRESS 0" or
 * "dns NAME TYPE", so that a test can also see what was not asked.  With
 * FAKE_SESSION_DEAD set there is a channel, but nobody answers on it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "preload/session_proto.h"

#define CTL_FD 900

static const struct {
	const char *name, *addr[4];
	const char *alias_of;
	int error;
} zone[] = {
	{ "www.example.test", { "203.0.113.80", "2001:db8::80" }, NULL, 0 },
	{ "v4.example.test", { "203.0.113.4" }, NULL, 0 },
	{ "v6.example.test", { "2001:db8::6" }, NULL, 0 },
	{ "many.example.test", { "203.0.113.1", "203.0.113.2", "203.0.113.3",
	    "2001:db8::3" }, NULL, 0 },
	{ "alias.example.test", { "203.0.113.80", "2001:db8::80" },
	    "www.example.test", 0 },
	{ "empty.example.test", { NULL }, NULL, 0 },
	{ "slow.example.test", { NULL }, NULL, SW_ERR_TIMEOUT },
	{ "down.example.test", { NULL }, NULL, SW_ERR_DOWN },
	{ "broken.example.test", { NULL }, NULL, SW_ERR_FORMAT },
};
#define ZONE_LEN (sizeof(zone) / sizeof(zone[0]))

static int log_fd = -1;

static void
note(const char *verb, const char *what, int n)
{
	char line[400];
	int len = snprintf(line, sizeof(line), "%s %.300s %d\n", verb, what,
	    n);

	if (log_fd >= 0 && write(log_fd, line, (size_t)len) != len)
		perror("fake_session: write");
}

static int
find(const char *name)
{
	for (size_t i = 0; i < ZONE_LEN; i++)
		if (strcasecmp(zone[i].name, name) == 0)
			return (int)i;
	return -1;
}

static struct sw_addr
parse(const char *text)
{
	struct sw_addr a = { .ip = { [10] = 0xff, [11] = 0xff } };

	if (inet_pton(AF_INET, text, a.ip + 12) != 1)
		inet_pton(AF_INET6, text, a.ip);
	return a;
}

static bool
is_v4(const char *text)
{
	return strchr(text, ':') == NULL;
}

static void
resolve(const char *name, int family, struct session_reply *rep, void *out)
{
	struct sw_addr *a = out;
	int z = find(name), n = 0;

	note("resolve", name, family);
	if (z < 0 || zone[z].error != 0) {
		rep->error = z < 0 ? SW_ERR_NO_NAME : zone[z].error;
		return;
	}
	for (int i = 0; i < 4 && zone[z].addr[i] != NULL; i++)
		if (family == AF_UNSPEC ||
		    (family == AF_INET) == is_v4(zone[z].addr[i]))
			a[n++] = parse(zone[z].addr[i]);
	rep->len = (uint32_t)n * sizeof(*a);
}

static void
reverse(const struct sw_addr *a, struct session_reply *rep, char *out)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, a->ip, text, sizeof(text));
	note("reverse", text, 0);
	for (size_t z = 0; z < ZONE_LEN; z++)
		for (int i = 0; i < 4 && zone[z].addr[i] != NULL; i++) {
			struct sw_addr b = parse(zone[z].addr[i]);

			if (memcmp(a->ip, b.ip, 16) != 0)
				continue;
			rep->len = (uint32_t)strlen(zone[z].name);
			memcpy(out, zone[z].name, rep->len);
			return;
		}
	rep->error = SW_ERR_NO_NAME;
}

/* Presentation form of the question's name; returns its wire length. */
static size_t
question(const uint8_t *msg, size_t len, char *name, int *type)
{
	size_t at = 12, out = 0;

	while (at < len && msg[at] != 0 && at + msg[at] < len) {
		if (out > 0)
			name[out++] = '.';
		memcpy(name + out, msg + at + 1, msg[at]);
		out += msg[at];
		at += msg[at] + 1u;
	}
	name[out] = '\0';
	*type = at + 2 < len ? msg[at + 1] << 8 | msg[at + 2] : 0;
	return at + 1 - 12;
}

static uint8_t *
put_record(uint8_t *p, int type, const void *data, size_t len)
{
	const uint8_t head[] = { 0xc0, 12, 0, (uint8_t)type, 0, 1, 0, 0, 0, 60,
	    0, (uint8_t)len };

	memcpy(p, head, sizeof(head));
	memcpy(p + sizeof(head), data, len);
	return p + sizeof(head) + len;
}

/* A name, uncompressed. */
static size_t
put_name(uint8_t *p, const char *name)
{
	uint8_t *start = p;

	while (*name != '\0') {
		size_t n = strcspn(name, ".");

		*p++ = (uint8_t)n;
		memcpy(p, name, n);
		p += n;
		name += n + (name[n] == '.');
	}
	*p++ = 0;
	return (size_t)(p - start);
}

static void
dns(const uint8_t *msg, size_t len, struct session_reply *rep, uint8_t *out)
{
	uint8_t *p, target[256];
	char name[1024];
	int type, z, n = 0;
	size_t q = question(msg, len, name, &type);

	note("dns", name, type);
	memcpy(out, msg, 12 + q + 4);
	p = out + 12 + q + 4;
	memset(out + 6, 0, 6);
	out[2] |= 0x80;
	out[3] = 0x80;
	z = find(name);
	if (z < 0)
		out[3] |= 3;
	else if (zone[z].error == SW_ERR_TIMEOUT ||
	    zone[z].error == SW_ERR_DOWN)
		rep->error = zone[z].error;
	else if (zone[z].error != 0)
		out[3] |= 2;
	if (z >= 0 && zone[z].alias_of != NULL) {
		p = put_record(p, 5, target, put_name(target,
		    zone[z].alias_of));
		n++;
	}
	for (int i = 0; z >= 0 && i < 4 && zone[z].addr[i] != NULL; i++) {
		struct sw_addr a = parse(zone[z].addr[i]);

		if (type == 1 && is_v4(zone[z].addr[i]))
			p = put_record(p, 1, a.ip + 12, 4);
		else if (type == 28 && !is_v4(zone[z].addr[i]))
			p = put_record(p, 28, a.ip, 16);
		else
			continue;
		n++;
	}
	out[7] = (uint8_t)n;
	rep->len = rep->error == 0 ? (uint32_t)(p - out) : 0;
}

static void
answer(const struct session_msg *m, const uint8_t *payload, int fd)
{
	static uint8_t out[8192];
	struct session_reply rep = { .magic = SESSION_MAGIC };
	struct iovec iov[2] = { { &rep, sizeof(rep) }, { out, 0 } };
	char name[1024];

	memset(out, 0, sizeof(out));
	snprintf(name, sizeof(name), "%.*s", (int)m->len, payload);
	switch (m->op) {
	case SESSION_RESOLVE:
		resolve(name, (int)m->arg, &rep, out);
		break;
	case SESSION_REVERSE:
		reverse(&m->addr, &rep, (char *)out);
		break;
	case SESSION_DNS:
		dns(payload, m->len, &rep, out);
		break;
	default:
		rep.error = SW_ERR_UNSUPPORTED;
	}
	iov[1].iov_len = rep.len;
	if (writev(fd, iov, 2) < 0)
		perror("fake_session: writev");
}

static void
serve(int sock)
{
	static uint8_t payload[SESSION_MSG_MAX];
	struct session_msg m;
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec iov[2] = { { &m, sizeof(m) },
	    { payload, sizeof(payload) } };

	for (;;) {
		struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2,
		    .msg_control = &control,
		    .msg_controllen = sizeof(control) };
		struct cmsghdr *c;
		int fd;

		if (recvmsg(sock, &h, MSG_CMSG_CLOEXEC) <= 0)
			return;
		if ((c = CMSG_FIRSTHDR(&h)) == NULL)
			continue;
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		answer(&m, payload, fd);
		close(fd);
	}
}

int
main(int argc, char **argv)
{
	char text[64];
	struct stat st;
	int pair[2], at = 2;

	if (argc > 4 && strcmp(argv[2], "-l") == 0) {
		log_fd = open(argv[3], O_WRONLY | O_CREAT | O_APPEND |
		    O_CLOEXEC, 0600);
		at = 4;
	}
	if (argc <= at) {
		fprintf(stderr, "usage: fake_session LIBRARY [-l LOG] "
		    "PROGRAM [ARG...]\n");
		return 2;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return 125;
	if (fork() == 0) {
		close(pair[0]);
		if (getenv("FAKE_SESSION_DEAD") == NULL)
			serve(pair[1]);
		_exit(0);
	}
	if (dup2(pair[0], CTL_FD) < 0 || fstat(CTL_FD, &st) != 0)
		return 125;
	snprintf(text, sizeof(text), "%d:%llu", CTL_FD,
	    (unsigned long long)st.st_ino);
	setenv("SMOLWRAP_CTL", text, 1);
	setenv("SMOLWRAP_POLICY", "listen=loopback,stack=thread,ipv6=1", 0);
	setenv("LD_PRELOAD", argv[1], 1);
	close(pair[0]);
	close(pair[1]);
	execvp(argv[at], argv + at);
	perror(argv[at]);
	return 127;
}
