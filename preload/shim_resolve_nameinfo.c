/*
 * getnameinfo(3).
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sys/utsname.h>

#include "preload/shim.h"
#include "preload/shim_hosts.h"
#include "preload/shim_resolve.h"
#include "preload/shim_resolve_addrinfo.h"

#define NI_IDN_OLD 0xc0		/* two flags glibc dropped in 2.28 */
#define KNOWN_FLAGS (NI_NUMERICHOST | NI_NUMERICSERV | NI_NOFQDN |	\
	NI_NAMEREQD | NI_DGRAM | NI_IDN | NI_IDN_OLD)

static int
put(char *out, socklen_t room, const char *text)
{
	size_t n = strlen(text) + 1;

	if (n > room)
		return EAI_OVERFLOW;
	memcpy(out, text, n);
	return 0;
}

static int
numeric_host(const struct sw_addr *a, bool v6, char *host, socklen_t room)
{
	char text[SW_ADDR_TEXT_LEN + 1 + IF_NAMESIZE];
	char name[IF_NAMESIZE];
	struct in6_addr in6;

	memcpy(&in6, a->ip, sizeof(in6));
	if (v6)
		inet_ntop(AF_INET6, a->ip, text, sizeof(text));
	else
		inet_ntop(AF_INET, a->ip + 12, text, sizeof(text));
	if (a->scope != 0) {
		bool named = (IN6_IS_ADDR_LINKLOCAL(&in6) ||
		    IN6_IS_ADDR_MC_LINKLOCAL(&in6)) &&
		    if_indextoname(a->scope, name) != NULL;
		size_t n = strlen(text);

		if (named)
			snprintf(text + n, sizeof(text) - n, "%%%s", name);
		else
			snprintf(text + n, sizeof(text) - n, "%%%u", a->scope);
	}
	return put(host, room, text);
}

/* NI_NOFQDN: drop our own domain from the name. */
static void
drop_own_domain(const struct names_source *src, char *name)
{
	static const char none[] = "";
	const char *domain = strchr(src->own_name, '.');
	struct names self;
	size_t n, m;

	if (domain == NULL && src->own_name[0] != '\0' &&
	    names_lookup(src, src->own_name, AF_UNSPEC, false,
	    &self) == SW_OK)
		domain = strchr(self.canon, '.');
	if (domain == NULL)
		domain = none;
	n = strlen(name);
	m = strlen(domain);
	if (m > 0 && n > m && hosts_same_name(name + n - m, domain))
		name[n - m] = '\0';
}

static int
host_of(const struct names_source *src, const struct sw_addr *a, bool v6,
    char *host, socklen_t room, int flags)
{
	char shown[4 * NAME_LEN_MAX];
	struct names found;
	int r = SW_ERR_NO_NAME;

	if (!(flags & NI_NUMERICHOST))
		r = names_reverse(src, a, &found);
	if (r != SW_OK) {
		if (flags & NI_NAMEREQD)
			return r == SW_ERR_NO_NAME ? EAI_NONAME : names_eai(r);
		return numeric_host(a, v6, host, room);
	}
	if (flags & NI_NOFQDN)
		drop_own_domain(src, found.canon);
	if ((flags & NI_IDN) && addrinfo_idn("idn2_to_unicode_lzlz",
	    found.canon, shown, sizeof(shown)) == SW_OK)
		return put(host, room, shown);
	return put(host, room, found.canon);
}

static int
service_of(uint16_t port, char *serv, socklen_t room, int flags)
{
	struct servent se, *found = NULL;
	char buf[4096], text[8];

	if (!(flags & NI_NUMERICSERV) &&
	    getservbyport_r(htons(port), flags & NI_DGRAM ? "udp" : "tcp",
	    &se, buf, sizeof(buf), &found) == 0 && found != NULL)
		return put(serv, room, se.s_name);
	snprintf(text, sizeof(text), "%u", port);
	return put(serv, room, text);
}

/* AF_UNIX, which glibc also answers: this machine's name, and the path. */
static int
local_info(const struct sockaddr *sa, socklen_t len, char *host,
    socklen_t hostlen, char *serv, socklen_t servlen, int flags)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1] = "";
	struct utsname self;
	size_t n;
	int r;

	if (len < offsetof(struct sockaddr_un, sun_path))
		return EAI_FAMILY;
	if (host != NULL && hostlen > 0) {
		if (flags & NI_NAMEREQD && flags & NI_NUMERICHOST)
			return EAI_NONAME;
		if (!(flags & NI_NUMERICHOST) && uname(&self) == 0)
			r = put(host, hostlen, self.nodename);
		else
			r = put(host, hostlen, "localhost");
		if (r != 0)
			return r;
	}
	if (serv == NULL || servlen == 0)
		return 0;
	n = len - offsetof(struct sockaddr_un, sun_path);
	if (n > sizeof(path) - 1)
		n = sizeof(path) - 1;
	memcpy(path, (const char *)sa + offsetof(struct sockaddr_un, sun_path),
	    n);
	return put(serv, servlen, path);
}

static int
name_info(const struct names_source *src, const struct sockaddr *sa,
    socklen_t len, char *host, socklen_t hostlen, char *serv,
    socklen_t servlen, int flags)
{
	struct sw_addr a;
	int r;

	if (flags & ~KNOWN_FLAGS)
		return EAI_BADFLAGS;
	if (sa == NULL || len < sizeof(sa->sa_family))
		return EAI_FAMILY;
	if ((flags & NI_NAMEREQD) && host == NULL && serv == NULL)
		return EAI_NONAME;
	if (sa->sa_family == AF_UNIX)
		return local_info(sa, len, host, hostlen, serv, servlen,
		    flags);
	/* Unlike connect(2), no short form without the scope. */
	if (sa->sa_family == AF_INET6 && len < sizeof(struct sockaddr_in6))
		return EAI_FAMILY;
	if (addr_from_sockaddr(&a, sa, len) != SW_OK)
		return EAI_FAMILY;
	if (host != NULL && hostlen > 0 &&
	    (r = host_of(src, &a, sa->sa_family == AF_INET6, host, hostlen,
	    flags)) != 0)
		return r;
	if (serv != NULL && servlen > 0)
		return service_of(a.port, serv, servlen, flags);
	return 0;
}

SW_EXPORT int
getnameinfo(const struct sockaddr *sa, socklen_t len, char *host,
    socklen_t hostlen, char *serv, socklen_t servlen, int flags)
{
	struct names_source src;
	int saved = errno, r;

	names_source_live(&src);
	r = name_info(&src, sa, len, host, hostlen, serv, servlen, flags);
	errno = saved;
	return r;
}
