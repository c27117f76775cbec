/*
 * shim_execenv.h - vectors for exec, made without a heap.
 *
 * A vfork child runs in its parent's memory and may be followed by nothing
 * but exec: so vectors are built on the stack, and in a mapping of their own
 * only when they are longer than any ordinary one.
 */
#ifndef SW_PRELOAD_SHIM_EXECENV_H
#define SW_PRELOAD_SHIM_EXECENV_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define EXECVEC_ROOM 128
#define EXECENV_TEXT 512

struct execvec {
	char **at;		/* `here`, or a mapping */
	size_t mapped;		/* its bytes; 0 for `here` */
	char *here[EXECVEC_ROOM];
};

struct execenv {
	struct execvec vec;
	char *text;		/* LD_PRELOAD=ours:theirs; `here` or mapped */
	size_t mapped;
	char here[EXECENV_TEXT];
};

/* Room for `n` pointers.  False: out of memory. */
bool execvec_init(struct execvec *v, size_t n);
void execvec_wipe(struct execvec *v);

/* The arguments of execl(3) from `first` to the NULL, which is stored too.
 * `ap` is left after the NULL, where execle(3) has its environment. */
bool execvec_from_list(struct execvec *v, const char *first, va_list *ap);

/*
 * execenv_make() - the environment `envp` with `ours` put back.
 *
 * ours   "NAME=value" strings, NULL-ended; borrowed by the result.
 * envp   may be NULL, as Linux allows; borrowed by the result.
 *
 * A variable of ours that is there stays as it is.  LD_PRELOAD is there when
 * our entry leads its list; else our entry is put before what it holds.
 * Returns envp itself when nothing is missing, NULL when out of memory.
 */
char *const *execenv_make(struct execenv *e, const char *const *ours,
    char *const *envp);

/* An environment that execenv_make() gave, without variable `name`: NULL when
 * out of memory. */
char *const *execenv_drop(struct execenv *e, const char *name,
    char *const *env);

/* What execenv_make() and execenv_drop() got.  After a successful exec there is no need. */
void execenv_wipe(struct execenv *e);

/* The value of `name` in `envp`, NULL for none. */
const char *execenv_get(char *const *envp, const char *name);

#endif
