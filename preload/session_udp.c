/*
 * A program's UDP ports and the exit's: one for one, as in a NAT that maps every
 * source to a port of its own whatever the destination.
 *
 * A destination that is a virtual address goes on by name.  What comes from a
 * peer with a name comes from the virtual address that the program wrote to;
 * so a few of these are remembered with each port.
 *
 * A port that has been still for IDLE_MS is closed; beyond PORTS_MAX the one
 * that has been still longest makes room.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "preload/session.h"
#include "preload/session_ssh.h"
#include "transport/list.h"
#include "transport/ssh_udp.h"

#define PORTS_MAX 1024
#define IDLE_MS 300000			/* RFC 4787 asks for 120 s at least */
#define LOOK_MS 30000
#define BUCKETS 256
#define NAMED_MAX 16

struct udp_port {
	LIST_LINK(udp_port) link;	/* of its bucket */
	struct session_udp *u;
	struct sw_addr src;		/* the program's */
	struct datagram_port *port;
	struct sw_addr named[NAMED_MAX];	/* virtual, port and all */
	size_t nnamed;
	int64_t used_ms;
};

LIST_OF(udp_ports, udp_port);

struct session_udp {
	struct session_ssh *t;
	struct udp_ports bucket[BUCKETS];
	size_t n;
	struct loop_timer look;
};

static struct loop *
loop_of(struct session_udp *u)
{
	return &u->t->t.s->loop;
}

static struct udp_ports *
bucket_of(struct session_udp *u, const struct sw_addr *src)
{
	uint32_t h = src->port;

	for (size_t i = 0; i < sizeof(src->ip); i++)
		h = h * 31 + src->ip[i];
	return &u->bucket[h % BUCKETS];
}

static void
port_free(struct udp_port *p)
{
	if (p->port != NULL)
		ssh_udp_ops.close(p->port);
	LIST_DROP(bucket_of(p->u, &p->src), p, link);
	p->u->n--;
	free(p);
}

/* ---- from the exit ---- */

/* What the program calls this peer; false: it never wrote to that host.  One
 * that answers by another port has the address that was written to. */
static bool
inner_name(struct udp_port *p, const struct datagram_peer *peer,
    struct sw_addr *out)
{
	bool known = false;

	if (peer->name == NULL) {
		*out = peer->addr;
		return true;
	}
	for (size_t i = p->nnamed; i > 0; i--) {
		const struct sw_addr *at = &p->named[i - 1];
		const char *name = names_find(p->u->t->map, at);

		if (name == NULL || strcmp(name, peer->name) != 0)
			continue;
		if (!known || at->port == peer->addr.port)
			*out = *at;
		known = true;
		if (at->port == peer->addr.port)
			break;
	}
	out->port = peer->addr.port;
	return known;
}

static void
on_packet(void *arg, const struct datagram_peer *from, const uint8_t *data,
    size_t len)
{
	struct udp_port *p = arg;
	struct sw_addr src;

	p->used_ms = loop_of(p->u)->now_ms;
	if (inner_name(p, from, &src))
		splice_send_udp(p->u->t->splice, &src, &p->src, data, len);
}

static void
on_refused(void *arg, const struct datagram_peer *to, int err)
{
	struct udp_port *p = arg;
	struct sw_addr dst;

	if (inner_name(p, to, &dst))
		splice_refuse_udp(p->u->t->splice, &p->src, &dst, err);
}

static void
on_closed(void *arg, int err)
{
	struct udp_port *p = arg;

	(void)err;			/* the next datagram opens another */
	p->port = NULL;
	port_free(p);
}

static const struct datagram_events port_events = {
	on_packet, on_refused, on_closed,
};

/* ---- from the program ---- */

static struct udp_port *
stillest(struct session_udp *u)
{
	struct udp_port *p, *old = NULL;

	for (size_t i = 0; i < BUCKETS; i++)
		LIST_EACH(p, &u->bucket[i], link)
			if (old == NULL || p->used_ms < old->used_ms)
				old = p;
	return old;
}

