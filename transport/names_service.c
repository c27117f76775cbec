/*
 * Every question takes the same way:
 *
 *   classify -> local answer
 *            -> does the exit know the name?  (cached, coalesced: one lookup
 *               for all who ask meanwhile) -> virtual addresses
 *            -> upstream: DNS over TCP at the exit (cached by its TTLs)
 *
 * A `waiter` is one caller's question while it waits for either.
 */
#include "transport/names_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "stack/dns.h"
#include "transport/dns_listen.h"
#include "transport/dns_upstream.h"
#include "transport/hosts.h"
#include "transport/list.h"
#include "transport/ssh_tunnel.h"

#define FOUND_TTL_S 60
#define MISSING_TTL_S 10
#define LOCAL_TTL_S 60
#define CACHE_TTL_MAX_S 300
#define NAMES_CACHED_MAX 4096
#define ANSWERS_CACHED_MAX 256
#define ANSWER_CACHED_LEN 4096
#define BUCKETS 256
#define LOCAL_ADDRS_MAX 8

enum kind { RESOLVE, REVERSE, QUERY };

struct waiter {
	LIST_LINK(waiter) link;	/* in its name's list, or in upstream */
	struct names_service *s;
	enum kind kind;
	union {
		names_resolve_fn *resolve;
		names_reverse_fn *reverse;
		names_query_fn *query;
	} done;
	void *arg;
	int family;			/* RESOLVE */
	struct dns_ask *ask;		/* upstream only */
	struct dial_target server;	/* upstream only: for the cache */
	size_t udp_max, len;		/* QUERY */
	uint8_t msg[];
};
LIST_OF(waiters, waiter);

/* What is known of a name.  While `asking`, waiters collect. */
struct known {
	LIST_LINK(known) chain;
	LIST_LINK(known) age;
	struct names_service *s;
	struct waiters waiters;
	bool asking;
	bool has_v6;
	int err;			/* SW_OK: it exists */
	int64_t until_ms;
	char name[DIAL_HOST_MAX + 1];
};

struct cached {
	LIST_LINK(cached) age;
	struct dial_target server;
	int64_t since_ms, until_ms;
	size_t question_len, len;
	uint8_t msg[];
};

struct names_service {
	struct loop *l;
	struct names_service_options o;
	struct hosts *hosts;
	struct dns_upstream *up;
	struct dialer *listen;		/* DNS over TCP of programs */
	struct dial_target dns;		/* --dns; host "" without */
	char hostname[DIAL_HOST_MAX + 1];
	LIST_OF(known_chain, known) bucket[BUCKETS];
	LIST_OF(known_list, known) by_age;	/* oldest first */
	size_t nknown;
	struct waiters upstream;
	LIST_OF(cached_list, cached) cache;	/* oldest first */
	size_t ncached;
};

/* ---- answering ---- */

static void
waiter_free(struct waiter *w)
{
	free(w);
}

static void
answer_message(struct waiter *w, const struct dns_query *q,
    const struct dns_answer *a)
{
	uint8_t out[2048];
	size_t len;

	if (dns_build(q, a, out, sizeof(out), &len) != SW_OK) {
		const struct dns_answer fail = { .rcode = DNS_SERVFAIL };

		if (dns_build(q, &fail, out, sizeof(out), &len) != SW_OK) {
			w->done.query(w->arg, SW_ERR_FORMAT, NULL, 0);
			return;
		}
	}
	if (w->udp_max > 0)
		len = dns_truncate(out, len, w->udp_max);
	w->done.query(w->arg, SW_OK, out, len);
}

static enum dns_rcode
rcode_from(int err)
{
	if (err == SW_OK)
		return DNS_NOERROR;
	return err == SW_ERR_NO_NAME ? DNS_NXDOMAIN : DNS_SERVFAIL;
}

/* Finish a waiter: err, or addresses (any family; those that fit are taken).
 * The waiter is gone afterwards. */
