#include "preload/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/wire.h"

#define SCRIPT_DEPTH 5
#define HEAD_MAX 4096		/* enough for the headers of any linker */

#if defined(__x86_64__)
#define NATIVE EM_X86_64
#elif defined(__aarch64__)
#define NATIVE EM_AARCH64
#endif

/* Like execvp(3): the last EACCES is kept over a later ENOENT. */
static int
search(char path[static PATH_MAX], const char *name)
{
	const char *dirs = getenv("PATH"), *dir, *end;
	bool denied = false;

	if (*name == '\0') {
		errno = ENOENT;
		return SW_ERR_SYS;
	}
	if (strchr(name, '/') != NULL) {
		if (snprintf(path, PATH_MAX, "%s", name) >= PATH_MAX) {
			errno = ENAMETOOLONG;
			return SW_ERR_SYS;
		}
		return access(path, X_OK) == 0 ? SW_OK : SW_ERR_SYS;
	}
	if (dirs == NULL)
		dirs = "/bin:/usr/bin";
	for (dir = dirs;; dir = end + 1) {
		struct stat st;
		int n;

		end = strchrnul(dir, ':');
		n = end == dir ? snprintf(path, PATH_MAX, "./%s", name) :
		    snprintf(path, PATH_MAX, "%.*s/%s", (int)(end - dir), dir,
			name);
		if (n < PATH_MAX) {
			if (access(path, X_OK) == 0 && stat(path, &st) == 0 &&
			    S_ISREG(st.st_mode))
				return SW_OK;
			if (errno == EACCES)
				denied = true;
		}
		if (*end == '\0')
			break;
	}
	errno = denied ? EACCES : ENOENT;
	return SW_ERR_SYS;
}

struct image {
	struct program *p;
	const uint8_t *head;	/* the first bytes of the file */
	size_t len;
	int fd;
	bool big;		/* byte order */
};

static uint64_t
get(const struct image *im, uint64_t at, size_t n)
{
	struct rbuf r = { .p = im->head, .left = im->len };
	const uint8_t *skip;
	uint64_t v = 0;

	if (wire_get_ref(&r, at > im->len ? im->len + 1 : (size_t)at, &skip) !=
	    SW_OK || wire_get_uint(&r, n, &v, im->big) != SW_OK)
		return 0;
	return v;
}

/* Notes lie anywhere in the file; Go's linker writes its build id in one. */
static bool
has_go_note(const struct image *im, uint64_t at, uint64_t len)
{
	uint8_t note[4096];
	ssize_t n;

	if (at < im->len && len <= im->len - at)
		return memmem(im->head + at, (size_t)len, "Go\0\0", 4) != NULL;
	if (len > sizeof(note))
		len = sizeof(note);
	n = pread(im->fd, note, (size_t)len, (off_t)at);
	return n > 0 && memmem(note, (size_t)n, "Go\0\0", 4) != NULL;
}

/* It is near the start in what linkers write. */
static void
read_interp(const struct image *im, uint64_t at, uint64_t len)
{
	struct program *p = im->p;

	if (len == 0 || len >= sizeof(p->interp))
		return;
	if (at < im->len && len <= im->len - at)
		memcpy(p->interp, im->head + at, (size_t)len);
	else if (pread(im->fd, p->interp, (size_t)len, (off_t)at) !=
	    (ssize_t)len)
		p->interp[0] = '\0';
}

