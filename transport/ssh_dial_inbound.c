/* Connections that come to us, through a published port (tcpip-forward). */
#include "transport/ssh_dial_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <libssh/server.h>

#define INBOUND_MAX 8192	/* of a session, at once */

/* Accepted at once, so that its bytes and ends find a listener; the user hears
 * of it from process. */
int
ssh_dial_on_message(ssh_session session, ssh_message m, void *arg)
{
	struct ssh_live *v = arg;
	struct ssh_arrival *a;
	const char *from;

	(void)session;
	if (ssh_message_type(m) != SSH_REQUEST_CHANNEL_OPEN ||
	    ssh_message_subtype(m) != SSH_CHANNEL_FORWARDED_TCPIP ||
	    v->ninbound >= INBOUND_MAX)
		return 1;		/* refused by libssh */
	if ((a = calloc(1, sizeof(*a))) == NULL ||
	    (a->d = ssh_dial_new(NULL, NULL, NULL)) == NULL) {
		free(a);
		return 1;
	}
	from = ssh_message_channel_request_open_originator(m);
	snprintf(a->from, sizeof(a->from), "%s", from != NULL ? from : "");
	a->port = (uint16_t)ssh_message_channel_request_open_destination_port(m);
	a->from_port =
	    (uint16_t)ssh_message_channel_request_open_originator_port(m);
	a->d->ch = ssh_message_channel_request_open_reply_accept(m);
	if (a->d->ch == NULL) {
		ssh_dial_free(a->d);
		free(a);
		return 0;
	}
	a->d->inbound = true;
	v->ninbound++;
	a->d->id = ++v->last_id;
	a->d->state = DIAL_OPEN;
	(void)ssh_set_channel_callbacks(a->d->ch, &a->d->cb);
	LIST_APPEND(&v->arrivals, a, next);
	return 0;
}

void
ssh_dial_drop_arrivals(struct ssh_live *v)
{
	struct ssh_arrival *a;

	while ((a = LIST_FIRST(&v->arrivals)) != NULL) {
		LIST_DROP(&v->arrivals, a, next);
		ssh_dial_free(a->d);
		free(a);
	}
}

void
ssh_tunnel_adopt(struct dial *d, const struct dial_events *ev, void *arg)
{
	d->ev = ev;
	d->arg = arg;
	ssh_dial_queue(d);
}

void
ssh_dial_process_arrivals(struct ssh_tunnel *t)
{
	struct ssh_arrival *a;

	while ((a = LIST_FIRST(&t->live->arrivals)) != NULL) {
		struct dial *d = a->d;

		LIST_DROP(&t->live->arrivals, a, next);
		d->t = t;
		LIST_APPEND(&t->dials.open, d, link);
		t->dials.nopen++;
		t->dials.opened++;
		if (t->ev->inbound != NULL)
			t->ev->inbound(t->arg, a->port, a->from, a->from_port,
			    d);
		else
			ssh_dial_abort(d);
		free(a);
	}
}
