/*
 * start_proto.h - how the launcher starts a session and hears how it went.
 *
 * The session program is executed with descriptor START_FD, a SEQPACKET pair
 * end, and START_CTL_FD, the server end of the first control connection (not
 * for `up`).  The launcher writes one message: lines of "key value"; the
 * session answers with messages whose first byte says what the rest is.  The
 * configuration goes this way, not in arguments, so that no list of processes
 * shows where the tunnel leads.
 */
#ifndef SW_PRELOAD_START_PROTO_H
#define SW_PRELOAD_START_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "preload/options.h"
#include "preload/tunnel_url.h"

#define START_FD 3
#define START_CTL_FD 4
#define START_MSG_MAX 16384
#define START_ANSWER_MAX 1536	/* bytes of an answer, its kind included */

enum start_answer {
	START_PROGRESS = 'p',	/* text: what is being done */
	START_WARNING = 'w',	/* text: a line for the person */
	START_READY = 'r',	/* text: path of the session's socket */
	START_FAILED = 'e',	/* text: the one line; the session ends */
};

struct start {
	char via[512], identity[1024], known_hosts[1024], dns[256];
	char name[OPTIONS_NAME_MAX + 1];	/* empty: unnamed */
	struct tunnel_url url;			/* `via`, taken apart */
	struct options_publish publish[OPTIONS_PUBLISH_MAX];
	size_t publish_n;
	int32_t pid;		/* lives on as the program; 0: none */
	bool stay;		/* `up`: end only when told to */
	bool no_drain, no_loopback, wait, verbose;
};

/* Write `s` as text.  The length, or 0 when it does not fit. */
size_t start_write(const struct start *s, char *buf, size_t len);

/* Read it back.  SW_OK or SW_ERR_FORMAT; `text` need not end in a NUL. */
int start_read(struct start *s, const char *text, size_t len) SW_MUST_CHECK;

#endif
