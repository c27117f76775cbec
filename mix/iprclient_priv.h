/*
 * iprclient_priv.h - what the files of iprclient share.
 *
 *   iprclient.c        packets out and in; is the exit alive
 *   iprclient_enter.c  asking to be let in, and which request it was
 */
#ifndef SW_MIX_IPRCLIENT_PRIV_H
#define SW_MIX_IPRCLIENT_PRIV_H

#include <stdbool.h>

#include "mix/iprclient.h"
#include "mix/iprsent.h"
#include "mix/iprsurbs.h"

enum iprclient_state {
	IPRCLIENT_NEW, IPRCLIENT_CONNECTING, IPRCLIENT_UP, IPRCLIENT_DOWN
};

/* One request to be let in. */
struct iprclient_attempt {
	uint64_t stream, request;
	int64_t sent_ms;
	uint8_t version;
};

struct iprclient {
	struct iprclient_config cfg;
	enum iprclient_state state;
	unsigned tries;
	struct iprclient_attempt attempt[IPRCLIENT_TRIES];
	unsigned entered;		/* the attempt that let us in */
	uint8_t found;			/* version that the exit answered; 0 */
	uint64_t stream;
	int64_t now_ms;			/* of the last tick */
	int64_t try_ms, sent_ms;
	int64_t alive_ms, probe_ms;	/* the exit's last word; our question */
	int64_t spoke_ms;		/* our first word since then; 0: none */
	uint64_t acked;			/* packets that had arrived by then */
	bool probing;			/* this bundle is to bring SURBs */
	uint32_t seq;
	struct iprsurbs surbs;
	struct iprsent sent;		/* for what the exit refuses */
	size_t bundle_len;
	uint8_t bundle[IPRMSG_BUNDLE_MAX + 2 + IPRMSG_BUNDLE_MAX];
	uint8_t self4[4];
	uint8_t version;		/* of this try, or of the connection */
	bool blocked;
	bool heard;			/* something since the last tick */
	bool again;			/* we are up, and ask once more */
};

/* ---- iprclient.c --------------------------------------------------------- */

/* A request of this kind that carries nothing, with an id of its own. */
struct iprmsg_request iprclient_control(struct iprclient *c,
    enum iprmsg_kind kind);

/* Send it on the stream, with so many SURBs.  As mixclient_send(). */
int iprclient_say(struct iprclient *c, const struct iprmsg_request *q,
    unsigned surbs) SW_MUST_CHECK;

/* ---- iprclient_enter.c --------------------------------------------------- */

/* The next request to be let in; after the last of them, down(). */
void iprclient_try(struct iprclient *c, int64_t now_ms);

/* The exit has to let us in once more. */
void iprclient_ask_again(struct iprclient *c, int64_t now_ms);

/* Its answer to a request to be let in. */
void iprclient_take_connected(struct iprclient *c,
    const struct iprmsg_response *a);

/* Is this one of the streams that we asked on? */
bool iprclient_is_ours(const struct iprclient *c, uint64_t stream);

/* Did this come on the stream, or without one, as we speak now? */
bool iprclient_is_current(struct iprclient *c, bool framed,
    const struct iprmsg_stream *s, const struct iprmsg_response *a);

#endif
