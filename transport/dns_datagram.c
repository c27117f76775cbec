#include "transport/dns_datagram.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/container.h"
#include "stack/dns.h"
#include "transport/list.h"

#define ASKS_MAX 200
#define MSG_MAX 4096			/* of a query */

static const int64_t wait_ms[] = { 2000, 3000, 4000 };

struct dns_datagram_ask {
	LIST_LINK(dns_datagram_ask) link;
	struct dns_datagram *u;
	struct datagram_port *port;	/* NULL: it ended */
	struct datagram_peer server;
	struct loop_timer timer;
	unsigned sent;			/* times */
	int err;			/* to fail with, when the timer fires */
	dns_datagram_fn *done;
	void *arg;
	uint16_t id, own_id;
	size_t len;
	uint8_t msg[];
};

struct dns_datagram {
	struct loop *l;
	struct datagrams *datagrams;
	const struct datagram_ops *ops;
	LIST_OF(datagram_ask_list, dns_datagram_ask) asks;
	size_t n;
};

struct dns_datagram *
dns_datagram_new(struct loop *l, struct datagrams *d,
    const struct datagram_ops *ops)
{
	struct dns_datagram *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	u->l = l;
	u->datagrams = d;
	u->ops = ops;
	LIST_INIT(&u->asks);
	return u;
}

void
dns_datagram_cancel(struct dns_datagram_ask *a)
{
	struct dns_datagram *u = a->u;

	loop_set_timer(u->l, &a->timer, SW_NEVER);
	if (a->port != NULL)
		u->ops->close(a->port);
	LIST_DROP(&u->asks, a, link);
	u->n--;
	free(a);
}

void
dns_datagram_free(struct dns_datagram *u)
{
	struct dns_datagram_ask *a, *next;

	if (u == NULL)
		return;
	for (a = LIST_FIRST(&u->asks); a != NULL; a = next) {
		next = LIST_NEXT(a, link);
		dns_datagram_cancel(a);
	}
	free(u);
}

static void
finish(struct dns_datagram_ask *a, int err, uint8_t *msg, size_t len)
{
	dns_datagram_fn *done = a->done;
	void *arg = a->arg;

	dns_datagram_cancel(a);
	done(arg, err, msg, len);
}

/* Never from within what somebody above us is doing. */
static void
fail_soon(struct dns_datagram_ask *a, int err)
{
	a->err = err;
	loop_set_timer(a->u->l, &a->timer, a->u->l->now_ms);
}

static bool
is_answer(const struct dns_datagram_ask *a, const struct datagram_peer *from,
    const uint8_t *msg, size_t len)
{
	const uint8_t *question = a->msg + DNS_HEADER_LEN;
	struct dns_response r;

	if (!addr_same_ip(&from->addr, &a->server.addr) ||
	    from->addr.port != a->server.addr.port ||
	    dns_get_id(msg, len) != a->own_id ||
	    dns_parse_response(msg, len, &r) != SW_OK ||
	    r.question_len > a->len - DNS_HEADER_LEN)
		return false;
	for (size_t i = 0; i < r.question_len; i++)
		if ((r.question[i] | 0x20) != (question[i] | 0x20))
			return false;
	return true;
}

static void
got_packet(void *arg, const struct datagram_peer *from, const uint8_t *data,
    size_t len)
{
	struct dns_datagram_ask *a = arg;
	uint8_t *copy;

	if (!is_answer(a, from, data, len) || (copy = malloc(len)) == NULL)
		return;
	memcpy(copy, data, len);
	dns_set_id(copy, len, a->id);
	finish(a, SW_OK, copy, len);
	free(copy);
}

static void
was_refused(void *arg, const struct datagram_peer *to, int err)
{
	(void)to;
	fail_soon(arg, err);
}

static void
has_closed(void *arg, int err)
{
	struct dns_datagram_ask *a = arg;

	a->port = NULL;
	fail_soon(a, err);
}

static const struct datagram_events port_events = {
	.packet = got_packet, .refused = was_refused, .closed = has_closed,
};

static void
on_time(struct loop_timer *t)
{
	struct dns_datagram_ask *a = CONTAINER_OF(t, struct dns_datagram_ask,
	    timer);

	if (a->err != SW_OK || a->sent == sizeof(wait_ms) / sizeof(wait_ms[0])) {
		finish(a, a->err != SW_OK ? a->err : SW_ERR_TIMEOUT, NULL, 0);
		return;
	}
	loop_set_timer(a->u->l, t, a->u->l->now_ms + wait_ms[a->sent++]);
	(void)a->u->ops->send(a->port, &a->server, a->msg, a->len);
}

struct dns_datagram_ask *
dns_datagram_ask(struct dns_datagram *u, const struct sw_addr *server,
    const uint8_t *msg, size_t len, dns_datagram_fn *done, void *arg)
{
	struct dns_datagram_ask *a;
	int err;

	if (u->n >= ASKS_MAX || len < DNS_HEADER_LEN || len > MSG_MAX ||
	    (a = calloc(1, sizeof(*a) + len)) == NULL)
		return NULL;
	a->u = u;
	a->server.addr = *server;
	a->timer.fire = on_time;
	a->done = done;
	a->arg = arg;
	a->len = len;
	a->port = u->ops->open(u->datagrams, &port_events, a, &err);
	if (a->port == NULL || getrandom(&a->own_id, sizeof(a->own_id), 0) !=
	    (ssize_t)sizeof(a->own_id)) {
		if (a->port != NULL)
			u->ops->close(a->port);
		free(a);
		return NULL;
	}
	memcpy(a->msg, msg, len);
	a->id = dns_get_id(msg, len);
	dns_set_id(a->msg, len, a->own_id);
	LIST_APPEND(&u->asks, a, link);
	u->n++;
	loop_set_timer(u->l, &a->timer, u->l->now_ms);
	return a;
}

void
dns_datagram_reset(struct dns_datagram *u, int err)
{
	struct dns_datagram_ask *a;

	LIST_EACH(a, &u->asks, link)
		fail_soon(a, err);
}
