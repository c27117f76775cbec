/*
 * resolver - what the resolver calls answer, one line per case.
 *
 * Run bare and under the library, with the same hosts file and names: the
 * lines must be the same.  Names that exist are those of fake_session's zone;
 * tests/preload/resolver.sh serves the same ones by DNS for the bare run.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *
quoted(const char *s)
{
	static char buf[4][400];
	static int turn;
	char *b = buf[turn++ % 4];

	if (s == NULL)
		return "NULL";
	snprintf(b, sizeof(buf[0]), "\"%.40s%s\"", s,
	    strlen(s) > 40 ? "..." : "");
	return b;
}

static const char *
code(int r)
{
	static const struct {
		int value;
		const char *name;
	} codes[] = {
		{ 0, "ok" }, { EAI_BADFLAGS, "BADFLAGS" },
		{ EAI_NONAME, "NONAME" }, { EAI_AGAIN, "AGAIN" },
		{ EAI_FAIL, "FAIL" }, { EAI_NODATA, "NODATA" },
		{ EAI_FAMILY, "FAMILY" }, { EAI_SOCKTYPE, "SOCKTYPE" },
		{ EAI_SERVICE, "SERVICE" }, { EAI_ADDRFAMILY, "ADDRFAMILY" },
		{ EAI_MEMORY, "MEMORY" }, { EAI_SYSTEM, "SYSTEM" },
		{ EAI_OVERFLOW, "OVERFLOW" }, { EAI_IDN_ENCODE, "IDN_ENCODE" },
	};
	static char buf[16];

	for (size_t i = 0; i < COUNT(codes); i++)
		if (codes[i].value == r)
			return codes[i].name;
	snprintf(buf, sizeof(buf), "%d", r);
	return buf;
}

static void
print_list(const struct addrinfo *ai)
{
	for (; ai != NULL; ai = ai->ai_next) {
		char text[INET6_ADDRSTRLEN] = "?";
		const struct sockaddr_in *in = (const void *)ai->ai_addr;
		const struct sockaddr_in6 *in6 = (const void *)ai->ai_addr;

		if (ai->ai_family == AF_INET)
			inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
		else
			inet_ntop(AF_INET6, &in6->sin6_addr, text,
			    sizeof(text));
		printf(" [%x %d %d %d %u %s%%%u:%u f%d %d%s%s]",
		    (unsigned)ai->ai_flags, ai->ai_family, ai->ai_socktype,
		    ai->ai_protocol, ai->ai_addrlen, text,
		    ai->ai_family == AF_INET6 ? in6->sin6_scope_id : 0,
		    ntohs(in->sin_port), ai->ai_family == AF_INET6 ?
		    (int)in6->sin6_flowinfo : 0, ai->ai_addr->sa_family,
		    ai->ai_canonname != NULL ? " " : "",
		    ai->ai_canonname != NULL ? ai->ai_canonname : "");
	}
}

static void
look(const char *node, const char *service, const struct addrinfo *hints)
{
	struct addrinfo *res = NULL;
	int r;

	printf("getaddrinfo %s %s", quoted(node), quoted(service));
	if (hints != NULL)
		printf(" f%d t%d p%d flags%x", hints->ai_family,
		    hints->ai_socktype, hints->ai_protocol,
		    (unsigned)hints->ai_flags);
	errno = 77;
	r = getaddrinfo(node, service, hints, &res);
	printf(": %s", code(r));
	if (r == EAI_SYSTEM)
		printf(" errno %d", errno);
	if (r == 0) {
		print_list(res);
		freeaddrinfo(res);
	}
	printf("\n");
}

static char longname[400], longlabel[100];

static const char *const nodes[] = {
	NULL, "127.0.0.1", "10.1", "0x7f.1", "017.0.0.1", "1.2.3.4.5",
	"256.1.1.1", "1.2.3.4 ", "1.2.3.4 junk", "4294967295", "::1",
	"fe80::1", "fe80::1%7", "fe80::1%nosuchif", "fe80::1%", "fe80::1%7x",
	"2001:db8::1%7", "ff02::1%7", "::ffff:1.2.3.4", "::1.2.3.4", "1::2::3",
	"[::1]", "localhost", "LocalHost", "db", "www.example.test",
	"WWW.Example.Test", "www.example.test.", "v4.example.test",
	"v6.example.test", "many.example.test", "alias.example.test",
	"nope.example.test", "empty.example.test", "hosted.example.test",
	"both.example.test", "",
	"*", "a..b", ".", ".a", "host name", "caf\303\251.example.test",
	"printer.local", "x.onion", "a.localhost", longname, longlabel,
};

static void
nodes_by_family_and_flags(void)
{
	static const int families[] = { AF_UNSPEC, AF_INET, AF_INET6 };
	static const int flags[] = { 0, AI_CANONNAME, AI_NUMERICHOST,
	    AI_V4MAPPED, AI_V4MAPPED | AI_ALL, AI_ALL, AI_PASSIVE,
	    AI_NUMERICHOST | AI_CANONNAME, AI_ADDRCONFIG,
	    AI_ADDRCONFIG | AI_V4MAPPED };

	for (size_t i = 0; i < COUNT(nodes); i++) {
		look(nodes[i], "80", NULL);
		look(nodes[i], NULL, NULL);
		for (size_t f = 0; f < COUNT(families); f++)
			for (size_t g = 0; g < COUNT(flags); g++) {
				struct addrinfo h = {
					.ai_family = families[f],
					.ai_socktype = SOCK_STREAM,
					.ai_flags = flags[g],
				};

				look(nodes[i], "80", &h);
			}
	}
}

static void
services_by_type(void)
{
	static const char *const services[] = { NULL, "", "*", "80", "0",
	    "http", "HTTP", "domain", "tftp", "ssh", "nosuch", "65535",
	    "65536", "99999999999", "-1", "+80", " 80", "80 ", "80x", "0x50" };
	static const int types[] = { 0, SOCK_STREAM, SOCK_DGRAM, SOCK_RAW,
	    SOCK_SEQPACKET, SOCK_RDM, SOCK_DCCP, 99 };
	static const int protocols[] = { 0, IPPROTO_TCP, IPPROTO_UDP,
	    IPPROTO_SCTP, IPPROTO_ICMP, IPPROTO_UDPLITE, 253 };
	static const int flags[] = { 0, AI_NUMERICSERV, AI_PASSIVE };

	for (size_t s = 0; s < COUNT(services); s++)
		for (size_t t = 0; t < COUNT(types); t++)
			for (size_t p = 0; p < COUNT(protocols); p++)
				for (size_t g = 0; g < COUNT(flags); g++) {
					struct addrinfo h = {
						.ai_socktype = types[t],
						.ai_protocol = protocols[p],
						.ai_flags = flags[g],
					};

					look("127.0.0.1", services[s], &h);
					if (p == 0)
						look(NULL, services[s], &h);
				}
}

static void
bad_hints(void)
{
	static const int families[] = { AF_UNIX, AF_PACKET, -1, 99 };
	struct addrinfo h = { .ai_family = AF_UNSPEC };

	for (size_t i = 0; i < COUNT(families); i++) {
		h.ai_family = families[i];
		look("127.0.0.1", "80", &h);
		look("nope.example.test", "80", &h);
		look("127.0.0.1", "nosuch", &h);
	}
	h.ai_family = AF_UNSPEC;
	for (int bit = 0; bit < 20; bit++) {
		h.ai_flags = 1 << bit;
		look("127.0.0.1", "80", &h);
		look(NULL, "80", &h);
	}
	h.ai_flags = -1;
	look("127.0.0.1", "80", &h);
}

/* ---- getnameinfo --------------------------------------------------------- */

