#include "preload/session_memory.h"

#include <malloc.h>

#include "base/clock.h"
#include "base/container.h"
#include "preload/session.h"

#define TIDY_MS 5000
#define KEEP ((size_t)4 * 1024 * 1024)	/* bytes free in the heap */

void
session_memory_keep(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, (int)(KEEP / 2));
	(void)mallopt(M_TRIM_THRESHOLD, (int)KEEP);
}

/* Free memory below what is in use stays otherwise. */
static void
tidy(struct loop_timer *t)
{
	(void)t;
	if (mallinfo2().fordblks > 4 * KEEP)
		(void)malloc_trim(KEEP);
}

void
session_memory_tidy(struct session *s)
{
	if (s->tidy.fire == tidy && s->tidy.at_ms != SW_NEVER)
		return;
	s->tidy.fire = tidy;
	loop_set_timer(&s->loop, &s->tidy, s->loop.now_ms + TIDY_MS);
}