static void
answer_addrs(struct waiter *w, int err, uint32_t ttl_s,
    const struct sw_addr *addrs, size_t n)
{
	struct sw_addr fit[LOCAL_ADDRS_MAX];
	struct dns_query q;
	bool want_v4 = true, want_v6 = true;
	size_t k = 0;

	if (w->kind == QUERY) {
		if (dns_parse_query(w->msg, w->len, &q) != SW_OK) {
			w->done.query(w->arg, SW_ERR_FORMAT, NULL, 0);
			waiter_free(w);
			return;
		}
		if (q.type == DNS_ANY)	/* one type is enough (RFC 8482) */
			q.type = DNS_A;
		want_v4 = q.type == DNS_A;
		want_v6 = q.type == DNS_AAAA;
	} else {
		want_v4 = w->family != AF_INET6;
		want_v6 = w->family != AF_INET;
	}
	for (size_t i = 0; err == SW_OK && i < n && k < LOCAL_ADDRS_MAX; i++)
		if (addr_is_v4(&addrs[i]) ? want_v4 : want_v6)
			fit[k++] = addrs[i];
	if (w->kind == QUERY) {
		const struct dns_answer a = { .rcode = rcode_from(err),
		    .ttl_s = ttl_s, .addrs = fit, .naddrs = k };

		answer_message(w, &q, &a);
	} else {
		w->done.resolve(w->arg, err, ttl_s, fit, k);
	}
	waiter_free(w);
}

/*
 * The virtual addresses of a name that exists.  Whichever family the server
 * finds is behind both, so who asks for one family gets it.  Who asks for any
 * gets v4 first, which every program can use, and v6 only where the name
 * really has it: curl -6 asks so and picks.
 */
static void
answer_virtual(struct waiter *w, const char *name, uint32_t ttl_s, bool has_v6)
{
	struct sw_addr both[2];
	size_t n = 1;
	int r = names_get(w->s->o.map, name, &both[0], &both[1]);

	if ((w->kind == QUERY || w->family == AF_INET6 || has_v6) &&
	    !w->s->o.no_v6)
		n = 2;
	answer_addrs(w, r, ttl_s, both, r == SW_OK ? n : 0);
}

/* ---- names that the exit knows ---- */

static unsigned
bucket_of(const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return h % BUCKETS;
}

static void
known_free(struct known *k)
{
	struct waiter *w;

	while ((w = LIST_FIRST(&k->waiters)) != NULL) {
		LIST_DROP(&k->waiters, w, link);
		waiter_free(w);
	}
	LIST_DROP(&k->s->bucket[bucket_of(k->name)], k, chain);
	LIST_DROP(&k->s->by_age, k, age);
	k->s->nknown--;
	free(k);
}

static struct known *
known_find(struct names_service *s, const char *name)
{
	struct known *k;

	LIST_EACH(k, &s->bucket[bucket_of(name)], chain)
		if (strcmp(k->name, name) == 0)
			return k;
	return NULL;
}

static void
known_drop_old(struct names_service *s)
{
	struct known *k, *next;

	for (k = LIST_FIRST(&s->by_age);
	    k != NULL && s->nknown > NAMES_CACHED_MAX; k = next) {
		next = LIST_NEXT(k, age);
		if (!k->asking)
			known_free(k);
	}
}

static void
on_lookup(void *arg, const struct ssh_tunnel_lookup *what)
{
	struct known *k = arg;
	struct waiters waiters = { NULL, NULL };
	struct waiter *w;
	char name[DIAL_HOST_MAX + 1];
	uint32_t ttl_s = 0;
	int err = what->err;
	bool has_v6 = err == SW_OK && what->v6;

	/* Nobody knows before a channel is opened: hope, and let dialling tell. */
	if (err == SW_ERR_UNSUPPORTED)
		err = SW_OK;
	if (err == SW_OK)
		ttl_s = FOUND_TTL_S;
	else if (err == SW_ERR_NO_NAME)
		ttl_s = MISSING_TTL_S;
	k->asking = false;
	k->err = err;
	k->has_v6 = has_v6;
	k->until_ms = k->s->l->now_ms + (int64_t)ttl_s * 1000;
	LIST_MOVE(&waiters, &k->waiters);
	memcpy(name, k->name, sizeof(name));
	/* k may go while callers are told. */
	while ((w = LIST_FIRST(&waiters)) != NULL) {
		LIST_DROP(&waiters, w, link);
		if (err == SW_OK)
			answer_virtual(w, name, ttl_s, has_v6);
		else
			answer_addrs(w, err, ttl_s, NULL, 0);
	}
}