static void
name(const void *sa, socklen_t len, socklen_t hostlen, socklen_t servlen,
    int flags)
{
	char host[NI_MAXHOST] = "#", serv[NI_MAXSERV] = "#";
	const struct sockaddr *s = sa;
	char text[INET6_ADDRSTRLEN] = "-";
	int r;

	if (s != NULL && len >= sizeof(struct sockaddr_in) &&
	    s->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)sa)->sin_addr,
		    text, sizeof(text));
	if (s != NULL && len >= 24 && s->sa_family == AF_INET6)
		inet_ntop(AF_INET6,
		    &((const struct sockaddr_in6 *)sa)->sin6_addr, text,
		    sizeof(text));
	printf("getnameinfo f%d len%u %s h%u s%u flags%x: ",
	    s != NULL ? s->sa_family : -1, len, text, hostlen, servlen,
	    (unsigned)flags);
	r = getnameinfo(sa, len, hostlen > 0 ? host : NULL, hostlen,
	    servlen > 0 ? serv : NULL, servlen, flags);
	printf("%s", code(r));
	if (r == 0)
		printf(" %s %s", host, serv);
	printf("\n");
}

static void
names(void)
{
	static const char *const texts[] = { "127.0.0.1", "203.0.113.80",
	    "203.0.113.99", "10.2.3.4", "0.0.0.0", "::1", "2001:db8::80",
	    "2001:db8::99", "fe80::1", "fe80::99", "::ffff:203.0.113.80",
	    "::ffff:127.0.0.1", "::", "224.0.0.1" };
	static const int ports[] = { 0, 80, 69, 53, 40000 };
	static const int flags[] = { 0, NI_NUMERICHOST, NI_NUMERICSERV,
	    NI_NAMEREQD, NI_NUMERICHOST | NI_NAMEREQD, NI_DGRAM, NI_NOFQDN,
	    NI_NUMERICHOST | NI_NUMERICSERV, 0x100, 0x40, 0x80, -1 };
	static const socklen_t rooms[][2] = { { NI_MAXHOST, NI_MAXSERV },
	    { NI_MAXHOST, 0 }, { 0, NI_MAXSERV }, { 0, 0 }, { 4, NI_MAXSERV },
	    { NI_MAXHOST, 2 }, { 9, 5 }, { 10, 3 } };
	struct sockaddr_un un = { .sun_family = AF_UNIX,
	    .sun_path = "/run/x" };

	for (size_t i = 0; i < COUNT(texts); i++)
		for (size_t p = 0; p < COUNT(ports); p++)
			for (size_t f = 0; f < COUNT(flags); f++)
				for (size_t m = 0; m < COUNT(rooms); m++) {
			struct sockaddr_in in = { .sin_family = AF_INET,
			    .sin_port = htons((uint16_t)ports[p]) };
			struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
			    .sin6_port = htons((uint16_t)ports[p]) };

			if ((p > 0 && m > 0) || (p > 0 && i > 0))
				continue;
			if (inet_pton(AF_INET, texts[i], &in.sin_addr) == 1) {
				name(&in, sizeof(in), rooms[m][0], rooms[m][1],
				    flags[f]);
				continue;
			}
			inet_pton(AF_INET6, texts[i], &in6.sin6_addr);
			name(&in6, sizeof(in6), rooms[m][0], rooms[m][1],
			    flags[f]);
			in6.sin6_scope_id = 7777;
			name(&in6, sizeof(in6), rooms[m][0], rooms[m][1],
			    flags[f]);
		}
	for (socklen_t len = 0; len <= sizeof(struct sockaddr_in6); len++) {
		struct sockaddr_in in = { .sin_family = AF_INET };
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

		name(&in, len, NI_MAXHOST, NI_MAXSERV, NI_NUMERICHOST);
		name(&in6, len, NI_MAXHOST, NI_MAXSERV, NI_NUMERICHOST);
	}
	name(NULL, 0, NI_MAXHOST, NI_MAXSERV, 0);
	for (size_t f = 0; f < COUNT(flags); f++)
		name(&un, sizeof(un), NI_MAXHOST, NI_MAXSERV, flags[f]);
	un.sun_family = 99;
	name(&un, sizeof(un), NI_MAXHOST, NI_MAXSERV, 0);
}

