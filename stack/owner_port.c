/*
 * Local ports.  A port is in use while a flow has it, and while lwIP still has
 * a connection lingering on it (TIME_WAIT included).
 */
#include <errno.h>

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

int
port_take(struct flow *f, uint16_t port)
{
	struct owner *o = f->owner;
	uint32_t span = (uint32_t)(o->config.port_hi - o->config.port_lo) + 1;

	if (port != 0) {
		if (!is_free(f, port, false))
			return EADDRINUSE;
		f->local.port = port;
		return 0;
	}
	for (uint32_t i = 0; i < span; i++) {
		uint16_t p = o->next_port;

		o->next_port = p >= o->config.port_hi ? o->config.port_lo :
		    (uint16_t)(p + 1);
		if (is_free(f, p, true)) {
			f->local.port = p;
			return 0;
		}
	}
	return EADDRNOTAVAIL;
}
