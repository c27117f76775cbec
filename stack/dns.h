/*
 * dns.h - DNS messages: parse a query, build its answer, look into a response.
 * Pure: no I/O, no heap.  The parser is strict and a fuzz target.
 */
#ifndef SW_STACK_DNS_H
#define SW_STACK_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

#define DNS_HEADER_LEN 12
#define DNS_NAME_TEXT_MAX 1024	/* 255 bytes on the wire, escaped, and NUL */
#define DNS_EDNS_SIZE 1232	/* what we say we take (RFC 9715) */
#define DNS_PORT 53
#define DNS_ADDRS_MAX 16	/* of one response that are looked at */

enum dns_type {
	DNS_A = 1, DNS_NS = 2, DNS_CNAME = 5, DNS_SOA = 6, DNS_PTR = 12,
	DNS_AAAA = 28, DNS_OPT = 41, DNS_SVCB = 64, DNS_HTTPS = 65,
	DNS_ANY = 255,
};

enum dns_rcode {
	DNS_NOERROR = 0, DNS_FORMERR = 1, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4, DNS_REFUSED = 5,
};

struct dns_query {
	uint16_t id, flags;
	uint16_t type, class;
	/* The name as text: no trailing dot ("" is the root), its case as sent;
	 * bytes that are not printable, '.' and '\' in a label are "\DDD". */
	char name[DNS_NAME_TEXT_MAX];
	/* The question section as it came: to be repeated, with its case. */
	const uint8_t *question;	/* borrowed from the message */
	size_t question_len;
	bool has_edns;
	uint8_t edns_version;
	uint16_t edns_size;
	bool dnssec_ok;
};

/*
 * Parse a query: QR clear, exactly one question, no answers, no compression in
 * the question, nothing behind the last record.
 *
 * SW_OK.  SW_ERR_UNSUPPORTED: a well-formed header of another kind of request
 * (opcode, number of questions): id and flags are set, answer NOTIMP or
 * FORMERR.  SW_ERR_FORMAT / SW_ERR_TRUNCATED: stay silent.
 */
int dns_parse_query(const uint8_t *msg, size_t len, struct dns_query *q)
    SW_MUST_CHECK;

/*
 * Build a response to `q` into out[cap].  What follows the question is in `a`:
 * addresses (their family fits q->type), or a name for PTR, or nothing: with
 * DNS_NOERROR that is "no such record".  An SOA makes a negative answer
 * cacheable for ttl_s.  EDNS is answered when asked with.
 *
 * Returns SW_OK and *len; SW_ERR_TOO_LONG when it does not fit (see
 * dns_truncate()), SW_ERR_FORMAT when `name` cannot be encoded.
 */
struct dns_answer {
	enum dns_rcode rcode;
	uint32_t ttl_s;
	const struct sw_addr *addrs;
	size_t naddrs;
	const char *name;	/* PTR's target, text */
	bool truncated;
};
int dns_build(const struct dns_query *q, const struct dns_answer *a,
    uint8_t *out, size_t cap, size_t *len) SW_MUST_CHECK;

/* A query of our own, recursion desired, with EDNS.  SW_OK or SW_ERR_*. */
int dns_build_query(uint16_t id, const char *name, uint16_t type, uint8_t *out,
    size_t cap, size_t *len) SW_MUST_CHECK;

/* What is worth knowing of a response. */
struct dns_response {
	uint16_t id;
	enum dns_rcode rcode;
	bool truncated;
	const uint8_t *question;
	size_t question_len;
	uint32_t ttl_s;		/* least of all records; 0 when there is none */
	/* First PTR of the answer, as text; "" when there is none. */
	char ptr[DNS_NAME_TEXT_MAX];
	/* Of the answer's A and AAAA records.  They need not be the question's
	 * own: behind a CNAME they are of another name. */
	struct sw_addr addrs[DNS_ADDRS_MAX];
	size_t naddrs;
};
int dns_parse_response(const uint8_t *msg, size_t len, struct dns_response *r)
    SW_MUST_CHECK;

/* Shorten a response in place to header and question with TC set, if it is
 * longer than `max`.  Returns the new length. */
size_t dns_truncate(uint8_t *msg, size_t len, size_t max);

/* Take `seconds` off the TTL of every record of a response, in place. */
void dns_age(uint8_t *msg, size_t len, uint32_t seconds);

uint16_t dns_get_id(const uint8_t *msg, size_t len);	/* 0 if too short */
void dns_set_id(uint8_t *msg, size_t len, uint16_t id);

/* "4.3.2.1.in-addr.arpa" or "...ip6.arpa" to its address: SW_OK, SW_ERR_FORMAT
 * (also for a zone above a full address).  And back. */
int dns_parse_arpa(const char *name, struct sw_addr *out) SW_MUST_CHECK;
void dns_arpa_name(const struct sw_addr *a, char out[static 80]);

#endif
