/*
 * shim_ifaddrs.c - see shim_ifaddrs.h.
 *
 * getifaddrs and if_nameindex allocate from the program's heap, as POSIX lets
 * them, in the shape that libc's own freeifaddrs and if_freenameindex release.
 */
#include "preload/shim_ifaddrs.h"

#include <ifaddrs.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <stdlib.h>
#include <string.h>

#include "preload/shim_owner.h"

#define LO_FLAGS (IFF_UP | IFF_LOOPBACK | IFF_RUNNING)
#define TUN_FLAGS (IFF_UP | IFF_POINTOPOINT | IFF_RUNNING | IFF_NOARP)
#define LO_MTU 65536

static const char *const names[] = { "lo", SHIM_IF_NAME };

/* `to` has room for IFNAMSIZ bytes. */
static char *
put_if_name(char *to, unsigned index)
{
	const char *name = names[index - 1];

	return memcpy(to, name, strlen(name) + 1);
}

/* ---- addresses ------------------------------------------------------------------ */

struct entry {
	unsigned index;			/* 1 lo, 2 the tunnel */
	int family;
	struct sw_addr addr;
	unsigned prefix;
};

#define ENTRIES_MAX 6

static bool
is_set(const struct sw_addr *a)
{
	return !addr_is_any(a);
}

/* One link-level entry for each interface first, as libc does. */
static unsigned
list_entries(struct entry out[static ENTRIES_MAX], struct link_config *net)
{
	bool up = shim_owner_config(net) == 0;
	unsigned n = 0;

	out[n++] = (struct entry){ .index = 1, .family = AF_PACKET };
	if (up)
		out[n++] = (struct entry){ .index = 2, .family = AF_PACKET };
	out[n++] = (struct entry){ 1, AF_INET, addr_v4(INADDR_LOOPBACK, 0),
		8 };
	if (up && is_set(&net->inner4))
		out[n++] = (struct entry){ 2, AF_INET, net->inner4, 32 };
	out[n] = (struct entry){ .index = 1, .family = AF_INET6,
		.prefix = 128 };
	out[n++].addr.ip[15] = 1;
	if (up && is_set(&net->inner6))
		out[n++] = (struct entry){ 2, AF_INET6, net->inner6, 128 };
	return n;
}

static void
put_mask(int family, unsigned prefix, struct sockaddr_storage *ss)
{
	uint8_t *p;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = (sa_family_t)family;
	p = family == AF_INET ?
	    (uint8_t *)&((struct sockaddr_in *)ss)->sin_addr :
	    (uint8_t *)&((struct sockaddr_in6 *)ss)->sin6_addr;
	for (unsigned i = 0; i < prefix; i++)
		p[i / 8] |= (uint8_t)(0x80 >> i % 8);
}

static void
put_address(const struct entry *e, struct sockaddr_storage *ss)
{
	socklen_t len = sizeof(*ss);

	memset(ss, 0, sizeof(*ss));
	if (e->family == AF_PACKET) {
		struct sockaddr_ll *ll = (struct sockaddr_ll *)ss;

		ll->sll_family = AF_PACKET;
		ll->sll_ifindex = (int)e->index;
		ll->sll_hatype = e->index == 1 ? ARPHRD_LOOPBACK : ARPHRD_NONE;
		ll->sll_halen = e->index == 1 ? 6 : 0;
		return;
	}
	addr_to_sockaddr(&e->addr, e->family, (struct sockaddr *)ss, &len);
}

SW_EXPORT int
getifaddrs(struct ifaddrs **out)
{
	struct block {
		struct ifaddrs ifa;
		struct sockaddr_storage addr, mask, peer;
		char name[IFNAMSIZ];
	} *b;
	struct entry list[ENTRIES_MAX];
	struct link_config net;
	unsigned n = list_entries(list, &net);

	if ((b = calloc(n, sizeof(*b))) == NULL)
		return -1;		/* calloc has set errno */
	for (unsigned i = 0; i < n; i++) {
		struct ifaddrs *ifa = &b[i].ifa;

		put_if_name(b[i].name, list[i].index);
		ifa->ifa_next = i + 1 < n ? &b[i + 1].ifa : NULL;
		ifa->ifa_name = b[i].name;
		ifa->ifa_flags = list[i].index == 1 ? LO_FLAGS : TUN_FLAGS;
		put_address(&list[i], &b[i].addr);
		ifa->ifa_addr = (struct sockaddr *)&b[i].addr;
		if (list[i].family == AF_PACKET)
			continue;
		put_mask(list[i].family, list[i].prefix, &b[i].mask);
		ifa->ifa_netmask = (struct sockaddr *)&b[i].mask;
		put_address(&list[i], &b[i].peer);
		ifa->ifa_dstaddr = (struct sockaddr *)&b[i].peer;
	}
	*out = &b->ifa;
	return 0;
}

