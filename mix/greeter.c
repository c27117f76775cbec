#include "mix/greeter.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "transport/tls_server.h"

#define HANDSHAKE_MS 5000

struct greeting {
	struct greeter *g;
	struct tls_accept *accept;
	LIST_LINK(greeting) link;	/* the oldest comes first */
};

static void
greeting_free(struct greeting *m)
{
	LIST_DROP(&m->g->all, m, link);
	m->g->n--;
	free(m);
}

static void
on_done(void *arg, int err, int fd, const struct tls_peer *peer,
    const char *why)
{
	struct greeting *m = arg;
	struct greeter *g = m->g;

	(void)peer;
	(void)why;
	greeting_free(m);
	if (err == SW_OK && fcntl(fd, F_SETFL, O_NONBLOCK) == 0) {
		g->ready(g->arg, fd);
		return;
	}
	if (fd >= 0)
		close(fd);		/* it speaks no TLS */
	if (g->failed != NULL)
		g->failed(g->arg);
}

static const struct tls_accept_events accept_events = { on_done };

static void
give_up(struct greeting *m)
{
	tls_accept_cancel(m->accept);
	greeting_free(m);
}

void
greeter_take(struct greeter *g, int fd)
{
	struct greeting *m = calloc(1, sizeof(*m));

	if (m == NULL) {
		close(fd);
		return;
	}
	if (g->n == g->max)
		give_up(LIST_FIRST(&g->all));
	m->accept = tls_accept_start(g->loop, g->tls, fd,
	    g->loop->now_ms + HANDSHAKE_MS, &accept_events, m);
	if (m->accept == NULL) {
		free(m);
		return;
	}
	m->g = g;
	LIST_APPEND(&g->all, m, link);
	g->n++;
}

void
greeter_close(struct greeter *g)
{
	for (struct greeting *m = LIST_FIRST(&g->all), *next; m != NULL;
	    m = next) {
		next = LIST_NEXT(m, link);
		give_up(m);
	}
}
