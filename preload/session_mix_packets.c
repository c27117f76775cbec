/*
 * Packets of many owners at one address pair.
 *
 * Towards the exit each user has a small queue of its own, and the users with
 * packets take turns, one packet each: a bulk upload of one program does not
 * keep another's keystrokes waiting.  A hop whose queue is full is not read,
 * until its owner's link is full too and lwIP there waits: no packet is lost
 * on the way to the mixnet, and none waits long behind others.
 *
 * From the exit a packet goes to whoever has its local port.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/container.h"
#include "base/log.h"
#include "preload/session_hop.h"
#include "preload/session_mix.h"
#include "stack/packet.h"

#define QUEUE_FULL 16384		/* bytes: then the hop is not read */
#define QUEUE_LOW 4096			/* ... until no more than these wait */
#define DNS_UDP_MAX 1232		/* one packet, never fragments */

struct mix_packet {
	struct mix_packet *next;
	size_t len;
	uint8_t p[];
};

static struct session_mix *
mix_of(struct session_tunnel *t)
{
	return CONTAINER_OF(t, struct session_mix, t);
}

/* --- users --------------------------------------------------------------- */

static void
user_init(struct mix_user *u, struct session_mix *t, struct hop *h)
{
	*u = (struct mix_user){ .t = t, .hop = h };
	u->last = &u->first;
}

static void
drop_queue(struct mix_user *u)
{
	struct mix_packet *k;

	while ((k = u->first) != NULL) {
		u->first = k->next;
		free(k);
	}
	u->last = &u->first;
	u->bytes = 0;
}

static void
leave_ring(struct mix_user *u)
{
	struct session_mix *t = u->t;
	struct mix_user **at = &t->ring;

	if (!u->waiting)
		return;
	while (*at != u)
		at = &(*at)->next;
	*at = u->next;
	if (t->ring_end == &u->next)
		t->ring_end = at;
	u->waiting = false;
	assert(t->ring != u);
}

/* Who is in the ring waits. */
static struct mix_user *
first_in_ring(struct session_mix *t)
{
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): user_free() leaves the ring */
	assert(t->ring == NULL || t->ring->waiting);
	return t->ring;
}

static void
join_ring(struct mix_user *u)
{
	struct session_mix *t = u->t;

	if (u->waiting)
		return;
	u->waiting = true;
	u->next = NULL;
	*t->ring_end = u;
	t->ring_end = &u->next;
}

static void
user_free(struct mix_user *u)
{
	struct session_mix *t = u->t;

	leave_ring(u);
	drop_queue(u);
	ports_take_back(&t->ports, u, u->lo, u->hi);
	t->users_gone -= u->gone;
	assert(t->ring != u);
	free(u);
}

/* --- towards the exit ---------------------------------------------------- */

static void
enqueue(struct mix_user *u, const struct iovec *iov, int n)
{
	struct mix_packet *k;
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	if ((k = malloc(sizeof(*k) + len)) == NULL)
		return;			/* lost, as in a network */
	*k = (struct mix_packet){ .len = len };
	for (int i = 0, at = 0; i < n; at += (int)iov[i++].iov_len)
		memcpy(k->p + at, iov[i].iov_base, iov[i].iov_len);
	*u->last = k;
	u->last = &k->next;
	u->bytes += len;
	join_ring(u);
}

/* Its queue is short again. */
static void
let_go_on(struct mix_user *u)
{
	if (u->hop != NULL)
		link_pause(u->hop->link, false);
	if (u->refused) {
		u->refused = false;
		origin_writable(u->t->origin);
	}
}

/* One packet of the first in the ring.  False: the tunnel takes no more. */
static bool
send_one(struct session_mix *t)
{
	struct mix_user *u = first_in_ring(t);
	struct mix_packet *k = u->first;
	int r = mixtunnel_send(t->mix, k->p, k->len);

	if (r == SW_AGAIN || r == SW_ERR_DOWN)
		return false;
	u->first = k->next;
	if (u->first == NULL)
		u->last = &u->first;
	u->bytes -= k->len;
	free(k);
	leave_ring(u);
	if (u->first != NULL)
		join_ring(u);		/* at its end */
	else if (u->gone) {
		user_free(u);
		return true;
	}
	if (u->bytes <= QUEUE_LOW)
		let_go_on(u);
	return true;
}

void
mix_packets_drain(struct session_mix *t)
{
	while (t->mix != NULL && t->ring != NULL && send_one(t))
		;
}