/* ---- gethostby* ---------------------------------------------------------- */

/* h_errno means something only when there is no answer. */
static void
print_host(const struct hostent *he, int h)
{
	char text[INET6_ADDRSTRLEN];

	if (he == NULL) {
		printf(" none h%d\n", h);
		return;
	}
	printf(" %s f%d l%d", he->h_name, he->h_addrtype, he->h_length);
	for (char **a = he->h_aliases; *a != NULL; a++)
		printf(" alias %s", *a);
	for (char **a = he->h_addr_list; *a != NULL; a++)
		printf(" %s", inet_ntop(he->h_addrtype, *a, text,
		    sizeof(text)));
	printf("\n");
}

static void
hosts(void)
{
	static const int families[] = { AF_INET, AF_INET6 };
	static const char *const texts[] = { "127.0.0.1", "203.0.113.80",
	    "203.0.113.99", "::1", "2001:db8::80", "2001:db8::99", "10.2.3.4",
	    "0.0.0.0", "::" };

	for (size_t i = 1; i < COUNT(nodes); i++) {
		struct hostent he, *he0, *res = NULL;
		char buf[4096];
		int h = 55, r;

		he0 = gethostbyname(nodes[i]);
		printf("gethostbyname %s:", quoted(nodes[i]));
		print_host(he0, h_errno);
		for (size_t f = 0; f < COUNT(families); f++) {
			he0 = gethostbyname2(nodes[i], families[f]);
			printf("gethostbyname2 %s %d:", quoted(nodes[i]),
			    families[f]);
			print_host(he0, h_errno);
		}
		r = gethostbyname_r(nodes[i], &he, buf, sizeof(buf), &res, &h);
		printf("gethostbyname_r %s: %d", quoted(nodes[i]), r);
		print_host(res, h);
		r = gethostbyname_r(nodes[i], &he, buf, 8, &res, &h);
		printf("gethostbyname_r small %s: %d", quoted(nodes[i]), r);
		print_host(res, h);
	}
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct hostent he, *he0, *res = NULL;
		struct in6_addr a;
		char buf[4096];
		int family = strchr(texts[i], ':') != NULL ? AF_INET6 : AF_INET;
		int h = 55, r;
		socklen_t len = family == AF_INET ? 4 : 16;

		inet_pton(family, texts[i], &a);
		he0 = gethostbyaddr(&a, len, family);
		printf("gethostbyaddr %s:", texts[i]);
		print_host(he0, h_errno);
		r = gethostbyaddr_r(&a, len, family, &he, buf, sizeof(buf),
		    &res, &h);
		printf("gethostbyaddr_r %s: %d", texts[i], r);
		print_host(res, h);
		r = gethostbyaddr_r(&a, len, family, &he, buf, 8, &res, &h);
		printf("gethostbyaddr_r small %s: %d", texts[i], r);
		print_host(res, h);
	}
}

