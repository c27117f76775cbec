#include "transport/ssh_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "transport/ssh_text.h"

struct ssh_live *
ssh_live_new(void)
{
	struct ssh_live *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->fd = -1;
	v->last_id = 42;	/* libssh counts on from here */
	LIST_INIT(&v->arrivals);
	if ((v->session = ssh_new()) == NULL) {
		free(v);
		return NULL;
	}
	ssh_set_counters(v->session, &v->wire, &v->raw);
	return v;
}

void
ssh_live_free(struct ssh_live *v)
{
	if (v == NULL)
		return;
	ssh_wire_detach(&v->gathered);
	if (v->event != NULL) {
		(void)ssh_event_remove_session(v->event, v->session);
		ssh_event_free(v->event);
	}
	/* Frees the channels and closes the session's own descriptor. */
	ssh_free(v->session);
	ssh_set_log_userdata(NULL);
	ssh_command_end(v->command);
	if (v->fd >= 0)
		close(v->fd);
	ssh_dial_drop_arrivals(v);
	free(v->refused);
	free(v->unheard);
	free(v->bound);
	free(v);
}

static void
hear(int priority, const char *function, const char *line, void *userdata)
{
	struct ssh_live *v = userdata;
	struct ssh_refusal *f;
	const char *words;
	uint32_t id, reason;

	(void)priority;
	(void)function;
	if (v == NULL ||
	    ssh_text_parse_failure(line, &id, &reason, &words) != SW_OK)
		return;
	if (v->nrefused == v->refused_room) {
		size_t room = v->refused_room == 0 ? 16 : v->refused_room * 2;

		f = realloc(v->refused, room * sizeof(*f));
		if (f == NULL)
			return;		/* found later, without its reason */
		v->refused = f;
		v->refused_room = room;
	}
	v->refused[v->nrefused++] = (struct ssh_refusal){
		.id = id, .err = ssh_text_dial_error(reason, words),
	};
}

void
ssh_live_enter(struct ssh_live *v)
{
	if (ssh_get_log_userdata() == v)
		return;
	/* Only errors pass at this level; nothing is ever printed. */
	ssh_set_log_level(SSH_LOG_WARN);
	ssh_set_log_callback(hear);
	ssh_set_log_userdata(v);
}