static struct known *
known_ask(struct names_service *s, const char *name, int *err)
{
	struct known *k = known_find(s, name);

	*err = SW_ERR_NOMEM;
	if (k == NULL) {
		if ((k = calloc(1, sizeof(*k))) == NULL)
			return NULL;
		k->s = s;
		snprintf(k->name, sizeof(k->name), "%s", name);
		LIST_INIT(&k->waiters);
		LIST_APPEND(&s->bucket[bucket_of(name)], k, chain);
		LIST_APPEND(&s->by_age, k, age);
		s->nknown++;
	}
	if ((*err = s->o.exit->lookup(s->o.exit_arg, name, on_lookup, k)) !=
	    SW_OK) {
		known_free(k);
		return NULL;
	}
	k->asking = true;
	known_drop_old(s);
	return k;
}

/* A strict, lower-case name that is not local: answer now or later. */
static void
find_out(struct waiter *w, const char *name)
{
	struct names_service *s = w->s;
	struct known *k = known_find(s, name);
	int64_t left = k == NULL ? 0 : k->until_ms - s->l->now_ms;
	int err;

	if (k != NULL && !k->asking && left > 0) {
		uint32_t ttl_s = (uint32_t)((left + 999) / 1000);

		if (k->err == SW_OK)
			answer_virtual(w, name, ttl_s, k->has_v6);
		else
			answer_addrs(w, k->err, ttl_s, NULL, 0);
		return;
	}
	if ((k == NULL || !k->asking) &&
	    (k = known_ask(s, name, &err)) == NULL) {
		answer_addrs(w, err, 0, NULL, 0);
		return;
	}
	LIST_APPEND(&k->waiters, w, link);
}

/* ---- names that stay here ---- */

static bool
ends_in(const char *name, const char *zone)
{
	size_t n = strlen(name), z = strlen(zone);

	return n >= z && strcmp(name + n - z, zone) == 0 &&
	    (n == z || name[n - z - 1] == '.');
}

/* RFC 6761, 6762, 7686, 9476; and the name by which browsers ask whether they
 * may use their own DNS over HTTPS: they may not, it would pass us by. */
static bool
is_refused(const struct names_service *s, const char *name)
{
	static const char *const zones[] = {
		"onion", "i2p", "alt", "local", "invalid",
		"use-application-dns.net",
	};

	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		if (ends_in(name, zones[i]))
			return true;
	return !s->o.single_labels && strchr(name, '.') == NULL;
}

/* True when the answer was found here; *err and the addresses say it. */
static bool
answer_locally(struct names_service *s, const char *name,
    struct sw_addr out[static LOCAL_ADDRS_MAX], size_t *n, int *err)
{
	*err = SW_OK;
	*n = 0;
	if (ends_in(name, "localhost") || strcmp(name, "ip6-localhost") == 0 ||
	    strcmp(name, "ip6-loopback") == 0) {
		if (!s->o.no_v6) {
			memset(&out[*n], 0, sizeof(out[0]));
			out[(*n)++].ip[15] = 1;
		}
		if (name[0] != 'i')
			out[(*n)++] = addr_v4(0x7f000001, 0);
		return true;
	}
	*n = hosts_find(s->hosts, name, out, LOCAL_ADDRS_MAX);
	if (*n > 0)
		return true;
	if (strcmp(name, s->hostname) == 0) {
		out[(*n)++] = addr_v4(0x7f000001, 0);
		return true;
	}
	if (is_refused(s, name)) {
		*err = SW_ERR_NO_NAME;
		return true;
	}
	return false;
}

static void
find_addrs(struct waiter *w, const char *name)
{
	struct sw_addr local[LOCAL_ADDRS_MAX];
	size_t n;
	int err;

	if (answer_locally(w->s, name, local, &n, &err))
		answer_addrs(w, err, LOCAL_TTL_S, local, n);
	else
		find_out(w, name);
}

/* ---- upstream ---- */

