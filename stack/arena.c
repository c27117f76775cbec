#include "stack/arena.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define FORBID(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define ALLOW(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define FORBID(p, n) ((void)0)
#define ALLOW(p, n) ((void)0)
#endif

#define SLAB_BYTES ((size_t)1 << 20)
#define LARGE_BYTES (32u * 1024)	/* classes that return their pages */
#define LARGE_HOT 24			/* free large blocks kept resident */

/* Sizes with the 16 byte header.  The last fits a frame of 64 KB. */
static const uint32_t class_bytes[] = {
	64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096,
	8192, 16384, 32768, 65536 + 512, 72 * 1024,
};
#define CLASSES (sizeof(class_bytes) / sizeof(class_bytes[0]))

struct block {
	uint32_t class;
	uint32_t taken;			/* BLOCK_TAKEN or BLOCK_FREE */
	struct block *next;		/* while free */
};
#define HEADER 16
#define BLOCK_TAKEN 0x54414b45u
#define BLOCK_FREE 0x46524545u
_Static_assert(sizeof(struct block) <= HEADER, "header holds the free link");

struct slab {
	struct slab *next;
};

static struct {
	struct block *free[CLASSES];
	unsigned hot[CLASSES];		/* free blocks whose pages are resident */
	struct slab *slabs;
	uint8_t *at, *end;		/* unused rest of the newest slab */
	size_t mapped, used;
} arena;

static bool
grow(void)
{
	long p;

	if (arena.mapped + SLAB_BYTES > ARENA_TOTAL_MAX)
		return false;
	p = sys_call6(SYS_mmap, 0, (long)SLAB_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if ((uintptr_t)p > (uintptr_t)-4096)	/* -errno */
		return false;
	/* The rest of the old slab (less than one block) is left unused. */
	arena.at = (uint8_t *)p;
	arena.end = arena.at + SLAB_BYTES;
	((struct slab *)p)->next = arena.slabs;
	arena.slabs = (struct slab *)p;
	arena.at += 64;
	arena.mapped += SLAB_BYTES;
	FORBID(arena.at, SLAB_BYTES - 64);
	return true;
}

static unsigned
class_of(size_t n)
{
	unsigned c = 0;

	while (class_bytes[c] < n + HEADER)
		c++;
	return c;
}

static struct block *
carve(unsigned c)
{
	struct block *b;

	if ((size_t)(arena.end - arena.at) < class_bytes[c] && !grow())
		return NULL;
	b = (struct block *)(void *)arena.at;
	arena.at += class_bytes[c];
	ALLOW(b, HEADER);
	b->class = c;
	return b;
}

void *
arena_get(size_t n)
{
	struct block *b;
	unsigned c;

	if (n > ARENA_BLOCK_MAX)
		return NULL;
	c = class_of(n);
	b = arena.free[c];
	if (b != NULL) {
		ALLOW(b, HEADER);
		arena.free[c] = b->next;
		if (arena.hot[c] > 0)
			arena.hot[c]--;
	} else if ((b = carve(c)) == NULL) {
		return NULL;
	}
	b->taken = BLOCK_TAKEN;
	arena.used += class_bytes[c];
	ALLOW((uint8_t *)b + HEADER, n);
	return (uint8_t *)b + HEADER;
}

void *
arena_get_zeroed(size_t count, size_t n)
{
	void *p;

	if (count != 0 && n > ARENA_BLOCK_MAX / count)
		return NULL;
	p = arena_get(count * n);
	if (p != NULL)
		memset(p, 0, count * n);
	return p;
}

/* Pages wholly inside the block, past its header, go back to the kernel. */
static void
release_pages(struct block *b)
{
	uintptr_t from = ((uintptr_t)b + HEADER + 4095) & ~(uintptr_t)4095;
	uintptr_t to = ((uintptr_t)b + class_bytes[b->class]) &
	    ~(uintptr_t)4095;

	if (to > from)
		(void)sys_call3(SYS_madvise, (long)from, (long)(to - from),
		    MADV_DONTNEED);
}

void
arena_put(void *p)
{
	struct block *b;
	unsigned c;

	if (p == NULL)
		return;
	b = (struct block *)(void *)((uint8_t *)p - HEADER);
	assert(b->taken == BLOCK_TAKEN);
	c = b->class;
	b->taken = BLOCK_FREE;
	arena.used -= class_bytes[c];
	if (class_bytes[c] >= LARGE_BYTES && arena.hot[c] >= LARGE_HOT)
		release_pages(b);
	else
		arena.hot[c]++;
	b->next = arena.free[c];
	arena.free[c] = b;
	FORBID(b, class_bytes[c]);
}

size_t
arena_used(void)
{
	return arena.used;
}

void
arena_wipe(void)
{
	struct slab *s = arena.slabs;

	while (s != NULL) {
		struct slab *next = s->next;

		ALLOW(s, SLAB_BYTES);
		(void)sys_call3(SYS_munmap, (long)s, (long)SLAB_BYTES, 0);
		s = next;
	}
	memset(&arena, 0, sizeof(arena));
}
