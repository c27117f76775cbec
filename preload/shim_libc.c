/*
 * shim_libc.c - finds libc's own functions without dlsym.
 *
 * dlsym allocates, takes the loader's long lock and returns whatever comes
 * next, which under other preloads or in an early call may be ourselves.  Here
 * the object that holds a well-known libc function is found among the loaded
 * ones, and its GNU hash table is read.  The only lock taken is the loader's
 * short one inside dl_iterate_phdr, held while its list changes and never
 * while foreign code runs.
 */
#include "preload/shim.h"

#include <elf.h>
#include <link.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <gnu/libc-version.h>

#define VERSYM_HIDDEN 0x8000	/* an old version, kept for old programs */

struct elf_tables {
	uintptr_t inside;		/* in: an address within the object */
	Elf64_Addr base;
	Elf64_Addr end;			/* of its last segment */
	const Elf64_Sym *sym;
	const char *str;
	const uint32_t *hash;
	const Elf64_Half *versym;
};

static const void *
dyn_pointer(const struct elf_tables *t, Elf64_Addr a)
{
	/* glibc relocates these in place except where the section is
	 * read-only; an unrelocated value is an offset, below the base. */
	return (const void *)(a < t->base ? t->base + a : a);
}

static int
visit_object(struct dl_phdr_info *o, size_t size, void *arg)
{
	struct elf_tables *t = arg;
	const Elf64_Dyn *d = NULL;
	bool hit = false;
	Elf64_Addr end = 0;

	(void)size;
	for (Elf64_Half i = 0; i < o->dlpi_phnum; i++) {
		const Elf64_Phdr *p = &o->dlpi_phdr[i];
		Elf64_Addr at = o->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_DYNAMIC)
			d = (const Elf64_Dyn *)at;
		if (p->p_type != PT_LOAD)
			continue;
		if (t->inside >= at && t->inside < at + p->p_memsz)
			hit = true;
		if (at + p->p_memsz > end)
			end = at + p->p_memsz;
	}
	if (!hit || d == NULL)
		return 0;
	t->base = o->dlpi_addr;
	t->end = end;
	for (; d->d_tag != DT_NULL; d++) {
		const void *p = dyn_pointer(t, d->d_un.d_ptr);

		if (d->d_tag == DT_SYMTAB)
			t->sym = p;
		else if (d->d_tag == DT_STRTAB)
			t->str = p;
		else if (d->d_tag == DT_GNU_HASH)
			t->hash = p;
		else if (d->d_tag == DT_VERSYM)
			t->versym = p;
	}
	return 1;
}

static uint32_t
gnu_hash(const char *name)
{
	uint32_t h = 5381;

	for (; *name != '\0'; name++)
		h = h * 33 + (uint8_t)*name;
	return h;
}

static bool
find_tables(struct elf_tables *t)
{
	*t = (struct elf_tables){ .inside = (uintptr_t)gnu_get_libc_version };
	dl_iterate_phdr(visit_object, t);
	return t->sym != NULL && t->str != NULL && t->hash != NULL;
}

static void *
look_up(const struct elf_tables *t, const char *name)
{
	/* Layout: nbuckets, first symbol, bloom words, bloom shift; bloom
	 * filter; buckets; chains (lowest bit ends a chain). */
	uint32_t nbuckets = t->hash[0], first = t->hash[1];
	const uint32_t *buckets = t->hash + 4 +
	    t->hash[2] * (sizeof(Elf64_Addr) / sizeof(uint32_t));
	const uint32_t *chains = buckets + nbuckets;
	uint32_t h = gnu_hash(name), i = buckets[h % nbuckets];

	if (i < first)
		return NULL;
	for (;; i++) {
		uint32_t c = chains[i - first];
		const Elf64_Sym *s = &t->sym[i];

		if ((c | 1) == (h | 1) && s->st_shndx != SHN_UNDEF &&
		    (t->versym == NULL || !(t->versym[i] & VERSYM_HIDDEN)) &&
		    strcmp(t->str + s->st_name, name) == 0) {
			Elf64_Addr a = t->base + s->st_value;

			/* The address lies inside libc, so it is not ours. */
			if (a < t->base || a >= t->end)
				abort();
			return (void *)a;
		}
		if (c & 1)
			return NULL;
	}
}

void *
shim_libc_symbol(const char *name)
{
	struct elf_tables t;

	return find_tables(&t) ? look_up(&t, name) : NULL;
}

static void *
must_find(const struct elf_tables *t, const char *name)
{
	void *p = look_up(t, name);

	if (p == NULL)
		abort();
	return p;
}

const struct shim_libc *
shim_libc(void)
{
	static struct shim_libc calls;
	static atomic_bool filled;
	struct elf_tables t;

	if (atomic_load_explicit(&filled, memory_order_acquire))
		return &calls;
	if (!find_tables(&t))
		abort();
	/* Two threads may both come here; they write the same values. */
	*(void **)&calls.accept = must_find(&t, "accept");
	*(void **)&calls.accept4 = must_find(&t, "accept4");
	*(void **)&calls.close = must_find(&t, "close");
	*(void **)&calls.connect = must_find(&t, "connect");
	*(void **)&calls.recv = must_find(&t, "recv");
	*(void **)&calls.recvfrom = must_find(&t, "recvfrom");
	*(void **)&calls.recvmmsg = must_find(&t, "recvmmsg");
	*(void **)&calls.recvmsg = must_find(&t, "recvmsg");
	*(void **)&calls.send = must_find(&t, "send");
	*(void **)&calls.sendmmsg = must_find(&t, "sendmmsg");
	*(void **)&calls.sendmsg = must_find(&t, "sendmsg");
	*(void **)&calls.sendto = must_find(&t, "sendto");
	atomic_store_explicit(&filled, true, memory_order_release);
	return &calls;
}
