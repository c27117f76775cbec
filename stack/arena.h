/*
 * arena.h - the stack's own memory.
 *
 * The stack runs inside other people's programs, where malloc() is not ours
 * to call.  Blocks come from mmap'd slabs, by size class, with a free list for
 * each class: no search, no trimming.  Freed large blocks give their pages
 * back to the kernel once more than a few of them wait.  One thread.
 */
#ifndef SW_STACK_ARENA_H
#define SW_STACK_ARENA_H

#include <stddef.h>

#define ARENA_BLOCK_MAX (72 * 1024 - 16)	/* largest request, bytes */
#define ARENA_TOTAL_MAX ((size_t)8 << 30)	/* of all slabs */

/* `n` bytes, aligned to 16, contents undefined.  NULL: too large, or the
 * kernel or ARENA_TOTAL_MAX refuses. */
void *arena_get(size_t n);

/* count * n bytes of zeros. */
void *arena_get_zeroed(size_t count, size_t n);

/* Give a block back.  NULL is fine. */
void arena_put(void *p);

/* Bytes now handed out (by size class), for tests and statistics. */
size_t arena_used(void);

/* Unmap every slab; all blocks are gone. */
void arena_wipe(void);

#endif
