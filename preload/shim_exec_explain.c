/*
 * Why a program will run without the library.  Its sockets fail closed all
 * the same, by the seccomp filter; this only says so: in the log, and to a
 * person who would wonder.
 */
#include "preload/shim_exec.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload/shim.h"

#define HEADS_MAX 64	/* program headers looked at */

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#else
#define OUR_MACHINE EM_AARCH64
#endif

/* What is told: the reason for the log, and words for a person. */
struct finding {
	enum session_reason reason;	/* 0: nothing to tell */
	const char *is, *so;
};

static struct finding
look(int fd)
{
	static const struct finding nothing = { 0, NULL, NULL },
	    set_id = { REASON_SET_ID, "is set-user-ID",
		"runs without that privilege" },
	    foreign = { REASON_PROGRAM, "is for another machine",
		"has no network" },
	    fixed = { REASON_PROGRAM, "is static", "has no network" };
	ElfW(Phdr) head[HEADS_MAX];
	ElfW(Ehdr) eh = { 0 };
	struct stat st = { 0 };
	size_t n;

	if (sys_call3(SYS_fstat, fd, (long)&st, 0) == 0 &&
	    (st.st_mode & S_ISUID) != 0 &&
	    st.st_uid != (uid_t)sys_call3(SYS_geteuid, 0, 0, 0))
		return set_id;
	if (sys_read(fd, &eh, sizeof(eh)) != (ssize_t)sizeof(eh) ||
	    memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0)
		return nothing;
	if (eh.e_machine != OUR_MACHINE || eh.e_ident[EI_CLASS] != ELFCLASS64)
		return foreign;
	n = eh.e_phnum < HEADS_MAX ? eh.e_phnum : HEADS_MAX;
	if (eh.e_phentsize != sizeof(head[0]) ||
	    sys_call6(SYS_pread64, fd, (long)head, (long)(n * sizeof(head[0])),
	    (long)eh.e_phoff, 0, 0) != (long)(n * sizeof(head[0])))
		return nothing;
	for (size_t i = 0; i < n; i++)
		if (head[i].p_type == PT_INTERP)
			return nothing;
	return fixed;
}

static bool
is_terminal(int fd)
{
	char termios[64];		/* of the kernel: 36 bytes */

	return sys_ioctl(fd, TCGETS, termios) == 0;
}

static void
put_line(int fd, const struct finding *f)
{
	const char *const words[] = { "smolwrap: a program that ", f->is, " ",
		f->so, "\n" };
	struct iovec line[sizeof(words) / sizeof(words[0])];

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		line[i] = (struct iovec){ (char *)(uintptr_t)words[i],
			strlen(words[i]) };
	(void)sys_writev(fd, line, sizeof(words) / sizeof(words[0]));
}

/* The launcher is static as well, and no news: it wraps what it starts. */
static bool
is_launcher(const char *path)
{
	const char *name = strrchr(path, '/');

	return strcmp(name != NULL ? name + 1 : path, "smolwrap") == 0;
}

void
exec_explain(int dirfd, const char *path, int flags)
{
	struct finding f;
	long fd;

	if (!shim_config()->wrapped || is_launcher(path) ||
	    (flags & AT_EMPTY_PATH && *path == '\0'))
		return;
	fd = sys_call6(SYS_openat, dirfd, (long)path, O_RDONLY | O_CLOEXEC |
	    O_NONBLOCK, 0, 0, 0);
	if (fd < 0)
		return;
	f = look((int)fd);
	sys_close((int)fd);
	/* In a namespace of its own it is not the library that carries it. */
	if (f.reason == REASON_PROGRAM && shim_config()->isolated)
		return;
	if (f.reason != 0 && shim_note_first(f.reason) && is_terminal(2))
		put_line(2, &f);
}
