/*
 * The real addresses of a name: A and AAAA, asked side by side.
 */
#include <stdlib.h>
#include <string.h>

#include "transport/names_private.h"

enum { V4, V6, FAMILIES };

struct real {
	LIST_LINK(real) link;
	struct names_service *s;
	void (*done)(void *, const struct lookup *);
	void *arg;
	struct part {
		struct real *of;
		struct dns_ask *ask;	/* NULL: not asked, or answered */
		struct dial_target server;
		bool asked;
		int err;		/* SW_OK: n addresses, perhaps none */
		size_t n;
		uint32_t ttl_s;
		struct sw_addr addrs[NAMES_ADDRS_MAX];
	} part[FAMILIES];
	unsigned tries;
	char name[DIAL_HOST_MAX + 1];
};

static void
real_free(struct real *r)
{
	for (int i = 0; i < FAMILIES; i++)
		if (r->part[i].ask != NULL)
			dns_upstream_cancel(r->part[i].ask);
	LIST_DROP(&r->s->reals, r, link);
	free(r);
}

/* Both parts together.  One family's failure does not spoil the other's
 * addresses; without any, what is not known is not taken for "none". */
static void
finish(struct real *r)
{
	struct sw_addr addrs[2 * NAMES_ADDRS_MAX];
	struct lookup what = { .addrs = addrs, .ttl_s = UINT32_MAX };
	void (*done)(void *, const struct lookup *) = r->done;
	void *arg = r->arg;
	int failed = SW_OK;

	for (int i = 0; i < FAMILIES; i++) {
		const struct part *p = &r->part[i];

		if (!p->asked)
			continue;
		if (p->err != SW_OK && p->err != SW_ERR_NO_NAME)
			failed = p->err;
		if (p->err == SW_ERR_NO_NAME)
			what.err = SW_ERR_NO_NAME;
		if (p->err != SW_OK)
			continue;
		memcpy(addrs + what.n, p->addrs, p->n * sizeof(*addrs));
		what.n += p->n;
		if (p->ttl_s < what.ttl_s)
			what.ttl_s = p->ttl_s;
	}
	what.v4 = r->part[V4].n > 0;
	what.v6 = r->part[V6].n > 0;
	if (what.n > 0)
		what.err = SW_OK;
	else if (failed != SW_OK)
		what.err = failed;
	if (failed != SW_OK || what.ttl_s == UINT32_MAX)
		what.ttl_s = 1;		/* asked again soon */
	real_free(r);
	done(arg, &what);
}

static void
take(struct part *p, int family, const uint8_t *msg, size_t len)
{
	struct dns_response a;

	if ((p->err = dns_parse_response(msg, len, &a)) != SW_OK)
		return;
	if (a.rcode != DNS_NOERROR) {
		p->err = a.rcode == DNS_NXDOMAIN ? SW_ERR_NO_NAME :
		    SW_ERR_TIMEOUT;
		return;
	}
	p->ttl_s = a.ttl_s;
	for (size_t i = 0; i < a.naddrs && p->n < NAMES_ADDRS_MAX; i++)
		if (addr_is_v4(&a.addrs[i]) == (family == V4))
			p->addrs[p->n++] = a.addrs[i];
}

static int ask(struct real *r, int family);

static void
answered(void *arg, int err, uint8_t *msg, size_t len)
{
	struct part *p = arg;
	struct real *r = p->of;
	int family = p == &r->part[V6] ? V6 : V4;

	p->ask = NULL;
	p->err = err;
	if (err == SW_OK)
		take(p, family, msg, len);
	else if (err != SW_ERR_DOWN && r->tries < NAMES_SERVERS_MAX &&
	    upstream_next_default(r->s, &p->server)) {
		r->tries++;
		if (ask(r, family) == SW_OK)
			return;
	}
	if (r->part[V4].ask == NULL && r->part[V6].ask == NULL)
		finish(r);
}

static int
ask(struct real *r, int family)
{
	struct part *p = &r->part[family];
	uint8_t msg[512];
	size_t len;
	int e;

	p->of = r;
	if (!upstream_default(r->s, &p->server))
		return SW_ERR_DOWN;
	if ((e = dns_build_query(0, r->name, family == V4 ? DNS_A : DNS_AAAA,
	    msg, sizeof(msg), &len)) != SW_OK)
		return e;
	p->asked = true;
	p->ask = dns_upstream_ask(r->s->up, &p->server, msg, len, answered, p);
	return p->ask != NULL ? SW_OK : SW_ERR_LIMIT;
}

int
real_lookup(struct names_service *s, const char *name,
    void (*done)(void *, const struct lookup *), void *arg)
{
	struct real *r = calloc(1, sizeof(*r));
	int e;

	if (r == NULL)
		return SW_ERR_NOMEM;
	r->s = s;
	r->done = done;
	r->arg = arg;
	memcpy(r->name, name, strlen(name) + 1);
	LIST_APPEND(&s->reals, r, link);
	if ((e = ask(r, V4)) != SW_OK ||
	    (!s->o.no_v6 && (e = ask(r, V6)) != SW_OK)) {
		real_free(r);
		return e;
	}
	return SW_OK;
}

void
real_forget(struct names_service *s, const void *arg)
{
	struct real *r, *next;

	for (r = LIST_FIRST(&s->reals); r != NULL; r = next) {
		next = LIST_NEXT(r, link);
		if (r->arg == arg)
			real_free(r);
	}
}
