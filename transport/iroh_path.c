/*
 * Paths.  ngtcp2 knows a path by a pair of addresses.  The one a client begins
 * with, and every relayed one, is a pair of made-up addresses; `via` says what
 * it is.  So a client can send its first packets all ways at once and let the
 * first answer decide, as iroh's own endpoints do.
 */
#include <netinet/in.h>
#include <string.h>

#include "transport/iroh_private.h"

/* In a range that iroh itself uses for this. */
#define MADE_UP(last) { .ip = { 0xfd, 0x15, 0x07, 0x0a, 0x51, 0x0b, 0, 1, \
	0, 0, 0, 0, 0, 0, 0, last }, .port = 12345 }
static const struct sw_addr made_up_local = MADE_UP(1);
static const struct sw_addr made_up_remote = MADE_UP(2);

static void
set_path(ngtcp2_path_storage *ps, const struct sw_addr *local,
    const struct sw_addr *remote)
{
	struct sockaddr_in6 l, r;
	socklen_t ll = sizeof(l), rl = sizeof(r);

	addr_to_sockaddr(local, AF_INET6, (struct sockaddr *)&l, &ll);
	addr_to_sockaddr(remote, AF_INET6, (struct sockaddr *)&r, &rl);
	ngtcp2_path_storage_init(ps, (struct sockaddr *)&l, sizeof(l),
	    (struct sockaddr *)&r, sizeof(r), NULL);
}

static bool
same_addr(const struct sw_addr *a, const struct sw_addr *b)
{
	return a->port == b->port && addr_same_ip(a, b);
}

static bool
is_candidate(const struct iroh_conn *c, const struct sw_addr *a)
{
	for (size_t i = 0; i < c->peer.ndirect; i++)
		if (same_addr(&c->peer.direct[i], a))
			return true;
	return false;
}

static bool
same_origin(const struct iroh_origin *a, const struct iroh_origin *b)
{
	if (a->relay != b->relay)
		return false;
	return a->relay != NULL ?
	    memcmp(&a->id, &b->id, sizeof(a->id)) == 0 :
	    same_addr(&a->remote, &b->remote);
}

static bool
admit_client(struct iroh_conn *c, const struct iroh_origin *from)
{
	bool mine = from->relay != NULL ? from->relay == c->relay &&
	    memcmp(&from->id, &c->peer.id, sizeof(from->id)) == 0 :
	    is_candidate(c, &from->remote);

	if (!mine)
		return false;
	if (c->via == VIA_EVERY) {
		c->via = from->relay != NULL ? VIA_RELAY : VIA_UDP;
		c->first = *from;
		/* The kernel chooses the source again should addresses change. */
		c->first.local = (struct sw_addr){ .port = 0 };
		return true;
	}
	/* What the relay still has in its queues after a move carries an id
	 * that is retired: the peer's answer to it would be a stateless reset. */
	return from->relay == NULL || (c->via == VIA_RELAY && !c->moved);
}

bool
iroh_path_admit(struct iroh_conn *c, const struct iroh_origin *from)
{
	if (!c->server)
		return admit_client(c, from);
	if (c->state == CONN_HANDSHAKE)
		return same_origin(from, &c->first);
	if (from->relay != NULL)
		return c->via == VIA_RELAY && !c->moved &&
		    same_origin(from, &c->first);
	return true;
}

bool
iroh_path_is_from(const struct iroh_conn *c, const struct iroh_origin *from)
{
	const ngtcp2_path *now = ngtcp2_conn_get_path(c->q);
	struct sw_addr a;

	if (iroh_path_is_first(now))
		return c->via != VIA_EVERY && same_origin(&c->first, from);
	return from->relay == NULL && addr_from_sockaddr(&a, now->remote.addr,
	    now->remote.addrlen) == SW_OK && same_addr(&a, &from->remote);
}

void
iroh_path_of(const struct iroh_conn *c, const struct iroh_origin *from,
    ngtcp2_path_storage *ps)
{
	const struct sw_addr any = { .port = c->ep->port };

	if (from->relay != NULL ||
	    (!c->server && same_origin(from, &c->first)))
		set_path(ps, &made_up_local, &made_up_remote);
	else
		set_path(ps, c->server ? &from->local : &any, &from->remote);
}

bool
iroh_path_is_first(const ngtcp2_path *path)
{
	struct sw_addr a;

	return addr_from_sockaddr(&a, path->remote.addr,
	    path->remote.addrlen) == SW_OK && same_addr(&a, &made_up_remote);
}

void
iroh_path_upgrade(struct iroh_conn *c)
{
	const struct sw_addr any = { .port = c->ep->port };
	ngtcp2_path_storage ps;

	if (c->server || c->via != VIA_RELAY || c->moved || c->ep->no_udp ||
	    c->peer.ndirect == 0)
		return;
	if (c->next_direct >= c->peer.ndirect) {
		c->next_direct = 0;
		c->upgrade_ms = c->upgrade_ms == 0 ? UPGRADE_MIN_MS :
		    c->upgrade_ms * 2 > UPGRADE_MAX_MS ? UPGRADE_MAX_MS :
		    c->upgrade_ms * 2;
		loop_set_timer(&c->ep->loop, &c->relay_lag,
		    c->ep->loop.now_ms + c->upgrade_ms);
		return;
	}
	set_path(&ps, &any, &c->peer.direct[c->next_direct++]);
	/* It fails only when the peer has given no spare connection id. */
	(void)ngtcp2_conn_initiate_migration(c->q, &ps.path, iroh_now_ns());
	iroh_conn_mark(c);
}
