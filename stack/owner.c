/*
 * An owner is driven by four things, all on its loop: its channel (requests of
 * the shim), its link (packets in, room for packets out), the far ends of its
 * flows, and time.  Work on a flow is gathered during a turn (flow_touch) and
 * done once at its end, so that a batch of packets becomes one write to the
 * program, and a batch of writes becomes few packets.
 */
#include "stack/owner.h"

#include <errno.h>
#include <string.h>

#include "base/container.h"
#include "base/log.h"
#include "base/sys.h"
#include "stack/arena.h"
#include "stack/owner_priv.h"

#define SLOW_MTU 9000			/* behind it there is a real path */
#define SLOW_ROOM 16384			/* bytes that may wait for it here */

struct owner *owner_input;
static struct owner *all;		/* lwIP is one per process, so is this */

bool
owner_carries(const struct owner *o, const struct sw_addr *to)
{
	const struct sw_addr *mine =
	    addr_is_v4(to) ? &o->config.inner4 : &o->config.inner6;

	return !addr_is_any(mine);
}

struct sw_addr
owner_inner(const struct owner *o, const struct sw_addr *to)
{
	return addr_is_v4(to) ? o->config.inner4 : o->config.inner6;
}

/* A port outside its block, that its program asked for. */
static bool
has_port(const struct owner *o, uint16_t port)
{
	const struct flow *f = o->flows;

	while (f != NULL && f->local.port != port)
		f = f->next;
	return f != NULL;
}

/* Which owner sends from this address?  Several may share one (port blocks). */
static struct owner *
owner_of(const struct sw_addr *src)
{
	struct owner *found = NULL;

	for (struct owner *o = all; o != NULL; o = o->next) {
		const struct sw_addr *mine = addr_is_v4(src) ?
		    &o->config.inner4 : &o->config.inner6;

		if (!addr_same_ip(mine, src))
			continue;
		if ((src->port >= o->config.port_lo &&
		    src->port <= o->config.port_hi) ||
		    (found != NULL && has_port(o, src->port)))
			return o;
		if (found == NULL || !has_port(found, src->port))
			found = o;
	}
	return found;
}

/* On a hop that ends in a splice: an acknowledgement and nothing else. */
static bool
is_bare_ack(const struct owner *o, const struct packet *head,
    const struct iovec *iov, int n)
{
	return (o->config.flags & (LINK_SPLICED | LINK_CHECKSUMS)) ==
	    LINK_SPLICED && n == 1 && head->proto == PACKET_TCP &&
	    head->body_len >= 20 && head->body[13] == PACKET_ACK &&
	    head->body + (size_t)4 * (head->body[12] >> 4) ==
	    (const uint8_t *)iov->iov_base + iov->iov_len;
}

static int
send_packet(const struct packet *head, const struct iovec *iov, int n)
{
	struct owner *o = owner_of(&head->src);
	bool bare;
	int r;

	if (o == NULL || o->link == NULL)
		return SW_OK;			/* dropped: nobody's */
	bare = is_bare_ack(o, head, iov, n);
	if (bare && o->greeted)
		return SW_OK;	/* of a SYN-ACK: not waited for (link.h) */
	/* Nor is that of the last FIN, by anybody. */
	if (bare && stack_lingers(STACK_NEAR, &head->dst, &head->src) != NULL)
		r = link_send_late(o->link, iov, n);
	else
		r = link_send(o->link, iov, n);
	return r == SW_AGAIN ? SW_AGAIN : SW_OK;
}

static void
got_icmp(const struct packet *quoted, int err)
{
	if (owner_input == NULL)
		return;
	if (quoted->proto == PACKET_TCP)
		conn_icmp(owner_input, quoted, err);
	else if (quoted->proto == PACKET_UDP)
		udp_icmp(owner_input, quoted, err);
}

static void
stack_broke(void)
{
	for (struct owner *o = all; o != NULL; o = o->next)
		while (o->flows != NULL) {
			struct flow *f = o->flows;

			f->error = ECONNABORTED;
			/* Not to be trusted: */
			f->pcb = f->lpcb[0] = f->lpcb[1] = NULL;
			flow_free(f);
		}
}

