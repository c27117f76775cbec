#include "preload/session_ssh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/log.h"
#include "preload/session.h"
#include "preload/session_device.h"
#include "preload/session_hop.h"
#include "preload/session_services.h"
#include "transport/ssh_udp.h"

static struct session_ssh *
ssh_of(struct session_tunnel *t)
{
	return CONTAINER_OF(t, struct session_ssh, t);
}

/* --- hops ---------------------------------------------------------------- */

/* Each owner has inner addresses of its own, and all ports. */
static bool
attach(struct session_tunnel *t, struct hop *h)
{
	h->config = (struct link_config){
		.mtu = SESSION_MTU, .port_lo = 32768, .port_hi = 60999,
		.flags = (uint16_t)(LINK_SPLICED |
		    (ssh_tunnel_is_smolserve(ssh_of(t)->ssh) ? LINK_UDP : 0) |
		    (t->s->start.publish_n > 0 ? LINK_INBOUND : 0)),
	};
	hop_own_addresses(h);
	return true;
}

static void
detach(struct session_tunnel *t, struct hop *h)
{
	splice_forget(ssh_of(t)->splice, &h->config.inner4);
	splice_forget(ssh_of(t)->splice, &h->config.inner6);
	session_udp_forget(ssh_of(t)->udp, &h->config.inner4);
	session_udp_forget(ssh_of(t)->udp, &h->config.inner6);
}

static void
input(struct session_tunnel *t, struct hop *h, struct link_frame *f)
{
	(void)h;
	splice_input(ssh_of(t)->splice, f);
}

static void
writable(struct session_tunnel *t, struct hop *h)
{
	splice_writable(ssh_of(t)->splice, &h->config.inner4);
	splice_writable(ssh_of(t)->splice, &h->config.inner6);
}

static size_t
count_unsent(const struct session_tunnel *t)
{
	return splice_count_flows(((const struct session_ssh *)t)->splice);
}

/* --- what libssh's side tells -------------------------------------------- */

/* Owners that attached before it was up learn what this server carries. */
static void
tell_udp(struct session_ssh *t)
{
	bool udp = ssh_tunnel_is_smolserve(t->ssh);

	if (t->t.s->tunnel != &t->t)	/* owners use the last of a chain */
		return;
	for (struct hop *h = t->t.s->hops; h != NULL; h = h->next) {
		if (((h->config.flags & LINK_UDP) != 0) == udp)
			continue;
		h->config.flags ^= LINK_UDP;
		(void)hop_tell_config(h);
	}
}

static void
state_changed(void *arg, enum ssh_tunnel_state state, int err, const char *why)
{
	static const enum session_tunnel_state ours[] = {
		[SSH_TUNNEL_CONNECTING] = STATE_CONNECTING,
		[SSH_TUNNEL_UP] = STATE_UP, [SSH_TUNNEL_DOWN] = STATE_DOWN,
		[SSH_TUNNEL_FAILED] = STATE_FAILED,
	};

	session_tunnel_tell(arg, ours[state], err, why);
	if (state == SSH_TUNNEL_UP)
		tell_udp(arg);
}

static struct hop *
find_listener(struct session *s, uint16_t port, struct sw_addr *at)
{
	struct hop *h = hop_find_listener(s, port, at);

	return h != NULL ? h : device_find_listener(s, port, at);
}

/* A connection to a published port of the server: who listens for it? */
static void
inbound(void *arg, uint16_t port, const char *from, uint16_t from_port,
    struct dial *d)
{
	struct session_ssh *t = arg;
	struct session *s = t->t.s;
	const struct dial_events *ev;
	struct sw_addr src, at = { .port = 0 };
	const struct sw_addr *inner;
	struct hop *h = NULL;
	bool v6;
	void *ev_arg;

	for (size_t i = 0; i < s->start.publish_n && h == NULL; i++)
		if (s->start.publish[i].port == port)
			h = find_listener(s, s->start.publish[i].local, &at);
	if (h == NULL && s->services != NULL && services_take(s->services, port,
	    d, &ssh_tunnel_dialer_ops, &ev, &ev_arg)) {
		ssh_tunnel_adopt(d, ev, ev_arg);
		return;
	}
	if (h == NULL) {
		log_info("publish: nobody listens, a connection was refused");
		ssh_tunnel_dialer_ops.abort(d);
		return;
	}
	if (addr_parse_ip(&src, from) != SW_OK)
		src = h->config.dns;
	/* "::" takes both families; another address takes its own only. */
	v6 = !addr_is_v4(&at) && (!addr_is_any(&at) || !addr_is_v4(&src));
	inner = v6 ? &h->config.inner6 : &h->config.inner4;
	/* The server's loopback is not this machine's: a program that trusts
	 * local peers must not take it for one. */
	if (addr_is_v4(&src) == v6 || addr_is_loopback(&src) ||
	    addr_is_any(&src)) {
		src = v6 ? h->config.inner6 : h->config.dns;
		if (v6)
			memcpy(src.ip + 8, "\0\0\0\0\0\0\0\1", 8);
	}
	src.port = from_port;
	src.scope = 0;
	at.scope = 0;
	memcpy(at.ip, inner->ip, sizeof(at.ip));
	if (splice_connect(t->splice, &src, &at, d, &ssh_tunnel_dialer_ops, &ev,
	    &ev_arg) != SW_OK) {
		ssh_tunnel_dialer_ops.abort(d);
		return;
	}
	ssh_tunnel_adopt(d, ev, ev_arg);
}

