#include "base/sys.h"

#include <poll.h>
#include <time.h>

int
sys_poll(struct pollfd *fds, unsigned n, int timeout_ms)
{
	struct timespec ts = {
		.tv_sec = timeout_ms / 1000,
		.tv_nsec = timeout_ms % 1000 * 1000000L,
	};

	return (int)sys_call6(SYS_ppoll, (long)fds, n,
	    timeout_ms < 0 ? 0 : (long)&ts, 0, 8, 0);
}
