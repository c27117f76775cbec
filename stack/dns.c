#include "stack/dns.h"

#include <string.h>

#include "stack/dns_name.h"

#define FLAG_QR 0x8000u
#define FLAG_TC 0x0200u
#define FLAG_RD 0x0100u
#define FLAG_RA 0x0080u
#define OPCODE(flags) (((flags) >> 11) & 15u)
#define CLASS_IN 1

/* ---- parsing ---- */

struct header {
	uint16_t id, flags, count[4];	/* questions, answers, authority, more */
};

static int
get_header(struct rbuf *r, struct header *h)
{
	int e;

	memset(h, 0, sizeof(*h));
	if ((e = wire_get_u16be(r, &h->id)) != SW_OK ||
	    (e = wire_get_u16be(r, &h->flags)) != SW_OK)
		return e;
	for (int i = 0; i < 4; i++)
		if ((e = wire_get_u16be(r, &h->count[i])) != SW_OK)
			return e;
	return SW_OK;
}

struct record {
	char name[DNS_NAME_TEXT_MAX];
	uint16_t type, class;
	uint32_t ttl;
	struct rbuf data;
};

static int
get_record(struct rbuf *r, const struct rbuf *whole, struct record *rr)
{
	uint16_t n;
	int e;

	if ((e = dns_get_name(r, whole, rr->name)) != SW_OK ||
	    (e = wire_get_u16be(r, &rr->type)) != SW_OK ||
	    (e = wire_get_u16be(r, &rr->class)) != SW_OK ||
	    (e = wire_get_u32be(r, &rr->ttl)) != SW_OK ||
	    (e = wire_get_u16be(r, &n)) != SW_OK)
		return e;
	rr->data.left = n;
	return wire_get_ref(r, n, &rr->data.p);
}

/* The records behind the question: only an OPT, or a signature of one kind or
 * another that we skip. */
static int
get_extras(struct rbuf *r, const struct rbuf *whole, unsigned n,
    struct dns_query *q)
{
	struct record rr;
	int e;

	while (n-- > 0) {
		if ((e = get_record(r, whole, &rr)) != SW_OK)
			return e;
		if (rr.type != DNS_OPT)
			continue;
		if (q->has_edns || rr.name[0] != '\0')
			return SW_ERR_FORMAT;
		q->has_edns = true;
		q->edns_size = rr.class;
		q->edns_version = (uint8_t)(rr.ttl >> 16);
		q->dnssec_ok = (rr.ttl & 0x8000) != 0;
	}
	return SW_OK;
}

int
dns_parse_query(const uint8_t *msg, size_t len, struct dns_query *q)
{
	const struct rbuf whole = { .p = msg, .left = len };
	struct rbuf r = whole;
	struct header h;
	int e;

	memset(q, 0, sizeof(*q));
	if ((e = get_header(&r, &h)) != SW_OK)
		return e;
	if ((h.flags & FLAG_QR) != 0)
		return SW_ERR_FORMAT;
	q->id = h.id;
	q->flags = h.flags;
	if (OPCODE(h.flags) != 0 || h.count[0] != 1 || h.count[1] != 0 ||
	    h.count[2] != 0)
		return SW_ERR_UNSUPPORTED;
	q->question = r.p;
	if ((e = dns_get_name(&r, NULL, q->name)) != SW_OK ||
	    (e = wire_get_u16be(&r, &q->type)) != SW_OK ||
	    (e = wire_get_u16be(&r, &q->class)) != SW_OK)
		goto bad;
	q->question_len = (size_t)(r.p - q->question);
	if ((e = get_extras(&r, &whole, h.count[3], q)) != SW_OK)
		goto bad;
	if (r.left > 0) {
		e = SW_ERR_FORMAT;
		goto bad;
	}
	return SW_OK;
bad:
	memset(q, 0, sizeof(*q));
	return e;
}

static void
take_addr(const struct record *rr, struct dns_response *out)
{
	struct sw_addr a = { .port = 0 };

	if (rr->class != CLASS_IN || out->naddrs == DNS_ADDRS_MAX)
		return;
	if (rr->type == DNS_A && rr->data.left == 4) {
		a = addr_v4(0, 0);
		memcpy(a.ip + 12, rr->data.p, 4);
	} else if (rr->type == DNS_AAAA && rr->data.left == 16) {
		memcpy(a.ip, rr->data.p, 16);
	} else {
		return;
	}
	out->addrs[out->naddrs++] = a;
}

static int
get_answers(struct rbuf *r, const struct rbuf *whole, unsigned n, bool answer,
    struct dns_response *out)
{
	struct record rr;
	int e;

