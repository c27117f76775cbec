/*
 * Programs started from inside libc: posix_spawn(3), system(3), popen(3),
 * wordexp(3).  libc does the work; the environment is completed first.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wordexp.h>

#include "preload/shim.h"
#include "preload/shim_exec.h"
#include "preload/shim_execenv.h"

typedef int spawn_call(pid_t *, const char *,
    const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
    char *const[], char *const[]);

/* posix_spawn(3) reports by its result, not by errno. */
static int
spawn(const char *symbol, pid_t *pid, const char *path,
    const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
    char *const argv[], char *const envp[])
{
	spawn_call *call;
	struct execenv e;
	char *const *env;
	int r;

	*(void **)&call = shim_libc_symbol(symbol);
	if (call == NULL)
		return ENOSYS;
	env = execenv_make(&e, shim_config()->env, envp);
	if (env != envp)
		shim_note(REASON_ENVIRONMENT);
	if (env == NULL && envp != NULL)
		return ENOMEM;
	shim_exec_prepare();
	if (path != NULL && strchr(path, '/') != NULL &&
	    !exec_explain(AT_FDCWD, path, 0) &&
	    (env = execenv_drop(&e, "LD_PRELOAD", env)) == NULL)
		return ENOMEM;
	r = call(pid, path, actions, attr, argv, env);
	execenv_wipe(&e);
	return r;
}

SW_EXPORT int
posix_spawn(pid_t *pid, const char *path,
    const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
    char *const argv[], char *const envp[])
{
	return spawn("posix_spawn", pid, path, actions, attr, argv, envp);
}

SW_EXPORT int
posix_spawnp(pid_t *pid, const char *file,
    const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
    char *const argv[], char *const envp[])
{
	return spawn("posix_spawnp", pid, file, actions, attr, argv, envp);
}

/* These take `environ` itself, which the program may have emptied.  Only what
 * is missing is put back, so that `environ` rarely changes. */
static void
complete_environ(void)
{
	const char *const *ours = shim_config()->env;
	char *const *env;
	struct execenv e;
	int saved = errno;

	env = execenv_make(&e, ours, environ);
	if (env != NULL && env != (char *const *)environ)
		for (; *ours != NULL; ours++) {
			const char *value = strchr(*ours, '=');
			char name[32];
			size_t n = (size_t)(value - *ours);

			if (n >= sizeof(name))
				continue;
			memcpy(name, *ours, n);
			name[n] = '\0';
			value = execenv_get(env, name);
			if (value != NULL)
				setenv(name, value, 1);
		}
	execenv_wipe(&e);
	shim_exec_prepare();
	errno = saved;
}

SW_EXPORT int
system(const char *command)
{
	int (*call)(const char *);

	*(void **)&call = shim_libc_symbol("system");
	if (command != NULL)
		complete_environ();
	return call(command);
}

SW_EXPORT FILE *
popen(const char *command, const char *mode)
{
	FILE *(*call)(const char *, const char *);

	*(void **)&call = shim_libc_symbol("popen");
	complete_environ();
	return call(command, mode);
}

SW_EXPORT int
wordexp(const char *words, wordexp_t *out, int flags)
{
	int (*call)(const char *, wordexp_t *, int);

	*(void **)&call = shim_libc_symbol("wordexp");
	complete_environ();
	return call(words, out, flags);
}
