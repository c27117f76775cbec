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

#define HEAD_MAX 4096	/* bytes looked at: linkers write all that counts there */

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#else
#define OUR_MACHINE EM_AARCH64
#endif

/* What is told: the reason for the log, and words for a person. */
struct finding {
	enum session_reason reason;	/* 0: nothing to tell */
	const char *is;
	bool foreign;			/* our library would not load */
};

/* The beginning of a file. */
struct head {
	size_t len;
	union {
		ElfW(Ehdr) elf;
		char at[HEAD_MAX];
	} of;
};

static bool
holds(const struct head *h, const ElfW(Phdr) *p, const char *what, size_t len)
{
	return p->p_offset < h->len && p->p_filesz <= h->len - p->p_offset &&
	    memmem(h->of.at + p->p_offset, p->p_filesz, what, len) != NULL;
}

/* Go's linker signs its work, and Go makes its system calls itself. */
static const char *
look_inside(const struct head *h, bool *foreign)
{
	const ElfW(Ehdr) *eh = &h->of.elf;
	bool fixed = true, go = false;
	ElfW(Phdr) p;

	*foreign = eh->e_machine != OUR_MACHINE ||
	    eh->e_ident[EI_CLASS] != ELFCLASS64;
	if (*foreign)
		return "is for another kind of machine";
	if (eh->e_phentsize != sizeof(p))
		return NULL;
	for (size_t i = 0; i < eh->e_phnum; i++) {
		if (eh->e_phoff > h->len ||
		    (i + 1) * sizeof(p) > h->len - eh->e_phoff)
			return NULL;
		memcpy(&p, h->of.at + eh->e_phoff + i * sizeof(p), sizeof(p));
		if (p.p_type == PT_INTERP) {
			fixed = false;
			*foreign = holds(h, &p, "ld-musl", 7);
		} else if (p.p_type == PT_NOTE)
			go = go || holds(h, &p, "Go\0\0", 4);
	}
	return go ? "is a Go program" : fixed ? "is static" :
	    *foreign ? "uses another C library" : NULL;
}

static struct finding
look(int fd)
{
	struct stat st = { 0 };
	struct finding f = { .is = NULL };
	struct head h = { .of.elf.e_machine = 0 };
	ssize_t n;

	if (sys_call3(SYS_fstat, fd, (long)&st, 0) == 0 &&
	    (st.st_mode & S_ISUID) != 0 &&
	    st.st_uid != (uid_t)sys_call3(SYS_geteuid, 0, 0, 0))
		return (struct finding){ REASON_SET_ID, "is set-user-ID",
		    false };
	n = sys_read(fd, &h.of, sizeof(h.of));
	if (n < (ssize_t)sizeof(h.of.elf) ||
	    memcmp(h.of.elf.e_ident, ELFMAG, SELFMAG) != 0)
		return f;
	h.len = (size_t)n;
	if ((f.is = look_inside(&h, &f.foreign)) != NULL)
		f.reason = REASON_PROGRAM;
	return f;
}

static bool
is_terminal(int fd)
{
	char termios[64];		/* of the kernel: 36 bytes */

	return sys_ioctl(fd, TCGETS, termios) == 0;
}

static const char *
name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static void
put_line(int fd, const char *path, const struct finding *f)
{
	const char *const words[] = { "smolwrap: \"", name_of(path), "\" ",
	    f->is, f->reason == REASON_SET_ID ? ": it runs without that "
	    "privilege\n" : " and has no network here; it has one in a shell "
	    "started by \"smolwrap --isolate always bash\"\n" };
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
	return strcmp(name_of(path), "smolwrap") == 0;
}

bool
exec_explain(int dirfd, const char *path, int flags)
{
	struct finding f;
	long fd;

	if (!shim_config()->wrapped || is_launcher(path) ||
	    (flags & AT_EMPTY_PATH && *path == '\0'))
		return true;
	fd = sys_call6(SYS_openat, dirfd, (long)path, O_RDONLY | O_CLOEXEC |
	    O_NONBLOCK, 0, 0, 0);
	if (fd < 0)
		return true;
	f = look((int)fd);
	sys_close((int)fd);
	/* In a namespace of its own it is not the library that carries it. */
	if (f.reason == REASON_PROGRAM && shim_config()->isolated)
		return !f.foreign;
	if (f.reason != 0 && shim_note_first(f.reason) && is_terminal(2))
		put_line(2, path, &f);
	return !f.foreign;
}
