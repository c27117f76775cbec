/*
 * Datagrams at the exit.  Each port of a client has one socket here for all its
 * peers (endpoint-independent mapping, RFC 4787), and hears whatever ports of
 * the addresses that it has sent to (address-dependent filtering): so a TFTP
 * server may answer from another port, and two clients behind NATs meet; and
 * nobody else can use up a client's reply blocks.  Nym's exit leaves all this
 * to its kernel's NAT.
 *
 * What goes to the exit itself are questions for a name server: their sockets
 * are connected, to whichever server it is.
 */
#include "mix/smolnode_exit_private.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/container.h"
#include "mix/iprexit.h"

#define IDLE_MS 120000
#define SERVER_MS 1500			/* a name server that is silent */
#define READ_MAX 65536
#define READ_BATCH 64

static void
flow_close(struct udp_flow *f)
{
	if (!f->used)
		return;
	loop_del(f->exit->loop, &f->w);
	close(f->w.fd);
	free(f->peer);
	f->peer = NULL;
	f->used = false;
}

/* --- whom a port may hear ------------------------------------------------ */

static bool
hears(struct udp_flow *f, const struct sw_addr *from)
{
	if (f->dns)
		return true;		/* the kernel saw to it */
	for (size_t i = 0; i < f->peers; i++)
		if (addr_same_ip(&f->peer[i].addr, from)) {
			f->peer[i].last_ms = f->exit->loop->now_ms;
			return true;
		}
	return false;
}

/* It has sent to this address.  Beyond the bound, whom it has not spoken with
 * for longest is forgotten. */
static int
note_peer(struct udp_flow *f, const struct sw_addr *to)
{
	struct udp_peer *p, *more;
	size_t cap;

	if (f->dns || hears(f, to))
		return SW_OK;
	if (f->peers == f->peers_cap && f->peers_cap < EXIT_UDP_PEERS) {
		cap = f->peers_cap == 0 ? 4 : 2 * f->peers_cap;
		if ((more = realloc(f->peer, cap * sizeof(*more))) == NULL)
			return SW_ERR_NOMEM;
		f->peer = more;
		f->peers_cap = cap;
	}
	if (f->peers < f->peers_cap) {
		p = &f->peer[f->peers++];
	} else {
		p = &f->peer[0];
		for (size_t i = 1; i < f->peers; i++)
			if (f->peer[i].last_ms < p->last_ms)
				p = &f->peer[i];
	}
	p->addr = *to;
	p->last_ms = f->exit->loop->now_ms;
	return SW_OK;
}

/* --- from the network ---------------------------------------------------- */

/* Something that was sent came back.  False: there is nothing more. */
static bool
take_error(struct udp_flow *f)
{
	struct sockaddr_storage ss;
	char control[256], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_name = &ss, .msg_namelen = sizeof(ss), .msg_iov = &iov,
		.msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct sock_extended_err e;
	struct sw_addr to;

	if (recvmsg(f->w.fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return false;
	if (addr_from_sockaddr(&to, (struct sockaddr *)&ss, m.msg_namelen) !=
	    SW_OK)
		return true;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h != NULL;
	    h = CMSG_NXTHDR(&m, h)) {
		if ((h->cmsg_level != IPPROTO_IP || h->cmsg_type != IP_RECVERR) &&
		    (h->cmsg_level != IPPROTO_IPV6 ||
		    h->cmsg_type != IPV6_RECVERR))
			continue;
		memcpy(&e, CMSG_DATA(h), sizeof(e));
		splice_refuse_udp(f->exit->splice, &f->inner, f->dns ?
		    &f->outer : &to, e.ee_errno == EMSGSIZE ?
		    SW_ERR_TOO_LONG : sw_err_from_errno((int)e.ee_errno));
	}
	return true;
}

/* False: the flow is closed. */
static bool
take_errors(struct udp_flow *f)
{
	for (int i = 0; i < READ_BATCH && take_error(f); i++)
		if (f->dns) {
			exit_next_server(f->exit);
			flow_close(f);
			return false;
		}
	return true;
}

static void
flow_ready(struct loop_fd *w, uint32_t events)
{
	struct udp_flow *f = CONTAINER_OF(w, struct udp_flow, w);
	struct sockaddr_storage ss;
	uint8_t buf[READ_MAX];
	struct sw_addr from;
	socklen_t len;
	ssize_t n;

	if ((events & EPOLLERR) != 0 && !take_errors(f))
		return;
	for (int i = 0; i < READ_BATCH; i++) {
		len = sizeof(ss);
		n = recvfrom(w->fd, buf, sizeof(buf), MSG_DONTWAIT,
		    (struct sockaddr *)&ss, &len);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0 || addr_from_sockaddr(&from, (struct sockaddr *)&ss,
		    len) != SW_OK || !hears(f, &from))
			continue;	/* news of an error, or a stranger */
		f->last_ms = f->exit->loop->now_ms;
		f->asked_ms = 0;
		splice_send_udp(f->exit->splice, f->dns ? &f->outer : &from,
		    &f->inner, buf, (size_t)n);
	}
}

/* --- from the client ----------------------------------------------------- */

