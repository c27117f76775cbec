/*
 * shim_control.c - ancillary data that comes with a datagram (spec 8.5): only
 * what the program has switched on, made from the frame and the socket's own
 * address.  The order is the kernel's.
 */
#include "preload/shim_control.h"

#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "preload/shim_ifaddrs.h"
#include "preload/shim_option_table.h"
#include "preload/shim_socket.h"

#define DEFAULT_HOPS 64
#define LOOPBACK_INDEX 1		/* in every network namespace */

bool
control_is_switch(int level, int name)
{
	if (level == SOL_SOCKET)
		return name == SO_TIMESTAMP || name == SO_TIMESTAMPNS;
	if (level == IPPROTO_IP)
		return name == IP_PKTINFO || name == IP_RECVTOS ||
		    name == IP_RECVTTL;
	return level == IPPROTO_IPV6 && (name == IPV6_RECVPKTINFO ||
	    name == IPV6_RECVTCLASS || name == IPV6_RECVHOPLIMIT);
}

static bool
is_on(const struct table_entry *e, int level, int name)
{
	const struct option_rule *r = shim_option_find(level, name, true);

	for (unsigned i = 0; r != NULL && i < TABLE_OPTIONS; i++)
		if (e->options[i].rule == shim_option_number(r))
			return e->options[i].value != 0;
	return false;
}

struct writer {
	struct msghdr *m;
	size_t room, used;
	struct sw_addr to4, to6;	/* where the datagram came in */
	unsigned device;
};

static void
put(struct writer *w, int level, int type, const void *data, size_t len)
{
	struct cmsghdr c = { .cmsg_len = CMSG_LEN(len), .cmsg_level = level,
		.cmsg_type = type };
	uint8_t *at = (uint8_t *)w->m->msg_control + w->used;

	if (w->room - w->used < CMSG_LEN(len)) {
		w->m->msg_flags |= MSG_CTRUNC;
		return;
	}
	memcpy(at, &c, sizeof(c));
	memcpy(at + CMSG_LEN(0), data, len);
	w->used += w->room - w->used < CMSG_SPACE(len) ? CMSG_LEN(len) :
	    CMSG_SPACE(len);
}

static void
put_times(struct writer *w, const struct table_entry *e)
{
	struct timespec ts;
	struct timeval tv;

	clock_gettime(CLOCK_REALTIME, &ts);
	tv = (struct timeval){ ts.tv_sec, ts.tv_nsec / 1000 };
	if (is_on(e, SOL_SOCKET, SO_TIMESTAMPNS))
		put(w, SOL_SOCKET, SO_TIMESTAMPNS, &ts, sizeof(ts));
	else if (is_on(e, SOL_SOCKET, SO_TIMESTAMP))
		put(w, SOL_SOCKET, SO_TIMESTAMP, &tv, sizeof(tv));
}

static void
put_v4(struct writer *w, const struct table_entry *e,
    int ttl, uint8_t tos)
{
	struct in_pktinfo info = { .ipi_ifindex = (int)w->device };

	if (is_on(e, IPPROTO_IP, IP_PKTINFO)) {
		memcpy(&info.ipi_spec_dst, w->to4.ip + 12, 4);
		memcpy(&info.ipi_addr, w->to4.ip + 12, 4);
		put(w, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	}
	if (is_on(e, IPPROTO_IP, IP_RECVTTL))
		put(w, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	if (is_on(e, IPPROTO_IP, IP_RECVTOS))
		put(w, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
}

static void
put_v6(struct writer *w, const struct table_entry *e,
    int hops, int tclass)
{
	struct in6_pktinfo info = { .ipi6_ifindex = w->device };

	if (is_on(e, IPPROTO_IPV6, IPV6_RECVPKTINFO)) {
		memcpy(&info.ipi6_addr, w->to6.ip, 16);
		put(w, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	}
	if (is_on(e, IPPROTO_IPV6, IPV6_RECVHOPLIMIT))
		put(w, IPPROTO_IPV6, IPV6_HOPLIMIT, &hops, sizeof(hops));
	if (is_on(e, IPPROTO_IPV6, IPV6_RECVTCLASS))
		put(w, IPPROTO_IPV6, IPV6_TCLASS, &tclass, sizeof(tclass));
}

/* On loopback, by the address that the sender has too. */
static void
here(struct writer *w, const struct sw_addr *from)
{
	w->to4 = addr_v4(INADDR_LOOPBACK, 0);
	w->to6 = w->to4;
	if (!addr_is_v4(from))
		memcpy(w->to6.ip, &in6addr_loopback, sizeof(w->to6.ip));
	w->device = LOOPBACK_INDEX;
}

void
control_put_one(struct msghdr *m, int level, int type, const void *data,
    size_t len)
{
	struct writer w = { .m = m, .room = m->msg_controllen };

	m->msg_controllen = 0;
	if (m->msg_control != NULL)
		put(&w, level, type, data, len);
	m->msg_controllen = w.used;
}

void
control_put(int fd, struct shim_tag t, const struct sw_addr *from,
    uint8_t tos, uint8_t hop_limit, struct msghdr *m, size_t room)
{
	struct writer w = { .m = m, .room = room };
	struct link_config net;
	struct table_entry e;
	int hops = hop_limit != 0 ? hop_limit : DEFAULT_HOPS;

	m->msg_controllen = 0;
	if (m->msg_control == NULL || !(t.flags & SHIM_INFO) ||
	    !table_copy(shim_cookie(fd), &e))
		return;
	if (shim_is_local(t)) {
		here(&w, from);
	} else {
		if (shim_owner_config(&net) < 0)
			return;
		w.to4 = net.inner4;
		w.to6 = addr_is_v4(from) ? net.inner4 : net.inner6;
		w.device = SHIM_IF_INDEX;
	}
	put_times(&w, &e);
	if (addr_is_v4(from))
		put_v4(&w, &e, hops, tos);
	if (t.flags & SHIM_V6)
		put_v6(&w, &e, hops, tos);
	m->msg_controllen = w.used;
}
