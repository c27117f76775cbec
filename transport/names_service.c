#include "transport/names_service.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "transport/dns_listen.h"
#include "transport/hosts.h"
#include "transport/names_private.h"

void
waiter_free(struct waiter *w)
{
	free(w);
}

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

static void
find_addrs(struct waiter *w, const char *name)
{
	struct sw_addr local[NAMES_ADDRS_MAX];
	size_t n;
	int err;

	if (local_answer(w->s, name, local, &n, &err))
		answer_addrs(w, err, NAMES_LOCAL_TTL_S, local, n);
	else
		known_find_out(w, name);
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
			answer_addrs(w, SW_OK, NAMES_LOCAL_TTL_S, &numeric, 1);
			return;
		}
	}
	if (names_normalise(name, len, text) != SW_OK)
		answer_addrs(w, SW_ERR_NO_NAME, NAMES_LOCAL_TTL_S, NULL, 0);
	else
		find_addrs(w, text);
}

void
names_service_reverse(struct names_service *s, const struct sw_addr *a,
    names_reverse_fn *done, void *arg)
{
	uint8_t msg[512];
	char arpa[80];
	struct waiter *w;
	const char *name;
	size_t len;

	if (local_reverse(s, a, &name)) {
		done(arg, name != NULL ? SW_OK : SW_ERR_NO_NAME, name);
		return;
	}
	dns_arpa_name(a, arpa);
	if (dns_build_query(0, arpa, DNS_PTR, msg, sizeof(msg), &len) !=
	    SW_OK) {
		done(arg, SW_ERR_NO_NAME, NULL);
		return;
	}
	if ((w = waiter_new(s, REVERSE, msg, len, arg)) == NULL) {
		done(arg, SW_ERR_NOMEM, NULL);
		return;
	}
	w->done.reverse = done;
	upstream_ask(w);
}

static void
query_pointer(struct waiter *w, const struct dns_query *q)
{
	struct dns_answer a = { .ttl_s = NAMES_LOCAL_TTL_S };
	struct sw_addr addr;

	if (dns_parse_arpa(q->name, &addr) != SW_OK ||
	    !local_reverse(w->s, &addr, &a.name)) {
		upstream_forward(w, q, NULL);
		return;
	}
	a.rcode = a.name != NULL ? DNS_NOERROR : DNS_NXDOMAIN;
	answer_message(w, q, &a);
}

/* Types that are about a host, which the exit's word on its name decides: no
 * hints in HTTPS records there, for they would name real addresses. */
static bool
is_about_host(const struct dns_query *q)
{
	return q->name[0] != '\0' && (q->type == DNS_A ||
	    q->type == DNS_AAAA || q->type == DNS_ANY ||
	    q->type == DNS_HTTPS || q->type == DNS_SVCB);
}

static void
query_ours(struct waiter *w, const struct dns_query *q)
{
	struct sw_addr local[NAMES_ADDRS_MAX];
	char name[DIAL_HOST_MAX + 1];
	const bool strict = names_normalise(q->name, strlen(q->name), name) ==
	    SW_OK;
	size_t n;
	int err;

	if (q->type == DNS_PTR)
		query_pointer(w, q);
	else if (strict && local_answer(w->s, name, local, &n, &err))
		answer_addrs(w, err, NAMES_LOCAL_TTL_S, local, n);
	else if (!is_about_host(q) || names_is_real(w->s))
		upstream_forward(w, q, NULL);
	else if (strict)
		known_find_out(w, name);
	else		/* "_8443._https.name" is not a host name */
		answer_addrs(w, q->type == DNS_HTTPS || q->type == DNS_SVCB ?
		    SW_OK : SW_ERR_NO_NAME, NAMES_LOCAL_TTL_S, NULL, 0);
}

/* Names that mean something on this machine only, whoever is asked. */
static bool
must_not_leave(const struct names_service *s, const struct dns_query *q)
{
	char name[DIAL_HOST_MAX + 1];

	return names_normalise(q->name, strlen(q->name), name) == SW_OK &&
	    (local_is_refused(s, name) || name_ends_in(name, "localhost")) &&
	    strchr(name, '.') != NULL;
}

void
names_service_query(struct names_service *s, const struct sw_addr *to,
    const uint8_t *msg, size_t len, size_t udp_max, names_query_fn *done,
    void *arg)
{
	struct dns_answer refuse = { .rcode = DNS_FORMERR };
	struct waiter *w = waiter_new(s, QUERY, msg, len, arg);
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
	} else if (r != SW_OK) {
		done(arg, SW_ERR_FORMAT, NULL, 0);
		waiter_free(w);
	} else if (to == NULL || addr_is_loopback(to) || addr_is_private(to) ||
	    addr_is_any(to) || addr_is_multicast(to) || names_is_virtual(to) ||
	    must_not_leave(s, &q)) {
		query_ours(w, &q);
	} else {
		upstream_forward(w, &q, to);
	}
}

void
names_service_cancel(struct names_service *s, const void *arg)
{
	known_cancel(s, arg);
	upstream_cancel(s, arg);
}

size_t
names_service_count(const struct names_service *s)
{
	return s->o.map != NULL ? names_count(s->o.map) : s->nknown;
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
	for (size_t i = 0; i < NAMES_BUCKETS; i++)
		LIST_INIT(&s->bucket[i]);
	LIST_INIT(&s->by_age);
	LIST_INIT(&s->reals);
	LIST_INIT(&s->upstream);
	LIST_INIT(&s->cache);
	if (gethostname(host, sizeof(host) - 1) == 0 &&
	    names_normalise(host, strlen(host), s->hostname) != SW_OK)
		s->hostname[0] = '\0';
	s->hosts = hosts_new(o->hosts);
	s->up = dns_upstream_new(l, o->dialer, o->dialer_ops, o->datagrams,
	    o->datagram_ops);
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
	if (s == NULL)
		return;
	dns_listen_free(s->listen);
	upstream_free_all(s);
	known_free_all(s);
	dns_upstream_free(s->up);
	hosts_free(s->hosts);
	free(s);
}

void
names_service_set_servers(struct names_service *s,
    const struct dial_target *server, size_t n)
{
	s->server_n = n < NAMES_SERVERS_MAX ? n : NAMES_SERVERS_MAX;
	s->server_at = 0;
	for (size_t i = 0; i < s->server_n; i++)
		s->server[i] = server[i];
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
