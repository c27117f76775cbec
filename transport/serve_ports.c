/*
 * UDP for a client: one channel is one port here, unconnected, in both families
 * (transport/udp_channel.h).
 *
 * Only hosts that the client has sent to are heard, by whatever port they answer
 * (TFTP's is a new one; RFC 4787, 5: address-dependent filtering; serve_peers.h).
 *
 * While the client's window is full the sockets are not read, so that a burst
 * waits in the kernel, and what has no room there is lost, as in a network.  Of
 * what was read only the rest of one datagram waits here; towards the network,
 * only datagrams whose names are being looked up.
 */
#include "transport/serve_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <netinet/in.h>
#include <linux/errqueue.h>

#include "base/clock.h"
#include "base/container.h"
#include "transport/serve_peers.h"
#include "transport/udp_channel.h"

#define LOOKUPS_MAX 16			/* at once, each with one datagram */
#define NAME_MS 60000			/* for which a name's address is used */
#define READS_A_TURN 64
#define SOCKET_ROOM (1 << 20)		/* for bursts; it may be given less */
#define FAMILIES 2

struct serve_ports;

struct lookup {
	LIST_LINK(lookup) link;
	struct serve_ports *o;
	struct serve_query *query;
	uint16_t port;
	size_t len;
	char name[256];
	uint8_t data[];
};

struct serve_ports {
	struct serve_end end;
	LIST_LINK(serve_ports) link;
	struct serve_server *v;
	struct serve_session *s;
	struct serve_chan *c;
	struct udp_socket { struct loop_fd w; struct serve_ports *o; }
	    sock[FAMILIES];		/* IPv4, IPv6; fd -1: not needed yet */
	struct serve_peers peers;
	LIST_OF(lookups, lookup) lookups;
	size_t nlookups;
	uint8_t *part;			/* of a frame, from the client */
	size_t part_len;
	uint8_t *rest;			/* of a frame, for it */
	size_t rest_at, rest_len;
	bool paused;			/* the sockets are not read */
};

static void
lookup_free(struct lookup *k)
{
	if (k->query != NULL)
		serve_resolve_cancel(k->query);
	LIST_DROP(&k->o->lookups, k, link);
	k->o->nlookups--;
	free(k);
}

static void
ports_free(struct serve_ports *o)
{
	struct lookup *k, *next;

	for (int i = 0; i < FAMILIES; i++) {
		loop_del(&o->v->l, &o->sock[i].w);
		if (o->sock[i].w.fd >= 0)
			close(o->sock[i].w.fd);
	}
	for (k = LIST_FIRST(&o->lookups); k != NULL; k = next) {
		next = LIST_NEXT(k, link);
		lookup_free(k);
	}
	serve_peers_wipe(&o->peers);
	LIST_DROP(&o->s->ports, o, link);
	o->s->nservices--;
	free(o->part);
	free(o->rest);
	free(o);
}

static void
end_ports(struct serve_ports *o)
{
	serve_chan_close(o->c);
	serve_session_touch(o->s);
	ports_free(o);
}

/* ---- to the client ---- */

static void
pause_sockets(struct serve_ports *o, bool on)
{
	if (o->paused == on)
		return;
	o->paused = on;
	for (int i = 0; i < FAMILIES; i++)
		if (o->sock[i].w.fd >= 0)
			loop_mod(&o->v->l, &o->sock[i].w, on ? 0 : EPOLLIN);
}

/* The client takes nothing now; on_writable() follows. */
static bool
is_blocked(struct serve_ports *o)
{
	return o->rest_len > 0 || serve_chan_room(o->c) == 0;
}

/* A frame; what the window has no room for goes later.  false: no memory. */
static bool
put_frame(struct serve_ports *o, const uint8_t *p, size_t len)
{
	size_t n = serve_chan_write(o->c, p, len);

	serve_session_touch(o->s);
	if (n == len)
		return true;
	if ((o->rest = malloc(len - n)) == NULL)
		return false;
	memcpy(o->rest, p + n, len - n);
	o->rest_at = 0;
	o->rest_len = len - n;
	pause_sockets(o, true);
	return true;
}