static struct udp_port *
port_for(struct session_udp *u, const struct sw_addr *src, int *err)
{
	struct udp_ports *b = bucket_of(u, src);
	struct udp_port *p;

	LIST_EACH(p, b, link)
		if (p->src.port == src->port && addr_same_ip(&p->src, src))
			return p;
	if (u->n >= PORTS_MAX)
		port_free(stillest(u));
	*err = SW_ERR_NOMEM;
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	p->u = u;
	p->src = *src;
	p->port = ssh_udp_ops.open(ssh_udp(u->t->ssh), &port_events, p, err);
	if (p->port == NULL) {
		free(p);
		return NULL;
	}
	LIST_APPEND(b, p, link);
	if (u->n++ == 0)
		loop_set_timer(loop_of(u), &u->look,
		    loop_of(u)->now_ms + LOOK_MS);
	return p;
}

static void
remember(struct udp_port *p, const struct sw_addr *dst)
{
	for (size_t i = 0; i < p->nnamed; i++)
		if (p->named[i].port == dst->port &&
		    addr_same_ip(&p->named[i], dst))
			return;
	if (p->nnamed == NAMED_MAX) {
		memmove(&p->named[0], &p->named[1],
		    (NAMED_MAX - 1) * sizeof(p->named[0]));
		p->nnamed--;
	}
	p->named[p->nnamed++] = *dst;
}

int
session_udp_send(struct session_udp *u, const struct sw_addr *src,
    const struct sw_addr *dst, const uint8_t *data, size_t len)
{
	struct datagram_peer to = { .addr = *dst };
	struct udp_port *p;
	int err;

	if (names_is_virtual(dst) &&
	    (to.name = names_find(u->t->map, dst)) == NULL)
		return SW_ERR_UNREACH_HOST;
	if ((p = port_for(u, src, &err)) == NULL)
		return err == SW_ERR_UNSUPPORTED || err == SW_ERR_DOWN ?
		    SW_ERR_UNREACH_NET : err;
	if (to.name != NULL)
		remember(p, dst);
	p->used_ms = loop_of(u)->now_ms;
	err = ssh_udp_ops.send(p->port, &to, data, len);
	return err == SW_AGAIN ? SW_OK : err;	/* lost, as in a network */
}

/* ---- life ---- */

static void
on_look(struct loop_timer *timer)
{
	struct session_udp *u = CONTAINER_OF(timer, struct session_udp, look);
	int64_t now = loop_of(u)->now_ms;
	struct udp_port *p, *next;

	for (size_t i = 0; i < BUCKETS; i++)
		for (p = LIST_FIRST(&u->bucket[i]); p != NULL; p = next) {
			next = LIST_NEXT(p, link);
			if (now - p->used_ms >= IDLE_MS)
				port_free(p);
		}
	if (u->n > 0)
		loop_set_timer(loop_of(u), timer, now + LOOK_MS);
}

static void
drop(struct session_udp *u, const struct sw_addr *inner)
{
	struct udp_port *p, *next;

	for (size_t i = 0; i < BUCKETS; i++)
		for (p = LIST_FIRST(&u->bucket[i]); p != NULL; p = next) {
			next = LIST_NEXT(p, link);
			if (inner == NULL || addr_same_ip(&p->src, inner))
				port_free(p);
		}
}

void
session_udp_forget(struct session_udp *u, const struct sw_addr *inner)
{
	drop(u, inner);
}

struct session_udp *
session_udp_new(struct session_ssh *t)
{
	struct session_udp *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	u->t = t;
	u->look.fire = on_look;
	u->look.at_ms = SW_NEVER;
	return u;
}

void
session_udp_free(struct session_udp *u)
{
	if (u == NULL)
		return;
	drop(u, NULL);
	loop_set_timer(loop_of(u), &u->look, SW_NEVER);
	free(u);
}
