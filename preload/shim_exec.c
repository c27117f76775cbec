/*
 * The exec family.
 *
 * libc's members call each other inside libc, where no wrapper sees it, so
 * each one is defined here, all on top of shim_exec_at().  The rules kept for
 * the new image: our environment variables are there, the control descriptor is
 * inherited, and live flows have a new owner.
 *
 * May run in a vfork child: no heap, and nothing shared is written.
 */
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload/shim.h"
#include "preload/shim_exec.h"
#include "preload/shim_execenv.h"

#define SHELL "/bin/sh"

/* If the control channel still is what its number says, let it through. */
static void
keep_control(const struct shim_config *cfg)
{
	struct stat st = { 0 };
	int flags;

	if (!cfg->wrapped ||
	    sys_call3(SYS_fstat, cfg->ctl_fd, (long)&st, 0) != 0 ||
	    st.st_ino != cfg->ctl_inode)
		return;
	flags = sys_fcntl(cfg->ctl_fd, F_GETFD, 0);
	if (flags >= 0 && (flags & FD_CLOEXEC))
		sys_fcntl(cfg->ctl_fd, F_SETFD, flags & ~FD_CLOEXEC);
}

/* Worth giving up this image's stack for?  A miss of the PATH search is not. */
static bool
looks_executable(int dirfd, const char *path, int flags)
{
	struct stat st = { 0 };

	return sys_call6(SYS_newfstatat, dirfd, (long)path, (long)&st,
	    flags & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW), 0, 0) == 0 &&
	    S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0;
}

void
shim_exec_prepare(void)
{
	keep_control(shim_config());
}

/* By execve(2) where that says the same, for the sake of filters and old
 * kernels. */
int
shim_exec_at(int dirfd, const char *path, char *const *argv, char *const *envp,
    int flags)
{
	const struct shim_config *cfg = shim_config();
	struct execenv e;
	char *const *env;
	long r;

	if (path == NULL)
		return -EFAULT;
	if ((env = execenv_make(&e, cfg->env, envp)) == NULL && envp != NULL)
		return -ENOMEM;
	if (env != envp)
		shim_note(REASON_ENVIRONMENT);
	keep_control(cfg);
	if (looks_executable(dirfd, path, flags)) {
		if (!exec_explain(dirfd, path, flags) &&
		    (env = execenv_drop(&e, "LD_PRELOAD", env)) == NULL)
			return -ENOMEM;
		shim_hand_over();
	}
	if (dirfd == AT_FDCWD && flags == 0)
		r = sys_call3(SYS_execve, (long)path, (long)argv, (long)env);
	else
		r = sys_call6(SYS_execveat, dirfd, (long)path, (long)argv,
		    (long)env, flags, 0);
	execenv_wipe(&e);
	return (int)r;
}

/* A file that the kernel does not take for a program is a shell script. */
static int
exec_script(const char *path, char *const *argv, char *const *envp)
{
	struct execvec v;
	size_t n = 0;
	int r;

	while (argv[n] != NULL)
		n++;
	if (!execvec_init(&v, n + 3))
		return -ENOMEM;
	v.at[0] = (char *)(uintptr_t)SHELL;
	v.at[1] = (char *)(uintptr_t)path;
	v.at[2] = NULL;
	if (n > 1)
		memcpy(v.at + 2, argv + 1, n * sizeof(*argv));
	r = shim_exec_at(AT_FDCWD, SHELL, v.at, envp, 0);
	execvec_wipe(&v);
	return r;
}

static int
exec_or_script(const char *path, char *const *argv, char *const *envp)
{
	int r = shim_exec_at(AT_FDCWD, path, argv, envp, 0);

	return r == -ENOEXEC ? exec_script(path, argv, envp) : r;
}

/* "dir/file" into out; an empty dir is the current one.  False: too long. */
static bool
join(char out[static PATH_MAX], const char *dir, size_t dir_len,
    const char *file)
{
	size_t n = strlen(file) + 1;

	if (dir_len + 1 + n > PATH_MAX)
		return false;
	memcpy(out, dir, dir_len);
	if (dir_len > 0)
		out[dir_len++] = '/';
	memcpy(out + dir_len, file, n);
	return true;
}

