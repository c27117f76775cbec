/*
 * The inside of getaddrinfo(3) and freeaddrinfo(3).
 *
 * The work is three lists: the kinds of socket the caller can use (with the
 * service's port for each), the addresses, and their product.
 */
#include "preload/shim_resolve_addrinfo.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "preload/shim.h"

#define KINDS_MAX 8

#define KNOWN_FLAGS (AI_PASSIVE | AI_CANONNAME | AI_NUMERICHOST |	\
	AI_V4MAPPED | AI_ALL | AI_ADDRCONFIG | AI_IDN | AI_CANONIDN |	\
	AI_NUMERICSERV | AI_IDN_OLD)
/* AI_IDN_ALLOW_UNASSIGNED and AI_IDN_USE_STD3_ASCII_RULES: accepted, ignored
 * since glibc 2.28, and no longer in <netdb.h>. */
#define AI_IDN_OLD 0x0300

/* One kind of socket.  In the order in which answers list them. */
static const struct kind {
	int socktype, protocol;
	const char *services;	/* the protocol's name in /etc/services */
	bool usual;		/* listed although not asked for by name */
	bool any_protocol;	/* takes the caller's protocol number */
} kinds[] = {
	{ SOCK_STREAM, IPPROTO_TCP, "tcp", true, false },
	{ SOCK_DGRAM, IPPROTO_UDP, "udp", true, false },
	{ SOCK_DCCP, IPPROTO_DCCP, "dccp", false, false },
	{ SOCK_DGRAM, IPPROTO_UDPLITE, "udplite", false, false },
	{ SOCK_STREAM, IPPROTO_SCTP, "sctp", false, false },
	{ SOCK_SEQPACKET, IPPROTO_SCTP, "sctp", false, false },
	{ SOCK_RAW, 0, NULL, true, true },
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct chosen {
	size_t n;
	struct {
		int socktype, protocol;
		uint16_t port;
	} at[KINDS_MAX];
};

static bool
kind_fits(const struct kind *k, const struct addrinfo *hints)
{
	return (hints->ai_socktype == 0 || hints->ai_socktype == k->socktype) &&
	    (hints->ai_protocol == 0 || k->any_protocol ||
	    hints->ai_protocol == k->protocol);
}

static void
choose(struct chosen *c, const struct kind *k, const struct addrinfo *hints,
    uint16_t port)
{
	c->at[c->n].socktype = k->socktype;
	c->at[c->n].protocol = k->any_protocol ? hints->ai_protocol :
	    k->protocol;
	c->at[c->n].port = port;
	c->n++;
}

enum service_form { SERVICE_NAME, SERVICE_NUMBER, SERVICE_BAD };

/* strtoul's idea of a number, as programs pass " 80" and "+80"; and as in
 * glibc 65616 is 80, but what an int has as negative is nothing. */
static enum service_form
parse_service(const char *s, uint16_t *port)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	*port = (uint16_t)v;
	if (end == s || *end != '\0')
		return SERVICE_NAME;
	return (int)v < 0 ? SERVICE_BAD : SERVICE_NUMBER;
}

/* Port of a named service for "tcp", "udp", ...  services(5) stays libc's own:
 * it reads files, not the network. */
static bool
find_service(const char *name, const char *proto, uint16_t *port)
{
	struct servent se, *found = NULL;
	char buf[4096];

	if (getservbyname_r(name, proto, &se, buf, sizeof(buf), &found) != 0 ||
	    found == NULL)
		return false;
	*port = ntohs((uint16_t)se.s_port);
	return true;
}

/* The caller's one kind (socktype or protocol named), or all usual ones. */
static int
choose_kinds(struct chosen *c, const struct addrinfo *hints,
    const char *service)
{
	bool named = hints->ai_socktype != 0 || hints->ai_protocol != 0;
	const struct kind *k = kinds, *end = kinds + N_KINDS;
	enum service_form form = SERVICE_NUMBER;
	uint16_t port = 0;

	c->n = 0;
	if (service != NULL)
		form = parse_service(service, &port);
	if (form == SERVICE_NAME && hints->ai_flags & AI_NUMERICSERV)
		return EAI_NONAME;
	while (named && k < end && !kind_fits(k, hints))
		k++;
	if (k == end)
		return hints->ai_socktype != 0 ? EAI_SOCKTYPE : EAI_SERVICE;
	if (service != NULL && named && k->services == NULL)
		return EAI_SERVICE;
	if (form == SERVICE_NUMBER) {
		if (named) {
			choose(c, k, hints, port);
			return 0;
		}
		for (; k < end; k++)
			if (k->usual)
				choose(c, k, hints, port);
		return 0;
	}
	if (form == SERVICE_BAD)
		return EAI_SERVICE;
	for (; k < end; k++) {
		if (k->services == NULL || !kind_fits(k, hints))
			continue;
		if (find_service(service, k->services, &port))
			choose(c, k, hints, port);
		if (named)
			break;
	}
	return c->n > 0 ? 0 : EAI_SERVICE;
}