static void
read_elf(const struct image *im)
{
	struct program *p = im->p;
	bool wide = im->head[EI_CLASS] == ELFCLASS64;
	uint64_t phoff = get(im, wide ? 32 : 28, wide ? 8 : 4);
	uint64_t phsize = get(im, wide ? 54 : 42, 2);
	uint64_t phnum = get(im, wide ? 56 : 44, 2);
	const char *base = strrchr(p->loader, '/');

	p->is_elf = true;
	p->bits = wide ? 64 : 32;
	p->machine = (uint16_t)get(im, 18, 2);
	p->is_foreign = p->machine != NATIVE || !wide;
	for (uint64_t i = 0; i < phnum && i < 64; i++) {
		uint64_t at = phoff + i * phsize;
		uint64_t off = get(im, at + (wide ? 8 : 4), wide ? 8 : 4);
		uint64_t len = get(im, at + (wide ? 32 : 16), wide ? 8 : 4);

		switch (get(im, at, 4)) {
		case PT_INTERP:
			read_interp(im, off, len);
			break;
		case PT_NOTE:
			p->is_go |= has_go_note(im, off, len);
			break;
		}
	}
	p->is_musl = strstr(p->interp, "ld-musl") != NULL;
	/* The loader itself, run as a command, loads what it is given. */
	base = base == NULL ? p->loader : base + 1;
	p->is_static = p->interp[0] == '\0' &&
	    strncmp(base, "ld-linux", 8) != 0 && strncmp(base, "ld.so", 5) != 0;
}

/* The interpreter that a "#!" line names. */
static bool
script_interp(char *dst, const uint8_t *head, size_t len)
{
	size_t i = 2, n = 0;

	while (i < len && (head[i] == ' ' || head[i] == '\t'))
		i++;
	while (i < len && n < PATH_MAX - 1 && strchr(" \t\n", head[i]) == NULL)
		dst[n++] = (char)head[i++];
	dst[n] = '\0';
	return n > 0;
}

/* `#!/usr/bin/env prog` decides nothing; that program is caught in its turn
 * by the exec wrappers, so following one level of files is enough. */
static int
inspect(struct program *p, int depth)
{
	uint8_t head[HEAD_MAX];
	struct image im = { .p = p, .head = head };
	struct stat st;
	ssize_t n;

	im.fd = open(p->loader, O_RDONLY | O_CLOEXEC);
	if (im.fd < 0)
		/* Executable but not readable: we cannot tell. */
		return errno == EACCES ? SW_OK : SW_ERR_SYS;
	n = pread(im.fd, head, sizeof(head), 0);
	if (n < 0 || fstat(im.fd, &st) != 0) {
		close(im.fd);
		return SW_ERR_SYS;
	}
	im.len = (size_t)n;
	if (n > 2 && head[0] == '#' && head[1] == '!') {
		close(im.fd);
		p->is_script = true;
		if (depth >= SCRIPT_DEPTH ||
		    !script_interp(p->loader, head, (size_t)n)) {
			errno = ELOOP;
			return SW_ERR_SYS;
		}
		return inspect(p, depth + 1);
	}
	if (n >= 52 && memcmp(head, ELFMAG, SELFMAG) == 0) {
		im.big = head[EI_DATA] == ELFDATA2MSB;
		read_elf(&im);
	}
	p->is_set_id = ((st.st_mode & S_ISUID) && st.st_uid != geteuid()) ||
	    ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
	    st.st_gid != getegid());
	p->has_caps = geteuid() != 0 &&
	    fgetxattr(im.fd, "security.capability", NULL, 0) > 0;
	close(im.fd);
	return SW_OK;
}

int
program_find(struct program *p, const char *name)
{
	memset(p, 0, sizeof(*p));
	if (search(p->path, name) != SW_OK)
		return SW_ERR_SYS;
	memcpy(p->loader, p->path, sizeof(p->loader));
	return inspect(p, 0);
}

const char *
program_why_not(const struct program *p)
{
	if (!p->is_elf)
		return NULL;
	if (p->is_foreign)
		return "it is built for another kind of machine than "
		    "smolwrap's library";
	if (p->is_static)
		return p->is_go ? "it is a static Go program, which makes its "
		    "system calls itself" : "it is statically linked, so no "
		    "library can be loaded into it";
	if (p->is_musl)
		return "it uses the musl C library, which smolwrap's library "
		    "does not fit";
	return NULL;
}
