/*
 * shim_setsockopt.c - setsockopt on our sockets.
 *
 * What happens to each option is in shim_option_table.c; here are the checks
 * and the ones with a will of their own.
 */
#include "preload/shim_option.h"

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "preload/shim_ifaddrs.h"

#define SNDBUF_MIN 4608
#define RCVBUF_MIN 2304
#define GROUP_MIN 8		/* struct ip_mreq */

/* ---- the ones with a will of their own ---------------------------------- */

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
	return option_keep(fd, t, r, l.l_onoff ? l.l_linger : LINGER_OFF, &l,
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
	return option_keep(fd, t, r, v, &v, sizeof(v));
}

static int
set_flag(int fd, struct shim_tag t, const struct option_rule *r, uint16_t flag,
    int32_t v)
{
	t.flags = (uint16_t)(v != 0 ? t.flags | flag : t.flags & ~flag);
	shim_tag_set(fd, t);
	return option_store(fd, t, r, v != 0);
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
			return option_store(fd, t, r, v);
		}
	if (r->level == IPPROTO_TCP && r->name == TCP_MAXSEG)
		return v < 88 || v > 32767 ? -EINVAL :
		    option_store(fd, t, r, v);
	if (r->level == IPPROTO_IPV6 && r->name == IPV6_V6ONLY)
		return t.flags & (SHIM_BOUND | SHIM_CONNECT) ? -EINVAL :
		    set_flag(fd, t, r, SHIM_V6ONLY, v);
	return -ENOPROTOOPT;
}

/* ---- all of them -------------------------------------------------------- */

static int
do_setsockopt(int fd, struct shim_tag t, int level, int name, const void *val,
    socklen_t len)
{
	const struct option_rule *r = option_rule_of(t, level, name);
	int32_t v = 0;

	if ((int)len < 0)
		return -EINVAL;
	if (r == NULL) {
		shim_note(REASON_OPTION);
		return option_missing(t, level, false);
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
	return option_store(fd, t, r, v);
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
	rule = option_rule_of(t, level, name);
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
