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

/* A message that means nothing, to wake the thread's loop. */
static bool
wake_thread(struct image *im)
{
	struct owner_msg m = { .magic = OWNER_MAGIC, .op = OWNER_STATE,
		.owner = im->id };

	return image_fd_valid(im, IMAGE_CHANNEL) &&
	    sys_send(im->fds[IMAGE_CHANNEL].fd, &m, sizeof(m),
	    MSG_NOSIGNAL) == sizeof(m);
}

static void
ask_thread(struct image *im)
{
	if (im->word == THREAD_GONE)
		return;
	__atomic_store_n(&im->word, THREAD_ASKED, __ATOMIC_RELEASE);
	if (!wake_thread(im))
		return;
	for (unsigned i = 0; i < LEAVE_TIMEOUT_MS / 100 &&
	    __atomic_load_n(&im->word, __ATOMIC_ACQUIRE) == THREAD_ASKED &&
	    image_thread_lives(im); i++)
		shim_futex_wait(&im->word, THREAD_ASKED, 100);
	/* The channel has moved with the flows and goes on working. */
	if (im->word == THREAD_GONE)
		im->stage = IMAGE_HOSTED;
}

/* Sockets that never reached the network may be inherited too, or passed. */
void
shim_hand_over(void)
{
	struct image *im = image_peek();
	struct shim_guard g;

	if (im == NULL || im->stage == IMAGE_NONE ||
	    im->stage == IMAGE_HOSTED)
		return;
	shim_lock(&g, &im->lock);
	if (im->stage == IMAGE_THREAD)
		ask_thread(im);
	else if (im->stage == IMAGE_WAITING && im->newborn > 0)
		(void)image_host_owner(im);
	shim_unlock(&g, &im->lock);
}

__attribute__((destructor)) static void
at_exit(void)
{
	if (!image_is_pristine())
		shim_hand_over();
}

static _Noreturn void
end_process(int status)
{
	shim_hand_over();
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
	void (*real)(int);

	shim_hand_over();
	*(void **)&real = shim_libc_symbol("quick_exit");
	real(status);
	end_process(status);
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
