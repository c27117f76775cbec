/*
 * shim_options.c - getsockopt and setsockopt on our sockets.
 *
 * What happens to each option is in shim_option_table.c.  Values are kept in
 * the image's table; the stack hears of those that matter to it, and is asked
 * when the table does not know the socket (it was made by another image).
 */
#include "preload/shim_socket.h"

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "preload/shim_control.h"
#include "preload/shim_ifaddrs.h"
#include "preload/shim_option_table.h"

#define SNDBUF_INITIAL 16384
#define RCVBUF_INITIAL 131072
#define BUF_MAX 212992		/* net.core.[rw]mem_max as shipped */
#define SNDBUF_MIN 4608
#define RCVBUF_MIN 2304
#define LINGER_OFF (-1)
#define LOOPBACK_MTU 65536
#define GROUP_MIN 8		/* struct ip_mreq */

/* ---- telling ---------------------------------------------------------------- */

static int
tell_option(int fd, struct shim_tag t, const struct option_rule *r,
    const void *value, size_t len)
{
	struct owner_msg m = { .op = OWNER_SETOPT, .cookie = shim_cookie(fd),
		.arg = (uint32_t)r->level, .arg2 = (uint32_t)r->name };

	return shim_owner_tell(t, m, value, len);
}

/*
 * Remember a value, and tell the owner of one that matters to it: at once if
 * it is at work on the socket, else with what sets it to work, so that it is
 * woken once (shim_tell_options).  A value that the table cannot keep is told
 * whatever it is.
 */
static int
keep_value(int fd, struct shim_tag t, const struct option_rule *r,
    int32_t table_value, const void *value, size_t len)
{
	bool kept = table_put_option(shim_cookie(fd), shim_option_number(r),
	    table_value);

	if (kept && (r->set == OPT_STORE || !(t.flags & SHIM_TUNNEL)))
		return 0;
	return tell_option(fd, t, r, value, len);
}

static int
store(int fd, struct shim_tag t, const struct option_rule *r, int32_t v)
{
	if (v != 0 && (t.flags & SHIM_DGRAM) &&
	    control_is_switch(r->level, r->name)) {
		t.flags |= SHIM_INFO;
		shim_tag_set(fd, t);
	}
	return keep_value(fd, t, r, v, &v, sizeof(v));
}

static int32_t
recall(int fd, struct shim_tag t, const struct option_rule *r,
    int32_t initial)
{
	struct owner_msg m = { .op = OWNER_GETOPT, .cookie = shim_cookie(fd),
		.arg = (uint32_t)r->level, .arg2 = (uint32_t)r->name };
	struct owner_reply rep;
	int32_t v = initial, got[2] = { 0 };

	if (table_has(m.cookie))
		return table_get_option(m.cookie, shim_option_number(r), &v) ? v :
		    initial;
	if (shim_owner_ask(t, m, NULL, 0, &rep, got, sizeof(got)) < 0)
		return initial;
	if (rep.len == sizeof(got))		/* struct linger */
		return got[0] != 0 ? got[1] : LINGER_OFF;
	return rep.len == sizeof(v) ? got[0] : initial;
}

/* ---- set: the ones with a will of their own ------------------------------------ */

static int
set_linger(int fd, struct shim_tag t, const struct option_rule *r,
    const void *val, socklen_t len)
{
	struct linger l;

	if (len < sizeof(l))
		return -EINVAL;
	memcpy(&l, val, sizeof(l));
	t.flags &= (uint16_t)~(SHIM_LINGER | SHIM_RSTONCLOSE);
	if (l.l_onoff)
		t.flags |= l.l_linger == 0 ? SHIM_RSTONCLOSE : SHIM_LINGER;
	shim_tag_set(fd, t);
	return keep_value(fd, t, r, l.l_onoff ? l.l_linger : LINGER_OFF, &l,
	    sizeof(l));
}

