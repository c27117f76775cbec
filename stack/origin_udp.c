/*
 * UDP ports of the origin.
 */
#include <string.h>

#include "stack/arena.h"
#include "stack/origin_priv.h"

static struct datagram_port *
find(const struct origin *o, uint16_t number)
{
	struct datagram_port *p = o->ports;

	while (p != NULL && p->number != number)
		p = p->next;
	return p;
}

void
port_input(const struct packet *head, const struct pbuf *p)
{
	struct datagram_port *port = find(the_origin, head->dst.port);
	struct datagram_peer from = { .addr = head->src };
	uint8_t *flat;

	if (port == NULL)
		return;
	if (p == NULL || p->next == NULL) {
		port->ev->packet(port->arg, &from, p == NULL ?
		    (const uint8_t *)"" : p->payload, p == NULL ? 0 : p->len);
		return;
	}
	if ((flat = arena_get(p->tot_len)) == NULL)
		return;
	port->ev->packet(port->arg, &from, flat,
	    pbuf_copy_partial(p, flat, p->tot_len, 0));
	arena_put(flat);
}

void
port_icmp(struct origin *o, const struct packet *quoted, int err)
{
	struct datagram_port *port = find(o, quoted->src.port);
	struct datagram_peer to = { .addr = quoted->dst };

	if (port != NULL)
		port->ev->refused(port->arg, &to, origin_code(err));
}

static struct datagram_port *
port_open(struct datagrams *me, const struct datagram_events *ev, void *arg,
    int *err)
{
	struct origin *o = (struct origin *)(void *)me;
	struct datagram_port *p;
	uint16_t number;

	*err = SW_ERR_DOWN;
	if ((o->path.flags & LINK_UP) == 0 || stack_is_broken())
		return NULL;
	*err = SW_ERR_LIMIT;
	if (o->port_n >= ORIGIN_PORTS_MAX ||
	    (number = origin_take_port(o)) == 0)
		return NULL;
	*err = SW_ERR_NOMEM;
	if ((p = arena_get_zeroed(1, sizeof(*p))) == NULL)
		return NULL;
	p->o = o;
	p->ev = ev;
	p->arg = arg;
	p->number = number;
	p->next = o->ports;
	if (p->next != NULL)
		p->next->prev = p;
	o->ports = p;
	o->port_n++;
	*err = SW_OK;
	return p;
}

static int
port_send(struct datagram_port *p, const struct datagram_peer *to,
    const uint8_t *data, size_t len)
{
	struct sw_addr from;
	struct iovec iov = { .iov_len = len };
	int r;

	if (to->name != NULL)
		return SW_ERR_NO_NAME;
	if (len > DATAGRAM_MAX)
		return SW_ERR_TOO_LONG;
	if (!origin_address(p->o, &to->addr, &from))
		return SW_ERR_DOWN;
	from.port = p->number;
	memcpy(&iov.iov_base, &data, sizeof(data));
	r = stack_send_udp(STACK_SELF, &from, &to->addr, &iov, 1, 0, 0);
	return r == SW_ERR_NOMEM ? SW_AGAIN : r;
}

void
port_free(struct datagram_port *p)
{
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		p->o->ports = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
	p->o->port_n--;
	arena_put(p);
}

void
port_end_all(struct origin *o, int err)
{
	struct datagram_port *p;

	while ((p = o->ports) != NULL) {
		const struct datagram_events *ev = p->ev;
		void *arg = p->arg;

		port_free(p);
		ev->closed(arg, err);
	}
}

const struct datagram_ops origin_datagram_ops = {
	.open = port_open, .send = port_send, .close = port_free,
};
