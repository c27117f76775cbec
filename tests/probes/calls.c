/*
 * calls - syscall(3), closing and replacing descriptors, getaddrinfo_a(3).
 *
 *	calls [NUMBER]
 *
 * NUMBER is a descriptor that the library holds; nothing of the program's is
 * there. What is printed must be the same bare and wrapped.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int ours = 900;

static void
say(const char *what, long r)
{
	printf("%s: %ld errno %d\n", what, r, errno);
	errno = 4242;
}

/* ---- syscall(3) ---------------------------------------------------------- */

static void
numbers(void)
{
	char byte = 'x';
	long page, pid;
	int pair[2];

	errno = 4242;
	say("getpid", syscall(SYS_getpid) - getpid());
	say("unknown", syscall(9999));
	say("unknown, within the table", syscall(511));
	say("negative", syscall(-1));
	say("huge", syscall(1L << 40));
	say("write", syscall(SYS_write, -1, "", 1));
	page = syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	say("mmap, six arguments", page == -1);
	say("munmap", syscall(SYS_munmap, page, 4096));
	/* The sixth argument counts: an offset that is not of a page. */
	say("mmap, odd offset", syscall(SYS_mmap, NULL, 4096, PROT_READ,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 17));
	pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0)
		syscall(SYS_exit_group, 7);
	if (waitpid((pid_t)pid, pair, 0) == pid)
		say("clone and exit_group", WEXITSTATUS(pair[0]));
	say("socketpair", syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0,
	    pair));
	say("sendto", syscall(SYS_sendto, pair[0], &byte, 1, MSG_NOSIGNAL,
	    NULL, 0));
	say("recvfrom", syscall(SYS_recvfrom, pair[1], &byte, 1, 0, NULL,
	    NULL));
	say("recvfrom, nothing there", syscall(SYS_recvfrom, pair[1], &byte, 1,
	    MSG_DONTWAIT, NULL, NULL));
	say("shutdown", syscall(SYS_shutdown, pair[0], SHUT_WR));
	say("close", syscall(SYS_close, pair[0]));
	say("close again", syscall(SYS_close, pair[0]));
	say("close_range", syscall(SYS_close_range, pair[1], pair[1], 0));
	say("dup3 to itself", syscall(SYS_dup3, 1, 1, 0));
	say("ioctl", syscall(SYS_ioctl, -1, 0, NULL));
	say("execve", syscall(SYS_execve, "/nonexistent", NULL, NULL));
	say("bind", syscall(SYS_bind, -1, NULL, 0));
	say("getsockopt", syscall(SYS_getsockopt, 1, 0, 0, NULL, NULL));
	say("recvmmsg", syscall(SYS_recvmmsg, -1, NULL, 0, 0, NULL));
}

static int
cloned(void *arg)
{
	*(int *)arg = (int)syscall(SYS_getpid) != 0;
	return 3;
}

/* A raw clone onto a stack of its own must come back on that stack. */
static void
clone_on_a_stack(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	int seen = 0, status = 0;
	pid_t pid = clone(cloned, stack + sizeof(stack), CLONE_VM | SIGCHLD,
	    &seen);

	if (pid > 0)		/* emulators know only threads */
		waitpid(pid, &status, 0);
	say("clone with a stack", seen * 10 + WEXITSTATUS(status));
}

/* ---- ranges -------------------------------------------------------------- */

static void
fill(int from, int to)
{
	for (int fd = from; fd <= to; fd++)
		if (fd != ours)
			dup2(0, fd);
}

static void
show(int from, int to)
{
	for (int fd = from; fd <= to; fd++) {
		int flags;

		if (fd == ours)
			continue;
		flags = fcntl(fd, F_GETFD);
		putchar(flags < 0 ? '.' : flags & FD_CLOEXEC ? 'c' : 'o');
	}
	putchar('\n');
	errno = 4242;
}