/* ---- addresses ----------------------------------------------------------- */

struct targets {
	int family[NAMES_ADDR_MAX];	/* AF_INET6 with a v4 address: mapped */
	struct names names;
};

static void
add_target(struct targets *t, const struct sw_addr *a, int family)
{
	if (t->names.n == NAMES_ADDR_MAX)
		return;
	t->family[t->names.n] = family;
	t->names.addr[t->names.n++] = *a;
}

/* The zone after '%': an interface (for link-local addresses) or a number. */
static int
parse_zone(const struct sw_addr *a, const char *text, uint32_t *scope)
{
	bool link_local = !addr_is_v4(a) && ((a->ip[0] == 0xfe &&
	    (a->ip[1] & 0xc0) == 0x80) ||
	    (a->ip[0] == 0xff && (a->ip[1] & 0x0f) <= 2));
	unsigned long v;
	char *end;

	if (link_local && (*scope = if_nametoindex(text)) != 0)
		return SW_OK;
	if (*text < '0' || *text > '9')
		return SW_ERR_FORMAT;
	v = strtoul(text, &end, 10);
	if (*end != '\0' || v > UINT32_MAX)
		return SW_ERR_FORMAT;
	*scope = (uint32_t)v;
	return SW_OK;
}

/* Text like "10.1", "0x7f.1" (inet_aton's forms) or "fe80::1%eth0".
 * 0, EAI_*, or 1 when it is not numeric at all. */
static int
numeric_host(const char *name, const struct addrinfo *hints, struct targets *t)
{
	const char *zone = strchr(name, '%');
	size_t n = zone != NULL ? (size_t)(zone - name) : strlen(name);
	char text[INET6_ADDRSTRLEN];
	struct sw_addr a;
	struct in_addr v4;

	if (addrinfo_aton(name, &v4)) {
		a = addr_v4(ntohl(v4.s_addr), 0);
		if (hints->ai_family == AF_INET6 &&
		    !(hints->ai_flags & AI_V4MAPPED))
			return EAI_ADDRFAMILY;
		add_target(t, &a, hints->ai_family == AF_INET6 ?
		    AF_INET6 : AF_INET);
		return 0;
	}
	if (n >= sizeof(text))
		return 1;
	memcpy(text, name, n);
	text[n] = '\0';
	a = (struct sw_addr){ 0 };
	if (inet_pton(AF_INET6, text, a.ip) != 1)
		return 1;
	if (hints->ai_family == AF_INET && !addr_is_v4(&a))
		return EAI_ADDRFAMILY;
	if (zone != NULL && parse_zone(&a, zone + 1, &a.scope) != SW_OK)
		return EAI_NONAME;
	add_target(t, &a, hints->ai_family == AF_INET ? AF_INET : AF_INET6);
	return 0;
}

/* inet_aton(3), but nothing may follow the number. */
bool
addrinfo_aton(const char *text, struct in_addr *out)
{
	if (text[strspn(text, "0123456789abcdefABCDEFxX.")] != '\0')
		return false;
	return inet_aton(text, out) != 0;
}

/* No name: this machine, or any address to listen on. */
static void
unnamed_host(const struct addrinfo *hints, struct targets *t)
{
	bool passive = hints->ai_flags & AI_PASSIVE;
	struct sw_addr v4 = addr_v4(passive ? INADDR_ANY : INADDR_LOOPBACK, 0);
	struct sw_addr v6 = { .ip = { [15] = !passive } };

	/* RFC 6724 with these as destinations: 0.0.0.0 before ::, and ::1
	 * before 127.0.0.1. */
	if (hints->ai_family != AF_INET6 && passive)
		add_target(t, &v4, AF_INET);
	if (hints->ai_family != AF_INET)
		add_target(t, &v6, AF_INET6);
	if (hints->ai_family != AF_INET6 && !passive)
		add_target(t, &v4, AF_INET);
}