static int
self_output(void *arg, const struct iovec *iov, int n)
{
	struct session_mix *t = arg;

	if (t->self.bytes >= QUEUE_FULL) {
		t->self.refused = true;
		return SW_AGAIN;
	}
	enqueue(&t->self, iov, n);
	mix_packets_drain(t);
	return SW_OK;
}

/* A question for a resolver that is ours to be. */
static bool
is_question(struct session_mix *t, const struct packet *head)
{
	return (head->proto == PACKET_UDP || head->proto == PACKET_TCP) &&
	    !head->fragment && session_is_our_resolver(t->t.s, &head->dst);
}

static void
answer_error(struct hop *h, const uint8_t *p, size_t len)
{
	uint8_t out[PACKET_ICMP_LEN];
	struct iovec iov = { out, packet_make_error(out, p, len,
	    SW_ERR_DENIED) };

	if (iov.iov_len > 0)
		(void)!hop_send(h, &iov, 1);
}

static void
one_packet(struct mix_user *u, uint8_t *p, size_t len)
{
	struct session_mix *t = u->t;
	struct iovec iov = { p, len };
	struct link_frame *f;
	struct packet head;
	uint16_t port;

	if (packet_parse(&head, p, len) != SW_OK ||
	    route_source(&u->source, p, len, &t->next_id, &port) != SW_OK) {
		t->dropped++;
		return;
	}
	if (!ports_claim(&t->ports, u, port)) {
		/* Another program has that port: say so, rather than nothing. */
		t->dropped++;
		answer_error(u->hop, p, len);
	} else if (is_question(t, &head)) {
		if ((f = link_frame_new(p, len)) != NULL)
			splice_input(t->splice, f);
		link_frame_unref(f);
	} else {
		enqueue(u, &iov, 1);
	}
}

void
mix_hop_input(struct session_tunnel *base, struct hop *h, struct link_frame *f)
{
	struct session_mix *t = mix_of(base);
	struct mix_user *u = h->user;
	uint8_t *p = f->data;
	size_t left = f->len, n;

	for (; (n = packet_len(p, left)) > 0; p += n, left -= n)
		one_packet(u, p, n);
	mix_packets_drain(t);
	if (u->bytes >= QUEUE_FULL)
		link_pause(h->link, true);
}

/* --- from the exit ------------------------------------------------------- */

static void
to_user(void *arg, uint16_t port, const uint8_t *p, size_t len)
{
	struct session_mix *t = arg;
	struct mix_user *u = ports_user(&t->ports, port);
	struct iovec iov = { .iov_len = len };

	memcpy(&iov.iov_base, &p, sizeof(p));
	if (u == &t->self)
		origin_input(t->origin, p, len);
	else if (u != NULL && u->hop != NULL)
		(void)!hop_send(u->hop, &iov, 1);	/* full: it is lost */
}

void
mix_packets_input(struct session_mix *t, const uint8_t *p, size_t len)
{
	const struct sw_addr us = hop_session_address(0);
	const struct sw_addr *mine;
	struct packet head;

	if (packet_parse_quoted(&head, p, len) != SW_OK ||
	    packet_len(p, len) != len)
		return;
	mine = addr_is_v4(&head.dst) ? &t->config.inner4 : &t->config.inner6;
	/* Not ours, or in the name of the session's own resolver. */
	if (!addr_same_ip(mine, &head.dst) || addr_same_ip(&us, &head.src) ||
	    addr_is_loopback(&head.src))
		return;
	route_input(&t->route, p, len, t->t.s->loop.now_ms, to_user, t);
}

/* --- hops ---------------------------------------------------------------- */

bool
mix_hop_attach(struct session_tunnel *base, struct hop *h)
{
	struct session_mix *t = mix_of(base);
	struct mix_user *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return false;
	user_init(u, t, h);
	if (ports_give(&t->ports, u, &u->lo, &u->hi) != SW_OK) {
		log_warn("mix: no ports are left for another process");
		free(u);
		return false;
	}
	h->user = u;
	h->config = t->config;
	h->config.port_lo = u->lo;
	h->config.port_hi = u->hi;
	return true;
}

void
mix_hop_detach(struct session_tunnel *base, struct hop *h)
{
	struct mix_user *u = h->user;

	(void)base;
	u->hop = NULL;
	u->gone = true;
	u->t->users_gone++;
	if (u->bytes == 0)
		user_free(u);
}

void
mix_hop_writable(struct session_tunnel *base, struct hop *h)
{
	(void)h;
	splice_writable(mix_of(base)->splice, NULL);
}

size_t
mix_packets_unsent(const struct session_mix *t)
{
	return t->users_gone;
}

/* --- the splice: DNS of programs that ask by themselves ------------------- */