static void
listens(void *arg, size_t i, uint16_t port)
{
	struct session *s = ((struct session_ssh *)arg)->t.s;

	if (s->services != NULL && i >= s->start.publish_n)
		services_settle(s->services, i - s->start.publish_n, port);
}

static const struct ssh_tunnel_events tunnel_events = {
	.state = state_changed, .listens = listens, .inbound = inbound,
};

/* --- status -------------------------------------------------------------- */

/* The tunnel's own lines, without what the session says above them and without
 * the server's name: a status may be shown around. */
static size_t
status(const struct session_tunnel *t, char *buf, size_t cap)
{
	static const char *const skipped[] = { "state ", "tunnel ", "server " };
	const struct session_ssh *me = (const struct session_ssh *)t;
	char text[2048], *line = text, *end;
	size_t n = ssh_tunnel_status(me->ssh, text, sizeof(text) - 1);
	size_t used = 0;

	text[n] = '\0';
	for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		size_t len = (size_t)(end - line) + 1;
		bool skip = len > cap - used;

		for (size_t i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++)
			skip |= strncmp(line, skipped[i],
			    strlen(skipped[i])) == 0;
		if (skip)
			continue;
		memcpy(buf + used, line, len);
		used += len;
	}
	return used;
}

/* --- life ---------------------------------------------------------------- */

/* The ports of the server that lead here: --publish, and -R.  bind[] holds
 * what the latter name. */
static size_t
list_ports(const struct start *st,
    struct ssh_tunnel_publish list[OPTIONS_PUBLISH_MAX + OPTIONS_FORWARD_MAX],
    struct forward_spec remote[OPTIONS_FORWARD_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < st->publish_n; i++)
		list[n++] = (struct ssh_tunnel_publish){
			.bind = *st->publish[i].bind != '\0' ?
			    st->publish[i].bind : NULL,
			.port = st->publish[i].port,
		};
	for (size_t i = 0; i < st->remote_n; i++)
		if (forward_spec_parse(&remote[i], st->remote[i], true) ==
		    SW_OK)
			list[n++] = (struct ssh_tunnel_publish){
				.bind = remote[i].listen.host,
				.port = remote[i].listen.port,
			};
	return n;
}

/* How to get to the server: what the URL's scheme says, over what comes before
 * it.  The proxy is for the first tunnel, which leaves this machine. */
static int
make_transport(struct session_ssh *t, const struct tunnel_url *url,
    struct session_tunnel *below, struct transport **out,
    char why[static 256])
{
	const struct start *st = &t->t.s->start;
	struct transport_options o = {
		.kind = url->kind == TUNNEL_SSH_TLS ? TRANSPORT_TLS :
		    url->kind == TUNNEL_SSH_IROH ? TRANSPORT_IROH :
		    TRANSPORT_TCP,
		.proxy = below == NULL ? start_text(st, TEXT_PROXY) : NULL,
		.tls = {
			.ca = start_text(st, TEXT_TLS_CA),
			.pin = start_text(st, TEXT_TLS_PIN),
			.name = start_text(st, TEXT_TLS_NAME),
			.insecure = st->insecure,
		},
		.iroh = {
			.key = start_text(st, TEXT_IROH_KEY),
			.relay = start_text(st, TEXT_IROH_RELAY),
			.address = start_text(st, TEXT_IROH_ADDRESS),
			.alpn = start_text(st, TEXT_IROH_ALPN),
		},
	};

	if (below != NULL && (t->door = through_new(&t->t.s->loop,
	    below->dialer, below->dialer_ops)) == NULL) {
		snprintf(why, 256, "out of memory or descriptors");
		return SW_ERR_NOMEM;
	}
	o.through = t->door;
	if (o.kind == TRANSPORT_TLS && o.tls.insecure && o.tls.pin == NULL)
		session_warn(t->t.s, "--insecure: anybody on the way may pose "
		    "as the TLS server; only its SSH key is checked");
	return transport_new(out, &o, why);
}

