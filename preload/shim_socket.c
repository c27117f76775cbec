/*
 * shim_socket.c - socket, bind, listen, accept, shutdown and the two names.
 *
 * Classes (spec 1): an inet socket is born as one end of a pair (N) whose far
 * end the stack owner holds.  A destination beyond this machine leaves it as
 * it is (T, U); one on loopback puts a real, confined socket under a stream's
 * number (L).  L sockets carry no tag, or a tag with SHIM_WILDCARD telling
 * that the program asked for the wildcard; to every wrapper but the names they
 * are the kernel's.  Datagram sockets on loopback stay pairs, whose far ends
 * the session holds (shim_is_local).
 */
#include "preload/shim_socket.h"

#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define TYPE_FLAGS (SOCK_NONBLOCK | SOCK_CLOEXEC)

/* ---- socket --------------------------------------------------------------- */

static long
native_socket(int domain, int type, int protocol)
{
	return sys_call3(SYS_socket, domain, type, protocol);
}

/* Without a session: a kernel socket that cannot leave loopback. */
static long
confined_socket(int domain, int type, int protocol)
{
	long fd = native_socket(domain, type, protocol);
	long r;

	if (fd < 0)
		return fd;
	r = sys_setsockopt((int)fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
	if (r == 0)
		return fd;
	sys_close((int)fd);
	return -ENETDOWN;
}

#define TYPE_MAX 11		/* the kernel's SOCK_MAX */
#define PROTOCOL_MAX 263	/* IPPROTO_MAX: MPTCP is the last */

static int
judge_inet(int domain, int type, int protocol, bool *dgram)
{
	if (protocol < 0 || protocol >= PROTOCOL_MAX)
		return -EINVAL;
	switch (type) {
	case SOCK_STREAM:
		*dgram = false;
		if (protocol == 0 || protocol == IPPROTO_TCP ||
		    protocol == 262 /* IPPROTO_MPTCP */)
			return 0;
		return -EPROTONOSUPPORT;
	case SOCK_DGRAM:
		*dgram = true;
		if (protocol == 0 || protocol == IPPROTO_UDP)
			return 0;
		if (protocol == (domain == AF_INET6 ? IPPROTO_ICMPV6 :
		    IPPROTO_ICMP))
			return -EACCES;
		return -EPROTONOSUPPORT;
	case SOCK_RAW:
	case SOCK_PACKET:
		return -EPERM;
	case SOCK_SEQPACKET:
		return protocol == IPPROTO_SCTP ? -EPROTONOSUPPORT :
		    -ESOCKTNOSUPPORT;
	default:
		return -ESOCKTNOSUPPORT;
	}
}

static long
inet_socket(int domain, int type, int protocol)
{
	struct shim_tag t = { .flags = domain == AF_INET6 ? SHIM_V6 : 0 };
	bool dgram = false;
	int app, r;

	r = judge_inet(domain, type & ~TYPE_FLAGS, protocol, &dgram);
	if (r < 0)
		return r;
	if (!shim_config()->wrapped)
		return confined_socket(domain, type, protocol);
	if (dgram)
		t.flags |= SHIM_DGRAM;
	if ((r = shim_open_pair(type, &t, &app)) < 0)
		return r;
	table_begin(shim_cookie(app));
	return app;
}

static long
do_socket(int domain, int type, int protocol)
{
	if (type < 0 || (type & ~TYPE_FLAGS) >= TYPE_MAX)
		return -EINVAL;
	switch (domain) {
	case AF_INET:
	case AF_INET6:
		return inet_socket(domain, type, protocol);
	case AF_UNIX:
	case AF_ALG:
		return native_socket(domain, type, protocol);
	case AF_NETLINK:
		return protocol == NETLINK_ROUTE ?
		    shim_netlink_socket(type) : -EAFNOSUPPORT;
	case AF_PACKET:
		return -EPERM;
	default:
		/* Vsock, Bluetooth, CAN, RDS, SMC, TIPC, XDP...: each has its
		 * own way out of this machine. */
		return -EAFNOSUPPORT;
	}
}

SW_EXPORT int
socket(int domain, int type, int protocol)
{
	long r = do_socket(domain, type, protocol);

	/* What the kernel would have refused as well is no news. */
	if (r == -EPERM || r == -EAFNOSUPPORT || r == -EPROTONOSUPPORT)
		shim_note(REASON_FAMILY);
	return (int)shim_ret(r);
}

/* ---- bind ------------------------------------------------------------------ */

static long
native_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	return sys_call3(SYS_bind, fd, (long)sa, len);
}