static int
set_buffer(int fd, struct shim_tag t, const struct option_rule *r, int32_t v)
{
	int32_t least = r->name == SO_SNDBUF ? SNDBUF_MIN : RCVBUF_MIN;

	if (v > BUF_MAX || v < 0)
		v = BUF_MAX;
	v *= 2;
	v = v < least ? least : v;
	return keep_value(fd, t, r, v, &v, sizeof(v));
}

static int
set_flag(int fd, struct shim_tag t, const struct option_rule *r, uint16_t flag,
    int32_t v)
{
	t.flags = (uint16_t)(v != 0 ? t.flags | flag : t.flags & ~flag);
	shim_tag_set(fd, t);
	return store(fd, t, r, v != 0);
}

static int
set_device(int fd, struct shim_tag t, const void *val, socklen_t len)
{
	char name[IFNAMSIZ] = "";

	memcpy(name, val, len < IFNAMSIZ ? len : IFNAMSIZ - 1);
	if (name[0] == '\0' || strcmp(name, SHIM_IF_NAME) == 0)
		return 0;
	if (strcmp(name, "lo") != 0)
		return -ENODEV;
	if (shim_is_local(t))
		return 0;
	if (t.flags & (SHIM_TUNNEL | SHIM_CONNECT))
		return -EINVAL;
	return shim_is_stream(t) ? shim_to_loopback(fd, t, NULL) :
	    shim_to_local(fd, &t);
}

static int
set_congestion(const void *val, socklen_t len)
{
	static const char *const known[] = { "reno", "cubic", "bbr" };
	char name[16] = "";

	if (len < 1)
		return -EINVAL;
	memcpy(name, val, len < sizeof(name) ? len : sizeof(name) - 1);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(name, known[i]) == 0)
			return 0;
	return -ENOENT;
}

static int
set_own(int fd, struct shim_tag t, const struct option_rule *r,
    const void *val, socklen_t len)
{
	int32_t v = 0;

	if (r->level == SOL_SOCKET && r->name == SO_BINDTODEVICE)
		return set_device(fd, t, val, len);
	if (r->level == IPPROTO_TCP && r->name == TCP_CONGESTION)
		return set_congestion(val, len);
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	if (r->level == SOL_SOCKET)
		switch (r->name) {
		case SO_LINGER:
			return set_linger(fd, t, r, val, len);
		case SO_BROADCAST:
			return set_flag(fd, t, r, SHIM_BROADCAST, v);
		case SO_SNDBUF:
		case SO_RCVBUF:
			return set_buffer(fd, t, r, v);
		case SO_BINDTOIFINDEX:
			return v == 0 || v == SHIM_IF_INDEX ? 0 :
			    v == 1 ? set_device(fd, t, "lo", 2) : -ENODEV;
		case SO_MAX_PACING_RATE:
			return store(fd, t, r, v);
		}
	if (r->level == IPPROTO_TCP && r->name == TCP_MAXSEG)
		return v < 88 || v > 32767 ? -EINVAL : store(fd, t, r, v);
	if (r->level == IPPROTO_IPV6 && r->name == IPV6_V6ONLY)
		return t.flags & (SHIM_BOUND | SHIM_CONNECT) ? -EINVAL :
		    set_flag(fd, t, r, SHIM_V6ONLY, v);
	return -ENOPROTOOPT;
}

/* ---- set -------------------------------------------------------------------------- */

static const struct option_rule *
find_rule(struct shim_tag t, int level, int name)
{
	if (level == IPPROTO_IPV6 && !(t.flags & SHIM_V6))
		return NULL;
	return shim_option_find(level, name, t.flags & SHIM_DGRAM);
}

/* What an option that is not there answers: the IPv4 family has one word for
 * unknown names and another, when asked, for unknown levels. */
