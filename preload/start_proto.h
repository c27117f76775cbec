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
#include "preload/forward_spec.h"
#include "preload/options.h"
#include "preload/tunnel_url.h"

#define START_FD 3
#define START_CTL_FD 4
#define START_MSG_MAX 49152
#define START_TEXT_MAX 1024	/* bytes of a text, its NUL included */
#define START_ANSWER_MAX 1536	/* bytes of an answer, its kind included */

enum start_answer {
	START_PROGRESS = 'p',	/* text: what is being done */
	START_WARNING = 'w',	/* text: a line for the person */
	START_READY = 'r',	/* text: path of the session's socket */
	START_FAILED = 'e',	/* text: the one line; the session ends */
};

struct start {
	char via[OPTIONS_VIA_MAX][TUNNEL_USER_MAX + TUNNEL_PLACE_MAX + 32];
	struct tunnel_url url[OPTIONS_VIA_MAX];	/* `via`, taken apart */
	size_t via_n;				/* at least 1 */
	char texts[OPTIONS_TEXTS][START_TEXT_MAX];	/* empty: not given */
	char name[OPTIONS_NAME_MAX + 1];	/* empty: unnamed */
	struct options_publish publish[OPTIONS_PUBLISH_MAX];
	size_t publish_n;
	char local[OPTIONS_FORWARD_MAX][FORWARD_TEXT_MAX];	/* -L */
	char remote[OPTIONS_FORWARD_MAX][FORWARD_TEXT_MAX];	/* -R */
	size_t local_n, remote_n;
	int32_t pid;		/* lives on as the program; 0: none */
	bool stay;		/* `up`: end only when told to */
	bool no_drain, no_loopback, listen_open, wait, verbose, insecure;
};

/* A text that may be missing: NULL then. */
static inline const char *
start_text(const struct start *s, enum options_text t)
{
	return s->texts[t][0] != '\0' ? s->texts[t] : NULL;
}

/* Write `s` as text.  The length, or 0 when it does not fit. */
size_t start_write(const struct start *s, char *buf, size_t len);

/* Read it back.  SW_OK or SW_ERR_FORMAT; `text` need not end in a NUL. */
int start_read(struct start *s, const char *text, size_t len) SW_MUST_CHECK;

#endif
