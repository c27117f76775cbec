#include "mix/announce.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "mix/base58.h"
#include "mix/prim.h"

#define VERSION 1

static json_t *
b58(const uint8_t *key)
{
	char text[BASE58_TEXT_LEN(NYM_KEY_LEN)];

	base58_encode(text, key, NYM_KEY_LEN);
	return json_string(text);
}

static json_t *
write_object(const struct announce *a, const uint8_t identity[static 32])
{
	char ip[SW_ADDR_TEXT_LEN], ipr[RECIPIENT_TEXT_LEN];
	json_t *keys = json_array();

	for (size_t i = 0; i < a->n_sphinx; i++)
		json_array_append_new(keys, json_pack("{sIso}", "rotation_id",
		    (json_int_t)a->sphinx[i].rotation_id, "public_key",
		    b58(a->sphinx[i].key)));
	if (a->has_ipr)
		recipient_format(ipr, &a->ipr);
	return json_pack("{sisosIsssisbsbsbsisisssososo}", "version", VERSION,
	    "identity", b58(identity), "time", (json_int_t)a->unix_s,
	    "ip_address", addr_ip_text(&a->mix, ip), "mix_port", a->mix.port,
	    "mixnode", a->mixnode, "entry", a->entry, "exit", a->exit,
	    "ws_port", a->ws_port, "wss_port", a->wss_port, "hostname",
	    a->host, "noise", a->has_noise ? b58(a->noise) : json_null(),
	    "sphinx", keys, "ip_packet_router", a->has_ipr ?
	    json_string(ipr) : json_null());
}

int
announce_write(const struct announce *a, const uint8_t seed[static 32],
    char **text)
{
	uint8_t identity[ED25519_PK_LEN], sig[ED25519_SIG_LEN];
	char sig_text[BASE58_TEXT_LEN(ED25519_SIG_LEN)], *inner;
	json_t *o;

	*text = NULL;
	prim_ed25519_public(identity, seed);
	o = write_object(a, identity);
	inner = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (inner == NULL)
		return SW_ERR_NOMEM;
	prim_ed25519_sign(sig, seed, inner, strlen(inner));
	base58_encode(sig_text, sig, sizeof(sig));
	o = json_pack("{ssss}", "announcement", inner, "signature", sig_text);
	free(inner);
	*text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return *text != NULL ? SW_OK : SW_ERR_NOMEM;
}

static bool
get_key(const json_t *o, const char *name, uint8_t key[static NYM_KEY_LEN])
{
	const char *s = json_string_value(json_object_get(o, name));

	return s != NULL && base58_decode(key, NYM_KEY_LEN, s, strlen(s)) ==
	    SW_OK;
}

static bool
get_number(const json_t *o, const char *name, json_int_t max, json_int_t *v)
{
	const json_t *i = json_object_get(o, name);

	*v = json_integer_value(i);
	return json_is_integer(i) && *v >= 0 && *v <= max;
}

static bool
get_port(const json_t *o, const char *name, uint16_t *port)
{
	json_int_t v;
	bool good = get_number(o, name, UINT16_MAX, &v);

	*port = good ? (uint16_t)v : 0;
	return good;
}

static bool
get_flag(const json_t *o, const char *name, bool *flag)
{
	const json_t *b = json_object_get(o, name);

	*flag = json_is_true(b);
	return json_is_boolean(b);
}

static bool
get_sphinx(const json_t *o, struct announce *a)
{
	const json_t *list = json_object_get(o, "sphinx"), *e;
	json_int_t id;
	size_t i;

	a->n_sphinx = json_array_size(list);
	if (a->n_sphinx < 1 || a->n_sphinx > ANNOUNCE_KEYS)
		return false;
	json_array_foreach(list, i, e) {
		if (!get_number(e, "rotation_id", UINT32_MAX, &id) ||
		    !get_key(e, "public_key", a->sphinx[i].key) ||
		    !prim_x25519_is_on_curve(a->sphinx[i].key))
			return false;
		a->sphinx[i].rotation_id = (uint32_t)id;
	}
	return true;
}

static bool
get_text(const json_t *o, const char *name, char *out, size_t cap)
{
	const char *s = json_string_value(json_object_get(o, name));
	size_t n = s != NULL ? strlen(s) : cap;

	if (n >= cap)
		return false;
	memcpy(out, s, n + 1);
	return true;
}

static bool
get_optional(const json_t *o, struct announce *a)
{
	const json_t *noise = json_object_get(o, "noise");
	const json_t *ipr = json_object_get(o, "ip_packet_router");

	a->has_noise = !json_is_null(noise);
	a->has_ipr = !json_is_null(ipr);
	if (a->has_noise && (!get_key(o, "noise", a->noise) ||
	    !prim_x25519_is_on_curve(a->noise)))
		return false;
	return !a->has_ipr || (json_is_string(ipr) &&
	    recipient_parse(&a->ipr, json_string_value(ipr)) == SW_OK);
}

static int
read_object(struct announce *a, const json_t *o)
{
	char ip[SW_ADDR_TEXT_LEN];
	json_int_t v, time;
	uint16_t port;

	if (!get_number(o, "version", VERSION, &v) || v != VERSION ||
	    !get_key(o, "identity", a->identity) ||
	    !prim_ed25519_is_point(a->identity) ||
	    !get_number(o, "time", INT64_MAX, &time) ||
	    !get_text(o, "ip_address", ip, sizeof(ip)) ||
	    addr_parse_ip(&a->mix, ip) != SW_OK || addr_is_any(&a->mix) ||
	    addr_is_multicast(&a->mix) || !get_port(o, "mix_port", &port) ||
	    port == 0 || !get_flag(o, "mixnode", &a->mixnode) ||
	    !get_flag(o, "entry", &a->entry) ||
	    !get_flag(o, "exit", &a->exit) ||
	    !get_port(o, "ws_port", &a->ws_port) ||
	    !get_port(o, "wss_port", &a->wss_port) ||
	    !get_text(o, "hostname", a->host, sizeof(a->host)) ||
	    (a->host[0] != '\0' && !topology_is_host(a->host)) ||
	    !get_sphinx(o, a) || !get_optional(o, a))
		return SW_ERR_FORMAT;
	if (a->mixnode == (a->entry || a->exit) ||
	    (a->entry && a->ws_port == 0))
		return SW_ERR_FORMAT;
	a->mix.port = port;
	a->unix_s = time;
	return SW_OK;
}

static int
read_signed(struct announce *a, const json_t *o)
{
	const char *text = json_string_value(json_object_get(o,
	    "announcement"));
	const char *sig_text = json_string_value(json_object_get(o,
	    "signature"));
	uint8_t sig[ED25519_SIG_LEN];
	json_t *inner;
	int r;

	if (text == NULL || sig_text == NULL || base58_decode(sig,
	    sizeof(sig), sig_text, strlen(sig_text)) != SW_OK)
		return SW_ERR_FORMAT;
	inner = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	r = read_object(a, inner);
	json_decref(inner);
	if (r != SW_OK)
		return r;
	return prim_ed25519_verify(sig, a->identity, text, strlen(text));
}

int
announce_read(struct announce *a, const char *text, size_t n)
{
	json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	int r;

	memset(a, 0, sizeof(*a));
	r = o != NULL ? read_signed(a, o) : SW_ERR_FORMAT;
	json_decref(o);
	if (r != SW_OK)
		memset(a, 0, sizeof(*a));
	return r;
}