static void
walks(void)
{
	struct hostent *he;
	struct netent *ne;

	sethostent(0);
	while ((he = gethostent()) != NULL) {
		printf("gethostent:");
		print_host(he, 0);
	}
	endhostent();
	setnetent(0);
	while ((ne = getnetent()) != NULL)
		printf("getnetent: %s %x %s\n", ne->n_name, ne->n_net,
		    ne->n_aliases[0] != NULL ? ne->n_aliases[0] : "-");
	endnetent();
	ne = getnetbyname("loopback");
	printf("getnetbyname: %s %x\n", ne != NULL ? ne->n_name : "none",
	    ne != NULL ? ne->n_net : 0);
	ne = getnetbyname("nosuchnet");
	printf("getnetbyname: %s\n", ne != NULL ? ne->n_name : "none");
	ne = getnetbyaddr(0x7f000000, AF_INET);
	printf("getnetbyaddr: %s\n", ne != NULL ? ne->n_name : "none");
	ne = getnetbyaddr(0x7f, AF_INET);
	printf("getnetbyaddr: %s\n", ne != NULL ? ne->n_name : "none");
	printf("innetgr: %d\n", innetgr("g", "h", "u", "d"));
}

/* ---- res_* --------------------------------------------------------------- */

/* Names that programs built on older systems ask for. */
#if defined(__x86_64__)
#define OLDEST "GLIBC_2.2.5"
#else
#define OLDEST "GLIBC_2.17"
#endif
int old_query(const char *, int, int, unsigned char *, int);
__asm__(".symver old_query, __res_query@" OLDEST);
int old_search(const char *, int, int, unsigned char *, int);
__asm__(".symver old_search, __res_search@" OLDEST);

static void
print_message(const char *call, const char *what, int type, int n,
    const unsigned char *msg)
{
	printf("%s %s %d: ", call, quoted(what), type);
	if (n < 0)
		printf("-1 h%d %d\n", h_errno, _res.res_h_errno);
	else
		printf("rcode%d answers%d\n", msg[3] & 15,
		    msg[6] << 8 | msg[7]);
}

static void
queries(void)
{
	static const char *const asked[] = { "www.example.test",
	    "www.example.test.", "v4.example.test", "alias.example.test",
	    "nope.example.test", "a..b", "", longname, longlabel };
	static const int types[] = { ns_t_a, ns_t_aaaa, -1, 70000 };
	unsigned char msg[2048];

	for (size_t i = 0; i < COUNT(asked); i++)
		for (size_t t = 0; t < COUNT(types); t++) {
			h_errno = 0;
			print_message("res_query", asked[i], types[t],
			    res_query(asked[i], ns_c_in, types[t], msg,
			    sizeof(msg)), msg);
			print_message("res_search", asked[i], types[t],
			    strchr(asked[i], '.') == NULL ? -1 :
			    res_search(asked[i], ns_c_in, types[t], msg,
			    sizeof(msg)), msg);
			print_message("res_query, old", asked[i], types[t],
			    old_query(asked[i], ns_c_in, types[t], msg,
			    sizeof(msg)), msg);
			print_message("res_search, old", asked[i], types[t],
			    strchr(asked[i], '.') == NULL ? -1 :
			    old_search(asked[i], ns_c_in, types[t], msg,
			    sizeof(msg)), msg);
			print_message("res_querydomain", asked[i], types[t],
			    res_querydomain("www", "example.test", ns_c_in,
			    types[t], msg, sizeof(msg)), msg);
		}
}

int
main(int argc, char **argv)
{
	const char *only = argc > 1 ? argv[1] : NULL;
	static const struct {
		const char *name;
		void (*run)(void);
	} parts[] = {
		{ "nodes", nodes_by_family_and_flags },
		{ "services", services_by_type }, { "hints", bad_hints },
		{ "names", names }, { "hosts", hosts }, { "walks", walks },
		{ "queries", queries },
	};

	for (size_t i = 0; i < sizeof(longname) - 1; i++)
		longname[i] = i % 50 == 49 ? '.' : 'x';
	memset(longlabel, 'y', 80);
	strcpy(longlabel + 80, ".test");
	for (size_t i = 0; i < COUNT(parts); i++)
		if (only == NULL || strcmp(only, parts[i].name) == 0)
			parts[i].run();
	return 0;
}
