/*
 * shim_getsockopt.c - getsockopt on our sockets.
 *
 * What happens to each option is in shim_option_table.c; here is what an
 * answer looks like, and the ones that are found out.
 */
#include "preload/shim_option.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#define SNDBUF_INITIAL 16384
#define RCVBUF_INITIAL 131072
#define LOOPBACK_MTU 65536

static int
put_value(const void *v, size_t n, void *val, socklen_t *len)
{
	if (*len > n)
		*len = (socklen_t)n;
	if (*len > 0)
		memcpy(val, v, *len);
	return 0;
}

static int
put_int(int32_t v, const struct option_rule *r, void *val, socklen_t *len)
{
	/* IP-level options answer short questions in one byte. */
	if ((r->kind & OPT_BYTE) && *len > 0 && *len < sizeof(v) && v >= 0 &&
	    v <= 255) {
		*(uint8_t *)val = (uint8_t)v;
		*len = 1;
		return 0;
	}
	if (r->kind & OPT_WIDE) {
		const int32_t wide[2] = { v, 0 };

		return put_value(wide, sizeof(wide), val, len);
	}
	return put_value(&v, sizeof(v), val, len);
}

static int
pending_error(int fd, struct shim_tag t)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	struct owner_state s;
	int native = 0;
	socklen_t len = sizeof(native);

	if (!(t.flags & SHIM_CONNECT))
		return shim_take_aborted(fd, t) ? ECONNRESET : 0;
	if (shim_is_stream(t)) {
		/* Healthy or still trying: no need to ask. */
		sys_poll(&p, 1, 0);
		if (!(p.revents & (POLLERR | POLLHUP))) {
			if (p.revents & POLLOUT)
				shim_make_room(fd, &t);
			return 0;
		}
	}
	if (!shim_is_stream(t))
		return -shim_datagram_error(fd, t);
	sys_getsockopt(fd, SOL_SOCKET, SO_ERROR, &native, &len);
	if (shim_owner_state(fd, t, OWNER_TAKE_ERROR, &s) == 0)
		return s.error;
	/* Nobody to ask, and it never was up: connect() would say this. */
	return native == 0 && !(t.flags & SHIM_UP) ? ENETUNREACH : native;
}

static int
tunnel_mtu(struct shim_tag t)
{
	struct link_config net;

	if (!(t.flags & SHIM_CONNECT))
		return -ENOTCONN;
	if (shim_is_local(t))
		return LOOPBACK_MTU;
	if (shim_owner_config(&net) < 0)
		return -ENOTCONN;
	return net.mtu;
}

static int
get_path_mtu(struct shim_tag t, void *val, socklen_t *len)
{
	struct ip6_mtuinfo info = { .ip6m_addr.sin6_family = AF_INET6 };
	int mtu;

	if (*len < sizeof(info))
		return -EINVAL;
	if ((mtu = tunnel_mtu(t)) < 0)
		return mtu;
	info.ip6m_mtu = (uint32_t)mtu;
	return put_value(&info, sizeof(info), val, len);
}

/* As the kernel: a buffer longer than the address is refused. */
static int
get_peer_name(int fd, void *val, socklen_t *len)
{
	struct sockaddr_in6 sa;
	socklen_t full = sizeof(sa);
	int saved = errno, r;

	r = getpeername(fd, (struct sockaddr *)&sa, &full);
	errno = saved;
	if (r < 0)
		return -ENOTCONN;
	return full < *len ? -EINVAL : put_value(&sa, full, val, len);
}

static int
get_tcp_info(int fd, struct shim_tag t, void *val, socklen_t *len)
{
	static const uint8_t tcp_state[] = {
		[OWNER_NEW] = TCP_CLOSE, [OWNER_CONNECTING] = TCP_SYN_SENT,
		[OWNER_CONNECTED] = TCP_ESTABLISHED,
		[OWNER_LISTENING] = TCP_LISTEN, [OWNER_FAILED] = TCP_CLOSE,
		[OWNER_ENDED] = TCP_CLOSE,
	};
	/* Newer kernels tell more; what we do not know is 0. */
	union {
		struct tcp_info i;
		uint8_t room[280];
	} u = { .room = { 0 } };
	struct owner_state s = { 0 };

	if ((t.flags & SHIM_TUNNEL) && shim_owner_state(fd, t, 0, &s) < 0)
		s.state = OWNER_ENDED;
	u.i.tcpi_state = s.state < sizeof(tcp_state) ? tcp_state[s.state] :
	    TCP_CLOSE;
	u.i.tcpi_rtt = s.rtt_ms * 1000;
	u.i.tcpi_rto = s.rto_ms * 1000;
	u.i.tcpi_snd_mss = u.i.tcpi_rcv_mss = u.i.tcpi_advmss = s.mss;
	if (s.mss > 0) {
		u.i.tcpi_snd_cwnd = s.cwnd / s.mss;
		u.i.tcpi_unacked = (s.unsent + s.mss - 1) / s.mss;
	}
	u.i.tcpi_total_retrans = s.rexmits;
	return put_value(&u, sizeof(u), val, len);
}

static int
get_maxseg(int fd, struct shim_tag t, const struct option_rule *r, void *val,
    socklen_t *len)
{
	struct owner_state s = { 0 };

	if ((t.flags & SHIM_CONNECT) && shim_owner_state(fd, t, 0, &s) == 0 &&
	    s.mss > 0)
		return put_int((int32_t)s.mss, r, val, len);
	return put_int(option_recall(fd, t, r, 536), r, val, len);
}

