#include "stack/records.h"

#include <errno.h>
#include <poll.h>

#include "base/sys.h"
#include "stack/arena.h"

#define EMPTY_MAX 16		/* empty records in a row at the end */

/* Has the program shut its end since we were woken? */
static bool
has_ended(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return sys_poll(&p, 1, 0) == 1;
}

bool
records_drain(struct loop *l, struct loop_fd *w, uint32_t events, int limit,
    record_fn *take, void *arg)
{
	bool hung_up = (events & (EPOLLHUP | EPOLLERR)) != 0;
	bool over = hung_up || (events & EPOLLRDHUP) != 0;
	uint8_t *rec = arena_get(RECORD_MAX), lost[1];
	int empty = 0;

	/* No memory: drop one, as a network may, rather than spin. */
	if (rec == NULL)
		return sys_recv(w->fd, lost, sizeof(lost), MSG_DONTWAIT) >= 0 ||
		    !hung_up;
	for (int i = 0; i < limit && empty < EMPTY_MAX; i++) {
		ssize_t r = sys_recv(w->fd, rec, RECORD_MAX, MSG_DONTWAIT);

		if (r == -EINTR)
			continue;
		if (r < 0)
			break;
		/* At the end 0 means that, or an empty datagram. */
		if (r == 0 && !over)
			over = has_ended(w->fd);
		empty = r == 0 && over ? empty + 1 : 0;
		if (empty == 0)
			take(arg, rec, (size_t)r);
	}
	arena_put(rec);
	if (empty < EMPTY_MAX)
		return true;
	if (!hung_up)			/* it will send no more, but may read */
		loop_mod(l, w, 0);
	return !hung_up;
}
