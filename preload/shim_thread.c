/*
 * shim_thread.c - the stack's thread inside somebody else's program.
 *
 * Made by clone(2) and unknown to libc: creating it takes none of the
 * program's heap (pthread_create allocates its TLS vector there), libc still
 * counts the program as single-threaded, and the last pthread_exit still ends
 * it.  What libc's code needs of a thread is given by hand: a thread pointer
 * with static TLS below (x86-64) or above (aarch64) it, initialised from each
 * module's image as the loader would do.  In return the code that runs here
 * must stay away from the heap, stdio, locks of libc and cancellation.
 *
 * The thread leaves the program's descriptor table (unshare) and closes
 * whatever is not its own.  So far ends, link and loop are out of reach of
 * close_range(2) and dup2(2), no fork inherits them, and no descriptor of the
 * program's is held open by us.
 */
#include "preload/shim_image.h"

#include <fcntl.h>
#include <link.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "base/container.h"
#include "base/log.h"
#include "base/loop.h"
#include "stack/owner.h"

#define STACK_LEN (256L * 1024)
#define TLS_SIDE (64L * 1024)	/* on either side of the thread pointer */
#define AREA_LEN (STACK_LEN + 2 * TLS_SIDE)
#define START_TIMEOUT_MS 5000

struct start {
	struct image *im;
	int server, link, ctl;
};

struct runner {
	struct loop loop;
	struct loop_turn turn;
	struct owner *owner;
	struct image *im;
	bool ended;
};

/* ---- a thread pointer ------------------------------------------------------ */

#if defined(__x86_64__)
static uintptr_t
own_thread_pointer(void)
{
	uintptr_t tp;

	__asm__("mov %%fs:0x10, %0" : "=r"(tp));
	return tp;
}

static void
fill_header(uint8_t *tp)
{
	const uint8_t *mine = (const uint8_t *)own_thread_pointer();
	uintptr_t self = (uintptr_t)tp;

	memcpy(tp, &self, sizeof(self));		/* tcb */
	memcpy(tp + 0x10, &self, sizeof(self));		/* self */
	memcpy(tp + 0x28, mine + 0x28, 16);	/* stack and pointer guards */
}
#elif defined(__aarch64__)
static uintptr_t
own_thread_pointer(void)
{
	uintptr_t tp;

	__asm__("mrs %0, tpidr_el0" : "=r"(tp));
	return tp;
}

static void
fill_header(uint8_t *tp)
{
	(void)tp;		/* the guards are global variables there */
}
#endif

static int
copy_tls_image(struct dl_phdr_info *o, size_t size, void *arg)
{
	uint8_t *tp = arg;
	intptr_t at;

	if (size < offsetof(struct dl_phdr_info, dlpi_tls_data) +
	    sizeof(void *) || o->dlpi_tls_data == NULL)
		return 0;
	at = (intptr_t)((uintptr_t)o->dlpi_tls_data - own_thread_pointer());
	for (Elf64_Half i = 0; i < o->dlpi_phnum; i++) {
		const Elf64_Phdr *p = &o->dlpi_phdr[i];

		/* Blocks far from the pointer are of modules loaded later;
		 * our code uses none of them. */
		if (p->p_type != PT_TLS || at < -TLS_SIDE ||
		    at + (intptr_t)p->p_memsz > TLS_SIDE)
			continue;
		memcpy(tp + at, (const void *)(o->dlpi_addr + p->p_vaddr),
		    p->p_filesz);
	}
	return 0;
}

/* ---- the thread ---------------------------------------------------------------- */

static void
close_between(int from, int to)
{
	if (from <= to)
		sys_call3(SYS_close_range, from, to, 0);
}

static void
close_all_but(int *keep, unsigned n)
{
	int next = 0;

	for (unsigned i = 1; i < n; i++)
		for (unsigned k = i; k > 0 && keep[k] < keep[k - 1]; k--) {
			int swap = keep[k];

			keep[k] = keep[k - 1];
			keep[k - 1] = swap;
		}
	for (unsigned i = 0; i < n; i++) {
		close_between(next, keep[i] - 1);
		next = keep[i] + 1;
	}
	sys_call3(SYS_close_range, next, -1, 0);
}

/* Lines go to a descriptor of this thread's own table, so only code that runs
 * here may log. */
static int
open_log(void)
{
	const char *word = secure_getenv("SMOLWRAP_LOG");
	const char *path = secure_getenv("SMOLWRAP_LOG_FILE");
	int level = word == NULL ? -1 : log_level_parse(word), fd;

	if (level < 0)
		return -1;
	if (path != NULL)
		fd = (int)sys_call6(SYS_openat, AT_FDCWD, (long)path,
		    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600, 0, 0);
	else
		fd = sys_fcntl(2, F_DUPFD_CLOEXEC, 3);
	if (fd >= 0)
		log_open(fd, (enum log_level)level, "shim");
	return fd;
}