	while (n-- > 0) {
		if ((e = get_record(r, whole, &rr)) != SW_OK)
			return e;
		if (rr.type == DNS_OPT)
			continue;
		if (rr.ttl < out->ttl_s)
			out->ttl_s = rr.ttl;
		if (answer)
			take_addr(&rr, out);
		if (!answer || rr.type != DNS_PTR || out->ptr[0] != '\0')
			continue;
		if ((e = dns_get_name(&rr.data, whole, out->ptr)) != SW_OK)
			return e;
	}
	return SW_OK;
}

int
dns_parse_response(const uint8_t *msg, size_t len, struct dns_response *out)
{
	const struct rbuf whole = { .p = msg, .left = len };
	struct rbuf r = whole;
	struct header h;
	char name[DNS_NAME_TEXT_MAX];
	uint16_t type, class;
	int e;

	memset(out, 0, sizeof(*out));
	if ((e = get_header(&r, &h)) != SW_OK)
		return e;
	if ((h.flags & FLAG_QR) == 0 || h.count[0] != 1)
		return SW_ERR_FORMAT;
	out->id = h.id;
	out->rcode = (enum dns_rcode)(h.flags & 15u);
	out->truncated = (h.flags & FLAG_TC) != 0;
	out->question = r.p;
	out->ttl_s = UINT32_MAX;
	if ((e = dns_get_name(&r, NULL, name)) != SW_OK ||
	    (e = wire_get_u16be(&r, &type)) != SW_OK ||
	    (e = wire_get_u16be(&r, &class)) != SW_OK)
		goto bad;
	out->question_len = (size_t)(r.p - out->question);
	for (int i = 1; i < 4; i++)
		if ((e = get_answers(&r, &whole, h.count[i], i == 1, out)) !=
		    SW_OK)
			goto bad;
	if (out->ttl_s == UINT32_MAX)
		out->ttl_s = 0;
	return SW_OK;
bad:
	memset(out, 0, sizeof(*out));
	return e;
}

/* ---- building ---- */

static int
put_header(struct wbuf *w, uint16_t id, unsigned flags, unsigned questions,
    unsigned answers, unsigned authority, unsigned more)
{
	const uint16_t word[6] = {
		id, (uint16_t)flags, (uint16_t)questions, (uint16_t)answers,
		(uint16_t)authority, (uint16_t)more,
	};
	int e = SW_OK;

	for (int i = 0; i < 6 && e == SW_OK; i++)
		e = wire_put_u16be(w, word[i]);
	return e;
}

/* A record whose owner is the question's name: a pointer to it. */
static int
put_record(struct wbuf *w, uint16_t type, uint32_t ttl, const uint8_t *data,
    size_t n)
{
	int e;

	if ((e = wire_put_u16be(w, 0xc000 | DNS_HEADER_LEN)) != SW_OK ||
	    (e = wire_put_u16be(w, type)) != SW_OK ||
	    (e = wire_put_u16be(w, CLASS_IN)) != SW_OK ||
	    (e = wire_put_u32be(w, ttl)) != SW_OK ||
	    (e = wire_put_u16be(w, (uint16_t)n)) != SW_OK)
		return e;
	return wire_put_bytes(w, data, n);
}

static int
put_opt(struct wbuf *w, bool dnssec_ok, bool bad_version)
{
	int e;

	if ((e = wire_put_u8(w, 0)) != SW_OK ||
	    (e = wire_put_u16be(w, DNS_OPT)) != SW_OK ||
	    (e = wire_put_u16be(w, DNS_EDNS_SIZE)) != SW_OK ||
	    (e = wire_put_u32be(w, (bad_version ? 1u << 24 : 0u) |
	    (dnssec_ok ? 0x8000u : 0u))) != SW_OK)
		return e;
	return wire_put_u16be(w, 0);
}

/* A negative answer may be kept for as long as its SOA says (RFC 2308). */
static int
put_soa(struct wbuf *w, uint32_t ttl)
{
	uint8_t data[22] = { 0 };	/* two root names, five numbers */

	for (int i = 0; i < 5; i++)
		for (int k = 0; k < 4; k++)
			data[2 + 4 * i + k] = (uint8_t)(ttl >> (24 - 8 * k));
	return put_record(w, DNS_SOA, ttl, data, sizeof(data));
}

static int
put_addrs(struct wbuf *w, const struct dns_query *q, const struct dns_answer *a)
{
	int e = SW_OK;

	for (size_t i = 0; i < a->naddrs && e == SW_OK; i++)
		e = q->type == DNS_AAAA ?
		    put_record(w, DNS_AAAA, a->ttl_s, a->addrs[i].ip, 16) :
		    put_record(w, DNS_A, a->ttl_s, a->addrs[i].ip + 12, 4);
	return e;
}