static long
bind_local(int fd, struct shim_tag t, const struct sw_addr *a, bool wildcard)
{
	struct owner_msg m = { .op = OWNER_BIND, .addr = *a };
	struct owner_reply rep;
	int r;

	if ((r = shim_to_local(fd, &t)) < 0)
		return r;
	m.cookie = shim_cookie(fd);
	if ((r = shim_owner_ask(t, m, NULL, 0, &rep, NULL, 0)) < 0)
		return r;
	t.flags |= SHIM_BOUND;
	if (!wildcard)			/* named: it stays here */
		t.flags &= (uint16_t)~SHIM_WILDCARD;
	return shim_tag_set(fd, t);
}

/* To loopback, with `a` as its name there.  wildcard: what the program asked
 * for was that. */
static long
bind_loopback(int fd, struct shim_tag t, struct sw_addr a, bool wildcard)
{
	struct sockaddr_in6 sa;
	socklen_t len = sizeof(sa);
	long r;

	if (wildcard && !(t.flags & SHIM_DGRAM) &&
	    shim_config()->listen == SHIM_LISTEN_OPEN) {
		if ((r = shim_to_loopback(fd, t, &a)) < 0)
			return r;
		t.flags |= SHIM_WILDCARD | SHIM_BOUND;
		return shim_tag_set(fd, t);
	}
	if (wildcard && addr_is_v4(&a)) {
		a.ip[12] = 127;
		a.ip[15] = 1;
	} else if (wildcard && (t.flags & SHIM_V6ONLY)) {
		a.ip[15] = 1;
	}
	/* A dual-stack wildcard stays one: the socket is pinned to the
	 * loopback device, which both families of loopback reach. */
	if (t.flags & SHIM_DGRAM)
		return bind_local(fd, t, &a, wildcard);
	addr_to_sockaddr(&a, t.flags & SHIM_V6 ? AF_INET6 : AF_INET,
	    (struct sockaddr *)&sa, &len);
	if ((r = shim_to_loopback(fd, t, NULL)) < 0)
		return r;
	if ((r = native_bind(fd, (struct sockaddr *)&sa, len)) < 0)
		return r;
	if (!wildcard) {
		shim_tag_clear(fd);	/* named: it stays here */
		return 0;
	}
	t.flags |= SHIM_WILDCARD | SHIM_BOUND;
	return shim_tag_set(fd, t);
}

static bool
may_reuse(int fd)
{
	int v = 0;
	socklen_t len = sizeof(v);

	return (getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &v, &len) == 0 &&
	    v != 0) || (getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &v, &len) ==
	    0 && v != 0);
}

static long
bind_tunnel(int fd, struct shim_tag t, const struct sw_addr *a)
{
	struct owner_msg m = { .op = OWNER_BIND, .cookie = shim_cookie(fd),
		.addr = *a, .flags = may_reuse(fd) ? OWNER_REUSE : 0 };
	struct owner_reply rep;
	long r;

	if (a->port != 0 && a->port < 1024 && geteuid() != 0)
		return -EACCES;
	shim_tell_options(fd, t);
	if ((r = shim_owner_ask(t, m, NULL, 0, &rep, NULL, 0)) < 0)
		return r;
	t.flags |= SHIM_BOUND | SHIM_TUNNEL;
	return shim_tag_set(fd, t);
}

/* Of 100.64.0.0/10 or fd73:6d6f:6c77::/64, from which each owner of an SSH
 * tunnel has a pair. */
static bool
is_of_inner_net(const struct sw_addr *a)
{
	static const uint8_t net6[8] = { 0xfd, 0x73, 0x6d, 0x6f, 0x6c, 0x77 };

	if (addr_is_v4(a))
		return a->ip[12] == 100 && (a->ip[13] & 0xc0) == 64;
	return memcmp(a->ip, net6, sizeof(net6)) == 0;
}

/*
 * Is it an address of the tunnel's?  Over SSH each process has its own, but
 * programs ask in one, or before a fork, and bind in another: any of that net
 * becomes ours.
 */