static const struct stack_ops near_ops = {
	.output = send_packet,
	.udp = udp_input_packet,
	.icmp = got_icmp,
	.broken = stack_broke,
};

static bool
is_idle(const struct owner *o)
{
	return o->link_dead || (o->chan.fd < 0 && o->count == 0);
}

/* May free the owner. */
static void
tell_idle(struct owner *o)
{
	if (o->idle_told || o->freed || !is_idle(o))
		return;
	o->idle_told = true;
	if (o->ev != NULL && o->ev->idle != NULL)
		o->ev->idle(o->arg, o);
}

static void
end_of_turn(struct loop_turn *h)
{
	struct owner *o = CONTAINER_OF(h, struct owner, turn);
	struct flow *f;

	if (o->dirty != NULL) {
		while ((f = o->dirty) != NULL) {
			o->dirty = f->dirty_next;
			f->dirty = false;
			pump_turn(f);
		}
		stack_settle();
	}
	link_end_turn(o->link);
	tell_idle(o);
}

static void
got_frame(void *arg, struct link_frame *fr)
{
	struct owner *o = arg;
	const uint8_t *p = fr->data;
	size_t left = fr->len, n;

	if (!o->configured)
		return;
	owner_input = o;
	while (left > 0 && (n = packet_len(p, left)) > 0) {
		o->greeted = false;
		stack_input(STACK_NEAR, fr, p, n);
		p += n;
		left -= n;
	}
	owner_input = NULL;
	o->greeted = false;
}

/* The tunnel came back with other addresses.  Connections are tied to theirs;
 * datagram sockets go on, as after a change of network. */
static void
change_address(struct owner *o, const struct link_config *c)
{
	for (struct flow *f = o->flows, *next; f != NULL; f = next) {
		const struct sw_addr *now = addr_is_v4(&f->local) ?
		    &c->inner4 : &c->inner6;
		uint16_t port = f->local.port;

		next = f->next;
		if (addr_is_any(&f->local) || addr_is_loopback(&f->local) ||
		    addr_same_ip(&f->local, now))
			continue;
		if (f->dgram) {
			f->local = *now;
			f->local.port = port;
		} else if (f->pcb != NULL) {
			conn_lose(f);
		}
	}
}

void
owner_configure(struct owner *o, const struct link_config *c)
{
	if (o->configured)
		change_address(o, c);
	o->config = *c;
	if (o->config.mtu < 576)
		o->config.mtu = 1280;
	if (o->config.port_lo == 0)
		o->config.port_lo = 1024;
	if (o->config.port_hi < o->config.port_lo)
		o->config.port_hi = 65535;
	if (o->next_port < o->config.port_lo ||
	    o->next_port > o->config.port_hi)
		o->next_port = (uint16_t)(o->config.port_lo + stack_random() %
		    (uint32_t)(o->config.port_hi - o->config.port_lo + 1));
	if (o->config.mtu <= SLOW_MTU)
		link_set_room(o->link, SLOW_ROOM);
	stack_set_mtu(STACK_NEAR, o->config.mtu);
	stack_set_checksums(STACK_NEAR,
	    (o->config.flags & LINK_CHECKSUMS) != 0);
	if (!o->configured && o->chan.fd >= 0 &&
	    loop_add(o->loop, &o->chan, EPOLLIN) != SW_OK)
		log_err("owner %u: cannot watch the channel", o->id);
	o->configured = true;
}

static void
got_control(void *arg, const struct link_control *c, const uint8_t *payload,
    int fd)
{
	struct owner *o = arg;
	struct link_config config;

	switch (c->op) {
	case LINK_CONFIG:
		if (c->len != sizeof(config))
			break;
		memcpy(&config, payload, sizeof(config));
		owner_configure(o, &config);
		break;
	case LINK_REQUEST:
		if (!o->configured)
			break;
		/* It may be about a socket whose birth waits to be read. */
		chan_read(o, 4096);
		chan_handle(o, payload, c->len, fd);
		return;			/* it took the descriptor */
	case LINK_TUNNEL:
		if (c->arg != 0)
			o->config.flags |= LINK_UP;
		else
			o->config.flags &= (uint16_t)~LINK_UP;
		break;
	default:
		break;
	}
	if (fd >= 0)
		sys_close(fd);
}

