/* A gateway's clients that come over TLS: the handshake; what follows is a
 * websocket like any other's. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/container.h"
#include "mix/node_private.h"
#include "transport/tls_server.h"

#define HANDSHAKE_MS 5000

/* Somebody who shakes hands; counted among the fresh. */
struct greeting {
	struct node *node;
	struct tls_accept *accept;
	struct greeting *next, **at;
};

static void
greeting_free(struct greeting *g)
{
	*g->at = g->next;
	if (g->next != NULL)
		g->next->at = g->at;
	g->node->fresh--;
	free(g);
}

static void
on_done(void *arg, int err, int fd, const struct tls_peer *peer,
    const char *why)
{
	struct greeting *g = arg;
	struct node *n = g->node;

	(void)peer;
	(void)why;
	greeting_free(g);
	if (err == SW_OK && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
		node_add_client(n, fd);
	else if (fd >= 0)
		close(fd);		/* it speaks no TLS */
	n->handshakes_bad += err != SW_OK;
}

static const struct tls_accept_events accept_events = { on_done };

static void
greet(struct node *n, int fd)
{
	struct greeting *g;

	if (n->clients == NODE_CLIENTS_MAX || n->fresh == NODE_FRESH_MAX ||
	    (g = calloc(1, sizeof(*g))) == NULL) {
		close(fd);
		return;
	}
	g->accept = tls_accept_start(n->loop, n->cfg.tls, fd,
	    n->loop->now_ms + HANDSHAKE_MS, &accept_events, g);
	if (g->accept == NULL) {
		free(g);
		return;
	}
	g->node = n;
	g->at = &n->greetings;
	g->next = n->greetings;
	if (g->next != NULL)
		g->next->at = &g->next;
	n->greetings = g;
	n->fresh++;
}

void
node_accept_tls_clients(struct loop_fd *w, uint32_t events)
{
	struct node *n = CONTAINER_OF(w, struct node, wss_listener);
	int fd;

	(void)events;
	for (int k = 0; k < NODE_ACCEPT_BATCH; k++) {
		if ((fd = stream_accept_fd(w->fd)) < 0)
			return;
		stream_keep_alive(fd);
		greet(n, fd);
	}
}

void
node_close_greetings(struct node *n)
{
	for (struct greeting *g = n->greetings, *next; g != NULL; g = next) {
		next = g->next;
		tls_accept_cancel(g->accept);
		greeting_free(g);
	}
}
