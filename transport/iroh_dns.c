#include "transport/iroh_dns.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_MAX 4096
#define RECORDS_MAX 64		/* that are looked at */
#define TRY_S 2
#define TRIES 2

/* A record's character strings, one after the other, as one text. */
static int
join_strings(char *out, size_t cap, const uint8_t *rdata, size_t n)
{
	size_t used = 0;

	for (size_t at = 0; at < n;) {
		size_t len = rdata[at++];

		if (len > n - at || len >= cap - used ||
		    memchr(rdata + at, '\0', len) != NULL)
			return SW_ERR_FORMAT;
		memcpy(out + used, rdata + at, len);
		used += len;
		at += len;
	}
	out[used] = '\0';
	return SW_OK;
}

/* What cannot be used is no reason to doubt the rest. */
static void
add_fact(struct iroh_addr *a, const char *text)
{
	if (strncmp(text, "relay=", 6) == 0 && a->relay[0] == '\0')
		(void)!iroh_addr_set_relay(a, text + 6);
	else if (strncmp(text, "addr=", 5) == 0)
		(void)!iroh_addr_add_direct(a, text + 5);
}

int
iroh_dns_parse(struct iroh_addr *a, const uint8_t *msg, size_t n)
{
	char text[1024];
	ns_msg m;
	ns_rr rr;

	if (n > UINT16_MAX || ns_initparse(msg, (int)n, &m) != 0)
		return SW_ERR_FORMAT;
	for (int i = 0; i < ns_msg_count(m, ns_s_an) && i < RECORDS_MAX; i++) {
		if (ns_parserr(&m, ns_s_an, i, &rr) != 0)
			return SW_ERR_FORMAT;
		if (ns_rr_type(rr) == ns_t_txt && join_strings(text,
		    sizeof(text), ns_rr_rdata(rr), ns_rr_rdlen(rr)) == SW_OK)
			add_fact(a, text);
	}
	return SW_OK;
}

int
iroh_dns_lookup(struct iroh_addr *a, char why[static 256])
{
	char name[128], z32[IROH_ID_Z32_LEN];
	uint8_t answer[ANSWER_MAX];
	struct __res_state rs;
	int n, e;

	memset(&rs, 0, sizeof(rs));
	if (res_ninit(&rs) != 0) {
		snprintf(why, 256, "could not set up the resolver");
		return SW_ERR_DOWN;
	}
	rs.retrans = TRY_S;
	rs.retry = TRIES;
	snprintf(name, sizeof(name), "_iroh.%s.%s", iroh_id_z32(&a->id, z32),
	    IROH_DNS_ORIGIN);
	n = res_nquery(&rs, name, ns_c_in, ns_t_txt, answer, sizeof(answer));
	e = rs.res_h_errno;
	res_nclose(&rs);
	if (n < 0 && e != HOST_NOT_FOUND && e != NO_DATA) {
		snprintf(why, 256, "no resolver says where the iroh endpoint "
		    "is; give --iroh-relay or --iroh-address");
		return SW_ERR_DOWN;
	}
	if (n >= 0)
		(void)!iroh_dns_parse(a, answer, (size_t)n < sizeof(answer) ?
		    (size_t)n : sizeof(answer));
	if (a->relay[0] != '\0' || a->ndirect > 0)
		return SW_OK;
	snprintf(why, 256, "the iroh endpoint has not published where it is; "
	    "give --iroh-relay or --iroh-address");
	return SW_ERR_NO_NAME;
}