static bool
take_inner(struct sw_addr *a)
{
	struct link_config net;
	const struct sw_addr *own;

	if (shim_owner_config(&net) != 0)
		return false;
	own = addr_is_v4(a) ? &net.inner4 : &net.inner6;
	if (!addr_same_ip(a, own) &&
	    !(is_of_inner_net(a) && is_of_inner_net(own)))
		return false;
	memcpy(a->ip, own->ip, sizeof(a->ip));
	return true;
}

static long
do_bind(int fd, struct shim_tag t, const struct sockaddr *sa, socklen_t len)
{
	const struct shim_config *c = shim_config();
	struct sw_addr a;
	int r;

	if ((r = shim_parse_address(t, sa, len, true, &a)) < 0)
		return r;
	if (!addr_is_any(&a) && !addr_is_loopback(&a) && !take_inner(&a))
		return -EADDRNOTAVAIL;
	/* A datagram socket that has sent has a port. */
	if ((t.flags & (SHIM_BOUND | SHIM_CONNECT | SHIM_LISTEN)) ||
	    ((t.flags & SHIM_DGRAM) && (t.flags & SHIM_TUNNEL) &&
	    !shim_is_local(t)))
		return -EINVAL;
	if ((t.flags & SHIM_V6ONLY) && addr_is_v4(&a))
		return -EINVAL;
	if (addr_is_loopback(&a))
		return c->loopback ? bind_loopback(fd, t, a, false) : -EACCES;
	/* Whoever binds to the wildcard waits for somebody of this machine,
	 * or else will say where it wants to go (shim_to_tunnel). */
	if (addr_is_any(&a) && c->loopback && c->listen != SHIM_LISTEN_TUNNEL)
		return bind_loopback(fd, t, a, true);
	return bind_tunnel(fd, t, &a);
}

/* On sockets that are not ours: loopback only, for those that are inet. */
static long
bind_foreign(int fd, const struct sockaddr *sa, socklen_t len)
{
	struct sw_addr a;
	long r;

	if (sa != NULL && len >= sizeof(sa->sa_family) &&
	    (sa->sa_family == AF_INET || sa->sa_family == AF_INET6) &&
	    addr_from_sockaddr(&a, sa, len) == SW_OK &&
	    !addr_is_loopback(&a) && !addr_is_any(&a))
		return shim_refused(fd, -EADDRNOTAVAIL);
	r = native_bind(fd, sa, len);
	if (r == 0 && sa != NULL && sa->sa_family == AF_UNIX)
		shim_bound_unix(sa, len);
	return r;
}

SW_EXPORT int
bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	struct shim_tag t;

	if (!shim_tag_get(fd, &t))
		return (int)shim_ret(bind_foreign(fd, sa, len));
	return (int)shim_ret(do_bind(fd, t, sa, len));
}

/* ---- listen and accept ------------------------------------------------------ */

static long
native_listen(int fd, int backlog)
{
	return sys_call3(SYS_listen, fd, backlog, 0);
}

static long
listen_tunnel(int fd, struct shim_tag t, int backlog)
{
	struct owner_msg m = { .op = OWNER_LISTEN, .cookie = shim_cookie(fd),
		.arg = (uint32_t)(backlog < 0 ? 0 : backlog) };
	struct owner_reply rep;
	long r;

	shim_tell_options(fd, t);
	if ((r = shim_owner_ask(t, m, NULL, 0, &rep, NULL, 0)) < 0)
		return r;
	t.flags |= SHIM_LISTEN | SHIM_TUNNEL;
	return shim_tag_set(fd, t);
}

static long
do_listen(int fd, struct shim_tag t, int backlog)
{
	struct sw_addr any = { 0 };
	long r;

	if (t.flags & SHIM_DGRAM)
		return -EOPNOTSUPP;
	if (t.flags & SHIM_CONNECT)
		return -EINVAL;
	switch (shim_config()->listen) {
	case SHIM_LISTEN_DENY:
		return -EACCES;
	case SHIM_LISTEN_TUNNEL:
		return listen_tunnel(fd, t, backlog);
	case SHIM_LISTEN_OPEN:
	case SHIM_LISTEN_LOOPBACK:
		break;
	}
	if ((t.flags & SHIM_BOUND) || !shim_config()->loopback)
		return -EACCES;		/* nobody could come */
	if (!(t.flags & SHIM_V6))
		any.ip[10] = any.ip[11] = 0xff;
	if ((r = bind_loopback(fd, t, any, true)) < 0)
		return r;
	return native_listen(fd, backlog);
}