/* Keep what the caller's family and flags allow; v6 last where the tunnel has
 * none, and away altogether under AI_ADDRCONFIG. */
static void
arrange(struct targets *t, const struct addrinfo *hints, bool has_v6)
{
	struct names *names = &t->names;
	struct sw_addr all[NAMES_ADDR_MAX];
	size_t n = names->n;
	bool v6_found = false;

	memcpy(all, names->addr, n * sizeof(all[0]));
	for (size_t i = 0; i < n; i++)
		v6_found |= !addr_is_v4(&all[i]);
	names->n = 0;
	if (hints->ai_family == AF_INET6) {
		bool map = (hints->ai_flags & AI_V4MAPPED) &&
		    (!v6_found || (hints->ai_flags & AI_ALL));

		for (size_t i = 0; i < n; i++)
			if (!addr_is_v4(&all[i]) || map)
				add_target(t, &all[i], AF_INET6);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (addr_is_v4(&all[i]) || has_v6 || addr_is_loopback(&all[i]))
			add_target(t, &all[i],
			    addr_is_v4(&all[i]) ? AF_INET : AF_INET6);
	if (has_v6 || (hints->ai_flags & AI_ADDRCONFIG))
		return;
	for (size_t i = 0; i < n; i++)
		if (!addr_is_v4(&all[i]) && !addr_is_loopback(&all[i]))
			add_target(t, &all[i], AF_INET6);
}

/* Where names stand for themselves, the session gives an AF_UNSPEC question
 * the family it likes; who can use mapped addresses still prefers real ones. */
static void
add_v6(const struct names_source *src, const char *name, struct names *names)
{
	struct names six;

	for (size_t i = 0; i < names->n; i++)
		if (!addr_is_v4(&names->addr[i]))
			return;
	if (!names->asked ||
	    names_lookup(src, name, AF_INET6, false, &six) != SW_OK)
		return;
	for (size_t i = 0; i < six.n && names->n < NAMES_ADDR_MAX; i++)
		names->addr[names->n++] = six.addr[i];
}

static int
named_host(const struct names_source *src, const char *name,
    const struct addrinfo *hints, bool has_v6, struct targets *t)
{
	int family = hints->ai_family, r;

	/* Mapped answers need the v4 ones as well. */
	if (family == AF_INET6 && (hints->ai_flags & AI_V4MAPPED))
		family = AF_UNSPEC;
	if (hints->ai_family == AF_INET6 && !has_v6 &&
	    (hints->ai_flags & AI_ADDRCONFIG) && family == AF_INET6)
		return EAI_NONAME;
	r = names_lookup(src, name, family, hints->ai_flags & AI_CANONNAME,
	    &t->names);
	if (r != SW_OK)
		return names_eai(r);
	if (family != hints->ai_family && has_v6)
		add_v6(src, name, &t->names);
	arrange(t, hints, has_v6);
	return t->names.n > 0 ? 0 : EAI_NODATA;
}

/* ---- international names ------------------------------------------------- */

/* libidn2 is loaded only when a name needs it, as libc does. */
int
addrinfo_idn(const char *function, const char *in, char *out, size_t room)
{
	int (*convert)(const char *, char **, int);
	void *(*open_library)(const char *, int);
	void *(*find)(void *, const char *);
	void *lib = NULL;
	char *text = NULL;
	int r = SW_ERR_FORMAT;

	*(void **)&open_library = shim_libc_symbol("dlopen");
	*(void **)&find = shim_libc_symbol("dlsym");
	if (open_library != NULL && find != NULL)
		lib = open_library("libidn2.so.0", RTLD_LAZY);
	if (lib == NULL)
		return SW_ERR_UNSUPPORTED;
	*(void **)&convert = find(lib, function);
	if (convert != NULL && convert(in, &text, 0) == 0 &&
	    strlen(text) < room) {
		memcpy(out, text, strlen(text) + 1);
		r = SW_OK;
	}
	free(text);
	return r;		/* the library stays, for the next name */
}

static bool
is_ascii(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

/* ---- the product --------------------------------------------------------- */

/* One block holds the struct and its address, the canonical name is another:
 * glibc's shape, so that either side's freeaddrinfo() frees either's list. */
static struct addrinfo *
new_entry(const struct sw_addr *a, int family, int flags)
{
	struct addrinfo *ai;
	socklen_t room = sizeof(struct sockaddr_in6);

	if ((ai = calloc(1, sizeof(*ai) + room)) == NULL)
		return NULL;
	ai->ai_flags = flags;
	ai->ai_family = family;
	ai->ai_addr = (struct sockaddr *)(ai + 1);
	addr_to_sockaddr(a, family, ai->ai_addr, &room);
	ai->ai_addrlen = room;
	return ai;
}

static int
build(const struct targets *t, const struct chosen *c,
    const struct addrinfo *hints, const char *canon, struct addrinfo **out)
{
	struct addrinfo *head = NULL, **tail = &head;

	for (size_t i = 0; i < t->names.n; i++)
		for (size_t j = 0; j < c->n; j++) {
			struct sw_addr a = t->names.addr[i];

			a.port = c->at[j].port;
			*tail = new_entry(&a, t->family[i], hints->ai_flags);
			if (*tail == NULL)
				goto nomem;
			(*tail)->ai_socktype = c->at[j].socktype;
			(*tail)->ai_protocol = c->at[j].protocol;
			tail = &(*tail)->ai_next;
		}
	if (canon != NULL && (head->ai_canonname = strdup(canon)) == NULL)
		goto nomem;
	*out = head;
	return 0;
nomem:
	addrinfo_free(head);
	return EAI_MEMORY;
}

static int
check(const char *node, const char *service, const struct addrinfo *hints)
{
	if (node == NULL && service == NULL)
		return EAI_NONAME;
	if (hints->ai_flags & ~KNOWN_FLAGS)
		return EAI_BADFLAGS;
	if ((hints->ai_flags & AI_CANONNAME) && node == NULL)
		return EAI_BADFLAGS;
	if (hints->ai_family != AF_UNSPEC && hints->ai_family != AF_INET &&
	    hints->ai_family != AF_INET6)
		return EAI_FAMILY;
	return 0;
}

int
addrinfo_get(const struct names_source *src, bool has_v6, const char *node,
    const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
	static const struct addrinfo no_hints = {
		.ai_flags = AI_V4MAPPED | AI_ADDRCONFIG,
	};
	char ascii[NAME_LEN_MAX + 2], shown[4 * NAME_LEN_MAX];
	const char *canon = NULL;
	struct targets t;
	struct chosen c;
	int r;

	t.names.n = 0;
	if (hints == NULL)
		hints = &no_hints;
	if (node != NULL && strcmp(node, "*") == 0)
		node = NULL;
	if (service != NULL && strcmp(service, "*") == 0)
		service = NULL;
	if ((r = check(node, service, hints)) != 0)
		return r;
	if (service != NULL && *service == '\0')
		service = NULL;
	if ((r = choose_kinds(&c, hints, service)) != 0)
		return r;

	if (node == NULL) {
		unnamed_host(hints, &t);
		return build(&t, &c, hints, NULL, res);
	}
	if ((hints->ai_flags & AI_IDN) && !is_ascii(node)) {
		if (addrinfo_idn("idn2_lookup_ul", node, ascii,
		    sizeof(ascii)) != SW_OK)
			return EAI_IDN_ENCODE;
		node = ascii;
	}
	r = numeric_host(node, hints, &t);
	if (r == 0)
		canon = node;
	else if (r == 1 && !(hints->ai_flags & AI_NUMERICHOST)) {
		r = named_host(src, node, hints, has_v6, &t);
		canon = t.names.canon;
	} else if (r == 1)
		r = EAI_NONAME;
	if (r != 0)
		return r;
	if (!(hints->ai_flags & AI_CANONNAME))
		canon = NULL;
	else if ((hints->ai_flags & AI_CANONIDN) &&
	    addrinfo_idn("idn2_to_unicode_lzlz", canon, shown,
	    sizeof(shown)) == SW_OK)
		canon = shown;
	return build(&t, &c, hints, canon, res);
}

void
addrinfo_free(struct addrinfo *ai)
{
	while (ai != NULL) {
		struct addrinfo *next = ai->ai_next;

		free(ai->ai_canonname);
		free(ai);
		ai = next;
	}
}