static int
put_ptr(struct wbuf *w, const struct dns_answer *a)
{
	uint8_t data[DNS_NAME_WIRE_MAX];
	struct wbuf d = { .p = data, .left = sizeof(data) };
	int e = dns_put_name(&d, a->name);

	return e != SW_OK ? e :
	    put_record(w, DNS_PTR, a->ttl_s, data, (size_t)(d.p - data));
}

int
dns_build(const struct dns_query *q, const struct dns_answer *a, uint8_t *out,
    size_t cap, size_t *len)
{
	struct wbuf w = { .p = out, .left = cap };
	const bool bad_version = q->has_edns && q->edns_version != 0;
	const bool soa = !a->truncated && a->naddrs == 0 && a->name == NULL &&
	    (a->rcode == DNS_NOERROR || a->rcode == DNS_NXDOMAIN);
	const unsigned answers = a->truncated ? 0 :
	    (unsigned)a->naddrs + (a->name != NULL ? 1 : 0);
	unsigned flags = FLAG_QR | FLAG_RA | (unsigned)a->rcode |
	    (q->flags & (FLAG_RD | 0x7800u)) | (a->truncated ? FLAG_TC : 0);
	int e;

	*len = 0;
	if ((e = put_header(&w, q->id, flags, q->question_len > 0, answers,
	    soa, q->has_edns)) != SW_OK ||
	    (e = wire_put_bytes(&w, q->question, q->question_len)) != SW_OK)
		return e;
	if (!a->truncated && ((e = put_addrs(&w, q, a)) != SW_OK ||
	    (a->name != NULL && (e = put_ptr(&w, a)) != SW_OK)))
		return e;
	if (soa && (e = put_soa(&w, a->ttl_s)) != SW_OK)
		return e;
	if (q->has_edns && (e = put_opt(&w, q->dnssec_ok, bad_version)) != SW_OK)
		return e;
	*len = cap - w.left;
	return SW_OK;
}

int
dns_build_query(uint16_t id, const char *name, uint16_t type, uint8_t *out,
    size_t cap, size_t *len)
{
	struct wbuf w = { .p = out, .left = cap };
	int e;

	*len = 0;
	if ((e = put_header(&w, id, FLAG_RD, 1, 0, 0, 1)) != SW_OK ||
	    (e = dns_put_name(&w, name)) != SW_OK ||
	    (e = wire_put_u16be(&w, type)) != SW_OK ||
	    (e = wire_put_u16be(&w, CLASS_IN)) != SW_OK ||
	    (e = put_opt(&w, false, false)) != SW_OK)
		return e;
	*len = cap - w.left;
	return SW_OK;
}

size_t
dns_truncate(uint8_t *msg, size_t len, size_t max)
{
	struct dns_response r;
	size_t keep = DNS_HEADER_LEN;

	if (len <= max || len < DNS_HEADER_LEN)
		return len;
	if (dns_parse_response(msg, len, &r) == SW_OK &&
	    DNS_HEADER_LEN + r.question_len <= max)
		keep += r.question_len;
	else
		memset(msg + 4, 0, 2);
	msg[2] |= FLAG_TC >> 8;
	memset(msg + 6, 0, 6);
	return keep;
}

void
dns_age(uint8_t *msg, size_t len, uint32_t seconds)
{
	const struct rbuf whole = { .p = msg, .left = len };
	struct rbuf r = whole;
	struct dns_response head;
	struct record rr;

	if (dns_parse_response(msg, len, &head) != SW_OK)
		return;
	r.p = head.question + head.question_len;
	r.left = len - (size_t)(r.p - whole.p);
	while (r.left > 0 && get_record(&r, &whole, &rr) == SW_OK) {
		uint32_t ttl = rr.ttl > seconds ? rr.ttl - seconds : 0;
		/* The TTL stands six bytes before the data. */
		uint8_t *at = msg + (rr.data.p - whole.p) - 6;

		if (rr.type == DNS_OPT)
			continue;
		for (int k = 0; k < 4; k++)
			at[k] = (uint8_t)(ttl >> (24 - 8 * k));
	}
}

uint16_t
dns_get_id(const uint8_t *msg, size_t len)
{
	if (len < 2)
		return 0;
	return (uint16_t)(msg[0] << 8 | msg[1]);
}

void
dns_set_id(uint8_t *msg, size_t len, uint16_t id)
{
	if (len < 2)
		return;
	msg[0] = (uint8_t)(id >> 8);
	msg[1] = (uint8_t)id;
}