static int
get_socket_own(int fd, struct shim_tag t, const struct option_rule *r,
    void *val, socklen_t *len)
{
	bool dgram = t.flags & SHIM_DGRAM;
	const struct {
		int32_t pid, uid, gid;
	} nobody = { 0, -1, -1 };
	struct linger l;
	uint64_t rate;
	int32_t v;

	switch (r->name) {
	case SO_TYPE:
		return put_int(dgram ? SOCK_DGRAM : SOCK_STREAM, r, val, len);
	case SO_DOMAIN:
		return put_int(t.flags & SHIM_V6 ? AF_INET6 : AF_INET, r, val,
		    len);
	case SO_PROTOCOL:
		return put_int(dgram ? IPPROTO_UDP : IPPROTO_TCP, r, val, len);
	case SO_ACCEPTCONN:
		return put_int((t.flags & SHIM_LISTEN) != 0, r, val, len);
	case SO_ERROR:
		return put_int(pending_error(fd, t), r, val, len);
	case SO_PEERCRED:
		return put_value(&nobody, sizeof(nobody), val, len);
	case SO_PEERNAME:
		return get_peer_name(fd, val, len);
	case SO_LINGER:
		v = option_recall(fd, t, r, LINGER_OFF);
		l = (struct linger){ v != LINGER_OFF, v == LINGER_OFF ? 0 : v };
		return put_value(&l, sizeof(l), val, len);
	case SO_BROADCAST:
		return put_int((t.flags & SHIM_BROADCAST) != 0, r, val, len);
	case SO_SNDBUF:
		return put_int(option_recall(fd, t, r, dgram ? BUF_MAX :
		    SNDBUF_INITIAL), r, val, len);
	case SO_RCVBUF:
		return put_int(option_recall(fd, t, r, dgram ? BUF_MAX :
		    RCVBUF_INITIAL), r, val, len);
	case SO_BINDTODEVICE:
		*len = 0;
		return 0;
	case SO_BINDTOIFINDEX:
		return put_int(0, r, val, len);
	case SO_MAX_PACING_RATE:
		v = option_recall(fd, t, r, -1);
		rate = v == -1 ? UINT64_MAX : (uint32_t)v;
		return *len >= sizeof(rate) ?
		    put_value(&rate, sizeof(rate), val, len) :
		    put_int(v, r, val, len);
	default:
		return -ENOPROTOOPT;
	}
}

static int
get_own(int fd, struct shim_tag t, const struct option_rule *r, void *val,
    socklen_t *len)
{
	int v;

	if (r->level == SOL_SOCKET)
		return get_socket_own(fd, t, r, val, len);
	if (r->level == IPPROTO_TCP && r->name == TCP_INFO)
		return get_tcp_info(fd, t, val, len);
	if (r->level == IPPROTO_TCP && r->name == TCP_CONGESTION)
		return put_value("reno\0\0\0\0\0\0\0\0\0\0\0", 16, val, len);
	if (r->level == IPPROTO_TCP && r->name == TCP_MAXSEG)
		return get_maxseg(fd, t, r, val, len);
	if (r->level == IPPROTO_IPV6 && r->name == IPV6_V6ONLY)
		return put_int((t.flags & SHIM_V6ONLY) != 0, r, val, len);
	if (r->level == IPPROTO_IPV6 && r->name == IPV6_PATHMTU)
		return get_path_mtu(t, val, len);
	/* IP_MTU and IPV6_MTU */
	if ((v = tunnel_mtu(t)) < 0)
		return v;
	return put_int(v, r, val, len);
}

static int
do_getsockopt(int fd, struct shim_tag t, int level, int name, void *val,
    socklen_t *len)
{
	const struct option_rule *r = option_rule_of(t, level, name);

	if (len == NULL)
		return -EFAULT;
	if ((int)*len < 0)
		return -EINVAL;
	if (r == NULL)
		return option_missing(t, level, true);
	if (r->get > 0)
		return -r->get;
	if (r->get == OPT_NATIVE)
		return sys_getsockopt(fd, level, name, val, len);
	if (val == NULL && *len > 0)
		return -EFAULT;
	if (r->get == OPT_FIXED)
		return put_int(r->initial, r, val, len);
	if (r->get == OPT_EMPTY) {
		*len = 0;
		return 0;
	}
	if (r->get == OPT_OWN)
		return get_own(fd, t, r, val, len);
	return put_int(option_recall(fd, t, r, r->initial), r, val, len);
}

/* A socket of the kernel's does not show its pin. */
static long
native_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	long r = sys_getsockopt(fd, level, name, val, len);

	if (r < 0 || level != SOL_SOCKET || !shim_config()->wrapped)
		return r;
	if (name == SO_BINDTODEVICE && *len == 3 && memcmp(val, "lo", 3) == 0)
		*len = 0;
	if (name == SO_BINDTOIFINDEX)
		memset(val, 0, *len);
	return r;
}

SW_EXPORT int
getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	struct shim_tag t;

	if (!shim_tag_get(fd, &t))
		return (int)shim_ret(native_getsockopt(fd, level, name, val,
		    len));
	return (int)shim_ret(do_getsockopt(fd, t, level, name, val, len));
}
