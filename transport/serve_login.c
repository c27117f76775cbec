/*
 * The decision whether a key logs in.  A line may deny (wrong address, expired)
 * and a later one for the same key still allow: the first that allows counts,
 * as in OpenSSH.
 */
#include "transport/serve_authkeys.h"

#include <string.h>

#include "transport/serve_cert.h"
#include "transport/serve_match.h"

static bool
line_allows(const struct serve_grant *g, const struct sw_addr *peer,
    int64_t now_s, const char **why)
{
	*why = "key expired";
	if (now_s >= g->expires_s)
		return false;
	*why = "key not for this address";
	return g->from == NULL ||
	    (peer != NULL && serve_match_from(g->from, peer, false) == SW_OK);
}

static bool
is_key_of(const struct serve_grant *g, const uint8_t *blob, size_t len)
{
	return g->len == len && memcmp(g->blob, blob, len) == 0;
}

/* Its own line, wherever that stands, takes a key out of use. */
static bool
is_revoked(const struct serve_keys *k, const uint8_t *blob, size_t len)
{
	for (size_t i = 0; i < k->n; i++)
		if (k->grant[i].is_revoked && is_key_of(&k->grant[i], blob, len))
			return true;
	return false;
}

static int
check_plain(const struct serve_keys *k, const struct serve_key *key,
    const struct sw_addr *peer, int64_t now_s, struct serve_login *out)
{
	bool in_hardware = key->type == SERVE_KEY_SK_ED25519 ||
	    key->type == SERVE_KEY_SK_ECDSA;

	for (size_t i = 0; i < k->n; i++) {
		const struct serve_grant *g = &k->grant[i];

		if (g->is_ca || g->is_revoked || !is_key_of(g, key->blob.p, key->blob.len) ||
		    !line_allows(g, peer, now_s, &out->why))
			continue;
		out->grant = g;
		out->forwarding = !g->no_forwarding;
		out->need_touch = in_hardware && !g->no_touch;
		out->need_verify = in_hardware && g->verify;
		return SW_OK;
	}
	return SW_ERR_DENIED;
}

/* Whom a certificate is for: one of the line's principals, else the user. */
static bool
principal_fits(const struct serve_cert *c, const struct serve_grant *g,
    const char *user)
{
	if (g->principals == NULL)
		return serve_cert_names(c, user, strlen(user));
	for (const char *p = g->principals;; p++) {
		size_t n = strcspn(p, ",");

		if (serve_cert_names(c, p, n))
			return true;
		p += n;
		if (*p == '\0')
			return false;
	}
}

static int
check_cert(const struct serve_keys *k, const char *user,
    const struct serve_key *key, const struct sw_addr *peer, int64_t now_s,
    struct serve_login *out)
{
	struct serve_cert_rights rights;
	struct serve_cert c;
	bool in_hardware = key->type == SERVE_KEY_SK_ED25519 ||
	    key->type == SERVE_KEY_SK_ECDSA;

	out->why = "certificate malformed";
	if (serve_cert_parse(&c, key) != SW_OK)
		return SW_ERR_DENIED;
	out->serial = c.serial;
	out->why = "authority revoked";
	if (is_revoked(k, c.ca.blob.p, c.ca.blob.len))
		return SW_ERR_DENIED;
	out->why = "certificate of an unknown authority";
	for (size_t i = 0; i < k->n; i++) {
		const struct serve_grant *g = &k->grant[i];

		if (!g->is_ca || g->is_revoked || !is_key_of(g, c.ca.blob.p, c.ca.blob.len) ||
		    !line_allows(g, peer, now_s, &out->why))
			continue;
		out->why = "certificate not for this user";
		if (!principal_fits(&c, g, user))
			continue;
		if (serve_cert_check(&c, now_s, peer, &rights, &out->why) !=
		    SW_OK)
			return SW_ERR_DENIED;
		out->grant = g;
		out->forwarding = rights.forwarding && !g->no_forwarding;
		out->need_touch = in_hardware &&
		    !(rights.no_touch && (g->no_touch || g->is_ca_file));
		out->need_verify = in_hardware && (rights.verify || g->verify);
		return SW_OK;
	}
	return SW_ERR_DENIED;
}

int
serve_login_check(const struct serve_keys *k, const char *user,
    const struct serve_key *key, const struct sw_addr *peer, int64_t now_s,
    struct serve_login *out)
{
	uint8_t plain[SERVE_KEY_MAX];
	size_t n = serve_key_plain(key, plain, sizeof(plain));
	int r;

	memset(out, 0, sizeof(*out));
	out->is_cert = key->is_cert;
	out->why = "key revoked";
	if (n == 0 || is_revoked(k, plain, n))
		return SW_ERR_DENIED;
	out->why = "unknown key";
	r = key->is_cert ? check_cert(k, user, key, peer, now_s, out) :
	    check_plain(k, key, peer, now_s, out);
	if (r == SW_OK)
		out->why = "";
	return r;
}
