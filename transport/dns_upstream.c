/*
 * One question: first by UDP, then, if the answer was cut short or there is no
 * UDP, by TCP.
 */
#include "transport/dns_upstream.h"

#include <stdlib.h>
#include <string.h>

#include "stack/dns.h"
#include "transport/dns_datagram.h"
#include "transport/dns_stream.h"
#include "transport/list.h"

struct dns_ask {
	LIST_LINK(dns_ask) link;
	struct dns_upstream *u;
	struct dial_target server;
	dns_upstream_fn *done;
	void *arg;
	struct dns_datagram_ask *udp;	/* one of the two, never both */
	struct dns_stream_ask *tcp;
	size_t len;
	uint8_t msg[];
};

struct dns_upstream {
	struct dns_stream *tcp;
	struct dns_datagram *udp;	/* NULL: none */
	LIST_OF(ask_list, dns_ask) asks;
};

struct dns_upstream *
dns_upstream_new(struct loop *l, struct dialer *d, const struct dialer_ops *ops,
    struct datagrams *udp, const struct datagram_ops *udp_ops)
{
	struct dns_upstream *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	LIST_INIT(&u->asks);
	u->tcp = dns_stream_new(l, d, ops);
	if (udp != NULL)
		u->udp = dns_datagram_new(l, udp, udp_ops);
	if (u->tcp == NULL || (udp != NULL && u->udp == NULL)) {
		dns_upstream_free(u);
		return NULL;
	}
	return u;
}

static void
ask_free(struct dns_ask *a)
{
	LIST_DROP(&a->u->asks, a, link);
	free(a);
}

void
dns_upstream_free(struct dns_upstream *u)
{
	struct dns_ask *a;

	if (u == NULL)
		return;
	dns_datagram_free(u->udp);
	dns_stream_free(u->tcp);
	while ((a = LIST_FIRST(&u->asks)) != NULL)
		ask_free(a);
	free(u);
}

static void
finish(struct dns_ask *a, int err, uint8_t *msg, size_t len)
{
	dns_upstream_fn *done = a->done;
	void *arg = a->arg;

	ask_free(a);
	done(arg, err, msg, len);
}

static void
stream_answered(void *arg, int err, uint8_t *msg, size_t len)
{
	struct dns_ask *a = arg;

	a->tcp = NULL;
	finish(a, err, msg, len);
}

static bool
ask_stream(struct dns_ask *a)
{
	a->tcp = dns_stream_ask(a->u->tcp, &a->server, a->msg, a->len,
	    stream_answered, a);
	return a->tcp != NULL;
}

static void
datagram_answered(void *arg, int err, uint8_t *msg, size_t len)
{
	struct dns_ask *a = arg;
	struct dns_response r;

	a->udp = NULL;
	if (err == SW_OK && dns_parse_response(msg, len, &r) == SW_OK &&
	    r.truncated && ask_stream(a))
		return;
	finish(a, err, msg, len);
}

struct dns_ask *
dns_upstream_ask(struct dns_upstream *u, const struct dial_target *server,
    const uint8_t *msg, size_t len, dns_upstream_fn *done, void *arg)
{
	struct dns_ask *a = calloc(1, sizeof(*a) + len);
	struct sw_addr to;

	if (a == NULL)
		return NULL;
	a->u = u;
	a->server = *server;
	a->done = done;
	a->arg = arg;
	a->len = len;
	memcpy(a->msg, msg, len);
	LIST_APPEND(&u->asks, a, link);
	if (u->udp != NULL && addr_parse_ip(&to, server->host) == SW_OK) {
		to.port = server->port;
		a->udp = dns_datagram_ask(u->udp, &to, msg, len,
		    datagram_answered, a);
		if (a->udp != NULL)
			return a;
	}
	if (ask_stream(a))
		return a;
	ask_free(a);
	return NULL;
}

void
dns_upstream_cancel(struct dns_ask *a)
{
	if (a->udp != NULL)
		dns_datagram_cancel(a->udp);
	if (a->tcp != NULL)
		dns_stream_cancel(a->tcp);
	ask_free(a);
}

void
dns_upstream_reset(struct dns_upstream *u, int err)
{
	if (u->udp != NULL)
		dns_datagram_reset(u->udp, err);
	dns_stream_reset(u->tcp, err);
}
