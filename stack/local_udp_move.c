/*
 * Datagrams between a program's pair and a real socket on loopback.
 *
 *   pair --record--> local_udp_drain --address judged--> sendmsg
 *   recvmsg --frame, unless connected--> pair
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/container.h"
#include "base/sys.h"
#include "stack/arena.h"
#include "stack/local_udp_priv.h"
#include "stack/records.h"

#define BURST 64		/* datagrams before others get a turn */

/* ---- from the program -------------------------------------------------------- */

bool
local_udp_may_reach(const struct sw_addr *to)
{
	return addr_is_loopback(to) && to->port != 53 && to->port != 853;
}

/* An error of the peer's: told as owners do, by an empty record. */
static void
note_error(struct local_udp *u, int err)
{
	if (!u->connected || err != ECONNREFUSED)
		return;
	u->error = err;
	(void)sys_send(u->pair.fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL);
}

union control {
	size_t align;
	uint8_t space[4 * CMSG_SPACE(sizeof(int))];
};

static void
add_int(struct msghdr *m, union control *c, int level, int type, int v)
{
	struct cmsghdr h = { .cmsg_len = CMSG_LEN(sizeof(v)),
		.cmsg_level = level, .cmsg_type = type };
	uint8_t *at = c->space + m->msg_controllen;

	memcpy(at, &h, sizeof(h));
	memcpy(at + CMSG_LEN(0), &v, sizeof(v));
	m->msg_control = c->space;
	m->msg_controllen += CMSG_SPACE(sizeof(v));
}

static void
send_to(struct local_udp *u, const struct owner_frame *fr, const uint8_t *p,
    size_t len)
{
	bool v4 = addr_is_v4(&fr->addr);
	struct iovec iov = { .iov_len = len };
	struct sockaddr_in6 sa = { 0 };
	socklen_t n = sizeof(sa);
	union control c = { .space = { 0 } };
	struct msghdr m = { .msg_name = &sa, .msg_iov = &iov, .msg_iovlen = 1 };
	struct sw_addr to = fr->addr;

	if (!local_udp_may_reach(&to) || to.port == 0 || (!u->v6 && !v4))
		return;
	to.scope = 0;
	addr_to_sockaddr(&to, u->v6 ? AF_INET6 : AF_INET,
	    (struct sockaddr *)&sa, &n);
	m.msg_namelen = n;
	memcpy(&iov.iov_base, &p, sizeof(p));
	if (fr->tos != 0)
		add_int(&m, &c, v4 ? IPPROTO_IP : IPPROTO_IPV6,
		    v4 ? IP_TOS : IPV6_TCLASS, fr->tos);
	if (fr->hop_limit != 0)
		add_int(&m, &c, v4 ? IPPROTO_IP : IPPROTO_IPV6,
		    v4 ? IP_TTL : IPV6_HOPLIMIT, fr->hop_limit);
	(void)sys_sendmsg(u->real.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* A datagram that came before the peer was chosen, given back by the shim:
 * it goes to the program again, without its frame. */
static void
send_back(struct local_udp *u, const struct owner_frame *fr, const uint8_t *p,
    size_t len)
{
	if (u->connected && fr->addr.port == u->peer.port &&
	    addr_same_ip(&fr->addr, &u->peer))
		(void)sys_send(u->pair.fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
one_record(void *arg, const uint8_t *rec, size_t len)
{
	struct local_udp *u = arg;
	struct owner_frame fr = { .magic = 0 };
	ssize_t r;

	if (len >= sizeof(fr))
		memcpy(&fr, rec, sizeof(fr));
	if (fr.magic == OWNER_FRAME_MAGIC) {
		if (fr.kind == OWNER_FRAME_DATA)
			send_to(u, &fr, rec + sizeof(fr), len - sizeof(fr));
		else if (fr.kind == OWNER_FRAME_AGAIN)
			send_back(u, &fr, rec + sizeof(fr), len - sizeof(fr));
	} else if (u->connected) {
		r = sys_send(u->real.fd, rec, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (r < 0)
			note_error(u, (int)-r);
	} else if (u->set->stray != NULL) {
		u->set->stray(u->set->arg);
	}
}

bool
local_udp_drain(struct local_udp *u, uint32_t events, int limit)
{
	return records_drain(u->set->loop, &u->pair, events, limit, one_record,
	    u);
}

void
local_udp_pair_ready(struct loop_fd *w, uint32_t events)
{
	struct local_udp *u = CONTAINER_OF(w, struct local_udp, pair);

	if (!local_udp_drain(u, events, BURST))
		local_udp_free(u);
}

/* ---- to the program ----------------------------------------------------------- */

static void
read_control(struct msghdr *m, struct owner_frame *fr)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
	    c = CMSG_NXTHDR(m, c)) {
		bool v4 = c->cmsg_level == IPPROTO_IP;
		int v = 0;

		if (c->cmsg_len >= CMSG_LEN(sizeof(v)))
			memcpy(&v, CMSG_DATA(c), sizeof(v));
		else if (c->cmsg_len >= CMSG_LEN(1))
			v = *CMSG_DATA(c);
		if (c->cmsg_type == (v4 ? IP_TOS : IPV6_TCLASS))
			fr->tos = (uint8_t)v;
		else if (c->cmsg_type == (v4 ? IP_TTL : IPV6_HOPLIMIT))
			fr->hop_limit = (uint8_t)v;
	}
}

/* One datagram; false when there is none. */
static bool
receive_one(struct local_udp *u, uint8_t *buf)
{
	struct owner_frame fr = { .magic = OWNER_FRAME_MAGIC };
	struct sockaddr_in6 sa;
	union control c = { .space = { 0 } };
	struct iovec in = { buf, RECORD_MAX };
	struct iovec out[2] = { { &fr, sizeof(fr) }, { buf, 0 } };
	struct msghdr m = { .msg_name = &sa, .msg_namelen = sizeof(sa),
		.msg_iov = &in, .msg_iovlen = 1,
		.msg_control = c.space, .msg_controllen = sizeof(c.space) };
	ssize_t n = sys_recvmsg(u->real.fd, &m, MSG_DONTWAIT);

	if (n < 0) {
		note_error(u, (int)-n);
		return n != -EAGAIN;
	}
	if (addr_from_sockaddr(&fr.addr, (struct sockaddr *)&sa,
	    m.msg_namelen) != SW_OK)
		return true;
	read_control(&m, &fr);
	out[1].iov_len = (size_t)n;
	m = (struct msghdr){ .msg_iov = u->connected ? out + 1 : out,
		.msg_iovlen = u->connected ? 1 : 2 };
	/* No room: dropped, as a kernel drops what nobody reads. */
	(void)sys_sendmsg(u->pair.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	return true;
}

void
local_udp_real_ready(struct loop_fd *w, uint32_t events)
{
	struct local_udp *u = CONTAINER_OF(w, struct local_udp, real);
	uint8_t *buf = arena_get(RECORD_MAX);

	(void)events;
	for (int i = 0; buf != NULL && i < BURST; i++)
		if (!receive_one(u, buf))
			break;
	arena_put(buf);
}
