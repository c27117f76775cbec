/*
 * Datagram sockets on loopback: their life, and what is asked about them.
 */
#include "stack/local_udp_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>

#include "base/sys.h"
#include "stack/arena.h"
#include "stack/owner_priv.h"

#define VALUE_MAX 64		/* bytes of an option's value */

void
local_udp_free(struct local_udp *u)
{
	struct local_udp_set *set = u->set;

	if (u->prev != NULL)
		u->prev->next = u->next;
	else
		set->first = u->next;
	if (u->next != NULL)
		u->next->prev = u->prev;
	loop_del(set->loop, &u->pair);
	loop_del(set->loop, &u->real);
	sys_close(u->pair.fd);
	sys_close(u->real.fd);
	arena_put(u);
}

/* ---- the real socket ------------------------------------------------------- */

static int
set_int(int fd, int level, int name, int v)
{
	return sys_setsockopt(fd, level, name, &v, sizeof(v));
}

static int
pin(int fd)
{
	return sys_setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
}

static int
connect_real(struct local_udp *u, const struct sw_addr *to)
{
	struct sockaddr_in6 sa;
	socklen_t len = sizeof(sa);

	addr_to_sockaddr(to, u->v6 ? AF_INET6 : AF_INET,
	    (struct sockaddr *)&sa, &len);
	return (int)sys_call3(SYS_connect, u->real.fd, (long)&sa, len);
}

/* The kernel takes the pin off with the peer; until it is back, nothing may
 * come in. */
static int
disconnect_real(struct local_udp *u)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog prog = { .len = 1, .filter = &none };
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	int r;

	r = sys_setsockopt(u->real.fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
	    sizeof(prog));
	if (r < 0)
		return r;
	(void)sys_call3(SYS_connect, u->real.fd, (long)&nobody,
	    sizeof(nobody));
	if ((r = pin(u->real.fd)) < 0)
		return r;		/* and deaf it stays */
	return set_int(u->real.fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
}

static struct sw_addr
name_of(const struct local_udp *u)
{
	struct sockaddr_in6 sa;		/* holds both families */
	socklen_t len = sizeof(sa);
	struct sw_addr a = { 0 };

	if (sys_call3(SYS_getsockname, u->real.fd, (long)&sa, (long)&len) < 0 ||
	    addr_from_sockaddr(&a, (struct sockaddr *)&sa, len) != SW_OK)
		memset(&a, 0, sizeof(a));
	return a;
}

/* ---- requests -------------------------------------------------------------------- */

static int
do_connect(struct local_udp *u, const struct sw_addr *to)
{
	static const struct sw_addr nowhere;
	int r;

	/* What was sent before this is meant in the old way. */
	(void)local_udp_drain(u, 0, LOCAL_DRAIN_MAX);
	u->error = 0;
	if (memcmp(to, &nowhere, sizeof(nowhere)) == 0) {
		u->connected = false;
		u->peer = nowhere;
		return -disconnect_real(u);
	}
	if (!u->v6 && !addr_is_v4(to))
		return EAFNOSUPPORT;
	if (!local_udp_may_reach(to))
		return EACCES;
	if ((r = connect_real(u, to)) < 0)
		return -r;
	u->connected = true;
	u->peer = *to;
	return 0;
}

static int
do_bind(struct local_udp *u, const struct sw_addr *a)
{
	struct sockaddr_in6 sa;
	socklen_t len = sizeof(sa);

	if (!u->v6 && !addr_is_v4(a) && !addr_is_any(a))
		return EAFNOSUPPORT;
	if (!addr_is_loopback(a) && !addr_is_any(a))
		return EADDRNOTAVAIL;
	addr_to_sockaddr(a, u->v6 ? AF_INET6 : AF_INET, (struct sockaddr *)&sa,
	    &len);
	return (int)-sys_call3(SYS_bind, u->real.fd, (long)&sa, len);
}

/* Those that change what a socket on loopback does. */
static bool
is_known_option(uint32_t level, uint32_t name)
{
	switch (level) {
	case SOL_SOCKET:
		return name == SO_REUSEADDR || name == SO_REUSEPORT ||
		    name == SO_BROADCAST;
	case IPPROTO_IP:
		return name == IP_TOS || name == IP_TTL;
	case IPPROTO_IPV6:
		return name == IPV6_V6ONLY || name == IPV6_TCLASS ||
		    name == IPV6_UNICAST_HOPS;
	default:
		return false;
	}
}

static void
reply_option(struct local_udp *u, const struct owner_msg *m, int fd)
{
	uint8_t v[VALUE_MAX];
	socklen_t len = sizeof(v);

	if (is_known_option(m->arg, m->arg2) && sys_getsockopt(u->real.fd,
	    (int)m->arg, (int)m->arg2, v, &len) == 0)
		chan_reply(fd, 0, NULL, v, len);
	else
		chan_reply(fd, ENOENT, NULL, NULL, 0);
}

