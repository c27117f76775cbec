/*
 * Log-in by public key (RFC 4252 section 7), and the same bound to our host key
 * (OpenSSH's PROTOCOL, section 3.1).
 *
 * An offered key is answered before the client signs; only a signature under a
 * key that is accepted logs in.  Offers and failed signatures are counted
 * apart: an agent with many keys makes offers only.
 */
#include "transport/serve_ssh_private.h"

#include <stdlib.h>
#include <string.h>

#define OFFERS_MAX 64

void
serve_auth_service(struct serve_ssh *s, struct rbuf payload)
{
	static const char name[] = "ssh-userauth";
	struct rbuf r = { payload.p + 1, payload.left - 1 };
	struct serve_bytes wanted;
	struct wbuf w;

	if (serve_get_string(&r, &wanted) != SW_OK || s->in_now ||
	    !serve_is_text(wanted, name)) {
		serve_ssh_fail(s, SERVE_BYE_SERVICE, "no such service");
		return;
	}
	s->asked_auth = true;
	w = serve_packet_begin(s, MSG_SERVICE_ACCEPT, sizeof(name) + 4);
	add_text(&w, name);
	serve_packet_end(s, &w);
}

static void
refuse(struct serve_ssh *s, bool signed_try)
{
	struct wbuf w;

	if (signed_try)
		s->tries++;
	else
		s->offers++;
	if (s->tries >= s->cfg->tries_max || s->offers >= OFFERS_MAX) {
		serve_ssh_fail(s, SERVE_BYE_MANY,
		    "Too many authentication failures");
		return;
	}
	w = serve_packet_begin(s, MSG_USERAUTH_FAILURE, 32);
	add_text(&w, "publickey");
	add_u8(&w, 0);
	serve_packet_end(s, &w);
}

static void
answer_offer(struct serve_ssh *s, const char *algorithm, struct serve_bytes blob)
{
	struct wbuf w = serve_packet_begin(s, MSG_USERAUTH_PK_OK,
	    8 + strlen(algorithm) + blob.len);

	add_text(&w, algorithm);
	add_string(&w, blob.p, blob.len);
	serve_packet_end(s, &w);
}

/* What was signed: the session's id, then the request up to its signature. */
static int
check_signature(const struct serve_ssh *s, const struct serve_key *key,
    const char *sig_algorithm, struct serve_bytes sig, const uint8_t *request,
    size_t len, struct serve_touch *touch)
{
	size_t room = 4 + sizeof(s->id) + len;
	uint8_t *text = malloc(room);
	struct wbuf w = { text, room };
	int r;

	if (text == NULL)
		return SW_ERR_NOMEM;
	add_string(&w, s->id, sizeof(s->id));
	add_bytes(&w, request, len);
	r = serve_key_verify(key, sig_algorithm, sig,
	    (struct serve_bytes){ text, room }, touch);
	free(text);
	return r;
}

static bool
is_our_hostkey(const struct serve_ssh *s, struct serve_bytes b)
{
	struct serve_key k;

	return serve_key_parse(&k, b.p, b.len) == SW_OK && !k.is_cert &&
	    k.type == SERVE_KEY_ED25519 &&
	    memcmp(k.point.p, s->cfg->host_pk, 32) == 0;
}

/* The method's own part of a request; false: it is malformed. */
static bool
take_publickey(struct serve_ssh *s, const char *user, struct rbuf r,
    const uint8_t *request, bool bound)
{
	struct serve_touch touch = { true, true };
	struct serve_bytes blob, hostkey, sig;
	const char *sig_algorithm;
	struct serve_key key;
	char algorithm[64];
	uint8_t has_sig;
	size_t signed_len;
	struct wbuf w;

	if (wire_get_u8(&r, &has_sig) != SW_OK ||
	    serve_get_text(&r, algorithm, sizeof(algorithm)) != SW_OK ||
	    serve_get_string(&r, &blob) != SW_OK ||
	    (bound && (serve_get_string(&r, &hostkey) != SW_OK ||
	    !is_our_hostkey(s, hostkey))))
		return false;
	signed_len = (size_t)(r.p - request);
	if (has_sig != 0 && serve_get_string(&r, &sig) != SW_OK)
		return false;
	if (r.left != 0)
		return false;
	if (serve_key_parse(&key, blob.p, blob.len) != SW_OK ||
	    !serve_key_matches(&key, algorithm, &sig_algorithm)) {
		refuse(s, has_sig != 0);
		return true;
	}
	if (has_sig == 0) {
		if (s->ev->login(s->arg, user, &key, false, touch))
			answer_offer(s, algorithm, blob);
		else
			refuse(s, false);
		return true;
	}
	if (check_signature(s, &key, sig_algorithm, sig, request, signed_len,
	    &touch) != SW_OK ||
	    !s->ev->login(s->arg, user, &key, true, touch)) {
		refuse(s, true);
		return true;
	}
	s->in_now = true;
	w = serve_packet_begin(s, MSG_USERAUTH_SUCCESS, 0);
	serve_packet_end(s, &w);
	return true;
}

void
serve_auth_take(struct serve_ssh *s, struct rbuf payload)
{
	struct rbuf r = { payload.p + 1, payload.left - 1 };
	char user[SERVE_USER_MAX], service[32], method[64];
	bool bound;

	if (s->in_now)
		return;			/* RFC 4252 section 5.1: silently */
	if (!s->asked_auth ||
	    serve_get_text(&r, user, sizeof(user)) != SW_OK ||
	    serve_get_text(&r, service, sizeof(service)) != SW_OK ||
	    serve_get_text(&r, method, sizeof(method)) != SW_OK)
		goto bad;
	if (strcmp(service, "ssh-connection") != 0) {
		serve_ssh_fail(s, SERVE_BYE_SERVICE, "no such service");
		return;
	}
	bound = strcmp(method, "publickey-hostbound-v00@openssh.com") == 0;
	if (!bound && strcmp(method, "publickey") != 0) {
		refuse(s, false);
		return;
	}
	if (take_publickey(s, user, r, payload.p, bound))
		return;
bad:
	serve_ssh_fail(s, SERVE_BYE_PROTOCOL, "malformed log-in");
}