/* Is this what execvp(3) takes for "look further"? */
static bool
is_elsewhere(int r)
{
	return r == -ENOENT || r == -ESTALE || r == -ENOTDIR || r == -ENODEV ||
	    r == -ETIMEDOUT;
}

/* execvpe(3): PATH is the caller's, whatever `envp` says. */
static int
exec_search(const char *file, char *const *argv, char *const *envp)
{
	const char *path = execenv_get(environ, "PATH"), *end;
	char full[PATH_MAX];
	bool denied = false;
	int r = -ENOENT;

	if (*file == '\0')
		return -ENOENT;
	if (strchr(file, '/') != NULL)
		return exec_or_script(file, argv, envp);
	if (strlen(file) > NAME_MAX)
		return -ENAMETOOLONG;
	for (path = path != NULL ? path : "/bin:/usr/bin"; ; path = end + 1) {
		end = strchrnul(path, ':');
		if (join(full, path, (size_t)(end - path), file)) {
			r = exec_or_script(full, argv, envp);
			if (r == -EACCES)
				denied = true;
			else if (!is_elsewhere(r))
				return r;
		}
		if (*end == '\0')
			break;
	}
	return denied ? -EACCES : r;
}

SW_EXPORT int
execve(const char *path, char *const argv[], char *const envp[])
{
	return (int)shim_ret(shim_exec_at(AT_FDCWD, path, argv, envp, 0));
}

SW_EXPORT int
execveat(int dirfd, const char *path, char *const argv[], char *const envp[],
    int flags)
{
	return (int)shim_ret(shim_exec_at(dirfd, path, argv, envp, flags));
}

SW_EXPORT int
fexecve(int fd, char *const argv[], char *const envp[])
{
	if (fd < 0)
		return (int)shim_ret(-EINVAL);
	return (int)shim_ret(shim_exec_at(fd, "", argv, envp, AT_EMPTY_PATH));
}

SW_EXPORT int
execv(const char *path, char *const argv[])
{
	return (int)shim_ret(shim_exec_at(AT_FDCWD, path, argv, environ, 0));
}

SW_EXPORT int
execvp(const char *file, char *const argv[])
{
	return (int)shim_ret(exec_search(file, argv, environ));
}

SW_EXPORT int
execvpe(const char *file, char *const argv[], char *const envp[])
{
	return (int)shim_ret(exec_search(file, argv, envp));
}

SW_EXPORT int
execl(const char *path, const char *arg, ...)
{
	struct execvec v;
	va_list ap;
	bool made;
	int r;

	va_start(ap, arg);
	made = execvec_from_list(&v, arg, &ap);
	va_end(ap);
	if (!made)
		return (int)shim_ret(-ENOMEM);
	r = shim_exec_at(AT_FDCWD, path, v.at, environ, 0);
	execvec_wipe(&v);
	return (int)shim_ret(r);
}

SW_EXPORT int
execlp(const char *file, const char *arg, ...)
{
	struct execvec v;
	va_list ap;
	bool made;
	int r;

	va_start(ap, arg);
	made = execvec_from_list(&v, arg, &ap);
	va_end(ap);
	if (!made)
		return (int)shim_ret(-ENOMEM);
	r = exec_search(file, v.at, environ);
	execvec_wipe(&v);
	return (int)shim_ret(r);
}

SW_EXPORT int
execle(const char *path, const char *arg, ...)
{
	char *const *envp = NULL;
	struct execvec v;
	va_list ap;
	bool made;
	int r;

	va_start(ap, arg);
	if ((made = execvec_from_list(&v, arg, &ap)))
		envp = va_arg(ap, char *const *);
	va_end(ap);
	if (!made)
		return (int)shim_ret(-ENOMEM);
	r = shim_exec_at(AT_FDCWD, path, v.at, envp, 0);
	execvec_wipe(&v);
	return (int)shim_ret(r);
}
