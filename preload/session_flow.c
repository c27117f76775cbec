/*
 * What the splice asks and the tunnel tells: where flows go, datagrams, names,
 * published ports.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "preload/session.h"
#include "preload/session_hop.h"

static int
output(void *arg, const struct sw_addr *dst, const struct iovec *iov, int n)
{
	struct session *s = arg;
	struct hop *h = hop_find_inner(s, dst);

	/* Nobody there (any more): the packet is lost, as in a network. */
	return h != NULL && hop_send(h, iov, n) == SW_AGAIN ? SW_AGAIN : SW_OK;
}

/* Is `dst` an address whose DNS questions are ours to answer?  Public ones
 * that the program chose itself are not: there the exit asks. */
static bool
is_our_resolver(struct session *s, const struct sw_addr *dst)
{
	return dst->port == 53 && (addr_is_private(dst) ||
	    addr_is_loopback(dst) || names_is_virtual(dst) ||
	    resolv_has(&s->resolv, dst, s->loop.now_ms));
}

static int
target(void *arg, const struct sw_addr *src, const struct sw_addr *dst,
    struct dial_target *out)
{
	struct session *s = arg;

	(void)src;
	if (addr_is_any(dst) || addr_is_multicast(dst))
		return SW_ERR_UNREACH_NET;
	if (is_our_resolver(s, dst)) {
		/* For the names service: "yours to answer". */
		memset(out, 0, sizeof(*out));
		memcpy(out->host, "127.0.0.1", sizeof("127.0.0.1"));
		out->port = 53;
		return SW_OK;
	}
	/* Loopback destinations never get here unless a program forges
	 * packets; at the server they would mean the server's own services. */
	if (addr_is_loopback(dst))
		return SW_ERR_DENIED;
	return names_target(s->names, dst, out);
}

static struct dialer *
local(void *arg, const struct sw_addr *dst, const struct dialer_ops **ops)
{
	struct session *s = arg;

	if (!is_our_resolver(s, dst))
		return NULL;
	*ops = &names_service_dialer_ops;
	return names_service_dialer(s->service);
}

static void
answered(void *arg, int err, const uint8_t *msg, size_t len)
{
	struct question *q = arg;

	if (err == SW_OK)
		splice_send_udp(q->s->splice, &q->dst, &q->src, msg, len);
	session_ask_done(q);
}

static int
udp(void *arg, const struct sw_addr *src, const struct sw_addr *dst,
    const uint8_t *data, size_t len)
{
	struct session *s = arg;
	struct question *q;

	if (dst->port != 53 || addr_is_multicast(dst))
		return SW_ERR_UNREACH_NET;	/* a stock server has no UDP */
	if ((q = session_ask(s, -1)) == NULL)
		return SW_OK;			/* lost: it will be asked again */
	q->src = *src;
	q->dst = *dst;
	names_service_query(s->service,
	    is_our_resolver(s, dst) ? NULL : dst, data, len,
	    names_service_udp_size(data, len), answered, q);
	return SW_OK;
}

const struct splice_ops session_splice_ops = {
	.output = output, .target = target, .local = local, .udp = udp,
};

/* --- the tunnel ---------------------------------------------------------- */

void
session_tell_tunnel(struct session *s, bool up)
{
	if (s->tunnel_up == up)
		return;
	s->tunnel_up = up;
	for (struct hop *h = s->hops; h != NULL; h = h->next) {
		h->config.flags = (uint16_t)(up ? h->config.flags | LINK_UP :
		    h->config.flags & ~LINK_UP);
		(void)hop_control(h, LINK_TUNNEL, up, NULL, 0, -1);
	}
	if (!up)
		names_service_reset(s->service);
}

/* One answer to the launcher.  `kind` READY and FAILED are the last. */
static void
tell_launcher(struct session *s, enum start_answer kind, const char *text)
{
	char msg[START_ANSWER_MAX];
	int n;

	if (s->start_fd < 0)
		return;
	n = snprintf(msg, sizeof(msg), "%c%s", kind, text);
	if (n < 0 || (size_t)n > sizeof(msg) - 1)
		n = sizeof(msg) - 1;
	(void)send(s->start_fd, msg, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (kind == START_READY)
		session_end_start(s);
}

void
session_tell_progress(struct session *s, const char *text)
{
	tell_launcher(s, START_PROGRESS, text);
}

static void
state_changed(void *arg, enum ssh_tunnel_state state, int err, const char *why)
{
	struct session *s = arg;

	s->tunnel_err = state == SSH_TUNNEL_UP ? SW_OK : err;
	switch (state) {
	case SSH_TUNNEL_CONNECTING:
		tell_launcher(s, START_PROGRESS, "connecting");
		break;
	case SSH_TUNNEL_UP:
		log_info("tunnel: up");
		session_tell_tunnel(s, true);
		tell_launcher(s, START_READY, s->path);
		break;
	case SSH_TUNNEL_DOWN:
		log_warn("tunnel: down, will try again");
		session_tell_tunnel(s, false);
		if (why != NULL)
			tell_launcher(s, START_PROGRESS, why);
		break;
	case SSH_TUNNEL_FAILED:
		log_err("tunnel: failed");
		session_tell_tunnel(s, false);
		if (s->start_fd >= 0) {
			tell_launcher(s, START_FAILED, why == NULL ?
			    "the tunnel could not be made" : why);
			s->loop.stop = true;
		}
		break;
	}
}

/* A connection to a published port of the server: who listens for it? */
static void
inbound(void *arg, uint16_t port, const char *from, uint16_t from_port,
    struct dial *d)
{
	struct session *s = arg;
	const struct dial_events *ev;
	struct sw_addr src, at = { .port = 0 };
	const struct sw_addr *inner;
	struct hop *h = NULL;
	bool v6;
	void *ev_arg;

	for (size_t i = 0; i < s->start.publish_n && h == NULL; i++)
		if (s->start.publish[i].port == port)
			h = hop_find_listener(s, s->start.publish[i].local, &at);
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
	if (splice_connect(s->splice, &src, &at, d, &ssh_tunnel_dialer_ops, &ev,
	    &ev_arg) != SW_OK) {
		ssh_tunnel_dialer_ops.abort(d);
		return;
	}
	ssh_tunnel_adopt(d, ev, ev_arg);
}

const struct ssh_tunnel_events session_tunnel_events = {
	.state = state_changed, .inbound = inbound,
};