/* Is it the socket for what goes from `inner` to `outer`? */
static bool
carries(const struct udp_flow *f, const struct sw_addr *inner,
    const struct sw_addr *outer, bool dns)
{
	return f->used && f->dns == dns &&
	    memcmp(&f->inner, inner, sizeof(*inner)) == 0 &&
	    (!dns || memcmp(&f->outer, outer, sizeof(*outer)) == 0);
}

/* The flow that carries this; or the place for it.  When all are taken, or the
 * client has its share, its idlest goes; without one of its own, the idlest of
 * all. */
static struct udp_flow *
find_flow(struct smolnode_exit *x, const struct sw_addr *inner,
    const struct sw_addr *outer)
{
	struct udp_flow *place = NULL, *mine = NULL, *idlest = &x->udp[0];
	bool dns = iprexit_is_own(outer);
	size_t own = 0;

	for (size_t i = 0; i < EXIT_UDP_FLOWS; i++) {
		struct udp_flow *f = &x->udp[i];

		if (carries(f, inner, outer, dns))
			return f;
		if (f->used && x->loop->now_ms - f->last_ms > IDLE_MS)
			flow_close(f);
		if (!f->used) {
			place = place != NULL ? place : f;
			continue;
		}
		if (f->last_ms < idlest->last_ms)
			idlest = f;
		if (exit_client_of(&f->inner) != exit_client_of(inner))
			continue;
		own++;
		if (mine == NULL || f->last_ms < mine->last_ms)
			mine = f;
	}
	if (place == NULL || own >= EXIT_UDP_EACH) {
		place = mine != NULL ? mine : idlest;
		flow_close(place);
	}
	return place;
}

static int
open_socket(int family)
{
	static const int on = 1;
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (family == AF_INET) {
		(void)setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	} else {
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
		    sizeof(on));
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on,
		    sizeof(on));
	}
	return fd;
}

static int
flow_open(struct smolnode_exit *x, struct udp_flow *f,
    const struct sw_addr *inner, const struct sw_addr *outer)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct sw_addr to = *outer;
	int family, r;

	memset(f, 0, sizeof(*f));
	if ((r = exit_find_server(x, &to, &f->dns)) != SW_OK)
		return r;
	family = addr_is_v4(&to) ? AF_INET : AF_INET6;
	addr_to_sockaddr(&to, family, (struct sockaddr *)&ss, &len);
	if ((f->w.fd = open_socket(family)) < 0)
		return SW_ERR_LIMIT;
	f->w.ready = flow_ready;
	f->exit = x;
	f->inner = *inner;
	f->outer = *outer;
	if ((f->dns && connect(f->w.fd, (struct sockaddr *)&ss, len) != 0) ||
	    loop_add(x->loop, &f->w, EPOLLIN) != SW_OK) {
		close(f->w.fd);
		return SW_ERR_UNREACH_NET;
	}
	f->used = true;
	return SW_OK;
}

/* An error of an earlier datagram is told once by the socket: that one has its
 * own way back, so this is tried again. */
static int
flow_send(struct udp_flow *f, const struct sw_addr *dst, const uint8_t *data,
    size_t len)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	int flags = MSG_NOSIGNAL | MSG_DONTWAIT, err = 0;

	addr_to_sockaddr(dst, addr_is_v4(dst) ? AF_INET : AF_INET6,
	    (struct sockaddr *)&ss, &n);
	for (int i = 0; i < 2; i++) {
		if (sendto(f->w.fd, data, len, flags, f->dns ? NULL :
		    (struct sockaddr *)&ss, f->dns ? 0 : n) >= 0)
			return SW_OK;
		err = errno;
		if (err == EAGAIN || err == ENOBUFS)
			return SW_OK;	/* lost, as in a network */
	}
	return err == EMSGSIZE ? SW_ERR_TOO_LONG : sw_err_from_errno(err);
}

int
exit_take_udp(void *arg, const struct sw_addr *src, const struct sw_addr *dst,
    const uint8_t *data, size_t len)
{
	struct smolnode_exit *x = arg;
	struct udp_flow *f = find_flow(x, src, dst);
	int64_t now = x->loop->now_ms;
	int r;

	if (f->used && f->dns && f->asked_ms != 0 &&
	    now - f->asked_ms > SERVER_MS) {
		exit_next_server(x);	/* asked again: so it was silent */
		flow_close(f);
	}
	if ((!f->used && (r = flow_open(x, f, src, dst)) != SW_OK) ||
	    (r = note_peer(f, dst)) != SW_OK)
		return r;
	f->last_ms = now;
	if (f->asked_ms == 0)
		f->asked_ms = now;
	r = flow_send(f, dst, data, len);
	if (r != SW_OK && f->dns) {
		exit_next_server(x);
		flow_close(f);
	}
	return r;
}

void
exit_close_udp(struct smolnode_exit *x)
{
	for (size_t i = 0; i < EXIT_UDP_FLOWS; i++)
		flow_close(&x->udp[i]);
}

void
exit_forget_udp(struct smolnode_exit *x, const struct sw_addr *inner)
{
	for (size_t i = 0; i < EXIT_UDP_FLOWS; i++)
		if (x->udp[i].used && addr_same_ip(&x->udp[i].inner, inner))
			flow_close(&x->udp[i]);
}
