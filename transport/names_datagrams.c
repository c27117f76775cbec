/*
 * A port remembers the names it sent to, so that what comes back from their
 * addresses carries the name again.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "transport/list.h"
#include "transport/names_dialer.h"

#define NAMES_MAX_PER_PORT 64
#define WAITING_MAX 8			/* datagrams for one unresolved name */

struct names_datagrams {
	struct names_service *s;
	struct datagrams *below;
	const struct datagram_ops *ops;
};

struct waiting {
	struct waiting *next;
	uint16_t port;
	size_t len;
	uint8_t data[];
};

struct named {
	LIST_LINK(named) link;
	struct datagram_port *port;
	bool resolving;
	struct sw_addr addr;		/* any: not known */
	struct waiting *first, **last;
	size_t n;
	char name[DIAL_HOST_MAX + 1];
};

/* Ours; those below are only handed through. */
struct datagram_port {
	struct names_datagrams *n;
	const struct datagram_events *ev;
	void *arg;
	struct datagram_port *below;
	LIST_OF(named_list, named) names;	/* used last, last */
	size_t count;
};

struct names_datagrams *
names_datagrams_new(struct names_service *s, struct datagrams *below,
    const struct datagram_ops *ops)
{
	struct names_datagrams *n = calloc(1, sizeof(*n));

	if (n != NULL)
		*n = (struct names_datagrams){ s, below, ops };
	return n;
}

void
names_datagrams_free(struct names_datagrams *n)
{
	free(n);
}

struct datagrams *
names_datagrams_datagrams(struct names_datagrams *n)
{
	return (struct datagrams *)(void *)n;
}

static void
named_free(struct named *m)
{
	struct waiting *w;

	if (m->resolving)
		names_service_cancel(m->port->n->s, m);
	while ((w = m->first) != NULL) {
		m->first = w->next;
		free(w);
	}
	LIST_DROP(&m->port->names, m, link);
	m->port->count--;
	free(m);
}

static void
port_forget(struct datagram_port *p)
{
	struct named *m;

	while ((m = LIST_FIRST(&p->names)) != NULL)
		named_free(m);
	free(p);
}

/* ---- the port below ---- */

static struct datagram_peer
peer_of(const struct datagram_port *p, const struct datagram_peer *below)
{
	struct datagram_peer peer = *below;
	const struct named *m;

	LIST_EACH(m, &p->names, link)
		if (addr_same_ip(&m->addr, &below->addr))
			peer.name = m->name;
	return peer;
}

static void
got_packet(void *arg, const struct datagram_peer *from, const uint8_t *data,
    size_t len)
{
	struct datagram_port *p = arg;
	struct datagram_peer peer = peer_of(p, from);

	p->ev->packet(p->arg, &peer, data, len);
}

static void
was_refused(void *arg, const struct datagram_peer *to, int err)
{
	struct datagram_port *p = arg;
	struct datagram_peer peer = peer_of(p, to);

	p->ev->refused(p->arg, &peer, err);
}

static void
has_closed(void *arg, int err)
{
	struct datagram_port *p = arg;
	const struct datagram_events *ev = p->ev;
	void *user = p->arg;

	port_forget(p);
	ev->closed(user, err);
}

static const struct datagram_events below_events = {
	.packet = got_packet, .refused = was_refused, .closed = has_closed,
};

/* ---- what the user asks ---- */

static struct datagram_port *
port_open(struct datagrams *me, const struct datagram_events *ev, void *arg,
    int *err)
{
	struct names_datagrams *n = (struct names_datagrams *)(void *)me;
	struct datagram_port *p = calloc(1, sizeof(*p));

	*err = SW_ERR_NOMEM;
	if (p == NULL)
		return NULL;
	p->n = n;
	p->ev = ev;
	p->arg = arg;
	LIST_INIT(&p->names);
	p->below = n->ops->open(n->below, &below_events, p, err);
	if (p->below == NULL) {
		free(p);
		return NULL;
	}
	return p;
}

static void
port_close(struct datagram_port *p)
{
	p->n->ops->close(p->below);
	port_forget(p);
}

static int
send_to(struct datagram_port *p, const struct sw_addr *addr, uint16_t port,
    const uint8_t *data, size_t len)
{
	struct datagram_peer to = { .addr = *addr };

	to.addr.port = port;
	return p->n->ops->send(p->below, &to, data, len);
}

static void
resolved(void *arg, int err, uint32_t ttl_s, const struct sw_addr *addrs,
    size_t n)
{
	struct named *m = arg;
	struct waiting *w;

	(void)ttl_s;
	m->resolving = false;
	if (err == SW_OK && n > 0)
		m->addr = addrs[0];
	while ((w = m->first) != NULL) {
		m->first = w->next;
		if (err == SW_OK && n > 0)
			(void)send_to(m->port, &m->addr, w->port, w->data,
			    w->len);
		free(w);
	}
	m->last = &m->first;
	m->n = 0;
}

static struct named *
find(struct datagram_port *p, const char *name)
{
	struct named *m;

	LIST_EACH(m, &p->names, link)
		if (strcmp(m->name, name) == 0)
			break;
	if (m != NULL) {
		LIST_DROP(&p->names, m, link);
		LIST_APPEND(&p->names, m, link);
		return m;
	}
	if (strlen(name) > DIAL_HOST_MAX || (m = calloc(1, sizeof(*m))) == NULL)
		return NULL;
	if (p->count == NAMES_MAX_PER_PORT)
		named_free(LIST_FIRST(&p->names));
	m->port = p;
	m->last = &m->first;
	memcpy(m->name, name, strlen(name) + 1);
	LIST_APPEND(&p->names, m, link);
	p->count++;
	return m;
}

static int
wait_for_name(struct named *m, uint16_t port, const uint8_t *data, size_t len)
{
	struct waiting *w;

	if (m->n >= WAITING_MAX || (w = malloc(sizeof(*w) + len)) == NULL)
		return SW_AGAIN;
	*w = (struct waiting){ .port = port, .len = len };
	memcpy(w->data, data, len);
	*m->last = w;
	m->last = &w->next;
	m->n++;
	if (!m->resolving) {
		m->resolving = true;
		names_service_resolve(m->port->n->s, m->name, strlen(m->name),
		    AF_UNSPEC, resolved, m);
	}
	return SW_OK;
}

static int
port_send(struct datagram_port *p, const struct datagram_peer *to,
    const uint8_t *data, size_t len)
{
	struct named *m;

	if (to->name == NULL)
		return send_to(p, &to->addr, to->addr.port, data, len);
	if (len > DATAGRAM_MAX)
		return SW_ERR_TOO_LONG;
	if ((m = find(p, to->name)) == NULL)
		return SW_AGAIN;
	if (!addr_is_any(&m->addr))
		return send_to(p, &m->addr, to->addr.port, data, len);
	return wait_for_name(m, to->addr.port, data, len);
}

const struct datagram_ops names_datagram_ops = {
	.open = port_open, .send = port_send, .close = port_close,
};