SW_EXPORT int
listen(int fd, int backlog)
{
	struct shim_tag t;

	if (shim_tag_get(fd, &t))
		return (int)shim_ret(do_listen(fd, t, backlog));
	if ((t.flags & SHIM_WILDCARD) &&
	    shim_config()->listen == SHIM_LISTEN_DENY)
		return (int)shim_ret(-EACCES);
	return (int)shim_ret(native_listen(fd, backlog));
}

/* One waiting connection of a listener in the tunnel. */
static int
accept_tunnel(int fd, struct shim_tag t, struct sockaddr *sa, socklen_t *len,
    int flags)
{
	struct owner_accepted a = { 0 };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { &a, sizeof(a) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	ssize_t n;
	int app = -1;

	/* libc's: a cancellation point, and it waits as the flags say. */
	n = shim_libc()->recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_WAITALL);
	if (n < 0)
		return -1;
	for (c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(&app, CMSG_DATA(c), sizeof(app));
	if (n != sizeof(a) || app < 0 || a.magic != OWNER_MAGIC) {
		if (app >= 0)
			sys_close(app);
		return (int)shim_ret(n == 0 ? -EINVAL : -ECONNABORTED);
	}
	t.flags = (uint16_t)((t.flags & (SHIM_V6 | SHIM_V6ONLY)) |
	    SHIM_TUNNEL | SHIM_BOUND | SHIM_CONNECT | SHIM_UP);
	shim_tag_set(app, t);
	sys_fcntl(app, F_SETFL, O_RDWR |
	    (flags & SOCK_NONBLOCK ? O_NONBLOCK : 0));
	if (!(flags & SOCK_CLOEXEC))
		sys_fcntl(app, F_SETFD, 0);
	table_begin(shim_cookie(app));
	if (sa != NULL && len != NULL)
		shim_put_name(t, &a.peer, sa, len);
	return app;
}

static int
do_accept(int fd, struct shim_tag t, struct sockaddr *sa, socklen_t *len,
    int flags)
{
	if (flags & ~TYPE_FLAGS)
		return (int)shim_ret(-EINVAL);
	if (t.flags & SHIM_DGRAM)
		return (int)shim_ret(-EOPNOTSUPP);
	if (!(t.flags & SHIM_LISTEN))
		return (int)shim_ret(-EINVAL);
	return accept_tunnel(fd, t, sa, len, flags);
}

SW_EXPORT int
accept(int fd, struct sockaddr *sa, socklen_t *len)
{
	struct shim_tag t;

	if (!shim_tag_get(fd, &t))
		return shim_libc()->accept(fd, sa, len);
	return do_accept(fd, t, sa, len, 0);
}

SW_EXPORT int
accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	struct shim_tag t;

	if (!shim_tag_get(fd, &t))
		return shim_libc()->accept4(fd, sa, len, flags);
	return do_accept(fd, t, sa, len, flags);
}

/* ---- shutdown ------------------------------------------------------------------ */

static long
do_shutdown(int fd, struct shim_tag t, int how)
{
	struct owner_state s;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	if (t.flags & SHIM_LISTEN)
		return sys_shutdown(fd, how);
	if (!(t.flags & SHIM_CONNECT))
		return -ENOTCONN;
	if (shim_is_stream(t) && shim_owner_state(fd, t, 0, &s) == 0) {
		/* While in progress it aborts the attempt (spec 5.1). */
		if (s.state == OWNER_CONNECTING)
			return shim_renew(fd, &t, SHIM_ABORTED);
		if (s.state == OWNER_FAILED || s.state == OWNER_ENDED)
			return -ENOTCONN;
	}
	return sys_shutdown(fd, how);
}

SW_EXPORT int
shutdown(int fd, int how)
{
	struct shim_tag t;

	if (!shim_tag_get(fd, &t))
		return (int)shim_ret(sys_shutdown(fd, how));
	return (int)shim_ret(do_shutdown(fd, t, how));
}

/* ---- names ---------------------------------------------------------------------- */

