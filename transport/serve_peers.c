#include "transport/serve_peers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void
serve_peers_wipe(struct serve_peers *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->peer[i].name);
	memset(t, 0, sizeof(*t));
}

struct serve_peer *
serve_peers_at(struct serve_peers *t, const struct sw_addr *addr)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->peer[i].addr.port == addr->port &&
		    addr_same_ip(&t->peer[i].addr, addr))
			return &t->peer[i];
	return NULL;
}

struct serve_peer *
serve_peers_of_host(struct serve_peers *t, const struct sw_addr *addr)
{
	struct serve_peer *last = NULL;

	for (size_t i = 0; i < t->n; i++)
		if (addr_same_ip(&t->peer[i].addr, addr) && (last == NULL ||
		    t->peer[i].used_ms > last->used_ms))
			last = &t->peer[i];
	return last;
}

struct serve_peer *
serve_peers_named(struct serve_peers *t, const char *name, uint16_t port)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->peer[i].name != NULL && t->peer[i].addr.port == port &&
		    strcasecmp(t->peer[i].name, name) == 0)
			return &t->peer[i];
	return NULL;
}

/* Room for one more. */
static struct serve_peer *
make_room(struct serve_peers *t)
{
	struct serve_peer *oldest = &t->peer[0];

	if (t->n < SERVE_PEERS_MAX)
		return &t->peer[t->n++];
	for (size_t i = 1; i < SERVE_PEERS_MAX; i++)
		if (t->peer[i].used_ms < oldest->used_ms)
			oldest = &t->peer[i];
	return oldest;
}

void
serve_peers_note(struct serve_peers *t, const char *name,
    const struct sw_addr *addr, int64_t now_ms)
{
	struct serve_peer *p = serve_peers_at(t, addr);

	if (p == NULL)
		p = make_room(t);
	if (p->name == NULL || name == NULL || strcmp(p->name, name) != 0) {
		free(p->name);
		p->name = name != NULL ? strdup(name) : NULL;
		p->found_ms = now_ms;
	}
	p->addr = *addr;
	p->used_ms = now_ms;
}
