/*
 * early ADDRESS DARK [preinit] - network calls where few programs make them
 * (interposer.md 17.6): before any constructor, from the allocator, in a
 * signal handler on a small stack, in cancelled threads, in a vfork child, in
 * many threads at once, after exit() has begun. With a third argument, the one
 * call that comes before even libc is ready.
 */
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/probes/report.h"
#include "tests/probes/wire.h"

static const char *dark;
static long preinit_got = -2, constructor_got = -2, malloc_got = -2;

/* The arguments are only known to main, but the dynamic linker hands them to
 * every initialiser. */
static void
set_address(int argc, char **argv)
{
	if (argc >= 3) {
		wire_addr = argv[1];
		dark = argv[2];
	}
}

static long
line(void)
{
	int fd = wire_dial(LINE);
	long n = wire_line(fd);

	(void)close(fd);
	return n;
}

static void
preinit(int argc, char **argv, char **env)
{
	(void)env;
	if (argc != 4)
		return;
	set_address(argc, argv);
	preinit_got = line();
}

__attribute__((section(".preinit_array"), used))
static void (*const preinit_entry)(int, char **, char **) = preinit;

__attribute__((constructor)) static void
constructor(int argc, char **argv, char **env)
{
	(void)env;
	set_address(argc, argv);
	if (wire_addr != NULL)
		constructor_got = line();
}

/*
 * An allocator of the program's own that opens a socket the first time: what a
 * profiling allocator with a network back end does. It never frees.
 */
static char heap[64 << 20] __attribute__((aligned(16)));
static size_t heap_used;
static bool in_malloc;

__attribute__((visibility("default"))) void *
malloc(size_t n)
{
	size_t at;

	if (!in_malloc && wire_addr != NULL) {
		in_malloc = true;
		malloc_got = line();
	}
	n = (n + 31) & ~(size_t)15;
	at = __atomic_fetch_add(&heap_used, n, __ATOMIC_RELAXED);
	if (at + n > sizeof(heap)) {
		errno = ENOMEM;
		return NULL;
	}
	*(size_t *)(void *)(heap + at) = n - 16;
	return heap + at + 16;
}

__attribute__((visibility("default"))) void
free(void *p)
{
	(void)p;
}

__attribute__((visibility("default"))) void *
calloc(size_t n, size_t size)
{
	return malloc(n * size);	/* fresh pages are zero */
}

__attribute__((visibility("default"))) void *
realloc(void *p, size_t n)
{
	size_t had;
	void *q = malloc(n);

	if (p != NULL && q != NULL) {
		had = *(size_t *)(void *)((char *)p - 16);
		memcpy(q, p, had < n ? had : n);
	}
	return q;
}

static volatile long in_handler = -2;

static void
handler(int sig)
{
	int saved = errno;

	(void)sig;
	in_handler = line();
	errno = saved;
}

static void
small_stack(void)
{
	size_t len = 4096 + getauxval(AT_MINSIGSTKSZ);
	uint8_t *p = mmap(NULL, len + 8192, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sigaction sa = { .sa_handler = handler,
		.sa_flags = SA_ONSTACK };
	stack_t ss = { .ss_size = len };

	/* A guard page below: an overrun is a crash, not a surprise. */
	len = (len + 4095) & ~(size_t)4095;
	(void)mprotect(p + 4096, len, PROT_READ | PROT_WRITE);
	ss.ss_sp = p + 4096;
	(void)sigaltstack(&ss, NULL);
	(void)sigaction(SIGUSR1, &sa, NULL);
	section = "signal-handler";
	(void)raise(SIGUSR1);
	cell("line", "%ld", in_handler);
}

static int
count_descriptors(void)
{
	int i, n = 0;

	for (i = 0; i < 512; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

static int shared_fd;

static void *
connecting(void *arg)
{
	struct sockaddr_in s = wire_at(dark, 80);

	(void)arg;
	(void)connect(shared_fd, (struct sockaddr *)&s, sizeof(s));
	return NULL;
}

static void *
receiving(void *arg)
{
	char c;

	(void)arg;
	(void)recv(shared_fd, &c, 1, 0);
	return NULL;
}

static void
cancelled(void)
{
	pthread_t t;
	void *r;
	int before;

	section = "cancelled";
	shared_fd = socket(AF_INET, SOCK_STREAM, 0);
	before = count_descriptors();
	(void)pthread_create(&t, NULL, connecting, NULL);
	(void)usleep(200000);
	(void)pthread_cancel(t);
	(void)pthread_join(t, &r);
	cell("connect", "%s", r == PTHREAD_CANCELED ? "cancelled" : "ended");
	cell("descriptors", "%d", count_descriptors() - before);
	(void)close(shared_fd);
	shared_fd = wire_dial(HANG);
	(void)pthread_create(&t, NULL, receiving, NULL);
	(void)usleep(200000);
	(void)pthread_cancel(t);
	(void)pthread_join(t, &r);
	cell("recv", "%s", r == PTHREAD_CANCELED ? "cancelled" : "ended");
	(void)close(shared_fd);
	cell("line-after", "%ld", line());
}

static void
after_vfork(void)
{
	static volatile long got;
	int status;
	pid_t pid;

	section = "vfork";
	got = -2;
	if ((pid = vfork()) == 0) {
		got = line();
		_exit(3);
	}
	(void)waitpid(pid, &status, 0);
	cell("child", "%ld,%d", got, WEXITSTATUS(status));
	cell("parent", "%ld", line());
}

static void *
ten_lines(void *arg)
{
	long good = 0;
	int i;

	(void)arg;
	for (i = 0; i < 10; i++)
		good += line() == 7;
	return (void *)(uintptr_t)good;
}

static void
many_threads(void)
{
	pthread_t t[16];
	uintptr_t total = 0;
	void *r;
	int i, status;
	pid_t pid;

	section = "threads";
	for (i = 0; i < 16; i++)
		(void)pthread_create(&t[i], NULL, ten_lines, NULL);
	/* A child made while they run has none of them. */
	if ((pid = fork()) == 0)
		_exit(line() == 7 ? 0 : 1);
	(void)waitpid(pid, &status, 0);
	for (i = 0; i < 16; i++) {
		(void)pthread_join(t[i], &r);
		total += (uintptr_t)r;
	}
	cell("lines", "%lu", (unsigned long)total);
	cell("forked-child", "%d", status);
}

static void
resolving(void)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST }, *ai;

	section = "resolver";
	result("numeric", getaddrinfo("192.0.2.1", "80", &hints, &ai));
	result("localhost", getaddrinfo("localhost", NULL, NULL, &ai));
}

static void
at_exit(void)
{
	section = "atexit";
	cell("line", "%ld", line());
}

__attribute__((destructor)) static void
destructor(void)
{
	section = "destructor";
	if (wire_addr != NULL)
		cell("line", "%ld", line());
	(void)fflush(stdout);
}

int
main(int argc, char **argv)
{
	if (argc == 4) {
		section = "preinit";
		cell("line", "%ld", preinit_got);
		cell("line-later", "%ld", line());
		return 0;
	}
	if (argc != 3)
		return 2;
	set_address(argc, argv);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(60);
	char *volatile copy = strdup("an allocation");

	section = "start";
	cell("copied", "%s", copy != NULL ? "yes" : "no");
	cell("constructor", "%ld", constructor_got);
	cell("malloc", "%ld", malloc_got);
	(void)atexit(at_exit);
	small_stack();
	cancelled();
	after_vfork();
	many_threads();
	resolving();
	return 0;
}