/* ---- names ----------------------------------------------------------------------- */

SW_EXPORT unsigned
if_nametoindex(const char *name)
{
	for (unsigned i = 0; i < 2; i++)
		if (strcmp(name, names[i]) == 0)
			return i + 1;
	errno = ENODEV;
	return 0;
}

SW_EXPORT char *
if_indextoname(unsigned index, char name[IF_NAMESIZE])
{
	if (index < 1 || index > 2) {
		errno = ENXIO;
		return NULL;
	}
	return put_if_name(name, index);
}

SW_EXPORT struct if_nameindex *
if_nameindex(void)
{
	struct if_nameindex *v = calloc(3, sizeof(*v));

	if (v == NULL)
		return NULL;
	for (unsigned i = 0; i < 2; i++) {
		v[i].if_index = i + 1;
		if ((v[i].if_name = strdup(names[i])) == NULL) {
			free(v[0].if_name);
			free(v);
			errno = ENOBUFS;
			return NULL;
		}
	}
	return v;
}

/* ---- ioctl ------------------------------------------------------------------------ */

static int
list_conf(struct ifconf *c, const struct entry *list, unsigned n)
{
	struct ifreq *r = c->ifc_req;
	int room = c->ifc_len / (int)sizeof(*r), used = 0;

	for (unsigned i = 0; i < n; i++) {
		struct sockaddr_storage ss;

		if (list[i].family != AF_INET)
			continue;
		if (r != NULL) {
			if (used == room)
				break;
			memset(&r[used], 0, sizeof(*r));
			put_if_name(r[used].ifr_name, list[i].index);
			put_address(&list[i], &ss);
			memcpy(&r[used].ifr_addr, &ss,
			    sizeof(r[used].ifr_addr));
		}
		used++;
	}
	c->ifc_len = used * (int)sizeof(*r);
	return 0;
}

static int
put_request_address(struct ifreq *r, const struct entry *list, unsigned n,
    unsigned index, unsigned long request)
{
	struct sockaddr_storage ss;

	for (unsigned i = 0; i < n; i++) {
		if (list[i].family != AF_INET || list[i].index != index)
			continue;
		if (request == SIOCGIFNETMASK)
			put_mask(AF_INET, list[i].prefix, &ss);
		else
			put_address(&list[i], &ss);
		memcpy(&r->ifr_addr, &ss, sizeof(r->ifr_addr));
		return 0;
	}
	return -EADDRNOTAVAIL;
}

int
shim_interface_ioctl(unsigned long request, void *arg)
{
	struct entry list[ENTRIES_MAX];
	struct link_config net;
	unsigned n = list_entries(list, &net), index = 0;
	struct ifreq *r = arg;

	if (request == SIOCGIFCONF)
		return list_conf(arg, list, n);
	if (request == SIOCGIFNAME) {
		if (r->ifr_ifindex < 1 || r->ifr_ifindex > 2)
			return -ENODEV;
		put_if_name(r->ifr_name, (unsigned)r->ifr_ifindex);
		return 0;
	}
	for (unsigned i = 0; i < 2; i++)
		if (strncmp(r->ifr_name, names[i], IFNAMSIZ) == 0)
			index = i + 1;
	if (index == 0)
		return -ENODEV;
	switch (request) {
	case SIOCGIFINDEX:
		r->ifr_ifindex = (int)index;
		return 0;
	case SIOCGIFFLAGS:
		r->ifr_flags = (short)(index == 1 ? LO_FLAGS : TUN_FLAGS);
		return 0;
	case SIOCGIFMTU:
		r->ifr_mtu = index == 1 ? LO_MTU : net.mtu;
		return 0;
	case SIOCGIFMETRIC:
		r->ifr_metric = 0;
		return 0;
	case SIOCGIFTXQLEN:
		r->ifr_qlen = 1000;
		return 0;
	case SIOCGIFHWADDR:
		memset(&r->ifr_hwaddr, 0, sizeof(r->ifr_hwaddr));
		r->ifr_hwaddr.sa_family = index == 1 ? ARPHRD_LOOPBACK :
		    ARPHRD_NONE;
		return 0;
	case SIOCGIFADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFDSTADDR:
		return put_request_address(r, list, n, index, request);
	case SIOCGIFBRDADDR:
		memset(&r->ifr_addr, 0, sizeof(r->ifr_addr));
		r->ifr_addr.sa_family = AF_INET;
		return 0;
	default:
		return -ENOTTY;
	}
}
