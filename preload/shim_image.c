/*
 * shim_image.c - the image's state: whose memory it is, its locks, what fork
 * does to it, and the library's own descriptors.
 */
#include "preload/shim_image.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#if defined(__x86_64__)
#define PAGE 4096
#else
#define PAGE 65536		/* the largest in use */
#endif

_Static_assert(sizeof(struct image) <= 4096, "the image is one page");
static union {
	struct image image;
	char page[PAGE];
} home __attribute__((aligned(PAGE)));

/* The same descriptors in ordinary memory, for the forked child to close. */
static struct image_fd inherited[IMAGE_FDS];

bool image_pristine = true;

/* ---- memory ------------------------------------------------------------- */

static void watch_forks(void);

/* A vfork child runs in its parent's memory; the kernel's note of where to
 * clear a thread's id is set in every process and thread that libc made, and
 * not in one made by vfork. */
static bool
is_vfork_child(void)
{
	uint32_t *tid = NULL;

	return sys_call6(SYS_prctl, PR_GET_TID_ADDRESS, (long)&tid, 0, 0, 0,
	    0) == 0 && tid == NULL;
}

struct image *
image_peek(void)
{
	struct image *im = &home.image;

	if (image_is_pristine())
		return NULL;
	return im->pid != 0 && im->pid == image_own_pid() ? im : NULL;
}

struct image *
image_get(void)
{
	struct image *im = &home.image;
	int32_t pid = image_own_pid(), none = 0;

	if (im->pid == pid)
		return im;
	if (im->pid != 0 || is_vfork_child())
		return NULL;
	__atomic_store_n(&image_pristine, false, __ATOMIC_RELAXED);
	if (__atomic_compare_exchange_n(&im->pid, &none, pid, false,
	    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		madvise(&home, sizeof(home), MADV_WIPEONFORK);
		watch_forks();
	}
	return im;
}

void
shim_futex_wait(uint32_t *word, uint32_t value, int timeout_ms)
{
	struct timespec ts = { .tv_sec = timeout_ms / 1000,
		.tv_nsec = timeout_ms % 1000 * 1000000L };

	sys_call6(SYS_futex, (long)word, FUTEX_WAIT_PRIVATE, value,
	    timeout_ms < 0 ? 0 : (long)&ts, 0, 0);
}

void
shim_futex_wake(uint32_t *word)
{
	sys_call6(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, INT32_MAX, 0, 0,
	    0);
}

void
shim_lock(struct shim_guard *g, uint32_t *word)
{
	uint64_t all = ~(uint64_t)0;
	uint32_t seen = 0;

	sys_call6(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&g->mask,
	    sizeof(all), 0, 0);
	/* 0 free, 1 held, 2 held and waited for */
	if (__atomic_compare_exchange_n(word, &seen, 1, false,
	    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0)
		shim_futex_wait(word, 2, -1);
}

void
shim_unlock(const struct shim_guard *g, uint32_t *word)
{
	if (__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2)
		shim_futex_wake(word);
	sys_call6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&g->mask, 0,
	    sizeof(g->mask), 0, 0);
}

/* ---- descriptors of our own --------------------------------------------- */

bool
image_fd_valid(const struct image *im, enum image_fd_name n)
{
	const struct image_fd *f = &im->fds[n];

	return f->cookie != 0 && shim_cookie(f->fd) == f->cookie;
}

void
image_fd_set(struct image *im, enum image_fd_name n, int fd)
{
	im->fds[n] = (struct image_fd){ fd, shim_cookie(fd) };
	inherited[n] = im->fds[n];
}

void
image_fd_close(struct image *im, enum image_fd_name n)
{
	if (image_fd_valid(im, n))
		sys_close(im->fds[n].fd);
	im->fds[n] = inherited[n] = (struct image_fd){ 0 };
}

int
shim_kept_ctl(void)
{
	struct image *im = image_get();

	return im != NULL && image_fd_valid(im, IMAGE_CTL) ?
	    im->fds[IMAGE_CTL].fd : -1;
}

void
shim_keep_ctl(int fd, uint64_t cookie)
{
	struct image *im = image_get();

	(void)cookie;
	if (im != NULL)
		image_fd_set(im, IMAGE_CTL, fd);
}

unsigned
shim_owned_fds(int out[static SHIM_OWNED_MAX])
{
	const struct shim_config *c = shim_config();
	const struct image *im = image_peek();
	unsigned n = 0;

	for (unsigned i = 0; im != NULL && i < IMAGE_FDS; i++)
		if (image_fd_valid(im, i))
			out[n++] = im->fds[i].fd;
	if (c->wrapped && shim_is_ctl(c->ctl_fd))
		out[n++] = c->ctl_fd;
	for (unsigned i = 1; i < n; i++)
		for (unsigned k = i; k > 0 && out[k] < out[k - 1]; k--) {
			int swap = out[k];

			out[k] = out[k - 1];
			out[k - 1] = swap;
		}
	return n;
}

bool
shim_owns_fd(int fd)
{
	const struct shim_config *c = shim_config();
	const struct image *im = &home.image;

	/* Every close() asks: compare numbers before calling the kernel. */
	if (c->wrapped && fd == c->ctl_fd && shim_is_ctl(fd))
		return true;
	for (unsigned i = 0; i < IMAGE_FDS; i++)
		if (im->fds[i].cookie != 0 && im->fds[i].fd == fd)
			return image_peek() != NULL && image_fd_valid(im, i);
	return false;
}

int
shim_move_fd(int fd)
{
	struct image *im = image_get();
	struct shim_guard g;
	int r = 0;

	if (im == NULL)
		return -EBUSY;
	shim_lock(&g, &im->lock);
	for (unsigned i = 0; i < IMAGE_FDS; i++) {
		int up;

		if (im->fds[i].fd != fd || !image_fd_valid(im, i))
			continue;
		/* Above, so that a loop over all numbers ends. */
		up = sys_fcntl(fd, F_DUPFD_CLOEXEC, fd + 1);
		if (up < 0)
			r = up;
		else
			image_fd_set(im, i, up);
	}
	if (fd == shim_config()->ctl_fd && r == 0) {
		int up = sys_fcntl(fd, F_DUPFD_CLOEXEC, fd + 1);

		if (up < 0)
			r = up;
		else
			image_fd_set(im, IMAGE_CTL, up);
	}
	shim_unlock(&g, &im->lock);
	return r;
}

bool
shim_room_begin(struct shim_room *old)
{
	struct shim_room more;

	if (sys_call6(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)old, 0, 0) <
	    0 || old->soft >= old->hard)
		return false;
	more = (struct shim_room){ old->hard, old->hard };
	return sys_call6(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)&more, 0, 0,
	    0) == 0;
}

