/*
 * Closing and replacing descriptors.
 *
 * The kernel does all of it; these wrappers only keep the library's own
 * descriptors out of the program's reach, and wait where SO_LINGER asks for
 * it.  To the program our numbers are not there: closing one is EBADF, a
 * range is closed around them, and a number it wants for itself it gets.
 *
 * Async-signal-safe; a vfork child may call all of it.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sys/resource.h>
#include <unistd.h>

#include "preload/shim.h"

int __close(int fd);
int __dup2(int old, int new);

SW_EXPORT int
close(int fd)
{
	struct shim_tag t;

	if (shim_owns_fd(fd))
		return (int)shim_ret(-EBADF);
	if (shim_tag_get(fd, &t) && (t.flags & SHIM_LINGER))
		shim_linger(fd, t);
	return shim_libc()->close(fd);
}

SW_EXPORT int
__close(int fd)
{
	return close(fd);
}

/* [first, end) by the kernel's call; nothing for an empty one. */
static long
close_part(uint64_t first, uint64_t end, unsigned *flags)
{
	long r;

	if (first >= end)
		return 0;
	r = sys_call3(SYS_close_range, (long)first, (long)(end - 1), *flags);
	*flags &= ~CLOSE_RANGE_UNSHARE;		/* once is enough */
	return r;
}

static int
close_around_ours(unsigned first, unsigned last, unsigned flags)
{
	uint64_t at = first, end = (uint64_t)last + 1;
	int ours[SHIM_OWNED_MAX];
	unsigned n = shim_owned_fds(ours);
	long r = 0;

	for (unsigned i = 0; i < n && r >= 0; i++) {
		uint64_t our = (uint64_t)ours[i];

		if (our < at || our >= end)
			continue;
		r = close_part(at, our, &flags);
		at = our + 1;
	}
	if (r >= 0)
		r = close_part(at, end, &flags);
	/* Only ours in the range: a bad flag is still an error, and unsharing
	 * still wanted. */
	if (r >= 0 && flags & ~(unsigned)CLOSE_RANGE_CLOEXEC)
		r = sys_call3(SYS_close_range, UINT_MAX, UINT_MAX, flags);
	return (int)r;
}

SW_EXPORT int
close_range(unsigned first, unsigned last, int flags)
{
	if (first > last)
		return (int)shim_ret(-EINVAL);
	return (int)shim_ret(close_around_ours(first, last, (unsigned)flags));
}

SW_EXPORT void
closefrom(int low)
{
	struct rlimit limit = { 0 };

	if (low < 0)
		low = 0;
	if (close_around_ours((unsigned)low, UINT_MAX, 0) == 0)
		return;
	/* A kernel or a filter without close_range(2). */
	sys_call6(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit, 0, 0);
	for (int fd = low; (rlim_t)fd < limit.rlim_cur && fd < INT_MAX; fd++)
		if (!shim_owns_fd(fd))
			sys_close(fd);
}

static int
replace(int old, int new, int flags)
{
	int r;

	/* A bad `old` leaves `new`, and ours, where they are. */
	if (new >= 0 && shim_owns_fd(new)) {
		if ((r = sys_fcntl(old, F_GETFD, 0)) < 0)
			return r;
		if ((r = shim_move_fd(new)) < 0)
			return r;
	}
	return (int)sys_call3(SYS_dup3, old, new, flags);
}

SW_EXPORT int
dup2(int old, int new)
{
	int r;

	/* dup2(x, x) only asks whether x is open; dup3(x, x) is an error. */
	if (old == new) {
		r = sys_fcntl(old, F_GETFD, 0);
		return (int)shim_ret(r < 0 ? r : new);
	}
	return (int)shim_ret(replace(old, new, 0));
}

SW_EXPORT int
__dup2(int old, int new)
{
	return dup2(old, new);
}

SW_EXPORT int
dup3(int old, int new, int flags)
{
	if (old == new)
		return (int)shim_ret(-EINVAL);
	return (int)shim_ret(replace(old, new, flags));
}
