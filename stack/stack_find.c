/*
 * stack_find.c - a segment's connection among thousands.
 *
 * lwIP looks through a list of all connections for each segment: with 9,000
 * that was a hundred times the work of the rest.  So a table remembers which
 * connection a segment's addresses led to, and lwIP is shown the list from
 * there on, where the first entry is the right one.
 *
 * What makes that safe: during the input of such a segment nothing leaves the
 * list but the connection itself (callbacks of the owner and the splice only
 * note what happened), and new ones come in at its head.
 *
 * Connections that linger (TIME_WAIT) are in another list, which changes less.
 */
#include <string.h>

#include "stack/arena.h"
#include "stack/stack_priv.h"

#include "lwip/priv/tcp_priv.h"

#define BUCKETS 4096u
#define ARG 1			/* of the pcb's extra arguments */

struct node {
	struct node *next, **at;
	struct tcp_pcb *pcb;
};

static struct node *table[BUCKETS];

void
stack_find_forget(void)
{
	memset(table, 0, sizeof(table));
}

static void
node_gone(u8_t id, void *data)
{
	struct node *n = data;

	(void)id;
	if (n == NULL)
		return;
	*n->at = n->next;
	if (n->next != NULL)
		n->next->at = n->at;
	arena_put(n);
}

static const struct tcp_ext_arg_callbacks callbacks = { .destroy = node_gone };

static struct node **
bucket(const struct packet *h)
{
	uint32_t v = h->src.port * 2654435761u ^ h->dst.port * 40503u;

	for (int i = 8; i < 16; i++)
		v = v * 31 + h->src.ip[i] + h->dst.ip[i] * 17u;
	return &table[(v ^ v >> 15) % BUCKETS];
}

static bool
is_for(const struct tcp_pcb *p, const struct packet *h, u8_t netif)
{
	struct sw_addr a;

	if (p->local_port != h->dst.port || p->remote_port != h->src.port ||
	    (p->netif_idx != NETIF_NO_INDEX && p->netif_idx != netif))
		return false;
	a = stack_addr(&p->remote_ip, 0);
	if (!addr_same_ip(&a, &h->src))
		return false;
	a = stack_addr(&p->local_ip, 0);
	return addr_same_ip(&a, &h->dst);
}

/* In the list of active ones? */
static bool
is_active(const struct tcp_pcb *p)
{
	return p->state >= SYN_SENT && p->state < TIME_WAIT;
}

static struct tcp_pcb *
find(const struct packet *h, u8_t netif)
{
	for (struct node *n = *bucket(h); n != NULL; n = n->next)
		if (is_for(n->pcb, h, netif))
			return n->pcb;
	return NULL;
}

struct tcp_pcb *
stack_lingers(enum stack_side side, const struct sw_addr *remote,
    const struct sw_addr *local)
{
	struct packet h = { .src = *remote, .dst = *local };
	struct tcp_pcb *p = find(&h,
	    netif_get_index(&stack.sides[side].netif));

	return p != NULL && p->state == TIME_WAIT ? p : NULL;
}

/* lwIP has moved the connection it found, or made, to the head. */
static void
learn(const struct packet *h, u8_t netif)
{
	struct tcp_pcb *p = tcp_active_pcbs;
	struct node *n, **b;

	if (p == NULL || p->ext_args[ARG].data != NULL || !is_for(p, h, netif) ||
	    (n = arena_get(sizeof(*n))) == NULL)
		return;
	b = bucket(h);
	*n = (struct node){ *b, b, p };
	if (n->next != NULL)
		n->next->at = &n->next;
	*b = n;
	tcp_ext_arg_set_callbacks(p, ARG, &callbacks);
	tcp_ext_arg_set(p, ARG, n);
}

/* Join the two parts again: `whole` is the list as it was, `after` what came
 * behind p. */
static void
mend(struct tcp_pcb *whole, struct tcp_pcb *p, struct tcp_pcb *after)
{
	struct tcp_pcb *last = NULL, *at = tcp_active_pcbs;

	while (at != NULL && at != p && at != after) {
		last = at;
		at = at->next;
	}
	if (at != p) {				/* it has ended */
		struct tcp_pcb *q = whole;

		while (q->next != p)
			q = q->next;
		q->next = after;
	}
	if (last != NULL)
		last->next = whole;
	else
		tcp_active_pcbs = whole;
}

/* An active connection, shown first. */
static void
input_active(struct pbuf *q, struct netif *n, struct tcp_pcb *p)
{
	struct tcp_pcb *whole = tcp_active_pcbs, *after = p->next;

	tcp_active_pcbs = p;
	(void)ip_input(q, n);
	mend(whole, p, after);
}

/* One that lingers, and a segment that begins or refuses no other with the same
 * addresses: it only answers, and stays where it is. */
static void
input_lingering(struct pbuf *q, struct netif *n, struct tcp_pcb *p)
{
	struct tcp_pcb *active = tcp_active_pcbs, *whole = tcp_tw_pcbs;

	tcp_active_pcbs = NULL;
	tcp_tw_pcbs = p;
	(void)ip_input(q, n);
	tcp_active_pcbs = active;
	tcp_tw_pcbs = whole;
}

void
stack_find_input(struct pbuf *q, struct netif *n, const struct packet *h)
{
	u8_t netif = netif_get_index(n);
	struct tcp_pcb *p = find(h, netif);

	if (p != NULL && p != tcp_active_pcbs && is_active(p)) {
		input_active(q, n, p);
	} else if (p != NULL && p->state == TIME_WAIT &&
	    (h->tcp_flags & (PACKET_SYN | PACKET_RST)) == 0) {
		input_lingering(q, n, p);
	} else {
		(void)ip_input(q, n);
		learn(h, netif);
	}
}

void
stack_find_accept(struct pbuf *q, struct netif *n, const struct packet *h)
{
	struct tcp_pcb *active = tcp_active_pcbs, *lingering = tcp_tw_pcbs;

	tcp_active_pcbs = tcp_tw_pcbs = NULL;
	(void)ip_input(q, n);
	learn(h, netif_get_index(n));
	if (tcp_active_pcbs != NULL)		/* the new one */
		tcp_active_pcbs->next = active;
	else
		tcp_active_pcbs = active;
	tcp_tw_pcbs = lingering;
}
