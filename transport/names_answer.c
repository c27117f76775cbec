/*
 * Telling the caller.
 */
#include <string.h>

#include "transport/names_private.h"

void
answer_message(struct waiter *w, const struct dns_query *q,
    const struct dns_answer *a)
{
	const struct dns_answer fail = { .rcode = DNS_SERVFAIL };
	uint8_t out[2048];
	size_t len;

	if (dns_build(q, a, out, sizeof(out), &len) != SW_OK &&
	    dns_build(q, &fail, out, sizeof(out), &len) != SW_OK) {
		w->done.query(w->arg, SW_ERR_FORMAT, NULL, 0);
		waiter_free(w);
		return;
	}
	answer_raw(w, out, len);
}

void
answer_raw(struct waiter *w, uint8_t *msg, size_t len)
{
	if (w->udp_max > 0)
		len = dns_truncate(msg, len, w->udp_max);
	w->done.query(w->arg, SW_OK, msg, len);
	waiter_free(w);
}

void
answer_failure(struct waiter *w)
{
	const struct dns_answer a = { .rcode = DNS_SERVFAIL };
	struct dns_query q;

	if (dns_parse_query(w->msg, w->len, &q) == SW_OK) {
		answer_message(w, &q, &a);
		return;
	}
	w->done.query(w->arg, SW_ERR_FORMAT, NULL, 0);
	waiter_free(w);
}

static enum dns_rcode
rcode_from(int err)
{
	if (err == SW_OK)
		return DNS_NOERROR;
	return err == SW_ERR_NO_NAME ? DNS_NXDOMAIN : DNS_SERVFAIL;
}

static size_t
fitting(struct sw_addr fit[static NAMES_ADDRS_MAX],
    const struct sw_addr *addrs, size_t n, bool want_v4, bool want_v6)
{
	size_t k = 0;

	for (size_t i = 0; i < n && k < NAMES_ADDRS_MAX; i++)
		if (addr_is_v4(&addrs[i]) ? want_v4 : want_v6)
			fit[k++] = addrs[i];
	return k;
}

void
answer_addrs(struct waiter *w, int err, uint32_t ttl_s,
    const struct sw_addr *addrs, size_t n)
{
	struct sw_addr fit[NAMES_ADDRS_MAX];
	struct dns_answer a = { .rcode = rcode_from(err), .ttl_s = ttl_s,
	    .addrs = fit };
	struct dns_query q;

	if (err != SW_OK)
		n = 0;
	if (w->kind != QUERY) {
		n = fitting(fit, addrs, n, w->family != AF_INET6,
		    w->family != AF_INET);
		w->done.resolve(w->arg, err, ttl_s, fit, n);
		waiter_free(w);
		return;
	}
	if (dns_parse_query(w->msg, w->len, &q) != SW_OK) {
		w->done.query(w->arg, SW_ERR_FORMAT, NULL, 0);
		waiter_free(w);
		return;
	}
	if (q.type == DNS_ANY)		/* one type is enough (RFC 8482) */
		q.type = DNS_A;
	a.naddrs = fitting(fit, addrs, n, q.type == DNS_A,
	    q.type == DNS_AAAA);
	answer_message(w, &q, &a);
}

void
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
