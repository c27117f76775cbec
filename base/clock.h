/*
 * clock.h - monotonic time.  Engines take `now_ms` as a parameter; only the
 * loop and a few blocking edges read the clock.
 */
#ifndef SW_BASE_CLOCK_H
#define SW_BASE_CLOCK_H

#include <stdint.h>

#define SW_NEVER INT64_MAX	/* a deadline that does not come */

/* Milliseconds of CLOCK_MONOTONIC.  Async-signal-safe.  The kernel's own call:
 * libraries that fake the time define clock_gettime(), and our thread is none
 * that they could run on. */
int64_t clock_now_ms(void);

#endif
