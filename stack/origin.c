#include "stack/origin.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "stack/arena.h"
#include "stack/origin_priv.h"

#include "lwip/priv/tcp_priv.h"

struct origin *the_origin;

static int
output(const struct packet *head, const struct iovec *iov, int n)
{
	(void)head;
	return the_origin->output(the_origin->arg, iov, n);
}

static void
got_icmp(const struct packet *quoted, int err)
{
	if (quoted->proto == PACKET_TCP)
		dial_icmp(the_origin, quoted, err);
	else if (quoted->proto == PACKET_UDP)
		port_icmp(the_origin, quoted, err);
}

static void
stack_broke(void)
{
	for (struct dial *d = the_origin->dials; d != NULL; d = d->next)
		d->pcb = NULL;
	dial_end_all(the_origin, SW_ERR_RESET);
	port_end_all(the_origin, SW_ERR_DOWN);
}

static const struct stack_ops self_ops = {
	.output = output, .udp = port_input, .icmp = got_icmp,
	.broken = stack_broke,
};

int
origin_code(int err)
{
	switch (err) {
	case ECONNREFUSED:
		return SW_ERR_REFUSED;
	case EHOSTUNREACH:
		return SW_ERR_UNREACH_HOST;
	case ENETUNREACH:
		return SW_ERR_UNREACH_NET;
	default:
		return sw_err_from_errno(err);
	}
}

bool
origin_address(const struct origin *o, const struct sw_addr *to,
    struct sw_addr *out)
{
	*out = addr_is_v4(to) ? o->path.inner4 : o->path.inner6;
	return (o->path.flags & LINK_UP) != 0 && !addr_is_any(out) &&
	    !addr_is_any(to) && !addr_is_multicast(to);
}

/* Whoever has it: other owners of this process have other blocks. */
static bool
is_taken(uint16_t port, const struct tcp_pcb *list)
{
	while (list != NULL && list->local_port != port)
		list = list->next;
	return list != NULL;
}

uint16_t
origin_take_port(struct origin *o)
{
	uint32_t span = (uint32_t)(o->path.port_hi - o->path.port_lo) + 1;

	for (uint32_t i = 0; i < span; i++) {
		const struct datagram_port *p = o->ports;

		if (++o->last_port < o->path.port_lo ||
		    o->last_port > o->path.port_hi)
			o->last_port = o->path.port_lo;
		while (p != NULL && p->number != o->last_port)
			p = p->next;
		if (p == NULL && !is_taken(o->last_port, tcp_active_pcbs) &&
		    !is_taken(o->last_port, tcp_tw_pcbs))
			return o->last_port;
	}
	return 0;
}

struct origin *
origin_new(struct loop *l, origin_output_fn *out, void *arg)
{
	struct origin *o;

	if (the_origin != NULL || stack_open(l, STACK_SELF, &self_ops) != SW_OK)
		return NULL;
	if ((o = arena_get_zeroed(1, sizeof(*o))) == NULL) {
		stack_close(STACK_SELF);
		return NULL;
	}
	o->loop = l;
	o->output = out;
	o->arg = arg;
	o->soon.fire = dial_work_soon;
	stack_set_checksums(STACK_SELF, true);
	the_origin = o;
	return o;
}

void
origin_free(struct origin *o)
{
	if (o == NULL)
		return;
	while (o->dials != NULL)
		dial_free(o->dials);
	while (o->ports != NULL)
		port_free(o->ports);
	loop_set_timer(o->loop, &o->soon, SW_NEVER);
	stack_close(STACK_SELF);
	the_origin = NULL;
	arena_put(o);
}

void
origin_set_path(struct origin *o, const struct link_config *c)
{
	bool other = !addr_same_ip(&o->path.inner4, &c->inner4) ||
	    !addr_same_ip(&o->path.inner6, &c->inner6);

	o->path = *c;
	stack_set_mtu(STACK_SELF, c->mtu);
	if (o->last_port < c->port_lo || o->last_port > c->port_hi)
		o->last_port = (uint16_t)(c->port_lo + stack_random() %
		    (uint32_t)(c->port_hi - c->port_lo + 1));
	if (other) {
		dial_end_all(o, SW_ERR_RESET);
		port_end_all(o, SW_ERR_DOWN);
	}
}

void
origin_input(struct origin *o, const uint8_t *pkt, size_t len)
{
	struct link_frame *f = link_frame_new(pkt, len);

	(void)o;
	if (f == NULL)
		return;			/* lost, as in a network */
	stack_input(STACK_SELF, f, f->data, len);
	link_frame_unref(f);
}

void
origin_writable(struct origin *o)
{
	(void)o;
	stack_kick(STACK_SELF, NULL);
}

struct dialer *
origin_dialer(struct origin *o)
{
	return (struct dialer *)(void *)o;
}

struct datagrams *
origin_datagrams(struct origin *o)
{
	return (struct datagrams *)(void *)o;
}
