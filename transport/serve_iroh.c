#include "transport/serve_iroh.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/container.h"
#include "transport/iroh.h"
#include "transport/iroh_id.h"

#define ACCEPTS_A_TURN 16
#define LINGER_MS 1000

struct serve_iroh {
	struct serve_server *v;
	struct iroh_endpoint *ep;
	struct loop_fd w;
};

static void
arrive(struct serve_iroh *i, const struct iroh_incoming *in)
{
	/* Behind a relay the address would be the relay's. */
	struct serve_info who = {
		.kind = SERVE_IROH, .has_addr = !in->relayed, .addr = in->from,
	};
	char id[IROH_ID_TEXT_LEN];
	int flags = fcntl(in->fd, F_GETFL);

	snprintf(who.peer, sizeof(who.peer), "%s", iroh_id_text(&in->peer, id));
	(void)fcntl(in->fd, F_SETFL, flags | O_NONBLOCK);
	serve_session_start(i->v, in->fd, &who, NULL, 0);
}

static void
on_ready(struct loop_fd *w, uint32_t events)
{
	struct serve_iroh *i = CONTAINER_OF(w, struct serve_iroh, w);
	struct iroh_incoming in;

	(void)events;
	for (int n = 0; n < ACCEPTS_A_TURN; n++) {
		if (iroh_accept(i->ep, &in) != SW_OK)
			return;
		arrive(i, &in);
	}
}

struct serve_iroh *
serve_iroh_new(struct serve_server *v, const struct serve_listen *where,
    const char *key_file, const char *relay, int out, char why[static 256])
{
	const struct iroh_options o = {
		.key_file = key_file, .relay = relay, .bind = where->host,
		.port = where->port, .accept = true,
	};
	struct serve_iroh *i = calloc(1, sizeof(*i));
	char text[IROH_ID_TEXT_LEN];
	struct iroh_id id;

	_Static_assert(IROH_WHY_LEN <= 256, "why has room");
	snprintf(why, 256, "out of memory");
	if (i == NULL)
		return NULL;
	i->v = v;
	if (iroh_open(&i->ep, &o, why) != SW_OK) {
		free(i);
		return NULL;
	}
	i->w = (struct loop_fd){
		.fd = iroh_accept_fd(i->ep), .ready = on_ready,
	};
	if (loop_add(&v->l, &i->w, EPOLLIN) != SW_OK) {
		serve_iroh_free(i);
		return NULL;
	}
	iroh_id(i->ep, &id);
	dprintf(out, "listen iroh %s port %u\n", iroh_id_text(&id, text),
	    iroh_port(i->ep));
	return i;
}

void
serve_iroh_stop(struct serve_iroh *i)
{
	loop_del(&i->v->l, &i->w);
}

void
serve_iroh_free(struct serve_iroh *i)
{
	if (i == NULL)
		return;
	loop_del(&i->v->l, &i->w);
	iroh_close(i->ep, LINGER_MS);
	free(i);
}
