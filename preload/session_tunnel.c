/*
 * What a tunnel has to tell: to the launcher that waits for it, and to every
 * owner.
 */
#include "preload/session_tunnel.h"

#include <stdio.h>
#include <sys/socket.h>

#include "base/log.h"
#include "preload/session.h"
#include "preload/session_hop.h"
#include "preload/session_services.h"

/* One answer to the launcher.  READY and FAILED are the last. */
static void
tell_launcher(struct session *s, enum start_answer kind, const char *text)
{
	char msg[START_ANSWER_MAX];
	int n;

	if (s->start_fd < 0)
		return;
	n = snprintf(msg, sizeof(msg), "%c%s", kind, text);
	if (n < 0 || (size_t)n > sizeof(msg) - 1)
		n = sizeof(msg) - 1;
	(void)send(s->start_fd, msg, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (kind == START_READY)
		session_end_start(s);
}

void
session_tunnel_progress(struct session_tunnel *t, const char *text)
{
	tell_launcher(t->s, START_PROGRESS, text);
}

void
session_warn(struct session *s, const char *text)
{
	tell_launcher(s, START_WARNING, text);
}

/* Nothing can be done for the launcher: it says why, and all ends. */
static void
fail_start(struct session *s, const char *why)
{
	if (s->start_fd < 0)
		return;
	tell_launcher(s, START_FAILED, why);
	s->loop.stop = true;
}

/* The first time up: everything that is asked for is there. */
static void
tell_ready(struct session *s)
{
	char why[256];

	if (s->services != NULL && services_start(s->services, why) != SW_OK)
		fail_start(s, why);
	else
		tell_launcher(s, START_READY, s->path);
}

static void
tell_hops(struct session *s, bool up)
{
	if (s->tunnel_up == up)
		return;
	s->tunnel_up = up;
	for (struct hop *h = s->hops; h != NULL; h = h->next)
		hop_tell_tunnel(h, up);
}

/* What is reached through `t` cannot come back either. */
static void
fail_above(struct session_tunnel *t, const char *why)
{
	struct session_tunnel *up = t->above;
	char text[START_ANSWER_MAX];
	size_t number = 1;

	if (up == NULL || up->ops->give_up == NULL)
		return;
	for (const struct session_tunnel *b = t->below; b != NULL; b = b->below)
		number++;
	if (number > 1 && t->below->state == STATE_FAILED)
		snprintf(text, sizeof(text), "%s", why);	/* says it */
	else
		snprintf(text, sizeof(text), "hop %zu of the chain failed for "
		    "good: %s", number, why);
	up->ops->give_up(up, text);
}

void
session_tunnel_tell(struct session_tunnel *t, enum session_tunnel_state state,
    int err, const char *why)
{
	struct session *s = t->s;
	bool last = t == s->tunnel;

	t->state = state;
	t->err = state == STATE_UP ? SW_OK : err;
	if (why == NULL && err != SW_OK)
		why = sw_strerror(err);
	if (state != STATE_UP && state != STATE_CONNECTING &&
	    t->names != NULL)
		names_service_reset(t->names);
	switch (state) {
	case STATE_CONNECTING:
		tell_launcher(s, START_PROGRESS, "connecting");
		break;
	case STATE_UP:
		log_info("%s tunnel: up", t->ops->kind);
		if (last) {
			tell_hops(s, true);
			tell_ready(s);
		}
		if (t->above != NULL && t->above->ops->wake != NULL)
			t->above->ops->wake(t->above);
		break;
	case STATE_DOWN:
		log_warn("%s tunnel: down, will try again", t->ops->kind);
		if (last)
			tell_hops(s, false);
		if (why != NULL)
			tell_launcher(s, START_PROGRESS, why);
		break;
	case STATE_FAILED:
		log_err("%s tunnel: failed", t->ops->kind);
		if (last)
			tell_hops(s, false);
		if (why == NULL)
			why = "the tunnel could not be made";
		/* Either nobody waits for the start any more, or all ends. */
		if (s->start_fd < 0)
			fail_above(t, why);
		fail_start(s, why);
		break;
	}
}
