/*
 * DNS messages that travel, and the answers remembered.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transport/names_private.h"

#define ANSWERS_CACHED_MAX 256
#define ANSWER_CACHED_LEN 4096

struct cached {
	LIST_LINK(cached) age;
	struct dial_target server;
	int64_t since_ms, until_ms;
	size_t question_len, len;
	uint8_t msg[];
};

/* ---- the cache ---- */

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
	ttl_s = r.ttl_s > NAMES_TTL_MAX_S ? NAMES_TTL_MAX_S : r.ttl_s;
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

/* ---- who is asked ---- */

bool
upstream_default(const struct names_service *s, struct dial_target *out)
{
	const char *own;

	*out = s->dns;
	if (out->host[0] != '\0')
		return true;
	if (s->server_n > 0) {
		*out = s->server[s->server_at];
		return true;
	}
	if (names_is_real(s) ||
	    (own = s->o.exit->nameserver(s->o.exit_arg)) == NULL)
		return false;
	snprintf(out->host, sizeof(out->host), "%s", own);
	out->port = DNS_PORT;
	return true;
}

static bool
is_same(const struct dial_target *a, const struct dial_target *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}

bool
upstream_next_default(struct names_service *s,
    const struct dial_target *failed)
{
	struct dial_target now;

	if (s->dns.host[0] != '\0' || s->server_n < 2)
		return false;
	/* Many questions fail at once: the first of them turns the page. */
	if (upstream_default(s, &now) && is_same(&now, failed))
		s->server_at = (s->server_at + 1) % s->server_n;
	return true;
}

/* ---- on the way ---- */

static void on_upstream(void *arg, int err, uint8_t *msg, size_t len);

static bool
start(struct waiter *w)
{
	LIST_APPEND(&w->s->upstream, w, link);
	w->ask = dns_upstream_ask(w->s->up, &w->server, w->msg, w->len,
	    on_upstream, w);
	if (w->ask != NULL)
		return true;
	LIST_DROP(&w->s->upstream, w, link);
	return false;
}

static bool
is_worth_another(struct waiter *w, int err)
{
	return err != SW_OK && err != SW_ERR_DOWN && w->by_default &&
	    ++w->tries < NAMES_SERVERS_MAX &&
	    upstream_next_default(w->s, &w->server) &&
	    upstream_default(w->s, &w->server);
}

static void
on_upstream(void *arg, int err, uint8_t *msg, size_t len)
{
	struct waiter *w = arg;
	struct dns_query q;

	LIST_DROP(&w->s->upstream, w, link);
	w->ask = NULL;
	if (is_worth_another(w, err) && start(w))
		return;
	if (w->kind == REVERSE) {
		answer_reverse(w, err, msg, len);
		return;
	}
	if (err != SW_OK) {
		answer_failure(w);
		return;
	}
	if (dns_parse_query(w->msg, w->len, &q) == SW_OK &&
	    !q.dnssec_ok && (q.flags & 0x0010) == 0)
		cache_put(w->s, &w->server, msg, len);
	answer_raw(w, msg, len);
}

/* Where the program sent it, or the default; false: nobody is there. */
static bool
choose_server(struct waiter *w, const struct sw_addr *to)
{
	char text[SW_ADDR_TEXT_LEN];

	w->by_default = to == NULL;
	if (to == NULL)
		return upstream_default(w->s, &w->server);
	snprintf(w->server.host, sizeof(w->server.host), "%s",
	    addr_ip_text(to, text));
	w->server.port = to->port != 0 ? to->port : DNS_PORT;
	return true;
}

void
upstream_ask(struct waiter *w)
{
	if (!choose_server(w, NULL))
		answer_reverse(w, SW_ERR_NO_NAME, NULL, 0);
	else if (!start(w))
		answer_reverse(w, SW_ERR_LIMIT, NULL, 0);
}

void
upstream_forward(struct waiter *w, const struct dns_query *q,
    const struct sw_addr *to)
{
	struct cached *c;
	uint8_t copy[ANSWER_CACHED_LEN];
	size_t len;

	if (!choose_server(w, to)) {
		answer_failure(w);
		return;
	}
	if ((c = cache_get(w->s, &w->server, q)) == NULL) {
		if (!start(w))
			answer_failure(w);
		return;
	}
	len = c->len;
	memcpy(copy, c->msg, len);
	dns_age(copy, len, (uint32_t)((w->s->l->now_ms - c->since_ms) / 1000));
	dns_set_id(copy, len, q->id);
	answer_raw(w, copy, len);
}

void
upstream_cancel(struct names_service *s, const void *arg)
{
	struct waiter *w, *next;

	for (w = LIST_FIRST(&s->upstream); w != NULL; w = next) {
		next = LIST_NEXT(w, link);
		if (w->arg != arg)
			continue;
		LIST_DROP(&s->upstream, w, link);
		dns_upstream_cancel(w->ask);
		waiter_free(w);
	}
}

void
upstream_free_all(struct names_service *s)
{
	struct waiter *w;
	struct cached *c;

	while ((w = LIST_FIRST(&s->upstream)) != NULL) {
		LIST_DROP(&s->upstream, w, link);
		waiter_free(w);
	}
	while ((c = LIST_FIRST(&s->cache)) != NULL) {
		LIST_DROP(&s->cache, c, age);
		free(c);
	}
}