static void
cache_put(struct names_service *s, const struct dial_target *server,
    const uint8_t *msg, size_t len)
{
	struct dns_response r;
	struct cached *c;
	uint32_t ttl_s;

	if (len > ANSWER_CACHED_LEN || dns_parse_response(msg, len, &r) != SW_OK ||
	    (r.rcode != DNS_NOERROR && r.rcode != DNS_NXDOMAIN) || r.ttl_s == 0)
		return;
	ttl_s = r.ttl_s > CACHE_TTL_MAX_S ? CACHE_TTL_MAX_S : r.ttl_s;
	if ((c = malloc(sizeof(*c) + len)) == NULL)
		return;
	c->server = *server;
	c->since_ms = s->l->now_ms;
	c->until_ms = s->l->now_ms + (int64_t)ttl_s * 1000;
	c->question_len = r.question_len;
	c->len = len;
	memcpy(c->msg, msg, len);
	LIST_APPEND(&s->cache, c, age);
	if (++s->ncached <= ANSWERS_CACHED_MAX)
		return;
	c = LIST_FIRST(&s->cache);
	LIST_DROP(&s->cache, c, age);
	s->ncached--;
	free(c);
}

/* The flags a resolver acts on must agree: EDNS with DO, or CD. */
static struct cached *
cache_get(struct names_service *s, const struct dial_target *server,
    const struct dns_query *q)
{
	struct cached *c, *next;

	if (q->dnssec_ok || (q->flags & 0x0010) != 0)
		return NULL;
	for (c = LIST_FIRST(&s->cache); c != NULL; c = next) {
		next = LIST_NEXT(c, age);
		if (c->until_ms <= s->l->now_ms) {
			LIST_DROP(&s->cache, c, age);
			s->ncached--;
			free(c);
			continue;
		}
		if (c->question_len == q->question_len &&
		    memcmp(c->msg + DNS_HEADER_LEN, q->question,
		    q->question_len) == 0 && c->server.port == server->port &&
		    strcmp(c->server.host, server->host) == 0)
			return c;
	}
	return NULL;
}

static void
answer_failure(struct waiter *w)
{
	const struct dns_answer a = { .rcode = DNS_SERVFAIL };
	struct dns_query q;

	if (dns_parse_query(w->msg, w->len, &q) == SW_OK)
		answer_message(w, &q, &a);
	else
		w->done.query(w->arg, SW_ERR_FORMAT, NULL, 0);
	waiter_free(w);
}

static void
answer_reverse(struct waiter *w, int err, const uint8_t *msg, size_t len)
{
	struct dns_response r;
	char name[DIAL_HOST_MAX + 1] = "";

	if (err == SW_OK && (dns_parse_response(msg, len, &r) != SW_OK))
		err = SW_ERR_FORMAT;
	if (err == SW_OK && r.rcode != DNS_NOERROR)
		err = r.rcode == DNS_NXDOMAIN ? SW_ERR_NO_NAME : SW_ERR_TIMEOUT;
	if (err == SW_OK && names_normalise(r.ptr, strlen(r.ptr), name) != SW_OK)
		err = SW_ERR_NO_NAME;
	w->done.reverse(w->arg, err, err == SW_OK ? name : NULL);
	waiter_free(w);
}

static void
on_upstream(void *arg, int err, uint8_t *msg, size_t len)
{
	struct waiter *w = arg;

	LIST_DROP(&w->s->upstream, w, link);
	w->ask = NULL;
	if (w->kind == REVERSE) {
		answer_reverse(w, err, msg, len);
		return;
	}
	if (err != SW_OK) {
		answer_failure(w);
		return;
	}
	{
		struct dns_query q;

		if (dns_parse_query(w->msg, w->len, &q) == SW_OK &&
		    !q.dnssec_ok && (q.flags & 0x0010) == 0)
			cache_put(w->s, &w->server, msg, len);
	}
	if (w->udp_max > 0)
		len = dns_truncate(msg, len, w->udp_max);
	w->done.query(w->arg, SW_OK, msg, len);
	waiter_free(w);
}

/* Who answers what we cannot: --dns, or the exit's own resolver. */
static bool
default_server(const struct names_service *s, struct dial_target *out)
{
	const char *own;

	*out = s->dns;
	if (out->host[0] != '\0')
		return true;
	if ((own = s->o.exit->nameserver(s->o.exit_arg)) == NULL)
		return false;
	snprintf(out->host, sizeof(out->host), "%s", own);
	out->port = DNS_PORT;
	return true;
}

static void
go_upstream(struct waiter *w, const struct dial_target *server,
    const uint8_t *msg, size_t len)
{
	w->server = *server;
	LIST_APPEND(&w->s->upstream, w, link);
	w->ask = dns_upstream_ask(w->s->up, server, msg, len, on_upstream, w);
	if (w->ask == NULL) {
		LIST_DROP(&w->s->upstream, w, link);
		if (w->kind == REVERSE)
			answer_reverse(w, SW_ERR_LIMIT, NULL, 0);
		else
			answer_failure(w);
	}
}