/* In a child: the table is spoilt. */
static void
range(const char *what, unsigned first, unsigned last, int flags)
{
	pid_t pid = fork();

	if (pid == 0) {
		fill(ours - 5, ours + 5);
		errno = 4242;
		say(what, close_range(first, last, flags));
		show(ours - 5, ours + 5);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void
ranges(void)
{
	unsigned o = (unsigned)ours;

	range("all", 3, ~0u, 0);
	range("around", o - 2, o + 2, 0);
	range("up to", o - 2, o, 0);
	range("from", o, o + 2, 0);
	range("below", o - 3, o - 1, 0);
	range("above", o + 1, o + 3, 0);
	range("cloexec", o - 2, o + 2, CLOSE_RANGE_CLOEXEC);
	range("unshare", o - 2, o + 2, CLOSE_RANGE_UNSHARE);
	range("both", o, o + 1, CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC);
	range("only it", o, o, 0);
	range("only it, unshare", o, o, CLOSE_RANGE_UNSHARE);
	range("bad flag", o, o, 64);
	range("bad flag, wide", 3, ~0u, 64);
	range("backwards", 10, 9, 0);
	range("last", ~0u, ~0u, 0);
}

static void
names_still_work(const char *after)
{
	struct addrinfo *res = NULL;
	int r = getaddrinfo("www.example.test", "80", NULL, &res);

	printf("names after %s: %d\n", after, r);
	if (r == 0)
		freeaddrinfo(res);
	errno = 4242;
}

static void
abuse_in_a_child(const char *what, void (*run)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		errno = 4242;
		run();
		names_still_work(what);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void
close_it(void)
{
	say("close", close(ours));
}

static void
close_from(void)
{
	fill(ours - 5, ours + 5);
	errno = 4242;
	closefrom(3);
	say("closefrom", 0);
	show(3, 1023);
}

static void
close_each(void)
{
	int closed = 0;

	for (int fd = 3; fd < 1024; fd++)
		closed += close(fd) == 0;
	errno = 4242;
	printf("close each: %d\n", closed);
}

static void
take_its_number(void)
{
	errno = 4242;
	say("dup2 onto it", dup2(1, ours));
	say("write to it", write(ours, "", 0));
	say("dup2 to itself", dup2(ours, ours));
	say("close it, now the program's", close(ours));
	say("close it again", close(ours));
}

static void
take_its_number_by_dup3(void)
{
	errno = 4242;
	say("dup3 onto it", dup3(1, ours, O_CLOEXEC));
	say("its flags", fcntl(ours, F_GETFD));
	say("dup3 of nothing onto it", dup3(ours + 3, ours, 0));
	say("close it", close(ours));
}

static void
bad_source(void)
{
	errno = 4242;
	say("dup2 of nothing onto it", dup2(ours + 3, ours));
	say("dup2 of -1", dup2(-1, ours));
	say("dup2 to -1", dup2(1, -1));
	say("dup2(x, x), x not open", dup2(ours + 3, ours + 3));
	say("dup3(x, x)", dup3(1, 1, 0));
	say("dup3, bad flags", dup3(1, ours + 3, 64));
	say("close -1", close(-1));
}

/* ---- getaddrinfo_a ------------------------------------------------------- */

static volatile sig_atomic_t told, told_value;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t done = PTHREAD_COND_INITIALIZER;

static void
on_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	told = info->si_code == SI_ASYNCNL;
	told_value = info->si_value.sival_int;
}

static void
on_thread(union sigval v)
{
	pthread_mutex_lock(&lock);
	told = 1;
	told_value = v.sival_int;
	pthread_cond_signal(&done);
	pthread_mutex_unlock(&lock);
}

static void
in_background(void)
{
	struct gaicb cb[4] = { { .ar_name = "www.example.test" },
	    { .ar_name = "nope.example.test" }, { .ar_name = "127.0.0.1" },
	    { .ar_name = "localhost", .ar_service = "nosuch" } };
	struct gaicb *list[5] = { &cb[0], NULL, &cb[1], &cb[2], &cb[3] };
	const struct timespec soon = { 0, 1000000 }, late = { 20, 0 };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
	    .sigev_signo = SIGRTMIN + 3, .sigev_value.sival_int = 11 };
	struct sigaction sa = { .sa_sigaction = on_signal,
	    .sa_flags = SA_SIGINFO };

	say("mode", getaddrinfo_a(99, list, 5, NULL));
	say("wait", getaddrinfo_a(GAI_WAIT, list, 5, NULL));
	for (int i = 0; i < 4; i++) {
		printf("request %d: %d %d\n", i, gai_error(&cb[i]),
		    cb[i].ar_result != NULL);
		freeaddrinfo(cb[i].ar_result);
	}
	say("suspend, all done", gai_suspend(
	    (const struct gaicb *const *)list, 5, &soon));
	say("cancel, done", gai_cancel(&cb[0]));
	say("cancel, none", gai_cancel(NULL));

	sigaction(SIGRTMIN + 3, &sa, NULL);
	say("nowait, signal", getaddrinfo_a(GAI_NOWAIT, list, 5, &ev));
	for (int i = 0; i < 500 && !told; i++)
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
	printf("told %d %d\n", told, told_value);
	for (int i = 0; i < 4; i++) {
		printf("request %d: %d\n", i, gai_error(&cb[i]));
		freeaddrinfo(cb[i].ar_result);
	}

	errno = 4242;		/* the signal may have ended a sleep */
	told = 0;
	ev = (struct sigevent){ .sigev_notify = SIGEV_THREAD,
	    .sigev_notify_function = on_thread,
	    .sigev_value.sival_int = 12 };
	say("nowait, thread", getaddrinfo_a(GAI_NOWAIT, list, 1, &ev));
	pthread_mutex_lock(&lock);
	while (!told)
		pthread_cond_wait(&done, &lock);
	pthread_mutex_unlock(&lock);
	printf("told %d %d\n", told, told_value);
	freeaddrinfo(cb[0].ar_result);

	errno = 4242;
	say("nowait", getaddrinfo_a(GAI_NOWAIT, list, 1, NULL));
	while (gai_error(&cb[0]) == EAI_INPROGRESS)
		(void)gai_suspend((const struct gaicb *const *)list, 1, &late);
	printf("request: %d\n", gai_error(&cb[0]));
	freeaddrinfo(cb[0].ar_result);
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		ours = (int)strtol(argv[1], NULL, 10);
	setvbuf(stdout, NULL, _IOLBF, 0);
	numbers();
	clone_on_a_stack();
	ranges();
	names_still_work("nothing");
	abuse_in_a_child("close", close_it);
	abuse_in_a_child("closefrom", close_from);
	abuse_in_a_child("closing each", close_each);
	abuse_in_a_child("dup2", take_its_number);
	abuse_in_a_child("dup3", take_its_number_by_dup3);
	abuse_in_a_child("bad arguments", bad_source);
	in_background();
	return 0;
}
