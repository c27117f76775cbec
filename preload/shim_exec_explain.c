/*
 * Why a program will run without the library.  Its sockets fail closed all
 * the same, by the seccomp filter; this only says so to who asked.
 */
#include "preload/shim_exec.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload/shim.h"
#include "preload/shim_execenv.h"

#define HEADS_MAX 64	/* program headers looked at */

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#else
#define OUR_MACHINE EM_AARCH64
#endif

/* NULL when the library will be there, or when the file is not ELF. */
static const char *
reason_in(int fd)
{
	ElfW(Phdr) head[HEADS_MAX];
	ElfW(Ehdr) eh = { 0 };
	struct stat st = { 0 };
	size_t n;

	if (sys_call3(SYS_fstat, fd, (long)&st, 0) == 0 &&
	    (st.st_mode & (S_ISUID | S_ISGID)) != 0)
		return "is set-user-ID or set-group-ID";
	if (sys_read(fd, &eh, sizeof(eh)) != (ssize_t)sizeof(eh) ||
	    memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0)
		return NULL;
	if (eh.e_machine != OUR_MACHINE || eh.e_ident[EI_CLASS] != ELFCLASS64)
		return "is for another machine";
	n = eh.e_phnum < HEADS_MAX ? eh.e_phnum : HEADS_MAX;
	if (eh.e_phentsize != sizeof(head[0]) ||
	    sys_call6(SYS_pread64, fd, (long)head, (long)(n * sizeof(head[0])),
	    (long)eh.e_phoff, 0, 0) != (long)(n * sizeof(head[0])))
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (head[i].p_type == PT_INTERP)
			return NULL;
	return "is static";
}

/* base/log.h is for the stack's thread, whose descriptors are its own: here
 * its number may be anything of the program's. */
static void
put_line(const char *reason)
{
	const char *path = execenv_get((char *const *)(uintptr_t)
	    shim_config()->env, "SMOLWRAP_LOG_FILE");
	const struct iovec line[] = {
		{ (char *)(uintptr_t)"shim: exec: the program ", 24 },
		{ (char *)(uintptr_t)reason, strlen(reason) },
		{ (char *)(uintptr_t)": it has no network\n", 20 },
	};
	int fd = 2;

	if (path != NULL)
		fd = (int)sys_call6(SYS_openat, AT_FDCWD, (long)path,
		    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600, 0, 0);
	if (fd < 0)
		return;
	(void)sys_writev(fd, line, 3);
	if (fd != 2)
		sys_close(fd);
}

void
exec_explain(int dirfd, const char *path, int flags)
{
	const struct shim_config *cfg = shim_config();
	const char *reason = NULL, *level;
	long fd;

	level = execenv_get((char *const *)(uintptr_t)cfg->env,
	    "SMOLWRAP_LOG");
	if (level == NULL || strcmp(level, "debug") != 0 || cfg->isolated)
		return;
	if (flags & AT_EMPTY_PATH && *path == '\0')
		return;
	fd = sys_call6(SYS_openat, dirfd, (long)path, O_RDONLY | O_CLOEXEC |
	    O_NONBLOCK, 0, 0, 0);
	if (fd < 0)
		return;
	reason = reason_in((int)fd);
	sys_close((int)fd);
	if (reason != NULL) {
		shim_note(REASON_PROGRAM);
		put_line(reason);
	}
}
