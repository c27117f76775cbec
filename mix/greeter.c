#include "mix/greeter.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "transport/tls_server.h"

#define HANDSHAKE_MS 5000

struct greeting {
	struct greeter *g;
	struct tls_accept *accept;
	struct greeting *next, **at;
};

static void
greeting_free(struct greeting *m)
{
	*m->at = m->next;
	if (m->next != NULL)
		m->next->at = m->at;
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

void
greeter_take(struct greeter *g, int fd)
{
	struct greeting *m;

	if (g->n == g->max || (m = calloc(1, sizeof(*m))) == NULL) {
		close(fd);
		return;
	}
	m->accept = tls_accept_start(g->loop, g->tls, fd,
	    g->loop->now_ms + HANDSHAKE_MS, &accept_events, m);
	if (m->accept == NULL) {
		free(m);
		return;
	}
	m->g = g;
	m->at = &g->first;
	m->next = g->first;
	if (m->next != NULL)
		m->next->at = &m->next;
	g->first = m;
	g->n++;
}

void
greeter_close(struct greeter *g)
{
	for (struct greeting *m = g->first, *next; m != NULL; m = next) {
		next = m->next;
		tls_accept_cancel(m->accept);
		greeting_free(m);
	}
}