void
shim_room_end(const struct shim_room *old)
{
	sys_call6(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)old, 0, 0, 0);
}

/* ---- fork -------------------------------------------------------------------- */

/* Sockets whose owner has not begun would be nobody's in the child: let the
 * session run them from here on. */
static void
before_fork(void)
{
	struct image *im = image_peek();
	struct shim_guard g;

	if (im == NULL || im->stage != IMAGE_WAITING || im->newborn == 0)
		return;
	shim_lock(&g, &im->lock);
	if (im->stage == IMAGE_WAITING && image_host_owner(im) == 0) {
		/* The parent's later sockets get a stack of their own. */
		image_fd_close(im, IMAGE_CHANNEL);
		im->stage = IMAGE_NONE;
		im->id = 0;
	}
	shim_unlock(&g, &im->lock);
}

static void
in_child(void)
{
	for (unsigned i = 0; i < IMAGE_FDS; i++) {
		if (inherited[i].cookie != 0 &&
		    shim_cookie(inherited[i].fd) == inherited[i].cookie)
			sys_close(inherited[i].fd);
		inherited[i] = (struct image_fd){ 0 };
	}
	memset(&home, 0, sizeof(home.image));
}

/* pthread_atfork() wants to know whose handlers these are.  The start files of
 * the C runtime would say it; the library is linked without them. */
__attribute__((visibility("hidden"))) void *const __dso_handle =
    (void *)(uintptr_t)&__dso_handle;

static void
watch_forks(void)
{
	/* In ordinary memory: a child inherits it with the handlers. */
	static bool watched;

	if (watched)
		return;
	watched = true;
	pthread_atfork(before_fork, NULL, in_child);
}