int
shim_put_name(struct shim_tag t, const struct sw_addr *a, struct sockaddr *sa,
    socklen_t *len)
{
	struct sw_addr name = *a;
	bool v6 = t.flags & SHIM_V6;

	/* All zero stands for "none yet": the wildcard of the family. */
	if (addr_is_any(&name) && !v6)
		name.ip[10] = name.ip[11] = 0xff;
	if (addr_is_any(&name) && v6)
		memset(name.ip, 0, sizeof(name.ip));
	addr_to_sockaddr(&name, v6 ? AF_INET6 : AF_INET, sa, len);
	return 0;
}

static long
local_name(int fd, struct shim_tag t, struct sockaddr *sa, socklen_t *len)
{
	struct owner_state s = { 0 };
	long r;

	if ((int)*len < 0)
		return -EINVAL;
	if ((t.flags & SHIM_TUNNEL) &&
	    (r = shim_owner_state(fd, t, 0, &s)) < 0)
		return r;
	if (shim_is_local(t) && (t.flags & SHIM_WILDCARD) &&
	    !(t.flags & SHIM_CONNECT))
		memset(s.local.ip, 0, sizeof(s.local.ip));
	return shim_put_name(t, &s.local, sa, len);
}

/* The kernel's name of a loopback socket, told as the program asked for it. */
static long
wildcard_name(int fd, struct shim_tag t, struct sockaddr *sa, socklen_t *len)
{
	struct sockaddr_in6 real;
	socklen_t n = sizeof(real), none = 0;
	struct sw_addr a;
	long r;

	/* An accepted connection copies the listener's tag. */
	if (sys_call3(SYS_getpeername, fd, (long)&real, (long)&none) == 0)
		return sys_call3(SYS_getsockname, fd, (long)sa, (long)len);
	if ((r = sys_call3(SYS_getsockname, fd, (long)&real, (long)&n)) < 0)
		return r;
	if (addr_from_sockaddr(&a, (struct sockaddr *)&real, n) != SW_OK)
		return -EINVAL;
	memset(a.ip, 0, sizeof(a.ip));
	return shim_put_name(t, &a, sa, len);
}

SW_EXPORT int
getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	struct shim_tag t;

	if (shim_tag_get(fd, &t)) {
		/* No room asked for is a way to learn how much there is. */
		if (len == NULL || (sa == NULL && (int)*len > 0))
			return (int)shim_ret(-EFAULT);
		return (int)shim_ret(local_name(fd, t, sa, len));
	}
	if ((t.flags & SHIM_WILDCARD) && sa != NULL && len != NULL)
		return (int)shim_ret(wildcard_name(fd, t, sa, len));
	return (int)shim_ret(sys_call3(SYS_getsockname, fd, (long)sa,
	    (long)len));
}

/* What the program asked for, where a resolver's address was exchanged. */
void
shim_asked_name(int fd, struct shim_tag t, struct sw_addr *peer)
{
	struct owner_msg m = { .op = OWNER_GETOPT, .cookie = shim_cookie(fd),
		.arg = SHIM_LEVEL, .arg2 = SHIM_NOTE_PEER };
	struct owner_reply rep;
	struct sw_addr a;

	if (table_get_asked(m.cookie, &a) ||
	    (shim_owner_ask(t, m, NULL, 0, &rep, &a, sizeof(a)) == 0 &&
	    rep.len == sizeof(a)))
		*peer = a;
}

static long
peer_name(int fd, struct shim_tag t, struct sockaddr *sa, socklen_t *len)
{
	struct owner_state s;

	if (!(t.flags & SHIM_CONNECT) ||
	    shim_owner_state(fd, t, 0, &s) < 0 || s.state != OWNER_CONNECTED)
		return -ENOTCONN;
	if (len == NULL || (sa == NULL && (int)*len > 0))
		return -EFAULT;
	if ((int)*len < 0)
		return -EINVAL;
	/* One way to learn that a connect has succeeded. */
	if (shim_is_stream(t))
		shim_make_room(fd, &t);
	if (t.flags & SHIM_ALIAS)
		shim_asked_name(fd, t, &s.peer);
	return shim_put_name(t, &s.peer, sa, len);
}

SW_EXPORT int
getpeername(int fd, struct sockaddr *sa, socklen_t *len)
{
	struct shim_tag t;

	if (!shim_tag_get(fd, &t))
		return (int)shim_ret(sys_call3(SYS_getpeername, fd, (long)sa,
		    (long)len));
	return (int)shim_ret(peer_name(fd, t, sa, len));
}