static void
on_writable(struct serve_end *e)
{
	struct serve_ports *o = CONTAINER_OF(e, struct serve_ports, end);
	size_t n;

	if (o->rest_len > 0) {
		n = serve_chan_write(o->c, o->rest + o->rest_at, o->rest_len);
		o->rest_at += n;
		o->rest_len -= n;
		serve_session_touch(o->s);
		if (o->rest_len > 0)
			return;
		free(o->rest);
		o->rest = NULL;
	}
	pause_sockets(o, false);
}

static void
tell_error(struct serve_ports *o, const char *name, const struct sw_addr *addr,
    int err)
{
	const struct datagram_peer peer = { .name = name, .addr = *addr };
	uint8_t frame[UDP_CHANNEL_HEAD_MAX + 1];
	size_t n = udp_channel_put_error(frame, &peer, err);

	if (n == 0 || is_blocked(o) || serve_chan_room(o->c) < n)
		return;			/* lost, as such news may be */
	(void)put_frame(o, frame, n);
}

/* What went wrong with a datagram that we sent: the kernel kept its address. */
static void
take_error(struct serve_ports *o, int fd)
{
	struct sockaddr_storage ss;
	char control[256], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_name = &ss, .msg_namelen = sizeof(ss), .msg_iov = &iov,
		.msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct sw_addr to;
	const struct serve_peer *p;

	if (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0 ||
	    addr_from_sockaddr(&to, (struct sockaddr *)&ss, m.msg_namelen) !=
	    SW_OK || (p = serve_peers_at(&o->peers, &to)) == NULL)
		return;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h != NULL;
	    h = CMSG_NXTHDR(&m, h)) {
		struct sock_extended_err e;

		if ((h->cmsg_level != IPPROTO_IP ||
		    h->cmsg_type != IP_RECVERR) &&
		    (h->cmsg_level != IPPROTO_IPV6 ||
		    h->cmsg_type != IPV6_RECVERR))
			continue;
		memcpy(&e, CMSG_DATA(h), sizeof(e));
		tell_error(o, p->name, &p->addr, e.ee_errno == EMSGSIZE ?
		    SW_ERR_TOO_LONG : sw_err_from_errno((int)e.ee_errno));
	}
}

/* `len` bytes in v->far, behind room for a head.  false: no memory. */
static bool
take_datagram(struct serve_ports *o, size_t len, const struct sw_addr *from)
{
	struct serve_peer *p = serve_peers_at(&o->peers, from);
	struct datagram_peer peer;
	uint8_t head[UDP_CHANNEL_HEAD_MAX];
	uint8_t *start;
	size_t n;

	if (p == NULL && (p = serve_peers_of_host(&o->peers, from)) == NULL)
		return true;
	p->used_ms = o->v->l.now_ms;
	peer = (struct datagram_peer){ .name = p->name, .addr = *from };
	n = udp_channel_put_head(head, &peer, len);
	if (n == 0)
		return true;
	start = o->v->far + UDP_CHANNEL_HEAD_MAX - n;
	memcpy(start, head, n);
	return put_frame(o, start, n + len);
}

static void
on_socket(struct loop_fd *w, uint32_t events)
{
	struct serve_ports *o = (CONTAINER_OF(w, struct udp_socket, w))->o;
	uint8_t *data = o->v->far + UDP_CHANNEL_HEAD_MAX;

	if ((events & EPOLLERR) != 0)
		take_error(o, w->fd);
	for (int i = 0; i < READS_A_TURN; i++) {
		struct sockaddr_storage ss;
		socklen_t len = sizeof(ss);
		struct sw_addr from;
		ssize_t n;

		if (is_blocked(o)) {
			pause_sockets(o, true);
			return;
		}
		n = recvfrom(w->fd, data, SERVE_FAR - UDP_CHANNEL_HEAD_MAX, 0,
		    (struct sockaddr *)&ss, &len);
		if (n < 0)
			return;
		if (addr_from_sockaddr(&from, (struct sockaddr *)&ss, len) ==
		    SW_OK && !take_datagram(o, (size_t)n, &from)) {
			end_ports(o);
			return;
		}
	}
}

