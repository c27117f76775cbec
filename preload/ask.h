/*
 * ask.h - one question of the launcher's own to a session.
 */
#ifndef SW_PRELOAD_ASK_H
#define SW_PRELOAD_ASK_H

#include <stddef.h>

#include "base/err.h"
#include "preload/session_proto.h"

#define ASK_MS 5000		/* how long an answer may take */
#define ASK_FDS_MAX 4

struct ask {
	enum session_op op;
	uint32_t arg;
	int fds[ASK_FDS_MAX];	/* borrowed, sent along */
	size_t fd_n;
};

/*
 * Send it over the control channel `ctl` and wait.  The answer's payload goes
 * to `buf`, cut to `cap` bytes, its length to *len.  The answer's own SW_ERR_*,
 * or SW_ERR_SYS, SW_ERR_TIMEOUT, SW_ERR_CLOSED.
 */
int ask_session(int ctl, const struct ask *a, void *buf, size_t cap,
    size_t *len) SW_MUST_CHECK;

#endif