static int
splice_output(void *arg, const struct sw_addr *dst, const struct iovec *iov,
    int n)
{
	struct session_mix *t = arg;
	struct mix_user *u = ports_user(&t->ports, dst->port);

	return u != NULL && u->hop != NULL &&
	    hop_send(u->hop, iov, n) == SW_AGAIN ? SW_AGAIN : SW_OK;
}

static int
splice_target(void *arg, const struct sw_addr *src, const struct sw_addr *dst,
    struct dial_target *out)
{
	(void)arg;
	(void)src;
	memset(out, 0, sizeof(*out));
	memcpy(out->host, "127.0.0.1", sizeof("127.0.0.1"));
	out->port = dst->port;
	return SW_OK;
}

static struct dialer *
splice_local(void *arg, const struct sw_addr *dst,
    const struct dialer_ops **ops)
{
	struct session_mix *t = arg;

	(void)dst;
	*ops = &names_service_dialer_ops;
	return names_service_dialer(t->t.names);
}

static int
splice_udp(void *arg, const struct sw_addr *src, const struct sw_addr *dst,
    const uint8_t *data, size_t len)
{
	struct session_mix *t = arg;
	size_t max = names_service_udp_size(data, len);

	session_ask_names(&t->t, t->splice, src, dst, data, len,
	    max < DNS_UDP_MAX ? max : DNS_UDP_MAX);
	return SW_OK;
}

static const struct splice_ops splice_ops = {
	.output = splice_output, .target = splice_target,
	.local = splice_local, .udp = splice_udp,
};

/* --- life ---------------------------------------------------------------- */

int
mix_packets_init(struct session_mix *t)
{
	t->ring_end = &t->ring;
	t->config = (struct link_config){
		.dns = hop_session_address(53), .mtu = 1420,
		.flags = LINK_UDP | LINK_CHECKSUMS,
	};
	user_init(&t->self, t, NULL);
	if (getrandom(&t->next_id, sizeof(t->next_id), 0) < 0 ||
	    ports_give(&t->ports, &t->self, &t->self.lo, &t->self.hi) != SW_OK)
		return SW_ERR_SYS;
	t->origin = origin_new(&t->t.s->loop, self_output, t);
	if (t->origin == NULL)
		return SW_ERR_NOMEM;
	if (!t->carries_owners)
		return SW_OK;
	if ((t->splice = splice_new(&t->t.s->loop, &splice_ops, t)) == NULL)
		return SW_ERR_NOMEM;
	splice_set_path(t->splice, t->config.mtu);
	return SW_OK;
}

void
mix_packets_wipe(struct session_mix *t)
{
	struct mix_user *u;

	splice_free(t->splice);
	origin_free(t->origin);
	while ((u = first_in_ring(t)) != NULL) {
		leave_ring(u);
		drop_queue(u);
		if (u->gone)
			user_free(u);
	}
	route_wipe(&t->route);
}

static void
tell_origin(struct session_mix *t, bool up)
{
	struct link_config c = t->config;

	c.port_lo = t->self.lo;
	c.port_hi = t->self.hi;
	c.flags |= up ? LINK_UP : 0;
	origin_set_path(t->origin, &c);
}

/* What waits has the old addresses on it. */
static void
drop_waiting(struct session_mix *t)
{
	struct mix_user *u;

	while ((u = first_in_ring(t)) != NULL) {
		leave_ring(u);
		drop_queue(u);
		if (u->gone)
			user_free(u);
		else
			let_go_on(u);
	}
	route_wipe(&t->route);
}

void
mix_packets_up(struct session_mix *t, const struct sw_addr *ip4,
    const struct sw_addr *ip6, uint16_t mtu)
{
	struct link_config *c = &t->config;
	bool other = !addr_same_ip(&c->inner4, ip4) ||
	    !addr_same_ip(&c->inner6, ip6) || c->mtu != mtu;

	if (other) {
		drop_waiting(t);
		c->inner4 = *ip4;
		c->inner6 = *ip6;
		c->mtu = mtu;
		if (t->splice != NULL)
			splice_set_path(t->splice, mtu);
	}
	for (struct hop *h = t->carries_owners ? t->t.s->hops : NULL;
	    h != NULL && other; h = h->next) {
		h->config.inner4 = *ip4;
		h->config.inner6 = *ip6;
		h->config.mtu = mtu;
		(void)hop_tell_config(h);
	}
	tell_origin(t, true);
	mix_packets_drain(t);
}

void
mix_packets_down(struct session_mix *t)
{
	tell_origin(t, false);
}
