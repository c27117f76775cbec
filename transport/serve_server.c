/*
 * All sessions together: who may come, whose output is sent in this turn, and
 * how they end.
 */
#include "transport/serve_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "transport/serve_note.h"

bool
serve_is_crowded(struct serve_server *v, const struct serve_info *who)
{
	const struct serve_limits *m = &v->limits;
	const struct serve_session *s;
	const char *what = NULL;
	unsigned n = 0;

	if (v->draining)
		return true;
	LIST_EACH(s, &v->sessions, link)
		n += who->has_addr ? s->who.has_addr &&
		    addr_same_ip(&s->who.addr, &who->addr) :
		    strcmp(s->who.peer, who->peer) == 0;
	if (m->connections != 0 && v->nsessions >= m->connections)
		what = "too many connections";
	else if (m->per_ip != 0 && n >= m->per_ip)
		what = "too many of this address";
	if (what == NULL)
		return false;
	serve_note_rejected(who, what);
	return true;
}

static void
on_turn(struct loop_turn *t)
{
	struct serve_server *v = CONTAINER_OF(t, struct serve_server, turn);
	struct serve_session *s;

	while ((s = LIST_FIRST(&v->dirty)) != NULL) {
		LIST_DROP(&v->dirty, s, dirty);
		s->is_dirty = false;
		serve_session_flush(s);
	}
}

void
serve_sessions_bye(struct serve_server *v)
{
	struct serve_session *s;

	LIST_EACH(s, &v->sessions, link) {
		serve_ssh_bye(s->ssh, SERVE_BYE_APPLICATION,
		    "the server is going down");
		serve_session_touch(s);
	}
}

void
serve_sessions_free(struct serve_server *v)
{
	struct serve_session *s, *next;

	for (s = LIST_FIRST(&v->sessions); s != NULL; s = next) {
		next = LIST_NEXT(s, link);
		serve_session_free(s);
	}
	serve_relays_cut(v);
}

/* Channels that lead to connections, until the client has closed them too: it
 * does so when it has passed on all that we sent, and a good-bye before that
 * would cost the rest. */
static bool
has_connections(const struct serve_session *s)
{
	return serve_ssh_channels(s->ssh) > s->nservices;
}

bool
serve_sessions_are_idle(const struct serve_server *v)
{
	const struct serve_session *s;
	size_t len;

	LIST_EACH(s, &v->sessions, link) {
		(void)serve_ssh_output(s->ssh, &len);
		if (len > 0 || has_connections(s))
			return false;
	}
	return LIST_IS_EMPTY(&v->lingering);
}

int
serve_server_init(struct serve_server *v)
{
	LIST_INIT(&v->sessions);
	LIST_INIT(&v->dirty);
	LIST_INIT(&v->lingering);
	v->scratch = malloc(SERVE_SCRATCH);
	v->far = malloc(SERVE_FAR);
	if (v->scratch == NULL || v->far == NULL)
		return SW_ERR_NOMEM;
	if (loop_init(&v->l) != SW_OK)
		return SW_ERR_SYS;
	v->turn.run = on_turn;
	loop_add_turn(&v->l, &v->turn);
	v->dialing = (struct serve_dialing){ .l = &v->l, .policy = &v->policy };
	v->ssh.host_pk = v->hostkey.pk;
	v->ssh.host_sk = v->hostkey.sk;
	v->ssh.budget = &v->budget;
	return SW_OK;
}

void
serve_server_wipe(struct serve_server *v)
{
	serve_sessions_free(v);
	serve_resolver_free(v->dialing.resolver);
	serve_keys_unref(v->keys);
	serve_policy_wipe(&v->policy);
	serve_hostkey_wipe(&v->hostkey);
	if (v->l.epfd > 0)
		loop_wipe(&v->l);
	free(v->scratch);
	free(v->far);
}