static void
forward(struct waiter *w, const struct dns_query *q, const struct sw_addr *to)
{
	struct dial_target server = { .port = DNS_PORT };
	struct cached *c;
	uint8_t copy[ANSWER_CACHED_LEN];
	size_t len;

	if (to != NULL) {
		char text[SW_ADDR_TEXT_LEN];

		snprintf(server.host, sizeof(server.host), "%s",
		    addr_ip_text(to, text));
		if (to->port != 0)
			server.port = to->port;
	} else if (!default_server(w->s, &server)) {
		answer_failure(w);
		return;
	}
	if ((c = cache_get(w->s, &server, q)) == NULL) {
		go_upstream(w, &server, w->msg, w->len);
		return;
	}
	memcpy(copy, c->msg, c->len);
	dns_age(copy, c->len,
	    (uint32_t)((w->s->l->now_ms - c->since_ms) / 1000));
	dns_set_id(copy, c->len, q->id);
	len = w->udp_max > 0 ? dns_truncate(copy, c->len, w->udp_max) : c->len;
	w->done.query(w->arg, SW_OK, copy, len);
	waiter_free(w);
}

/* ---- the three questions ---- */

static struct waiter *
waiter_new(struct names_service *s, enum kind kind, const uint8_t *msg,
    size_t len, void *arg)
{
	struct waiter *w = calloc(1, sizeof(*w) + len);

	if (w == NULL)
		return NULL;
	w->s = s;
	w->kind = kind;
	w->arg = arg;
	w->len = len;
	if (len > 0)
		memcpy(w->msg, msg, len);
	return w;
}

void
names_service_resolve(struct names_service *s, const char *name, size_t len,
    int family, names_resolve_fn *done, void *arg)
{
	char text[DIAL_HOST_MAX + 1];
	struct sw_addr numeric;
	struct waiter *w = waiter_new(s, RESOLVE, NULL, 0, arg);

	if (w == NULL) {
		done(arg, SW_ERR_NOMEM, 0, NULL, 0);
		return;
	}
	w->done.resolve = done;
	w->family = family;
	if (len < sizeof(text)) {
		memcpy(text, name, len);
		text[len] = '\0';
		if (strlen(text) == len &&
		    addr_parse_ip(&numeric, text) == SW_OK) {
			answer_addrs(w, SW_OK, LOCAL_TTL_S, &numeric, 1);
			return;
		}
	}
	if (names_normalise(name, len, text) != SW_OK)
		answer_addrs(w, SW_ERR_NO_NAME, LOCAL_TTL_S, NULL, 0);
	else
		find_addrs(w, text);
}

/* The name of an address that is not for upstream; false: it is. */
static bool
reverse_locally(struct names_service *s, const struct sw_addr *a,
    const char **name)
{
	*name = NULL;
	if (names_is_virtual(a))
		*name = names_find(s->o.map, a);
	else if (addr_is_loopback(a))
		*name = "localhost";
	else
		return addr_is_private(a) || addr_is_any(a) ||
		    addr_is_multicast(a);
	return true;
}

void
names_service_reverse(struct names_service *s, const struct sw_addr *a,
    names_reverse_fn *done, void *arg)
{
	uint8_t msg[512];
	char arpa[80];
	struct dial_target server;
	struct waiter *w;
	const char *name;
	size_t len;

	if (reverse_locally(s, a, &name)) {
		done(arg, name != NULL ? SW_OK : SW_ERR_NO_NAME, name);
		return;
	}
	dns_arpa_name(a, arpa);
	if (!default_server(s, &server) ||
	    dns_build_query(0, arpa, DNS_PTR, msg, sizeof(msg), &len) != SW_OK) {
		done(arg, SW_ERR_NO_NAME, NULL);
		return;
	}
	if ((w = waiter_new(s, REVERSE, NULL, 0, arg)) == NULL) {
		done(arg, SW_ERR_NOMEM, NULL);
		return;
	}
	w->done.reverse = done;
	go_upstream(w, &server, msg, len);
}