/* Segments that the link refused go out now. */
static void
link_writable(void *arg)
{
	struct owner *o = arg;

	if (!addr_is_any(&o->config.inner4))
		stack_kick(STACK_NEAR, &o->config.inner4);
	if (!addr_is_any(&o->config.inner6))
		stack_kick(STACK_NEAR, &o->config.inner6);
}

static void
link_died(void *arg)
{
	struct owner *o = arg;

	o->link_dead = true;
	while (o->flows != NULL) {
		struct flow *f = o->flows;

		f->error = f->state == OWNER_CONNECTING ? ENETUNREACH :
		    ECONNRESET;
		flow_free(f);
	}
}

static const struct link_events link_events = {
	.frame = got_frame,
	.control = got_control,
	.writable = link_writable,
	.dead = link_died,
};

struct owner *
owner_alloc(struct loop *l, uint32_t id, const struct owner_events *ev,
    void *arg)
{
	struct owner *o;

	if (all == NULL && stack_open(l, STACK_NEAR, &near_ops) != SW_OK)
		return NULL;
	if ((o = arena_get_zeroed(1, sizeof(*o))) == NULL) {
		if (all == NULL)
			stack_close(STACK_NEAR);
		return NULL;
	}
	o->loop = l;
	o->id = id;
	o->ev = ev;
	o->arg = arg;
	o->chan.fd = -1;
	o->turn.run = end_of_turn;
	loop_add_turn(l, &o->turn);
	o->next = all;
	all = o;
	return o;
}

int
owner_use_link(struct owner *o, int link_fd)
{
	o->link = link_open(o->loop, link_fd, &link_events, o);
	return o->link != NULL ? SW_OK : SW_ERR_NOMEM;
}

int
owner_use_chan(struct owner *o, int chan_fd)
{
	o->chan = (struct loop_fd){ .fd = chan_fd, .ready = chan_ready };
	if (chan_fd < 0 || !o->configured)
		return SW_OK;
	return loop_add(o->loop, &o->chan, EPOLLIN);
}

/* An owner without a link yet.  chan_fd is taken. */
static struct owner *
new_owner(struct loop *l, uint32_t id, int chan_fd,
    const struct owner_events *ev, void *arg)
{
	struct owner *o = owner_alloc(l, id, ev, arg);

	if (o == NULL) {
		if (chan_fd >= 0)
			sys_close(chan_fd);
		return NULL;
	}
	/* It is watched once there is a configuration. */
	(void)!owner_use_chan(o, chan_fd);
	return o;
}

struct owner *
owner_new(struct loop *l, uint32_t id, int chan_fd, int link_fd,
    const struct owner_events *ev, void *arg)
{
	struct owner *o = new_owner(l, id, chan_fd, ev, arg);

	if (o == NULL) {
		sys_close(link_fd);
		return NULL;
	}
	if (owner_use_link(o, link_fd) != SW_OK) {
		owner_free(o);
		return NULL;
	}
	return o;
}

struct owner *
owner_new_near(struct loop *l, uint32_t id, int chan_fd, struct link *peer,
    const struct owner_events *ev, void *arg)
{
	struct owner *o = new_owner(l, id, chan_fd, ev, arg);

	if (o == NULL)
		return NULL;
	o->link = link_open_near(l, peer, &link_events, o);
	if (o->link == NULL) {
		owner_free(o);
		return NULL;
	}
	return o;
}

static void
dispose(struct owner *o)
{
	struct owner **at = &all;

	if (o->chan.fd >= 0) {
		loop_del(o->loop, &o->chan);
		sys_close(o->chan.fd);
	}
	loop_del_turn(o->loop, &o->turn);
	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
	if (all == NULL)
		stack_close(STACK_NEAR);
	link_close(o->link);
	if (owner_input == o)
		owner_input = NULL;
	arena_put(o);
}

void
owner_free(struct owner *o)
{
	if (o == NULL)
		return;
	o->freed = true;
	while (o->flows != NULL)
		flow_free(o->flows);
	dispose(o);
}

void
owner_forget_all(void)
{
	all = owner_input = NULL;
}

size_t
owner_count_flows(const struct owner *o)
{
	return o->count;
}
