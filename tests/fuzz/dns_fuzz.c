/* Any bytes as a DNS message: no crash; what parses as a query can be answered,
 * and the answer parses; ageing and cutting keep a response a response. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "stack/dns.h"

static void
answer(const struct dns_query *q)
{
	struct sw_addr a = addr_v4(0xc6120001, 0);
	struct dns_answer ans = { .ttl_s = 9, .addrs = &a, .naddrs = 1 };
	uint8_t out[2048];
	struct dns_response r;
	size_t len;

	if (dns_build(q, &ans, out, sizeof(out), &len) != SW_OK)
		abort();
	if (dns_parse_response(out, len, &r) != SW_OK || r.id != q->id ||
	    r.ttl_s != 9)
		abort();
	if (dns_truncate(out, len, 40) > len)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct dns_query q;
	static struct dns_response r;
	uint8_t copy[4096], again[2048];
	struct sw_addr a;
	size_t n;

	if (len > sizeof(copy))
		return 0;
	if (dns_parse_query(data, len, &q) == SW_OK) {
		answer(&q);
		(void)!dns_parse_arpa(q.name, &a);
		/* A name as text makes the same bytes again. */
		if (dns_build_query(q.id, q.name, q.type, again, sizeof(again),
		    &n) != SW_OK ||
		    memcmp(again + DNS_HEADER_LEN, q.question,
		    q.question_len - 4) != 0)
			abort();
	}
	memcpy(copy, data, len);
	if (dns_parse_response(copy, len, &r) == SW_OK) {
		dns_age(copy, len, 5);
		if (dns_parse_response(copy, len, &r) != SW_OK)
			abort();
		n = dns_truncate(copy, len, 100);
		if (n > len)
			abort();
	}
	return 0;
}
