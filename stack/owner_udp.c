/*
 * Datagram flows: a SEQPACKET pair, one record for one datagram.  Unconnected:
 * each record begins with a struct owner_frame.  Connected: none.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/container.h"
#include "base/sys.h"
#include "stack/owner_priv.h"
#include "stack/records.h"

static bool
is_connected(const struct flow *f)
{
	return f->state == OWNER_CONNECTED;
}

static bool
is_peer(const struct flow *f, const struct sw_addr *far)
{
	return f->peer.port == far->port && addr_same_ip(&f->peer, far);
}

static int
may_send(const struct owner *o, const struct sw_addr *to)
{
	if ((o->config.flags & LINK_UP) == 0 || addr_is_multicast(to) ||
	    addr_is_any(to) || !owner_carries(o, to))
		return ENETUNREACH;
	if ((o->config.flags & LINK_UDP) == 0 && to->port != 53)
		return ENETUNREACH;
	return to->port == 0 ? EINVAL : 0;
}

static void
send_datagram(struct flow *f, const struct sw_addr *to,
    const struct owner_frame *fr, const uint8_t *p, size_t len)
{
	struct owner *o = f->owner;
	struct sw_addr from = owner_inner(o, to);
	struct iovec iov = { .iov_len = len };

	if (may_send(o, to) != 0)
		return;
	if (f->local.port == 0 && port_take(f, 0) != 0)
		return;
	from.port = f->local.port;
	memcpy(&iov.iov_base, &p, sizeof(p));
	if (stack_send_udp(STACK_NEAR, &from, to, &iov, 1,
	    fr != NULL && fr->tos != 0 ? fr->tos : f->tos,
	    fr != NULL && fr->hop_limit != 0 ? fr->hop_limit : f->ttl) ==
	    SW_OK)
		f->tx_bytes += len;
}

/* It came around the shim, which knows where to. */
static void
drop_stray(struct owner *o)
{
	const struct link_control c = { .op = LINK_STRAY };

	if (!o->stray_told && o->link != NULL)
		(void)!link_send_control(o->link, &c, NULL, -1);
	o->stray_told = true;
}

static void
one_record(void *arg, const uint8_t *rec, size_t len)
{
	struct flow *f = arg;
	struct owner_frame fr = { .magic = 0 };

	if (len >= sizeof(fr))
		memcpy(&fr, rec, sizeof(fr));
	if (fr.magic == OWNER_FRAME_MAGIC) {
		if (fr.kind == OWNER_FRAME_DATA)
			send_datagram(f, &fr.addr, &fr, rec + sizeof(fr),
			    len - sizeof(fr));
		else if (fr.kind == OWNER_FRAME_AGAIN && is_connected(f) &&
		    is_peer(f, &fr.addr))
			(void)sys_send(f->w.fd, rec + sizeof(fr),
			    len - sizeof(fr), MSG_DONTWAIT | MSG_NOSIGNAL);
	} else if (is_connected(f)) {
		send_datagram(f, &f->peer, NULL, rec, len);
	} else {
		drop_stray(f->owner);
	}
}

/* Read what the program sent; false when it is gone. */
static bool
drain_far(struct flow *f, uint32_t events, int limit)
{
	return records_drain(f->owner->loop, &f->w, events, limit, one_record,
	    f);
}

void
udp_ready(struct loop_fd *w, uint32_t events)
{
	struct flow *f = CONTAINER_OF(w, struct flow, w);

	if (drain_far(f, events, UDP_BURST))
		return;
	f->app_gone = true;
	flow_free(f);
}

int
udp_connect(struct flow *f, const struct sw_addr *to)
{
	static const struct sw_addr nowhere;
	uint16_t port;
	int err;

	/* What was sent before this is meant in the old way. */
	(void)drain_far(f, 0, 4096);
	f->error = 0;
	if (memcmp(to, &nowhere, sizeof(nowhere)) == 0) {
		f->peer = nowhere;
		f->state = OWNER_NEW;
		return 0;
	}
	err = may_send(f->owner, to);
	if (err != 0 && err != EINVAL)		/* port 0: allowed here */
		return err;
	if (f->local.port == 0 && (err = port_take(f, 0)) != 0)
		return err;
	port = f->local.port;
	f->local = owner_inner(f->owner, to);
	f->local.port = port;
	f->peer = *to;
	f->state = OWNER_CONNECTED;
	return 0;
}

/* The flow that a datagram from `far` to our `port` is for. */
static struct flow *
find(struct owner *o, uint16_t port, const struct sw_addr *far)
{
	for (struct flow *f = o->flows; f != NULL; f = f->next)
		if (f->dgram && f->local.port == port && port != 0 &&
		    (!is_connected(f) || is_peer(f, far)))
			return f;
	return NULL;
}

void
udp_input_packet(const struct packet *head, const struct pbuf *p)
{
	struct owner_frame fr = {
		.magic = OWNER_FRAME_MAGIC, .addr = head->src,
	};
	struct iovec iov[64] = { { &fr, sizeof(fr) } };
	struct msghdr m = { .msg_iov = iov };
	size_t n = 1, total = 0;
	struct flow *f;

	if (owner_input == NULL ||
	    (f = find(owner_input, head->dst.port, &head->src)) == NULL)
		return;
	for (; p != NULL && n < 64; p = p->next) {
		iov[n++] = (struct iovec){ p->payload, p->len };
		total += p->len;
	}
	if (p != NULL)
		return;			/* in more pieces than anyone sends */
	m.msg_iovlen = n;
	if (is_connected(f)) {
		m.msg_iov++;
		m.msg_iovlen--;
	}
	/* No room: dropped, as a kernel drops what nobody reads. */
	if (sys_sendmsg(f->w.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		f->rx_bytes += total;
}

void
udp_icmp(struct owner *o, const struct packet *quoted, int err)
{
	struct flow *f = find(o, quoted->src.port, &quoted->dst);
	struct owner_frame fr = { .magic = OWNER_FRAME_MAGIC,
		.kind = OWNER_FRAME_ERROR, .error = (uint8_t)err,
		.addr = quoted->dst };

	if (f == NULL)
		return;
	if (is_connected(f)) {
		f->error = err;
		(void)sys_send(f->w.fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else if (flow_option_is_on(f, IPPROTO_IP, IP_RECVERR) ||
	    flow_option_is_on(f, IPPROTO_IPV6, IPV6_RECVERR)) {
		(void)sys_send(f->w.fd, &fr, sizeof(fr),
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}
