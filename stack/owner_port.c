/*
 * Local ports.  A port is in use while a flow has it, and while lwIP still has
 * a connection lingering on it (TIME_WAIT included).
 *
 * Looking through all of those for each new connection was half of the owner's
 * work for a program that makes 2,000 a second.  So a census marks the ports
 * that nobody has, and a marked one is taken without a look; the next census
 * comes when every port has had its turn.
 */
#include <errno.h>
#include <string.h>

#include "stack/owner_priv.h"

#include "lwip/priv/tcp_priv.h"

static bool
lingers(const struct owner *o, const struct tcp_pcb *list, uint16_t port)
{
	for (; list != NULL; list = list->next) {
		struct sw_addr a;

		if (list->local_port != port)
			continue;
		a = stack_addr(&list->local_ip, 0);
		if (addr_same_ip(&a, &o->config.inner4) ||
		    addr_same_ip(&a, &o->config.inner6))
			return true;
	}
	return false;
}

/* May `f` have the port too?  `choosing`: any doubt means no. */
static bool
is_free(const struct flow *f, uint16_t port, bool choosing)
{
	const struct owner *o = f->owner;

	for (const struct flow *g = o->flows; g != NULL; g = g->next)
		if (g != f && g->dgram == f->dgram && g->local.port == port &&
		    (choosing || !(g->reuse && f->reuse)))
			return false;
	if (f->dgram)
		return true;
	/* As in the kernel, REUSEADDR lets a new socket have the port of a
	 * connection that merely lingers. */
	return !lingers(o, tcp_active_pcbs, port) &&
	    ((f->reuse && !choosing) || !lingers(o, tcp_tw_pcbs, port));
}

static void
spoil(struct owner *o, uint16_t port)
{
	o->fresh[port / 8] &= (uint8_t)~(1u << port % 8);
}

static void
take_census(struct owner *o)
{
	memset(o->fresh, 0xff, sizeof(o->fresh));
	for (const struct flow *f = o->flows; f != NULL; f = f->next)
		spoil(o, f->local.port);
	for (const struct tcp_pcb *p = tcp_active_pcbs; p != NULL; p = p->next)
		spoil(o, p->local_port);
	for (const struct tcp_pcb *p = tcp_tw_pcbs; p != NULL; p = p->next)
		spoil(o, p->local_port);
	o->has_census = true;
}

static void
assign(struct flow *f, uint16_t port)
{
	f->local.port = port;
	spoil(f->owner, port);
}

int
port_take(struct flow *f, uint16_t port)
{
	struct owner *o = f->owner;
	uint32_t span = (uint32_t)(o->config.port_hi - o->config.port_lo) + 1;

	if (port != 0) {
		if (!is_free(f, port, false))
			return EADDRINUSE;
		assign(f, port);
		return 0;
	}
	if (!o->has_census)
		take_census(o);
	for (uint32_t i = 0; i < span; i++) {
		uint16_t p = o->next_port;

		if (p < o->config.port_hi) {
			o->next_port = (uint16_t)(p + 1);
		} else {
			o->next_port = o->config.port_lo;
			o->has_census = false;
		}
		if ((o->fresh[p / 8] >> p % 8 & 1) != 0 ||
		    is_free(f, p, true)) {
			assign(f, p);
			return 0;
		}
	}
	return EADDRNOTAVAIL;
}
