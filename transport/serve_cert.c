#include "transport/serve_cert.h"

#include <string.h>

#include "transport/serve_match.h"

#define CERT_USER 1
#define FROM_MAX 1024

/* The fields of an authority's key: plain, and of a type we can check. */
static int
get_ca(struct rbuf *r, struct serve_key *ca)
{
	struct serve_bytes blob;
	int err;

	if (serve_get_string(r, &blob) != SW_OK)
		return SW_ERR_FORMAT;
	if ((err = serve_key_parse(ca, blob.p, blob.len)) != SW_OK)
		return err;
	return ca->is_cert ? SW_ERR_FORMAT : SW_OK;
}

/* Strings to the end, at most `max` of them. */
static bool
is_strings(struct serve_bytes b, size_t max)
{
	struct rbuf r = { b.p, b.len };
	struct serve_bytes one;
	size_t n = 0;

	while (r.left > 0)
		if (n++ >= max || serve_get_string(&r, &one) != SW_OK)
			return false;
	return true;
}

int
serve_cert_parse(struct serve_cert *c, const struct serve_key *k)
{
	struct rbuf r = { k->cert.p, k->cert.len };
	struct serve_bytes reserved;
	int err = SW_ERR_FORMAT;

	memset(c, 0, sizeof(*c));
	if (!k->is_cert || wire_get_u64be(&r, &c->serial) != SW_OK ||
	    wire_get_u32be(&r, &c->kind) != SW_OK ||
	    serve_get_string(&r, &c->id) != SW_OK ||
	    serve_get_string(&r, &c->principals) != SW_OK ||
	    wire_get_u64be(&r, &c->after) != SW_OK ||
	    wire_get_u64be(&r, &c->before) != SW_OK ||
	    serve_get_string(&r, &c->critical) != SW_OK ||
	    serve_get_string(&r, &c->extensions) != SW_OK ||
	    serve_get_string(&r, &reserved) != SW_OK ||
	    (err = get_ca(&r, &c->ca)) != SW_OK)
		goto bad;
	err = SW_ERR_FORMAT;
	c->signed_part.p = k->blob.p;
	c->signed_part.len = (size_t)(r.p - k->blob.p);
	if (serve_get_string(&r, &c->signature) != SW_OK || r.left != 0 ||
	    !is_strings(c->principals, SERVE_PRINCIPALS_MAX))
		goto bad;
	return SW_OK;
bad:
	memset(c, 0, sizeof(*c));
	return err;
}

bool
serve_cert_names(const struct serve_cert *c, const char *name, size_t len)
{
	struct rbuf r = { c->principals.p, c->principals.len };
	struct serve_bytes one;

	while (r.left > 0 && serve_get_string(&r, &one) == SW_OK)
		if (one.len == len && len > 0 && memcmp(one.p, name, len) == 0)
			return true;
	return false;
}

/* One (name, value) pair; names must rise.  A value is a string in a string. */
static int
get_option(struct rbuf *r, struct serve_bytes *last, struct serve_bytes *value)
{
	struct serve_bytes name;
	size_t n;
	int order;

	if (serve_get_string(r, &name) != SW_OK ||
	    serve_get_string(r, value) != SW_OK)
		return SW_ERR_FORMAT;
	n = name.len < last->len ? name.len : last->len;
	order = last->p == NULL ? -1 : memcmp(last->p, name.p, n);
	if (order > 0 || (order == 0 && last->len >= name.len))
		return SW_ERR_FORMAT;
	*last = name;
	return SW_OK;
}

static const char *
check_source(struct serve_bytes value, const struct sw_addr *peer)
{
	struct rbuf r = { value.p, value.len };
	char list[FROM_MAX];

	if (serve_get_text(&r, list, sizeof(list)) != SW_OK || r.left != 0)
		return "certificate malformed";
	if (peer == NULL)
		return "certificate not for an unknown address";
	switch (serve_match_from(list, peer, true)) {
	case SW_OK:
		return NULL;
	case SW_ERR_FORMAT:
		return "certificate malformed";
	default:
		return "certificate not for this address";
	}
}

static const char *
check_critical(const struct serve_cert *c, const struct sw_addr *peer,
    struct serve_cert_rights *out)
{
	struct rbuf r = { c->critical.p, c->critical.len };
	struct serve_bytes name = { NULL, 0 }, value;
	const char *why;

	while (r.left > 0) {
		if (get_option(&r, &name, &value) != SW_OK)
			return "certificate malformed";
		if (serve_is_text(name, "source-address")) {
			if ((why = check_source(value, peer)) != NULL)
				return why;
		} else if (serve_is_text(name, "verify-required")) {
			out->verify = true;
		} else if (serve_is_text(name, "force-command")) {
			return "certificate is for one command";
		} else {
			return "certificate asks for what is unknown here";
		}
	}
	return NULL;
}

static const char *
check_extensions(const struct serve_cert *c, struct serve_cert_rights *out)
{
	struct rbuf r = { c->extensions.p, c->extensions.len };
	struct serve_bytes name = { NULL, 0 }, value;

	while (r.left > 0) {
		if (get_option(&r, &name, &value) != SW_OK)
			return "certificate malformed";
		if (serve_is_text(name, "permit-port-forwarding"))
			out->forwarding = true;
		else if (serve_is_text(name, "no-touch-required"))
			out->no_touch = true;
	}
	return NULL;
}

int
serve_cert_check(const struct serve_cert *c, int64_t now_s,
    const struct sw_addr *peer, struct serve_cert_rights *out,
    const char **why)
{
	struct serve_touch touch;

	memset(out, 0, sizeof(*out));
	*why = "certificate is not a user's";
	if (c->kind != CERT_USER)
		return SW_ERR_DENIED;
	*why = "certificate signature wrong";
	if (serve_key_verify(&c->ca, NULL, c->signature, c->signed_part,
	    &touch) != SW_OK)
		return SW_ERR_DENIED;
	*why = "certificate not yet valid";
	if (now_s < 0 || (uint64_t)now_s < c->after)
		return SW_ERR_DENIED;
	*why = "certificate expired";
	if ((uint64_t)now_s >= c->before)
		return SW_ERR_DENIED;
	if ((*why = check_critical(c, peer, out)) != NULL ||
	    (*why = check_extensions(c, out)) != NULL) {
		memset(out, 0, sizeof(*out));
		return SW_ERR_DENIED;
	}
	return SW_OK;
}
