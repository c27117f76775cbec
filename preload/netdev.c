#include "preload/netdev.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

struct request {
	struct nlmsghdr h;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg address;
		struct rtmsg route;
	} of;
	uint8_t attributes[64];
};

static void
begin(struct request *q, int type, int flags, size_t body)
{
	memset(q, 0, sizeof(*q));
	q->h.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
	q->h.nlmsg_type = (uint16_t)type;
	q->h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
}

static void
put(struct request *q, int type, const void *value, size_t len)
{
	struct rtattr a = { .rta_len = (uint16_t)RTA_LENGTH(len),
		.rta_type = (uint16_t)type };
	uint8_t *at = (uint8_t *)q + NLMSG_ALIGN(q->h.nlmsg_len);

	memcpy(at, &a, sizeof(a));
	memcpy(at + RTA_LENGTH(0), value, len);
	q->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(q->h.nlmsg_len) +
	    RTA_ALIGN(a.rta_len));
}

/* The kernel's verdict.  `fine`: an error that is as good as success. */
static int
ask(int nl, const struct request *q, int fine)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		uint8_t quoted[256];
	} answer;
	ssize_t n;

	if (sendto(nl, q, q->h.nlmsg_len, 0, (const struct sockaddr *)&kernel,
	    sizeof(kernel)) < 0)
		return SW_ERR_SYS;
	do
		n = recv(nl, &answer, sizeof(answer), 0);
	while (n < 0 && errno == EINTR);
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(answer.e)) ||
	    answer.h.nlmsg_type != NLMSG_ERROR) {
		errno = n < 0 ? errno : EPROTO;
		return SW_ERR_SYS;
	}
	if (answer.e.error == 0 || answer.e.error == -fine)
		return SW_OK;
	errno = -answer.e.error;
	return SW_ERR_SYS;
}

bool
netdev_is_only(const char *name)
{
	struct if_nameindex *list = if_nameindex();
	bool found = false, others = false;

	if (list == NULL)
		return false;
	for (const struct if_nameindex *i = list; i->if_name != NULL; i++)
		if (strcmp(i->if_name, name) == 0)
			found = true;
		else
			others = others || strcmp(i->if_name, "lo") != 0;
	if_freenameindex(list);
	return found && !others;
}

int
netdev_up(int nl, int index, uint32_t mtu, uint32_t queue)
{
	struct request q;

	begin(&q, RTM_NEWLINK, 0, sizeof(q.of.link));
	q.of.link.ifi_index = index;
	q.of.link.ifi_flags = q.of.link.ifi_change = IFF_UP;
	if (mtu != 0)
		put(&q, IFLA_MTU, &mtu, sizeof(mtu));
	if (queue != 0)
		put(&q, IFLA_TXQLEN, &queue, sizeof(queue));
	return ask(nl, &q, 0);
}

/* What an address of IPv6 is received by.  The kernel adds this route from a
 * work queue, which on a busy machine is later than the first answer. */
static int
netdev_receive6(int nl, int index, const struct sw_addr *a, bool add)
{
	struct request q;

	begin(&q, add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE : 0,
	    sizeof(q.of.route));
	q.of.route.rtm_family = AF_INET6;
	q.of.route.rtm_dst_len = 128;
	q.of.route.rtm_table = RT_TABLE_LOCAL;
	q.of.route.rtm_protocol = RTPROT_STATIC;
	q.of.route.rtm_type = RTN_LOCAL;
	put(&q, RTA_DST, a->ip, sizeof(a->ip));
	put(&q, RTA_OIF, &index, sizeof(index));
	return ask(nl, &q, add ? EEXIST : ESRCH);
}

int
netdev_address(int nl, int index, const struct sw_addr *a, bool add)
{
	bool v4 = addr_is_v4(a);
	const uint8_t *ip = v4 ? a->ip + 12 : a->ip;
	size_t len = v4 ? 4 : 16;
	struct request q;

	if (!v4 && netdev_receive6(nl, index, a, add) != SW_OK)
		return SW_ERR_SYS;

	begin(&q, add ? RTM_NEWADDR : RTM_DELADDR,
	    add ? NLM_F_CREATE | NLM_F_REPLACE : 0, sizeof(q.of.address));
	q.of.address.ifa_family = v4 ? AF_INET : AF_INET6;
	q.of.address.ifa_prefixlen = (uint8_t)(8 * len);
	q.of.address.ifa_flags = IFA_F_NODAD;
	q.of.address.ifa_index = (uint32_t)index;
	put(&q, IFA_LOCAL, ip, len);
	put(&q, IFA_ADDRESS, ip, len);
	return ask(nl, &q, add ? EEXIST : EADDRNOTAVAIL);
}