/* ---- from the client ---- */

static int
open_socket(struct serve_ports *o, bool v4)
{
	struct udp_socket *u = &o->sock[!v4];
	int on = 1, room = SOCKET_ROOM;

	if (u->w.fd >= 0)
		return SW_OK;
	u->w.fd = socket(v4 ? AF_INET : AF_INET6,
	    SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (u->w.fd < 0)
		return errno == EMFILE || errno == ENFILE ? SW_ERR_LIMIT :
		    sw_err_from_errno(errno);
	(void)setsockopt(u->w.fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (v4) {
		(void)setsockopt(u->w.fd, IPPROTO_IP, IP_RECVERR, &on,
		    sizeof(on));
	} else {
		(void)setsockopt(u->w.fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
		    sizeof(on));
		(void)setsockopt(u->w.fd, IPPROTO_IPV6, IPV6_RECVERR, &on,
		    sizeof(on));
	}
	u->w.ready = on_socket;
	u->o = o;
	if (loop_add(&o->v->l, &u->w, o->paused ? 0 : EPOLLIN) == SW_OK)
		return SW_OK;
	close(u->w.fd);
	u->w.fd = -1;
	return SW_ERR_LIMIT;
}

/* To one address; name: what it was called, or NULL. */
static void
send_to(struct serve_ports *o, const char *name, const struct sw_addr *addr,
    const uint8_t *data, size_t len)
{
	bool v4 = addr_is_v4(addr);
	char ip[SW_ADDR_TEXT_LEN];
	struct sockaddr_storage ss;
	socklen_t ss_len = sizeof(ss);
	int err = SW_ERR_DENIED;

	(void)addr_ip_text(addr, ip);
	if (addr->port == 0 || !serve_policy_allows(&o->v->policy,
	    name != NULL ? name : ip, addr, addr->port) ||
	    !serve_permits_has(&o->s->grant->open, name != NULL ? name : ip,
	    addr->port) || (err = open_socket(o, v4)) != SW_OK) {
		tell_error(o, name, addr, err);
		return;
	}
	serve_peers_note(&o->peers, name, addr, o->v->l.now_ms);
	addr_to_sockaddr(addr, v4 ? AF_INET : AF_INET6, (struct sockaddr *)&ss,
	    &ss_len);
	/* A fault of an earlier datagram is reported first: once more then. */
	for (int i = 0; i < 2; i++) {
		if (sendto(o->sock[!v4].w.fd, data, len, MSG_NOSIGNAL,
		    (struct sockaddr *)&ss, ss_len) >= 0 || errno == EAGAIN)
			return;
		err = errno;
	}
	tell_error(o, name, addr, err == EMSGSIZE ? SW_ERR_TOO_LONG :
	    sw_err_from_errno(err));
}

static void
on_found(void *arg, int err, const struct sw_addr *addrs, size_t n)
{
	struct lookup *k = arg;
	struct sw_addr to = { .port = k->port };
	size_t best = 0;

	k->query = NULL;
	if (err != SW_OK) {
		tell_error(k->o, k->name, &to, err);
	} else {
		/* The first that may be reached. */
		while (best + 1 < n && !serve_policy_allows(&k->o->v->policy,
		    k->name, &addrs[best], k->port))
			best++;
		to = addrs[best];
		to.port = k->port;
		send_to(k->o, k->name, &to, k->data, k->len);
	}
	lookup_free(k);
}

static void
send_named(struct serve_ports *o, const struct udp_channel_frame *f)
{
	const struct serve_peer *p = serve_peers_named(&o->peers, f->name,
	    f->addr.port);
	struct sw_addr literal;
	struct lookup *k;

	if (addr_parse_ip(&literal, f->name) == SW_OK) {
		literal.port = f->addr.port;
		send_to(o, f->name, &literal, f->data, f->len);
		return;
	}
	if (p != NULL && o->v->l.now_ms - p->found_ms < NAME_MS) {
		const struct sw_addr to = p->addr;

		send_to(o, f->name, &to, f->data, f->len);
		return;
	}
	if (o->nlookups >= LOOKUPS_MAX ||
	    (k = calloc(1, sizeof(*k) + f->len)) == NULL)
		return;			/* lost */
	k->o = o;
	k->port = f->addr.port;
	k->len = f->len;
	memcpy(k->name, f->name, sizeof(k->name));
	if (f->len > 0)
		memcpy(k->data, f->data, f->len);
	LIST_APPEND(&o->lookups, k, link);
	o->nlookups++;
	k->query = serve_resolve(o->v->dialing.resolver, o->s, k->name,
	    on_found, k);
	if (k->query == NULL)
		lookup_free(k);
}

/* Whole frames in p[0..len): how much they were; false: nonsense. */
static bool
take_frames(struct serve_ports *o, const uint8_t *p, size_t len, size_t *used)
{
	struct udp_channel_frame f;
	size_t n;
	int r;

	*used = 0;
	while ((r = udp_channel_take(&f, p + *used, len - *used, &n)) ==
	    SW_OK) {
		*used += n;
		if (f.kind != UDP_CHANNEL_DATA)
			return false;
		if (f.name[0] != '\0')
			send_named(o, &f);
		else
			send_to(o, NULL, &f.addr, f.data, f.len);
	}
	return r == SW_AGAIN;
}

/* Less than a frame is kept; what completes it comes in the next calls. */
static bool
take_bytes(struct serve_ports *o, const uint8_t *p, size_t len)
{
	size_t used;
	uint8_t *all;
	bool good;

	if (o->part_len == 0) {
		all = NULL;
		good = take_frames(o, p, len, &used);
	} else {
		if ((all = malloc(o->part_len + len)) == NULL)
			return false;
		memcpy(all, o->part, o->part_len);
		memcpy(all + o->part_len, p, len);
		len += o->part_len;
		p = all;
		good = take_frames(o, p, len, &used);
	}
	free(o->part);
	o->part = NULL;
	o->part_len = 0;
	if (good && used < len) {
		if ((o->part = malloc(len - used)) != NULL) {
			o->part_len = len - used;
			memcpy(o->part, p + used, o->part_len);
		}
		good = o->part != NULL;
	}
	free(all);
	return good;
}

static void
on_data(struct serve_end *e, const uint8_t *p, size_t len)
{
	struct serve_ports *o = CONTAINER_OF(e, struct serve_ports, end);

	serve_chan_took(o->c, len);
	if (!take_bytes(o, p, len))
		end_ports(o);
}

static void
on_eof(struct serve_end *e)
{
	end_ports(CONTAINER_OF(e, struct serve_ports, end));
}

static void
on_closed(struct serve_end *e, bool clean)
{
	(void)clean;
	ports_free(CONTAINER_OF(e, struct serve_ports, end));
}

static const struct serve_end_ops ports_ops = {
	.data = on_data, .eof = on_eof, .writable = on_writable,
	.closed = on_closed,
};

void
serve_ports_open(struct serve_session *s, struct serve_chan *c)
{
	struct serve_ports *o;

	if (s->v->no_udp) {
		serve_chan_refuse(c, SERVE_PROHIBITED, "no UDP here");
		return;
	}
	if ((o = calloc(1, sizeof(*o))) == NULL) {
		serve_chan_refuse(c, SERVE_SHORTAGE, "out of memory");
		return;
	}
	o->end.ops = &ports_ops;
	o->v = s->v;
	o->s = s;
	o->c = c;
	LIST_INIT(&o->lookups);
	for (int i = 0; i < FAMILIES; i++)
		o->sock[i].w.fd = -1;
	LIST_APPEND(&s->ports, o, link);
	s->nservices++;
	serve_chan_set_arg(c, &o->end);
	serve_chan_accept(c);
	serve_session_touch(s);
}

void
serve_ports_free(struct serve_session *s)
{
	struct serve_ports *o, *next;

	for (o = LIST_FIRST(&s->ports); o != NULL; o = next) {
		next = LIST_NEXT(o, link);
		ports_free(o);
	}
}
