/*
 * program.h - finds the program to run and looks at its file: can a preload
 * library catch it?
 */
#ifndef SW_PRELOAD_PROGRAM_H
#define SW_PRELOAD_PROGRAM_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct program {
	char path[PATH_MAX];		/* what will be executed */
	char loader[PATH_MAX];		/* what decides: the interpreter of a
					 * script, else the same */
	char interp[256];		/* dynamic loader; empty: none */
	bool is_script;
	bool is_elf;
	bool is_static;			/* an ELF file without a loader */
	bool is_foreign;		/* not of this machine's native kind */
	bool is_go;			/* carries a Go build id */
	bool is_musl;
	bool is_set_id;			/* would change user or group */
	bool has_caps;			/* file capabilities */
	uint16_t machine;		/* e_machine */
	uint8_t bits;			/* 32 or 64 */
};

/*
 * Find `name` as execvp(3) does and inspect the file.  SW_OK; SW_ERR_SYS with
 * errno ENOENT (not found), EACCES or another.  Scripts are followed to their
 * interpreter, four levels as the kernel does.
 */
int program_find(struct program *p, const char *name) SW_MUST_CHECK;

/* The reason why the preload cannot catch it, or NULL. */
const char *program_why_not(const struct program *p);

#endif
