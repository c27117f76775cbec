/*
 * shim_leave.c - the ways out of a process image, and what must happen first.
 *
 * A kernel's TCP connection outlives its process; ours would die with the
 * thread.  So live flows go to the session at exit (the destructor, or the
 * wrappers of calls that skip it), at exec, and in daemon(3), whose parent
 * leaves inside libc.
 */
#include "preload/shim_image.h"

#include <stdlib.h>
#include <unistd.h>

#define LEAVE_TIMEOUT_MS 3000

static void
leave(struct image *im)
{
	uint32_t word;

	if (im->stage != IMAGE_THREAD || !image_fd_valid(im, IMAGE_STOP) ||
	    im->word == THREAD_GONE)
		return;
	__atomic_store_n(&im->word, THREAD_ASKED, __ATOMIC_RELEASE);
	if (sys_send(im->fds[IMAGE_STOP].fd, "", 1,
	    MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
	for (unsigned i = 0; i < LEAVE_TIMEOUT_MS / 100; i++) {
		word = __atomic_load_n(&im->word, __ATOMIC_ACQUIRE);
		if (word != THREAD_ASKED)
			break;
		shim_futex_wait(&im->word, THREAD_ASKED, 100);
	}
	if (im->word == THREAD_GONE) {
		/* The channel has moved with the flows and goes on working. */
		image_fd_close(im, IMAGE_STOP);
		im->stage = IMAGE_HOSTED;
	}
}

static void
leave_locked(bool newborn_too)
{
	struct image *im = image_get();
	struct shim_guard g;
	int saved = errno;

	if (im == NULL || im->stage == IMAGE_NONE ||
	    im->stage == IMAGE_HOSTED)
		return;
	shim_lock(&g, &im->lock);
	if (im->stage == IMAGE_THREAD)
		leave(im);
	else if (newborn_too && im->stage == IMAGE_WAITING && im->newborn > 0)
		(void)image_host_owner(im);
	shim_unlock(&g, &im->lock);
	errno = saved;
}

/* For exec: sockets that never reached the network are inherited as well. */
void
shim_hand_over(void)
{
	leave_locked(true);
}

__attribute__((destructor)) static void
at_exit(void)
{
	leave_locked(false);
}

static _Noreturn void
end_process(int status)
{
	leave_locked(false);
	for (;;)
		sys_call3(SYS_exit_group, status, 0, 0);
}

SW_EXPORT _Noreturn void
_exit(int status)
{
	end_process(status);
}

SW_EXPORT _Noreturn void
_Exit(int status)
{
	end_process(status);
}

SW_EXPORT _Noreturn void
quick_exit(int status)
{
	void (*real)(int) __attribute__((noreturn));

	leave_locked(false);
	*(void **)&real = shim_libc_symbol("quick_exit");
	real(status);
}

/* The parent leaves by libc's internal _exit, which nobody can interpose. */
SW_EXPORT int
daemon(int nochdir, int noclose)
{
	int (*real)(int, int);

	shim_hand_over();
	*(void **)&real = shim_libc_symbol("daemon");
	return real(nochdir, noclose);
}
