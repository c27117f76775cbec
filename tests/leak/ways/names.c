/* Names: by every function of libc that looks one up, and without any. */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/leak/ways/ways.h"

static void
n_getaddrinfo(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *ai = NULL;

	say("getaddrinfo", getaddrinfo(at.name, "80", &hints, &ai));
}

static void
n_getaddrinfo_null(void)
{
	struct addrinfo *ai = NULL;

	say("getaddrinfo", getaddrinfo(at.name, NULL, NULL, &ai));
}

static void
n_getaddrinfo_v6(void)
{
	struct addrinfo hints = { .ai_family = AF_INET6,
		.ai_flags = AI_CANONNAME | AI_V4MAPPED | AI_ALL }, *ai = NULL;

	say("getaddrinfo", getaddrinfo(at.name, NULL, &hints, &ai));
}

static void
n_getaddrinfo_a(void)
{
	struct gaicb cb = { .ar_name = at.name }, *list[1] = { &cb };

	say("getaddrinfo_a", getaddrinfo_a(GAI_WAIT, list, 1, NULL));
}

static void
n_gethostbyname(void)
{
	say("gethostbyname", gethostbyname(at.name) != NULL);
}

static void
n_gethostbyname2(void)
{
	say("gethostbyname2", gethostbyname2(at.name, AF_INET6) != NULL);
}

static void
n_gethostbyname_r(void)
{
	struct hostent he, *out;
	char buf[4096];
	int h;

	say("gethostbyname_r",
	    gethostbyname_r(at.name, &he, buf, sizeof(buf), &out, &h));
}

static void
n_gethostbyname2_r(void)
{
	struct hostent he, *out;
	char buf[4096];
	int h;

	say("gethostbyname2_r", gethostbyname2_r(at.name, AF_INET, &he, buf,
	    sizeof(buf), &out, &h));
}

/* 198.51.high.low of the port: an address of its own for each probe. */
static struct in_addr
own_address(void)
{
	struct in_addr a;

	a.s_addr = htonl(0xc6330000u | (uint32_t)atoi(at.port_text));
	return a;
}

static void
n_gethostbyaddr(void)
{
	struct in_addr a = own_address();

	say("gethostbyaddr", gethostbyaddr(&a, sizeof(a), AF_INET) != NULL);
}

static void
n_gethostbyaddr_r(void)
{
	struct in_addr a = own_address();
	struct hostent he, *out;
	char buf[4096];
	int h;

	say("gethostbyaddr_r", gethostbyaddr_r(&a, sizeof(a), AF_INET, &he,
	    buf, sizeof(buf), &out, &h));
}

static void
n_getnameinfo(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	char host[256];

	sin.sin_addr = own_address();
	say("getnameinfo", getnameinfo(SA(sin), sizeof(sin), host,
	    sizeof(host), NULL, 0, NI_NAMEREQD));
}

static uint8_t answer[4096];

static void
n_res_query(void)
{
	say("res_query", res_query(at.name, C_IN, T_MX, answer,
	    sizeof(answer)));
}

static void
n_res_search(void)
{
	say("res_search", res_search(at.name, C_IN, T_TXT, answer,
	    sizeof(answer)));
}

static void
n_res_querydomain(void)
{
	char first[100];

	(void)snprintf(first, sizeof(first), "%.*s",
	    (int)(strchr(at.name, '.') - at.name), at.name);
	say("res_querydomain", res_querydomain(first, "example.test", C_IN,
	    T_A, answer, sizeof(answer)));
}

static void
n_res_send(void)
{
	uint8_t q[512];
	int n;

	(void)res_init();
	n = res_mkquery(QUERY, at.name, C_IN, T_A, NULL, 0, NULL, q, sizeof(q));
	say("res_send", res_send(q, n, answer, sizeof(answer)));
}

static void
n_res_nquery(void)
{
	struct __res_state st;

	memset(&st, 0, sizeof(st));
	(void)res_ninit(&st);
	say("res_nquery", res_nquery(&st, at.name, C_IN, T_SRV, answer,
	    sizeof(answer)));
}

static void
n_res_nsearch(void)
{
	struct __res_state st;

	memset(&st, 0, sizeof(st));
	(void)res_ninit(&st);
	say("res_nsearch", res_nsearch(&st, at.name, C_IN, T_A, answer,
	    sizeof(answer)));
}

static void
n_res_nsend(void)
{
	struct __res_state st;
	uint8_t q[512];
	int n;

	memset(&st, 0, sizeof(st));
	(void)res_ninit(&st);
	n = res_nmkquery(&st, QUERY, at.name, C_IN, T_A, NULL, 0, NULL, q,
	    sizeof(q));
	say("res_nsend", res_nsend(&st, q, n, answer, sizeof(answer)));
}

/* The symbol of old binaries: found by version, as their linker would. */
static void
n_res_query_old(void)
{
	int (*f)(const char *, int, int, unsigned char *, int);

	*(void **)&f = dlvsym(RTLD_DEFAULT, "__res_query", "GLIBC_2.2.5");
	if (f != NULL)
		say("__res_query", f(at.name, C_IN, T_A, answer,
		    sizeof(answer)));
}

/* What c-ares, musl and Go do: read resolv.conf, then send by UDP. */
static void
n_own_resolver(void)
{
	struct sockaddr_in ns = { .sin_family = AF_INET,
		.sin_port = htons(53) };
	uint8_t q[512];
	int n, fd;

	(void)inet_pton(AF_INET, at.addr4, &ns.sin_addr);
	n = res_mkquery(QUERY, at.name, C_IN, T_A, NULL, 0, NULL, q, sizeof(q));
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	say("sendto", sendto(fd, q, (size_t)n, 0, SA(ns), sizeof(ns)));
}

static void
n_dlsym_getaddrinfo(void)
{
	int (*f)(const char *, const char *, const struct addrinfo *,
	    struct addrinfo **);
	struct addrinfo *ai = NULL;
	void *h = dlopen("libc.so.6", RTLD_NOW);

	*(void **)&f = dlsym(h, "getaddrinfo");
	say("getaddrinfo", f(at.name, NULL, NULL, &ai));
}

const struct probe ways_names[] = {
	{ "getaddrinfo", "name", n_getaddrinfo },
	{ "getaddrinfo-null-hints", "name", n_getaddrinfo_null },
	{ "getaddrinfo-v6", "name", n_getaddrinfo_v6 },
	{ "getaddrinfo_a", "name", n_getaddrinfo_a },
	{ "gethostbyname", "name", n_gethostbyname },
	{ "gethostbyname2", "name", n_gethostbyname2 },
	{ "gethostbyname_r", "name", n_gethostbyname_r },
	{ "gethostbyname2_r", "name", n_gethostbyname2_r },
	{ "gethostbyaddr", "name", n_gethostbyaddr },
	{ "gethostbyaddr_r", "name", n_gethostbyaddr_r },
	{ "getnameinfo", "name", n_getnameinfo },
	{ "res_query", "name", n_res_query },
	{ "res_search", "name", n_res_search },
	{ "res_querydomain", "name", n_res_querydomain },
	{ "res_send", "name", n_res_send },
	{ "res_nquery", "name", n_res_nquery },
	{ "res_nsearch", "name", n_res_nsearch },
	{ "res_nsend", "name", n_res_nsend },
	{ "res_query-2.2.5", "name", n_res_query_old },
	{ "own-resolver", "name", n_own_resolver },
	{ "dlsym-getaddrinfo", "name", n_dlsym_getaddrinfo },
	{ .name = NULL },
};