static void
query_pointer(struct waiter *w, const struct dns_query *q)
{
	struct dns_answer a = { .ttl_s = LOCAL_TTL_S };
	struct sw_addr addr;

	if (dns_parse_arpa(q->name, &addr) != SW_OK ||
	    !reverse_locally(w->s, &addr, &a.name)) {
		forward(w, q, NULL);
		return;
	}
	a.rcode = a.name != NULL ? DNS_NOERROR : DNS_NXDOMAIN;
	answer_message(w, q, &a);
	waiter_free(w);
}

static void
query_ours(struct waiter *w, const struct dns_query *q)
{
	struct sw_addr local[LOCAL_ADDRS_MAX];
	char name[DIAL_HOST_MAX + 1];
	const bool strict = names_normalise(q->name, strlen(q->name), name) ==
	    SW_OK;
	size_t n;
	int err;

	switch (q->type) {
	case DNS_PTR:
		query_pointer(w, q);
		return;
	case DNS_A:
	case DNS_AAAA:
	case DNS_ANY:
	case DNS_HTTPS:
	case DNS_SVCB:
		/* No hints in HTTPS records: they would name real addresses.
		 * Without one, the answer says whether the name exists. */
		if (q->name[0] == '\0')
			break;
		if (strict)
			find_addrs(w, name);
		else		/* "_8443._https.name" is not a host name */
			answer_addrs(w, q->type == DNS_HTTPS ||
			    q->type == DNS_SVCB ? SW_OK : SW_ERR_NO_NAME,
			    LOCAL_TTL_S, NULL, 0);
		return;
	default:
		break;
	}
	if (strict && answer_locally(w->s, name, local, &n, &err))
		answer_addrs(w, err, LOCAL_TTL_S, NULL, 0);
	else
		forward(w, q, NULL);
}

void
names_service_query(struct names_service *s, const struct sw_addr *to,
    const uint8_t *msg, size_t len, size_t udp_max, names_query_fn *done,
    void *arg)
{
	struct dns_answer refuse = { .rcode = DNS_FORMERR };
	struct waiter *w = waiter_new(s, QUERY, msg, len, arg);
	char name[DIAL_HOST_MAX + 1];
	struct dns_query q;
	int r;

	if (w == NULL) {
		done(arg, SW_ERR_NOMEM, NULL, 0);
		return;
	}
	w->done.query = done;
	w->udp_max = udp_max;
	r = dns_parse_query(w->msg, w->len, &q);
	if (r == SW_ERR_UNSUPPORTED || (r == SW_OK && q.class != 1)) {
		if ((q.flags & 0x7800) != 0)
			refuse.rcode = DNS_NOTIMP;
		else if (r == SW_OK)
			refuse.rcode = DNS_REFUSED;
		answer_message(w, &q, &refuse);
		waiter_free(w);
	} else if (r != SW_OK) {
		done(arg, SW_ERR_FORMAT, NULL, 0);
		waiter_free(w);
	} else if (to == NULL || addr_is_loopback(to) || addr_is_private(to) ||
	    addr_is_any(to) || addr_is_multicast(to) || names_is_virtual(to)) {
		query_ours(w, &q);
	} else if (names_normalise(q.name, strlen(q.name), name) == SW_OK &&
	    (is_refused(s, name) || ends_in(name, "localhost")) &&
	    strchr(name, '.') != NULL) {
		query_ours(w, &q);	/* must not leave, whoever is asked */
	} else {
		forward(w, &q, to);
	}
}

static void
cancel_in(struct waiters *list, const void *arg)
{
	struct waiter *w, *next;

	for (w = LIST_FIRST(list); w != NULL; w = next) {
		next = LIST_NEXT(w, link);
		if (w->arg != arg)
			continue;
		LIST_DROP(list, w, link);
		if (w->ask != NULL)
			dns_upstream_cancel(w->ask);
		waiter_free(w);
	}
}

void
names_service_cancel(struct names_service *s, const void *arg)
{
	struct known *k;

	LIST_EACH(k, &s->by_age, age)
		if (k->asking)
			cancel_in(&k->waiters, arg);
	cancel_in(&s->upstream, arg);
}

size_t
names_service_count(const struct names_service *s)
{
	return names_count(s->o.map);
}

size_t
names_service_udp_size(const uint8_t *msg, size_t len)
{
	struct dns_query q;

	if (dns_parse_query(msg, len, &q) != SW_OK || !q.has_edns ||
	    q.edns_size < 512)
		return 512;
	return q.edns_size > 4096 ? 4096 : q.edns_size;
}

