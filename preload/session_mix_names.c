/*
 * Who answers DNS at the exit.
 *
 * --dns decides.  Else the exit itself is asked once whether it does, at its
 * own inner address: a smolnode passes questions on to the name servers of the
 * machine it runs on, so that names of a private network work.  Nym's exits do
 * not; after a moment without an answer two public resolvers are taken.  What
 * they see is the exit's address.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "preload/session_mix.h"
#include "stack/dns.h"

#define PROBE_MS 1500
#define PROBE_LOCAL_MS 6000		/* that exit is known to answer */
#define EXIT_ADDRESS 0x0a000001u	/* 10.0.0.1, smolnode's */

static const char *const public_resolvers[] = { "9.9.9.9", "1.1.1.1" };

static void
use_public(struct session_mix *t)
{
	struct dial_target to[2];

	for (size_t i = 0; i < 2; i++) {
		to[i] = (struct dial_target){ .port = DNS_PORT };
		snprintf(to[i].host, sizeof(to[i].host), "%s",
		    public_resolvers[i]);
	}
	names_service_set_servers(t->t.names, to, 2);
	log_info("names: the exit does not resolve, public resolvers do");
}

static void
use_exit(struct session_mix *t)
{
	struct dial_target to = { .host = "10.0.0.1", .port = DNS_PORT };

	names_service_set_servers(t->t.names, &to, 1);
	log_info("names: the exit resolves");
}

void
mix_names_stop(struct session_mix *t)
{
	loop_set_timer(&t->t.s->loop, &t->probe_late, SW_NEVER);
	if (t->probe_ask != NULL)
		dns_datagram_cancel(t->probe_ask);
	t->probe_ask = NULL;
}

static void
probe_answered(void *arg, int err, uint8_t *msg, size_t len)
{
	struct session_mix *t = arg;

	(void)msg;
	(void)len;
	t->probe_ask = NULL;
	mix_names_stop(t);
	if (err == SW_ERR_DOWN)
		return;			/* it is asked again */
	if (err == SW_OK)
		use_exit(t);
	else
		use_public(t);
	mix_is_up(t);
}

static void
probe_is_late(struct loop_timer *timer)
{
	struct session_mix *t = CONTAINER_OF(timer, struct session_mix,
	    probe_late);

	mix_names_stop(t);
	use_public(t);
	mix_is_up(t);
}

void
mix_names_probe(struct session_mix *t)
{
	struct sw_addr exit = addr_v4(EXIT_ADDRESS, DNS_PORT);
	bool local = t->url->kind == TUNNEL_MIX_LOCAL;
	uint8_t msg[64];
	size_t len;

	mix_names_stop(t);
	if (start_text(&t->t.s->start, TEXT_DNS) != NULL) {
		mix_is_up(t);
		return;
	}
	/* The name servers of the root: every resolver knows those. */
	if (dns_build_query(0, "", DNS_NS, msg, sizeof(msg), &len) == SW_OK)
		t->probe_ask = dns_datagram_ask(t->probe, &exit, msg, len,
		    probe_answered, t);
	loop_set_timer(&t->t.s->loop, &t->probe_late, t->t.s->loop.now_ms +
	    (t->probe_ask == NULL ? 0 : local ? PROBE_LOCAL_MS : PROBE_MS));
}

int
mix_names_init(struct session_mix *t)
{
	struct loop *l = &t->t.s->loop;
	struct names_service_options o = {
		.dialer = origin_dialer(t->origin),
		.dialer_ops = &origin_dialer_ops,
		.datagrams = origin_datagrams(t->origin),
		.datagram_ops = &origin_datagram_ops,
		.dns = start_text(&t->t.s->start, TEXT_DNS),
		.hosts = "/etc/hosts",
		/* An exit on this machine knows what this machine knows. */
		.single_labels = t->url->kind == TUNNEL_MIX_LOCAL,
	};

	t->probe_late.fire = probe_is_late;
	t->t.names = names_service_new(l, &o);
	t->probe = dns_datagram_new(l, o.datagrams, o.datagram_ops);
	if (t->t.names == NULL || t->probe == NULL)
		return SW_ERR_NOMEM;
	t->dialer = names_dialer_new(l, t->t.names, o.dialer, o.dialer_ops);
	t->datagrams = names_datagrams_new(t->t.names, o.datagrams,
	    o.datagram_ops);
	if (t->dialer == NULL || t->datagrams == NULL)
		return SW_ERR_NOMEM;
	t->t.dialer = names_dialer_dialer(t->dialer);
	t->t.dialer_ops = &names_dialer_ops;
	t->t.datagrams = names_datagrams_datagrams(t->datagrams);
	t->t.datagram_ops = &names_datagram_ops;
	return SW_OK;
}

void
mix_names_wipe(struct session_mix *t)
{
	if (t->probe != NULL)
		mix_names_stop(t);
	dns_datagram_free(t->probe);
	names_service_free(t->t.names);
	t->t.names = NULL;
	names_dialer_free(t->dialer);
	names_datagrams_free(t->datagrams);
}