static void
reply_state(struct local_udp *u, const struct owner_msg *m, int fd)
{
	struct owner_state s = { .local = name_of(u), .peer = u->peer,
		.state = u->connected ? OWNER_CONNECTED : OWNER_NEW };

	/* The kernel's loopback answers before send() returns. */
	(void)local_udp_drain(u, 0, LOCAL_DRAIN_MAX);
	local_udp_real_ready(&u->real, 0);
	s.error = u->error;
	if ((m->flags & OWNER_TAKE_ERROR) != 0)
		u->error = 0;
	chan_reply(fd, 0, NULL, &s, sizeof(s));
}

static void
about(struct local_udp *u, const struct owner_msg *m, const uint8_t *payload,
    int fd)
{
	struct sw_addr name;
	int err = 0;

	switch (m->op) {
	case OWNER_STATE:
		reply_state(u, m, fd);
		return;
	case OWNER_GETOPT:
		reply_option(u, m, fd);
		return;
	case OWNER_CONNECT:
		err = do_connect(u, &m->addr);
		break;
	case OWNER_BIND:
		err = do_bind(u, &m->addr);
		break;
	case OWNER_SETOPT:
		if (is_known_option(m->arg, m->arg2))
			(void)sys_setsockopt(u->real.fd, (int)m->arg,
			    (int)m->arg2, payload, m->len);
		break;
	case OWNER_DRAIN:		/* a datagram is gone once it is sent */
		break;
	default:
		err = EOPNOTSUPP;
		break;
	}
	name = name_of(u);
	chan_reply(fd, err, &name, NULL, 0);
}

void
local_udp_request(struct local_udp_set *set, const uint8_t *msg, size_t len,
    int reply_fd)
{
	struct local_udp *u = set->first;
	struct owner_msg m;

	if (len < sizeof(m))
		goto bad;
	memcpy(&m, msg, sizeof(m));
	if (m.magic != OWNER_MAGIC || m.len != len - sizeof(m))
		goto bad;
	while (u != NULL && u->cookie != m.cookie)
		u = u->next;
	if (u != NULL)
		about(u, &m, msg + sizeof(m), reply_fd);
	else
		chan_reply(reply_fd, EBADF, NULL, NULL, 0);
	return;
bad:
	if (reply_fd >= 0)
		sys_close(reply_fd);
}

/* ---- life -------------------------------------------------------------------------- */

static int
open_real(bool v6)
{
	long fd = sys_call3(SYS_socket, v6 ? AF_INET6 : AF_INET,
	    SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return (int)fd;
	if ((r = pin((int)fd)) < 0) {
		sys_close((int)fd);
		return r;
	}
	/* For the frames. */
	(void)set_int((int)fd, IPPROTO_IP, IP_RECVTOS, 1);
	(void)set_int((int)fd, IPPROTO_IP, IP_RECVTTL, 1);
	if (v6) {
		(void)set_int((int)fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
		(void)set_int((int)fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
	}
	return (int)fd;
}

/* Both descriptors are taken, also on failure. */
static int
begin(struct local_udp_set *set, bool v6, uint64_t cookie, int pair, int real)
{
	struct local_udp *u = arena_get_zeroed(1, sizeof(*u));

	if (u == NULL)
		goto close;
	*u = (struct local_udp){ .set = set, .cookie = cookie, .v6 = v6,
		.pair = { .fd = pair, .ready = local_udp_pair_ready },
		.real = { .fd = real, .ready = local_udp_real_ready },
		.next = set->first };
	if (set->first != NULL)
		set->first->prev = u;
	set->first = u;
	if (loop_add(set->loop, &u->pair, EPOLLIN | EPOLLRDHUP) == SW_OK &&
	    loop_add(set->loop, &u->real, EPOLLIN) == SW_OK)
		return 0;
	local_udp_free(u);
	return -ENOBUFS;
close:
	sys_close(pair);
	sys_close(real);
	return -ENOBUFS;
}

int
local_udp_open(struct local_udp_set *set, bool v6)
{
	int pair[2] = { -1, -1 }, real = open_real(v6), r;
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (real < 0)
		return real;
	r = sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
	if (r < 0) {
		sys_close(real);
		return r;
	}
	sys_fcntl(pair[1], F_SETFL, O_RDWR | O_NONBLOCK);
	if ((r = sys_getsockopt(pair[0], SOL_SOCKET, SO_COOKIE, &cookie,
	    &len)) < 0) {
		sys_close(pair[1]);
		sys_close(real);
	} else {
		r = begin(set, v6, cookie, pair[1], real);
	}
	if (r == 0)
		return pair[0];
	sys_close(pair[0]);
	return r;
}

void
local_udp_wipe(struct local_udp_set *set)
{
	while (set->first != NULL) {
		(void)local_udp_drain(set->first, 0, LOCAL_DRAIN_MAX);
		local_udp_free(set->first);
	}
}