int
netdev_route(int nl, int index, int family, bool add)
{
	struct request q;

	begin(&q, add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE : 0,
	    sizeof(q.of.route));
	q.of.route.rtm_family = (uint8_t)family;
	q.of.route.rtm_table = RT_TABLE_MAIN;
	q.of.route.rtm_protocol = RTPROT_STATIC;
	q.of.route.rtm_scope = RT_SCOPE_UNIVERSE;
	q.of.route.rtm_type = RTN_UNICAST;
	put(&q, RTA_OIF, &index, sizeof(index));
	return ask(nl, &q, add ? EEXIST : ESRCH);
}

/* --- connections ----------------------------------------------------------- */

/* All that have been, or want to be, connected; in FIN_WAIT2 and TIME_WAIT all
 * of ours has arrived. */
#define UNSENT (1u << TCP_ESTABLISHED | 1u << TCP_SYN_SENT | \
	1u << TCP_FIN_WAIT1 | 1u << TCP_CLOSE_WAIT | 1u << TCP_LAST_ACK | \
	1u << TCP_CLOSING)
#define CONNECTED (UNSENT | 1u << TCP_FIN_WAIT2)

struct diag_request {
	struct nlmsghdr h;
	struct inet_diag_req_v2 of;
};

static bool
put_diag(int diag, struct diag_request *q, int type, int flags)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	q->h = (struct nlmsghdr){ .nlmsg_len = sizeof(*q),
	    .nlmsg_type = (uint16_t)type,
	    .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags) };
	return sendto(diag, q, sizeof(*q), 0, (const struct sockaddr *)&kernel,
	    sizeof(kernel)) == (ssize_t)sizeof(*q);
}

/*
 * The TCP connections of a family in one of `states`: how many, and the first
 * `room` of them.  -1: it cannot be known.
 */
static int
list(int diag, int family, uint32_t states, struct inet_diag_sockid *ids,
    int room)
{
	struct diag_request q = { .of = { .sdiag_family = (uint8_t)family,
	    .sdiag_protocol = IPPROTO_TCP, .idiag_states = states } };
	union {
		struct nlmsghdr h;
		uint8_t bytes[32768];
	} in;
	int count = 0;

	if (!put_diag(diag, &q, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP))
		return -1;
	/* As long as the table is; the kernel ends it. */
	for (;;) {
		ssize_t n = recv(diag, &in, sizeof(in), 0);
		struct nlmsghdr *h = &in.h;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		for (size_t left = (size_t)n; NLMSG_OK(h, left);
		    h = NLMSG_NEXT(h, left)) {
			const struct inet_diag_msg *m = NLMSG_DATA(h);

			if (h->nlmsg_type == NLMSG_DONE)
				return count;
			if (h->nlmsg_type == NLMSG_ERROR)
				return -1;
			if (count < room)
				ids[count] = m->id;
			count++;
		}
	}
}

int
netdev_count_unsent(int diag)
{
	int v4 = list(diag, AF_INET, UNSENT, NULL, 0);
	int v6 = list(diag, AF_INET6, UNSENT, NULL, 0);

	return v4 < 0 || v6 < 0 ? -1 : v4 + v6;
}

static bool
find_listener(int diag, int family, uint16_t port, struct sw_addr *at)
{
	struct inet_diag_sockid ids[256];
	int n = list(diag, family, 1u << TCP_LISTEN, ids, 256);

	for (int i = 0; i < n && i < 256; i++) {
		if (ntohs(ids[i].idiag_sport) != port)
			continue;
		if (family == AF_INET)
			*at = addr_v4(ntohl(ids[i].idiag_src[0]), port);
		else {
			*at = (struct sw_addr){ .port = port };
			memcpy(at->ip, ids[i].idiag_src, sizeof(at->ip));
		}
		if (!addr_is_loopback(at))
			return true;
	}
	return false;
}

bool
netdev_find_listener(int diag, uint16_t port, struct sw_addr *at)
{
	return find_listener(diag, AF_INET, port, at) ||
	    find_listener(diag, AF_INET6, port, at);
}

static void
reset_family(int diag, int family)
{
	struct inet_diag_sockid ids[256];
	int n;

	/* Some may end by themselves meanwhile, and a program may make more;
	 * so many rounds are enough for a full table of descriptors. */
	for (int round = 0; round < 256; round++) {
		n = list(diag, family, CONNECTED, ids, 256);
		for (int i = 0; i < n && i < 256; i++) {
			struct diag_request q = { .of = {
			    .sdiag_family = (uint8_t)family,
			    .sdiag_protocol = IPPROTO_TCP,
			    .idiag_states = CONNECTED, .id = ids[i] } };
			uint8_t answer[512];

			if (!put_diag(diag, &q, SOCK_DESTROY, NLM_F_ACK) ||
			    recv(diag, answer, sizeof(answer), 0) < 0)
				return;
		}
		if (n <= 256)
			return;
	}
}

void
netdev_reset(int diag)
{
	reset_family(diag, AF_INET);
	reset_family(diag, AF_INET6);
}