/* ---- life ---- */

/* "HOST", "HOST:PORT", "[V6]:PORT" */
static int
parse_server(const char *text, struct dial_target *out)
{
	const char *colon = strrchr(text, ':'), *end = text + strlen(text);
	struct sw_addr a;
	size_t n;

	memset(out, 0, sizeof(*out));
	out->port = DNS_PORT;
	if (colon != NULL && (text[0] == '[' ? colon[-1] == ']' :
	    strchr(text, ':') == colon)) {
		char *stop;
		unsigned long v = strtoul(colon + 1, &stop, 10);

		if (stop == colon + 1 || *stop != '\0' || v == 0 || v > 65535)
			return SW_ERR_CONFIG;
		out->port = (uint16_t)v;
		end = colon;
	}
	if (text[0] == '[') {
		if (end == text || *--end != ']')
			return SW_ERR_CONFIG;
		text++;
	}
	n = (size_t)(end - text);
	if (n == 0 || n > DIAL_HOST_MAX)
		return SW_ERR_CONFIG;
	memcpy(out->host, text, n);
	out->host[n] = '\0';
	if (addr_parse_ip(&a, out->host) == SW_OK)
		return SW_OK;
	return names_normalise(text, n, out->host) == SW_OK ? SW_OK :
	    SW_ERR_CONFIG;
}

struct names_service *
names_service_new(struct loop *l, const struct names_service_options *o)
{
	struct names_service *s = calloc(1, sizeof(*s));
	char host[DIAL_HOST_MAX + 1] = "";

	if (s == NULL)
		return NULL;
	s->l = l;
	s->o = *o;
	s->o.dns = s->o.hosts = NULL;	/* not kept */
	for (size_t i = 0; i < BUCKETS; i++)
		LIST_INIT(&s->bucket[i]);
	LIST_INIT(&s->by_age);
	LIST_INIT(&s->upstream);
	LIST_INIT(&s->cache);
	if (gethostname(host, sizeof(host) - 1) == 0 &&
	    names_normalise(host, strlen(host), s->hostname) != SW_OK)
		s->hostname[0] = '\0';
	s->hosts = hosts_new(o->hosts);
	s->up = dns_upstream_new(l, o->dialer, o->dialer_ops);
	s->listen = dns_listen_new(l, s);
	if (s->hosts == NULL || s->up == NULL || s->listen == NULL) {
		names_service_free(s);
		return NULL;
	}
	if (o->dns != NULL && parse_server(o->dns, &s->dns) != SW_OK)
		log_warn("names: the --dns server cannot be used");
	return s;
}

void
names_service_free(struct names_service *s)
{
	struct known *k;
	struct waiter *w;
	struct cached *c;

	if (s == NULL)
		return;
	dns_listen_free(s->listen);
	dns_upstream_free(s->up);
	while ((w = LIST_FIRST(&s->upstream)) != NULL) {
		LIST_DROP(&s->upstream, w, link);
		waiter_free(w);
	}
	while ((k = LIST_FIRST(&s->by_age)) != NULL) {
		if (k->asking)
			s->o.exit->forget(s->o.exit_arg, k);
		known_free(k);
	}
	while ((c = LIST_FIRST(&s->cache)) != NULL) {
		LIST_DROP(&s->cache, c, age);
		free(c);
	}
	hosts_free(s->hosts);
	free(s);
}

void
names_service_reset(struct names_service *s)
{
	dns_upstream_reset(s->up, SW_ERR_DOWN);
}

struct dialer *
names_service_dialer(struct names_service *s)
{
	return s->listen;
}

/* ---- the ssh tunnel as the exit ---- */

static int
ssh_lookup(void *arg, const char *name,
    void (*done)(void *, const struct ssh_tunnel_lookup *), void *done_arg)
{
	return ssh_tunnel_lookup(arg, name, done, done_arg);
}

static void
ssh_forget(void *arg, const void *done_arg)
{
	ssh_tunnel_forget(arg, done_arg);
}

static const char *
ssh_nameserver(void *arg)
{
	return ssh_tunnel_nameserver(arg);
}

const struct names_exit names_exit_ssh = {
	.lookup = ssh_lookup,
	.forget = ssh_forget,
	.nameserver = ssh_nameserver,
};
