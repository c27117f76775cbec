#include "base/clock.h"

#include <time.h>

#include "base/sys.h"

int64_t
clock_now_ms(void)
{
	struct timespec ts = { .tv_sec = 0 };

	sys_call3(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&ts, 0);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
