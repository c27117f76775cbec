#include "preload/shim_execenv.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"

#define PRELOAD "LD_PRELOAD="
#define PRELOAD_LEN (sizeof(PRELOAD) - 1)

static void *
map(size_t n)
{
	long p = sys_call6(SYS_mmap, 0, (long)n, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p < 0 && p > -4096 ? NULL : (void *)p;
}

static void
unmap(void *p, size_t n)
{
	if (n > 0)
		sys_call3(SYS_munmap, (long)p, (long)n, 0);
}

bool
execvec_init(struct execvec *v, size_t n)
{
	v->at = v->here;
	v->mapped = 0;
	if (n <= EXECVEC_ROOM)
		return true;
	if (n > SIZE_MAX / sizeof(char *) ||
	    (v->at = map(n * sizeof(char *))) == NULL)
		return false;
	v->mapped = n * sizeof(char *);
	return true;
}

void
execvec_wipe(struct execvec *v)
{
	unmap(v->at, v->mapped);
	v->mapped = 0;
}

bool
execvec_from_list(struct execvec *v, const char *first, va_list *ap)
{
	const char *arg = first;
	va_list count;
	size_t n = 1;

	va_copy(count, *ap);
	for (; arg != NULL; n++)
		arg = va_arg(count, const char *);
	va_end(count);
	if (!execvec_init(v, n))
		return false;
	v->at[0] = (char *)(uintptr_t)first;
	for (size_t i = 1; i < n; i++)
		v->at[i] = va_arg(*ap, char *);
	return true;
}

static size_t
name_len(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0' && s[n] != '=')
		n++;
	return n;
}

static bool
same_name(const char *a, const char *b)
{
	size_t n = name_len(a);

	return n == name_len(b) && memcmp(a, b, n) == 0;
}

static char *
find(char *const *envp, const char *name)
{
	for (; envp != NULL && *envp != NULL; envp++)
		if (same_name(*envp, name))
			return *envp;
	return NULL;
}

const char *
execenv_get(char *const *envp, const char *name)
{
	const char *s = find(envp, name);

	if (s == NULL || s[name_len(s)] != '=')
		return NULL;
	return s + name_len(s) + 1;
}

static bool
is_preload(const char *s)
{
	return strncmp(s, PRELOAD, PRELOAD_LEN) == 0;
}

/* Does the list `theirs` begin with our one entry?  ("NAME=value" both.) */
static bool
leads(const char *ours, const char *theirs)
{
	size_t n = strlen(ours);

	return strncmp(ours, theirs, n) == 0 &&
	    (theirs[n] == '\0' || theirs[n] == ':' || theirs[n] == ' ');
}

static bool
is_there(const char *ours, char *const *envp)
{
	const char *theirs = find(envp, ours);

	if (theirs == NULL)
		return false;
	return !is_preload(ours) || leads(ours, theirs);
}

static bool
join_preload(struct execenv *e, const char *ours, const char *theirs)
{
	size_t n = strlen(ours), m = strlen(theirs + PRELOAD_LEN) + 1;

	e->text = e->here;
	if (n + 1 + m > sizeof(e->here)) {
		if ((e->text = map(n + 1 + m)) == NULL)
			return false;
		e->mapped = n + 1 + m;
	}
	memcpy(e->text, ours, n);
	e->text[n] = ':';
	memcpy(e->text + n + 1, theirs + PRELOAD_LEN, m);
	return true;
}

static char *
with_theirs(struct execenv *e, const char *ours, char *const *envp)
{
	const char *theirs;

	if (is_preload(ours) && (theirs = find(envp, ours)) != NULL &&
	    theirs[PRELOAD_LEN - 1] == '=' && theirs[PRELOAD_LEN] != '\0')
		return join_preload(e, ours, theirs) ? e->text : NULL;
	return (char *)(uintptr_t)ours;
}

char *const *
execenv_make(struct execenv *e, const char *const *ours, char *const *envp)
{
	size_t n = 0, missing = 0, at = 0;

	e->mapped = 0;
	e->vec.mapped = 0;
	e->vec.at = NULL;
	for (size_t i = 0; ours[i] != NULL; i++)
		missing += !is_there(ours[i], envp);
	if (missing == 0)
		return envp;
	while (envp != NULL && envp[n] != NULL)
		n++;
	if (!execvec_init(&e->vec, n + missing + 1))
		return NULL;

	for (size_t i = 0; ours[i] != NULL; i++) {
		if (is_there(ours[i], envp))
			continue;
		if ((e->vec.at[at] = with_theirs(e, ours[i], envp)) == NULL) {
			execenv_wipe(e);
			return NULL;
		}
		at++;
	}
	/* A list of theirs that ours now leads must not come again: the
	 * dynamic linker believes the last one. */
	missing = at;
	for (size_t i = 0; i < n; i++) {
		bool again = false;

		for (size_t j = 0; j < missing; j++)
			again |= same_name(envp[i], e->vec.at[j]);
		if (!again)
			e->vec.at[at++] = envp[i];
	}
	e->vec.at[at] = NULL;
	return e->vec.at;
}

char *const *
execenv_drop(struct execenv *e, const char *name, char *const *env)
{
	size_t n = 0, at = 0;

	while (env != NULL && env[n] != NULL)
		n++;
	if (e->vec.at == NULL && !execvec_init(&e->vec, n + 1))
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (!same_name(env[i], name))
			e->vec.at[at++] = env[i];
	e->vec.at[at] = NULL;
	return e->vec.at;
}

void
execenv_wipe(struct execenv *e)
{
	execvec_wipe(&e->vec);
	unmap(e->text, e->mapped);
	e->mapped = 0;
}
