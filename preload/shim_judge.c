/*
 * shim_judge.c - decides where an address may lead: the tunnel, this
 * machine's loopback, or nowhere.  Every doubt is a refusal.
 */
#include "preload/shim_socket.h"

#include <netinet/in.h>
#include <string.h>

int
shim_parse_address(struct shim_tag t, const struct sockaddr *sa, socklen_t len,
    bool naming, struct sw_addr *out)
{
	bool v6 = t.flags & SHIM_V6;
	size_t need = v6 ? 24 : sizeof(struct sockaddr_in);

	/* 24: an IPv6 address without scope id, which the kernel accepts. */
	if (len > sizeof(struct sockaddr_storage) || (sa == NULL && len == 0))
		return -EINVAL;
	if (sa == NULL)
		return -EFAULT;
	if (len < sizeof(sa->sa_family))
		return -EINVAL;
	if (sa->sa_family == AF_UNSPEC && !(naming && !v6))
		return len < need && naming ? -EINVAL : -EAFNOSUPPORT;
	if (len < need)
		return -EINVAL;
	if (naming && !v6 && sa->sa_family == AF_UNSPEC) {
		struct sockaddr_in in;

		/* bind() takes AF_UNSPEC for the wildcard, as the kernel. */
		memcpy(&in, sa, sizeof(in));
		if (in.sin_addr.s_addr != INADDR_ANY)
			return -EAFNOSUPPORT;
		*out = addr_v4(0, ntohs(in.sin_port));
		return 0;
	}
	if (sa->sa_family != (v6 ? AF_INET6 : AF_INET))
		return -EAFNOSUPPORT;
	if (v6 && len < sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in6 = { 0 };

		memcpy(&in6, sa, len);
		return addr_from_sockaddr(out, (struct sockaddr *)&in6,
		    sizeof(in6)) == SW_OK ? 0 : -EINVAL;
	}
	return addr_from_sockaddr(out, sa, len) == SW_OK ? 0 : -EINVAL;
}

static bool
is_resolver_port(uint16_t port)
{
	return port == 53 || port == 853;
}

static bool
is_broadcast(const struct sw_addr *a)
{
	return addr_is_v4(a) && memcmp(a->ip + 12, "\377\377\377\377", 4) == 0;
}

static bool
is_link_local6(const struct sw_addr *a)
{
	return !addr_is_v4(a) && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

static void
name_loopback(struct sw_addr *a)
{
	if (addr_is_v4(a)) {
		a->ip[12] = 127;
		a->ip[15] = 1;
	} else {
		a->ip[15] = 1;
	}
}

/* Only the session knows what its tunnel can do. */
static bool
carries_udp(const struct shim_config *c)
{
	struct link_config net;

	if (!c->udp || shim_owner_config(&net) != 0)
		return false;
	if ((net.flags & (LINK_UDP | LINK_UP)) == LINK_UP)
		shim_note(REASON_DATAGRAM);
	return (net.flags & LINK_UDP) != 0;
}

int
shim_judge(struct shim_tag t, struct sw_addr *a, bool *alias)
{
	const struct shim_config *c = shim_config();
	struct link_config net;

	*alias = false;
	if ((t.flags & SHIM_V6ONLY) && addr_is_v4(a))
		return -ENETUNREACH;
	if (addr_is_any(a))
		name_loopback(a);
	if (is_resolver_port(a->port) &&
	    (addr_is_loopback(a) || addr_is_private(a))) {
		/* A resolver of this machine or its network would carry the
		 * name out: the session answers instead. */
		if (shim_owner_config(&net) < 0 ||
		    addr_is_any(&net.dns))
			return -ENETUNREACH;
		*alias = true;
		net.dns.port = a->port;
		*a = net.dns;
		return WHERE_TUNNEL;
	}
	if (addr_is_loopback(a)) {
		if (c->loopback)
			return WHERE_LOOPBACK;
		shim_note(REASON_DESTINATION);
		return -EACCES;
	}
	if (is_broadcast(a) && (t.flags & SHIM_DGRAM) &&
	    !(t.flags & SHIM_BROADCAST))
		return -EACCES;
	if (is_link_local6(a) && a->scope == 0)
		return -EINVAL;
	if (is_broadcast(a) || addr_is_multicast(a) || is_link_local6(a))
		return -ENETUNREACH;
	if (!addr_is_v4(a) && !c->ipv6)
		return -ENETUNREACH;
	if ((t.flags & SHIM_DGRAM) && a->port != 53 && !carries_udp(c))
		return -ENETUNREACH;
	if (!c->wrapped)
		return -ENETUNREACH;
	return WHERE_TUNNEL;
}

int
shim_may_leave(struct shim_tag t, const struct sockaddr *sa, socklen_t len)
{
	struct sw_addr a;
	bool alias;
	int r;

	t.flags &= (uint16_t)~SHIM_WILDCARD;
	if ((r = shim_parse_address(t, sa, len, false, &a)) < 0)
		return r;
	return (r = shim_judge(t, &a, &alias)) < 0 ? r : 0;
}

int
shim_judge_native(const struct sockaddr *sa, socklen_t len)
{
	struct sw_addr a;

	if (sa == NULL || len < sizeof(sa->sa_family))
		return 0;		/* the kernel refuses these itself */
	if (sa->sa_family == AF_UNIX)
		return shim_judge_unix(sa, len);
	if (sa->sa_family != AF_INET && sa->sa_family != AF_INET6)
		return 0;
	if (addr_from_sockaddr(&a, sa, len) != SW_OK)
		return 0;
	if (!addr_is_loopback(&a) && !addr_is_any(&a))
		return -ENETUNREACH;
	if (!shim_config()->loopback)
		shim_note(REASON_DESTINATION);
	if (is_resolver_port(a.port) || !shim_config()->loopback)
		return -EACCES;
	return 0;
}

int
shim_refused(int fd, int error)
{
	int type, r;
	socklen_t len = sizeof(type);

	r = sys_getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
	return r < 0 ? r : error;
}
