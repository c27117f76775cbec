/*
 * ways.h - what the probes of tests/leak/probe have in common.
 *
 * Each file here is a family of ways to the network, and ends in a table of
 * them.  A way runs once in a process of its own; an alarm bounds it.
 */
#ifndef SW_TESTS_LEAK_WAYS_H
#define SW_TESTS_LEAK_WAYS_H

#include <netinet/in.h>
#include <sys/socket.h>

#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif
#define SA(x) ((struct sockaddr *)&(x))

struct probe {
	const char *name;
	const char *sink;		/* probe.c says which there are */
	void (*run)(void);
};

/* Each ends with a row without a name. */
extern const struct probe ways_names[], ways_streams[], ways_uring[],
    ways_processes[], ways_datagrams[], ways_granted[], ways_families[],
    ways_outside[];

/* What is to be reached; main() fills it in. */
struct target {
	const char *addr4, *addr6, *port_text;
	struct sockaddr_in sin4;
	struct sockaddr_in6 sin6;
	char name[100];			/* to be looked up */
	char *argv[6];			/* of a child that connects */
	struct iovec iov;		/* payload */
	struct msghdr msg;		/* payload, to sin4 */
};
extern struct target at;
extern const char payload[5];

/* What a call gave, for the reader of a log. */
void say(const char *what, long result);

/* A plain connect to at.sin4, and some bytes. */
void probe_connect(void);

/* The same by the kernel's calls themselves. */
void probe_connect_raw(void);

/* The kernel entered by the program's own instruction, as Go does: the result,
 * or -errno. */
long raw(long nr, long a, long b, long c, long d, long e, long f);

#endif