static bool
is_last(const struct session_ssh *t, const struct tunnel_url *url)
{
	const struct start *st = &t->t.s->start;

	return url == &st->url[st->via_n - 1];
}

static int
make_tunnel(struct session_ssh *t, const struct tunnel_url *url,
    struct session_tunnel *below, char why[static 256])
{
	struct ssh_tunnel_publish publish[OPTIONS_PUBLISH_MAX +
	    OPTIONS_FORWARD_MAX];
	struct forward_spec remote[OPTIONS_FORWARD_MAX];
	const struct start *st = &t->t.s->start;
	const char *identities[2] = { start_text(st, TEXT_IDENTITY), NULL };
	struct ssh_tunnel_options o = {
		.host = url->host, .port = url->port,
		.user = *url->user != '\0' ? url->user : NULL,
		.identities = identities[0] != NULL ? identities : NULL,
		.known_hosts = start_text(st, TEXT_KNOWN_HOSTS),
		.publish = publish,
		.npublish = is_last(t, url) ?
		    list_ports(st, publish, remote) : 0,
		.patient = st->wait,
		.asleep = below != NULL,
		.no_exec = !is_last(t, url),	/* nobody asks it for names */
	};
	int r = make_transport(t, url, below, &o.transport, why);

	if (r != SW_OK)
		return r;
	t->ssh = ssh_tunnel_new(&t->t.s->loop, &o, &tunnel_events, t);
	transport_unref(o.transport);
	snprintf(why, 256, "could not make the tunnel: out of memory");
	return t->ssh != NULL ? SW_OK : SW_ERR_NOMEM;
}

static bool
make_names(struct session_ssh *t)
{
	const struct start *st = &t->t.s->start;
	struct names_service_options o = {
		.exit = &names_exit_ssh, .exit_arg = t->ssh,
		.dialer = ssh_tunnel_dialer(t->ssh),
		.dialer_ops = &ssh_tunnel_dialer_ops,
		.dns = start_text(st, TEXT_DNS),
		.hosts = "/etc/hosts",
		/* They mean what they mean at the server, as with ssh -W. */
		.single_labels = true,
	};

	if ((t->map = names_new(0)) == NULL)
		return false;
	o.map = t->map;
	return (t->t.names = names_service_new(&t->t.s->loop, &o)) != NULL;
}

static void
ssh_free(struct session_tunnel *base)
{
	struct session_ssh *t = ssh_of(base);

	session_udp_free(t->udp);
	/* The splice may hold dials of both that follow. */
	splice_free(t->splice);
	names_service_free(t->t.names);
	ssh_tunnel_free(t->ssh);
	through_close(t->door);
	names_free(t->map);
	free(t);
}

static void
wake(struct session_tunnel *t)
{
	ssh_tunnel_wake(ssh_of(t)->ssh);
}

static void
give_up(struct session_tunnel *t, const char *why)
{
	ssh_tunnel_give_up(ssh_of(t)->ssh, why);
}

static const struct session_tunnel_ops ops = {
	.kind = "ssh", .ends_packets = true, .free = ssh_free, .status = status,
	.count_unsent = count_unsent, .attach = attach, .detach = detach,
	.input = input, .writable = writable, .wake = wake,
	.give_up = give_up,
};

struct session_tunnel *
session_ssh_new(struct session *s, const struct tunnel_url *url,
    struct session_tunnel *below, char why[static 256])
{
	struct session_ssh *t = calloc(1, sizeof(*t));

	snprintf(why, 256, "could not make the tunnel: out of memory");
	if (t == NULL)
		return NULL;
	t->t = (struct session_tunnel){ .ops = &ops, .s = s };
	/* Owners and their names are the last tunnel's business. */
	if (is_last(t, url) && (t->splice = splice_new(&s->loop,
	    &session_flow_ops, t)) == NULL)
		goto fail;
	if (make_tunnel(t, url, below, why) != SW_OK ||
	    (is_last(t, url) && !make_names(t)))
		goto fail;
	t->t.dialer = ssh_tunnel_dialer(t->ssh);
	t->t.dialer_ops = &ssh_tunnel_dialer_ops;
	t->t.datagrams = ssh_udp(t->ssh);
	t->t.datagram_ops = &ssh_udp_ops;
	if (t->splice == NULL)
		return &t->t;
	splice_set_dialer(t->splice, t->t.dialer, t->t.dialer_ops);
	if ((t->udp = session_udp_new(t)) == NULL)
		goto fail;
	return &t->t;
fail:
	ssh_free(&t->t);
	return NULL;
}