static int
missing(struct shim_tag t, int level, bool get)
{
	bool known = level == SOL_SOCKET || level == IPPROTO_IP ||
	    level == (t.flags & SHIM_DGRAM ? IPPROTO_UDP : IPPROTO_TCP);

	return get && !known && !(t.flags & SHIM_V6) ? -EOPNOTSUPP :
	    -ENOPROTOOPT;
}

static int
do_setsockopt(int fd, struct shim_tag t, int level, int name, const void *val,
    socklen_t len)
{
	const struct option_rule *r = find_rule(t, level, name);
	int32_t v = 0;

	if ((int)len < 0)
		return -EINVAL;
	if (r == NULL) {
		shim_note(REASON_OPTION);
		return missing(t, level, false);
	}
	/* A group or a source address is longer than any number. */
	if (r->set == ENODEV && len < GROUP_MIN)
		return -EINVAL;
	if (r->set > 0)
		return -r->set;
	if (r->set == OPT_NATIVE)
		return sys_setsockopt(fd, level, name, val, len);
	if (val == NULL)
		return len == 0 && r->set == OPT_OWN &&
		    r->name == SO_BINDTODEVICE ? 0 : -EFAULT;
	if (r->set == OPT_FIXED)
		return 0;
	if (r->set == OPT_OWN)
		return set_own(fd, t, r, val, len);
	if (len >= sizeof(v))
		memcpy(&v, val, sizeof(v));
	else if (len >= 1 && (r->kind & OPT_BYTE))
		v = *(const uint8_t *)val;
	else
		return -EINVAL;
	if (r->kind & OPT_BOOL)
		v = v != 0;
	if (r->min < r->max && (v < r->min || v > r->max))
		return -EINVAL;
	if (v == -1 && r->min == -1)
		v = r->initial;
	/* The two lowest bits of a stream's class are the stack's (ECN). */
	if (shim_is_stream(t) && ((level == IPPROTO_IP && name == IP_TOS) ||
	    (level == IPPROTO_IPV6 && name == IPV6_TCLASS)))
		v &= ~3;
	return store(fd, t, r, v);
}

/* The pin to the loopback device is what confines a socket of the kernel's. */
static bool
would_unpin(int fd, int level, int name, const void *val, socklen_t len)
{
	int family = 0;
	socklen_t n = sizeof(family);

	if (level != SOL_SOCKET ||
	    (name != SO_BINDTODEVICE && name != SO_BINDTOIFINDEX))
		return false;
	if (sys_getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &n) < 0 ||
	    (family != AF_INET && family != AF_INET6))
		return false;
	return name != SO_BINDTODEVICE || val == NULL || len < 2 ||
	    memcmp(val, "lo", len < 3 ? len : 3) != 0;
}

static int
native_setsockopt(int fd, struct shim_tag t, int level, int name,
    const void *val, socklen_t len)
{
	const struct option_rule *rule;
	int32_t v;
	int r;

	if (would_unpin(fd, level, name, val, len))
		return -EPERM;
	/* The tag's own option, on a socket whose tag is needed. */
	if ((t.flags & SHIM_WILDCARD) && level == SOL_SOCKET &&
	    name == SO_MAX_PACING_RATE)
		return 0;
	r = sys_setsockopt(fd, level, name, val, len);
	if (r < 0 || !(t.flags & SHIM_WILDCARD) || len < sizeof(v))
		return r;
	/* It may yet become the tunnel's: remember. */
	rule = find_rule(t, level, name);
	if (rule != NULL && (rule->set == OPT_STORE || rule->set == OPT_KEEP)) {
		memcpy(&v, val, sizeof(v));
		table_put_option(shim_cookie(fd), shim_option_number(rule), v);
	}
	return r;
}

SW_EXPORT int
setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	struct shim_tag t;

	if (!shim_tag_get(fd, &t))
		return (int)shim_ret(native_setsockopt(fd, t, level, name,
		    val, len));
	return (int)shim_ret(do_setsockopt(fd, t, level, name, val, len));
}

