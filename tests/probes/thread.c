/*
 * thread ADDRESS DARK - the program's own sandbox kills the stack's thread.
 *
 * A filter for all threads of the process forbids a call that the stack makes
 * and this program does not. The kernel ends the thread, and the thread alone,
 * at its next turn; what the program has open then must fail, soon and loudly,
 * and what it opens next must work.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/probes/report.h"

static char buf[65536];

static int64_t
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int
dial(const char *address, int port, int flags)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0);

	sin.sin_port = htons((uint16_t)port);
	(void)inet_pton(AF_INET, address, &sin.sin_addr);
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0 &&
	    errno != EINPROGRESS) {
		result("connect", -1);
		exit(1);
	}
	return fd;
}

#ifdef SYS_epoll_wait
#define EPOLL_WAIT SYS_epoll_wait
#else
#define EPOLL_WAIT SYS_epoll_pwait
#endif

static void
forbid_epoll(void)
{
	struct sock_filter rule[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, EPOLL_WAIT, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_THREAD),
	};
	struct sock_fprog filter = { sizeof(rule) / sizeof(*rule), rule };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_TSYNC, &filter) != 0) {
		result("filter", -1);
		exit(1);
	}
}

/* A thread that waits for a peer that never says a word. */
static void *
reader(void *arg)
{
	ssize_t n = recv(*(int *)arg, (char[1]){ 0 }, 1, 0);

	result("waiting-recv", n);
	return NULL;
}

int
main(int argc, char **argv)
{
	int flow, idle, trying, err = 0;
	socklen_t len = sizeof(err);
	int64_t from, took;
	pthread_t t;
	ssize_t n;

	if (argc != 3)
		return 2;
	section = "thread";
	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(60);
	flow = dial(argv[1], 19, 0);
	idle = dial(argv[1], 5002, 0);
	trying = dial(argv[2], 80, SOCK_NONBLOCK);
	if (pthread_create(&t, NULL, reader, &idle) != 0)
		return 1;
	n = recv(flow, buf, 1000, MSG_WAITALL);
	cell("before", "%zd", n);

	forbid_epoll();
	from = now_ms();
	while ((n = recv(flow, buf, sizeof(buf), 0)) > 0)
		;
	took = now_ms() - from;
	result("recv", n);
	cell("soon", "%s", took < 3000 ? "yes" : "no");
	result("send", send(flow, "x", 1, MSG_NOSIGNAL));
	(void)pthread_join(t, NULL);
	ready("trying-poll", trying, 3000);
	(void)getsockopt(trying, SOL_SOCKET, SO_ERROR, &err, &len);
	cell("trying-error", "%s", name_of(err));
	took = now_ms() - from;
	cell("all-soon", "%s", took < 5000 ? "yes" : "no");

	flow = dial(argv[1], 7, 0);
	result("again-send", send(flow, "again", 5, 0));
	result("again-recv", recv(flow, buf, 5, MSG_WAITALL));
	cell("name", "%s", gethostbyname("www.example.test") != NULL ?
	    "yes" : "no");
	return 0;
}
