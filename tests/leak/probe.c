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
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/leak/ways/ways.h"

static const struct probe *const families[] = {
	ways_names, ways_streams, ways_uring, ways_processes, ways_datagrams,
	ways_granted, ways_families, ways_outside,
};

struct target at;
const char payload[] = "leak";

void
say(const char *what, long r)
{
	(void)printf("%s: %ld %s\n", what, r, r < 0 ? strerror(errno) : "");
}

long
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

#define FOR_EACH(p)							\
	for (size_t i_ = 0; i_ < sizeof(families) / sizeof(*families); i_++) \
		for (const struct probe *p = families[i_]; p->name != NULL; p++)

static void
list(void)
{
	FOR_EACH(p)
		(void)printf("%s %s\n", p->name, p->sink);
}

static const struct probe *
find(const char *name)
{
	FOR_EACH(p)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

/* Fill in `at` from the words. */
static bool
aim(char **argv)
{
	static char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return false;
	self[n] = '\0';
	at.addr4 = argv[2];
	at.addr6 = argv[3];
	at.port_text = argv[4];
	at.sin4.sin_family = AF_INET;
	at.sin4.sin_port = htons((uint16_t)atoi(at.port_text));
	at.sin6.sin6_family = AF_INET6;
	at.sin6.sin6_port = at.sin4.sin_port;
	at.iov = (struct iovec){ (char *)(uintptr_t)payload, 4 };
	at.msg = (struct msghdr){ .msg_name = &at.sin4,
		.msg_namelen = sizeof(at.sin4), .msg_iov = &at.iov,
		.msg_iovlen = 1 };
	(void)snprintf(at.name, sizeof(at.name), "leak-%s.example.test",
	    at.port_text);
	at.argv[0] = self;
	at.argv[1] = (char *)(uintptr_t)"connect";
	memcpy(at.argv + 2, argv + 2, 3 * sizeof(*argv));
	return inet_pton(AF_INET, at.addr4, &at.sin4.sin_addr) == 1 &&
	    inet_pton(AF_INET6, at.addr6, &at.sin6.sin6_addr) == 1;
}

int
main(int argc, char **argv)
{
	const struct probe *p;

	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		list();
		return 0;
	}
	if (argc != 5 || (p = find(argv[1])) == NULL || !aim(argv))
		return 2;
	(void)alarm(15);
	p->run();
	return 0;
}