void
shim_replay_option(int fd, struct shim_tag t, uint16_t number, int32_t value,
    bool native)
{
	const struct option_rule *r = shim_option_at(number);
	struct linger l = { value != LINGER_OFF, value };

	if (r == NULL)
		return;
	if (r->level == SOL_SOCKET && (r->name == SO_SNDBUF ||
	    r->name == SO_RCVBUF) && native)
		value /= 2;		/* as the kernel will double it */
	if (r->level == SOL_SOCKET && r->name == SO_LINGER) {
		if (native)
			sys_setsockopt(fd, r->level, r->name, &l, sizeof(l));
		else
			tell_option(fd, t, r, &l, sizeof(l));
	} else if (native) {
		/* The tag's own option must not wipe the tag; MAXSEG and its
		 * like may be refused, which is what they would be. */
		if (r->name != SO_MAX_PACING_RATE || r->level != SOL_SOCKET)
			sys_setsockopt(fd, r->level, r->name, &value,
			    sizeof(value));
	} else {
		tell_option(fd, t, r, &value, sizeof(value));
	}
}

void
shim_tell_options(int fd, struct shim_tag t)
{
	const struct option_rule *r;
	struct table_entry e;

	if ((t.flags & SHIM_TUNNEL) || !table_copy(shim_cookie(fd), &e))
		return;
	for (unsigned i = 0; i < TABLE_OPTIONS; i++) {
		r = shim_option_at(e.options[i].rule);
		if (r != NULL && r->set != OPT_STORE)
			shim_replay_option(fd, t, e.options[i].rule,
			    e.options[i].value, false);
	}
}

/* ---- get ---------------------------------------------------------------------------- */

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
	if (shim_owner_state(fd, t, OWNER_TAKE_ERROR, &s) < 0)
		return native;
	return s.error;
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
	return put_int(recall(fd, t, r, 536), r, val, len);
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
		v = recall(fd, t, r, LINGER_OFF);
		l = (struct linger){ v != LINGER_OFF, v == LINGER_OFF ? 0 : v };
		return put_value(&l, sizeof(l), val, len);
	case SO_BROADCAST:
		return put_int((t.flags & SHIM_BROADCAST) != 0, r, val, len);
	case SO_SNDBUF:
		return put_int(recall(fd, t, r, dgram ? BUF_MAX :
		    SNDBUF_INITIAL), r, val, len);
	case SO_RCVBUF:
		return put_int(recall(fd, t, r, dgram ? BUF_MAX :
		    RCVBUF_INITIAL), r, val, len);
	case SO_BINDTODEVICE:
		*len = 0;
		return 0;
	case SO_BINDTOIFINDEX:
		return put_int(0, r, val, len);
	case SO_MAX_PACING_RATE:
		v = recall(fd, t, r, -1);
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
	const struct option_rule *r = find_rule(t, level, name);

	if (len == NULL)
		return -EFAULT;
	if ((int)*len < 0)
		return -EINVAL;
	if (r == NULL)
		return missing(t, level, true);
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
	return put_int(recall(fd, t, r, r->initial), r, val, len);
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

/* ---- SO_LINGER at close ---------------------------------------------------------------- */

void
shim_linger(int fd, struct shim_tag t)
{
	const struct option_rule *r = shim_option_find(SOL_SOCKET, SO_LINGER,
	    false);
	struct owner_msg m = { .op = OWNER_DRAIN, .cookie = shim_cookie(fd) };
	struct owner_reply rep;
	int32_t seconds;

	if (!(t.flags & SHIM_LINGER) || !(t.flags & SHIM_CONNECT))
		return;
	seconds = recall(fd, t, r, LINGER_OFF);
	if (seconds <= 0)
		return;
	m.arg = (uint32_t)(seconds > 3600 ? 3600 : seconds) * 1000;
	sys_shutdown(fd, SHUT_WR);
	(void)shim_owner_ask(t, m, NULL, 0, &rep, NULL, 0);
}