static bool
is_asked(const struct runner *r)
{
	return __atomic_load_n(&r->im->word, __ATOMIC_ACQUIRE) ==
	    THREAD_ASKED;
}

/* At the end of each turn: a packet boundary. */
static void
on_turn(struct loop_turn *h)
{
	struct runner *r = CONTAINER_OF(h, struct runner, turn);

	if (is_asked(r))
		r->loop.stop = true;
}

static void
on_idle(void *arg, struct owner *o)
{
	struct runner *r = arg;

	(void)o;
	r->ended = true;
	r->loop.stop = true;
}

static const struct owner_events owner_events = { .idle = on_idle };

/* False when there is nothing to hand over. */
static bool
hand_over(struct runner *r, uint32_t id, int ctl)
{
	struct session_msg m = { .magic = SESSION_MAGIC,
		.op = SESSION_HANDOVER, .owner = id };
	struct iovec iov = { &m, sizeof(m) };
	int pair[2] = { -1, -1 };

	/* What the program has said and written so far is heard first. */
	for (unsigned i = 0; i < 3; i++)
		if (loop_run_once(&r->loop, 0) != SW_OK)
			break;
	if (r->ended || owner_count_flows(r->owner) == 0)
		return false;
	if (sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
	    pair) < 0)
		return false;
	if (shim_send_fds(ctl, &iov, 1, &pair[1], 1) < 0) {
		sys_close(pair[0]);
		sys_close(pair[1]);
		return false;
	}
	sys_close(pair[1]);
	if (owner_export(r->owner, pair[0]) != SW_OK)
		log_warn("shim: handover failed");
	r->owner = NULL;
	sys_close(pair[0]);
	return true;
}

static void
say(struct image *im, uint32_t word)
{
	__atomic_store_n(&im->word, word, __ATOMIC_RELEASE);
	shim_futex_wake(&im->word);
}

/* What the program may do is not this thread's; and when the program gives up
 * its privilege, libc does not know of us. */
static void
drop_capabilities(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	sys_call3(SYS_capset, (long)&head, (long)none, 0);
}

static int
thread_main(void *arg)
{
	/* Static: one such thread runs in a process. */
	static struct runner r;
	struct start s = *(struct start *)arg;
	int keep[4] = { s.server, s.link, s.ctl, -1 };
	uint32_t id = s.im->id;
	unsigned kept = 3;

	if (sys_call3(SYS_unshare, CLONE_FILES, 0, 0) < 0) {
		say(s.im, THREAD_FAILED);
		return 0;
	}
	sys_call6(SYS_prctl, PR_SET_NAME, (long)"smolwrap", 0, 0, 0, 0);
	if ((keep[3] = open_log()) >= 0)
		kept = 4;
	close_all_but(keep, kept);
	drop_capabilities();
	r = (struct runner){ .turn = { .run = on_turn }, .im = s.im };
	if (loop_init(&r.loop) != SW_OK)
		goto fail;
	loop_add_turn(&r.loop, &r.turn);
	r.owner = owner_new(&r.loop, id, s.server, s.link, &owner_events, &r);
	if (r.owner == NULL)
		goto fail;
	say(s.im, THREAD_RUNNING);
	for (;;) {
		if (loop_run(&r.loop) != SW_OK || r.ended)
			break;
		if (!is_asked(&r))
			continue;
		if (hand_over(&r, id, s.ctl) || r.ended)
			break;
		r.loop.stop = false;
		say(s.im, THREAD_IDLE);
	}
	if (r.owner != NULL)
		owner_free(r.owner);
	say(s.im, THREAD_GONE);
	return 0;
fail:
	say(s.im, THREAD_FAILED);
	return 0;
}

int
shim_thread_start(struct image *im, int server, int link, int ctl)
{
	struct start s = { im, server, link, ctl };
	uint8_t *area, *tp;
	const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
	    CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
	    CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;

	area = mmap(NULL, AREA_LEN, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED)
		return -EPERM;
	/* The lowest page catches a stack that grew too far. */
	mprotect(area, 4096, PROT_NONE);
	tp = area + STACK_LEN + TLS_SIDE;
	fill_header(tp);
	dl_iterate_phdr(copy_tls_image, tp);
	im->word = THREAD_STARTING;
	/* The caller holds the lock, with every signal blocked: so are the
	 * thread's, for good. */
	if (clone(thread_main, area + STACK_LEN - 64, flags, &s, &im->tid, tp,
	    &im->tid) < 0) {
		munmap(area, AREA_LEN);
		return -EPERM;
	}
	for (unsigned i = 0; i < START_TIMEOUT_MS / 100 &&
	    __atomic_load_n(&im->word, __ATOMIC_ACQUIRE) == THREAD_STARTING &&
	    image_thread_lives(im); i++)
		shim_futex_wait(&im->word, THREAD_STARTING, 100);
	/* A thread that failed has left its memory behind: once, and small. */
	return im->word == THREAD_RUNNING ? 0 : -EPERM;
}
