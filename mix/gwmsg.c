#include "mix/gwmsg.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "mix/prim.h"


/* Bytes written as an array of integers; exactly `want`, or with want == 0
 * up to `cap` of them. */
static int
get_array(const json_t *o, const char *name, uint8_t *out, size_t cap,
    size_t want, size_t *n)
{
	const json_t *a = json_object_get(o, name), *e;
	json_int_t v;
	size_t len = json_array_size(a);

	if (!json_is_array(a) || len > cap || (want > 0 && len != want))
		return SW_ERR_FORMAT;
	for (size_t i = 0; i < len; i++) {
		e = json_array_get(a, i);
		v = json_integer_value(e);
		if (!json_is_integer(e) || v < 0 || v > 255)
			return SW_ERR_FORMAT;
		out[i] = (uint8_t)v;
	}
	if (n != NULL)
		*n = len;
	return SW_OK;
}

static int
get_base64(const json_t *o, const char *name, uint8_t *out, size_t want)
{
	const char *s = json_string_value(json_object_get(o, name));

	if (s == NULL)
		return SW_ERR_FORMAT;
	return prim_base64_decode(out, want, s, strlen(s));
}

static int
get_int(const json_t *o, const char *name, int64_t *v)
{
	const json_t *i = json_object_get(o, name);

	*v = json_integer_value(i);
	return json_is_integer(i) ? SW_OK : SW_ERR_FORMAT;
}

/* A version is a byte, 0 when absent. */
static int
get_version(const json_t *o, const char *name, uint8_t *version)
{
	int64_t v = 0;

	if (json_object_get(o, name) != NULL && get_int(o, name, &v) != SW_OK)
		return SW_ERR_FORMAT;
	if (v < 0 || v > 255)
		return SW_ERR_FORMAT;
	*version = (uint8_t)v;
	return SW_OK;
}

static int
get_reason(const json_t *o, struct gwmsg *m)
{
	const char *s = json_string_value(json_object_get(o, "message"));
	size_t n = s != NULL ? strlen(s) : 0;

	if (n >= sizeof(m->reason))
		n = sizeof(m->reason) - 1;
	if (n > 0)
		memcpy(m->reason, s, n);
	m->reason[n] = '\0';
	return s != NULL ? SW_OK : SW_ERR_FORMAT;
}

static int
get_status(const json_t *o, struct gwmsg *m)
{
	const json_t *s = json_object_get(o, "status");

	m->status = json_is_true(s);
	return json_is_boolean(s) ? SW_OK : SW_ERR_FORMAT;
}

static int
read_supported(const json_t *o, struct gwmsg *m)
{
	return get_version(o, "version", &m->version);
}

static int
read_handshake(const json_t *o, struct gwmsg *m)
{
	int r;

	if ((r = get_version(o, "protocol_version", &m->version)) != SW_OK)
		return r;
	return get_array(o, "data", m->data, sizeof(m->data), 0, &m->data_len);
}

/* Absent from older gateways' answers. */
static bool
get_unmetered(const json_t *o)
{
	return json_is_true(json_object_get(o, "upgrade_mode"));
}

static int
read_registered(const json_t *o, struct gwmsg *m)
{
	int r;

	if ((r = get_version(o, "protocol_version", &m->version)) != SW_OK)
		return r;
	m->unmetered = get_unmetered(o);
	return get_status(o, m);
}

/* The answer has a status; the old request of the same name has not. */
static int
read_authenticated(const json_t *o, struct gwmsg *m)
{
	int r;

	if (json_object_get(o, "status") == NULL) {
		m->type = GWMSG_LEGACY_AUTHENTICATE;
		return SW_OK;
	}
	if ((r = read_registered(o, m)) != SW_OK)
		return r;
	return get_int(o, "bandwidth_remaining", &m->available);
}

static int
read_authenticate(const json_t *o, struct gwmsg *m)
{
	struct gwmsg_auth *a = &m->auth;
	int64_t t;
	int r;

	if ((r = get_version(o, "protocolVersion", &m->version)) != SW_OK ||
	    (r = get_array(o, "clientIdentity", a->identity,
	    sizeof(a->identity), sizeof(a->identity), NULL)) != SW_OK ||
	    (r = get_base64(o, "addressCiphertext", a->address,
	    sizeof(a->address))) != SW_OK ||
	    (r = get_base64(o, "nonce", a->nonce, sizeof(a->nonce))) != SW_OK ||
	    (r = get_int(o, "requestUnixTimestamp", &t)) != SW_OK)
		return r;
	if (t < 0)
		return SW_ERR_FORMAT;
	a->timestamp = (uint64_t)t;
	return get_array(o, "requestSignature", a->signature,
	    sizeof(a->signature), sizeof(a->signature), NULL);
}

static int
read_claim(const json_t *o, struct gwmsg *m)
{
	(void)o;
	(void)m;
	return SW_OK;
}

static int
read_bandwidth(const json_t *o, struct gwmsg *m)
{
	m->unmetered = get_unmetered(o);
	return get_int(o, "available_total", &m->available);
}

static int
read_sent(const json_t *o, struct gwmsg *m)
{
	m->unmetered = get_unmetered(o);
	return get_int(o, "remaining_bandwidth", &m->available);
}

static int
read_typed_error(const json_t *o, struct gwmsg *m)
{
	const json_t *e = json_object_get(json_object_get(o, "error"),
	    "out_of_bandwidth");
	int r;

	if (!json_is_object(e)) {
		m->type = GWMSG_ERROR;
		memcpy(m->reason, "typed error", sizeof("typed error"));
		return SW_OK;
	}
	if ((r = get_int(e, "required", &m->required)) != SW_OK)
		return r;
	return get_int(e, "available", &m->available);
}

static int
read_encrypted(const json_t *o, struct gwmsg *m)
{
	int r;

	if ((r = get_array(o, "nonce", m->nonce, sizeof(m->nonce),
	    sizeof(m->nonce), NULL)) != SW_OK)
		return r;
	return get_array(o, "ciphertext", m->data, sizeof(m->data), 0,
	    &m->data_len);
}

static const struct {
	const char *name;
	enum gwmsg_type type;
	int (*read)(const json_t *, struct gwmsg *);
} readers[] = {
	{ "supportedProtocol", GWMSG_SUPPORTED, read_supported },
	{ "handshakePayload", GWMSG_HANDSHAKE, read_handshake },
	{ "registerHandshakeInitRequest", GWMSG_HANDSHAKE, read_handshake },
	{ "handshakeError", GWMSG_HANDSHAKE_ERROR, get_reason },
	{ "register", GWMSG_REGISTERED, read_registered },
	{ "authenticateV2", GWMSG_AUTHENTICATE, read_authenticate },
	{ "authenticate", GWMSG_AUTHENTICATED, read_authenticated },
	{ "claimFreeTestnetBandwidth", GWMSG_CLAIM, read_claim },
	{ "bandwidth", GWMSG_BANDWIDTH, read_bandwidth },
	{ "send", GWMSG_SENT, read_sent },
	{ "typedError", GWMSG_OUT_OF_BANDWIDTH, read_typed_error },
	{ "error", GWMSG_ERROR, get_reason },
	{ "encryptedRequest", GWMSG_ENCRYPTED, read_encrypted },
	{ "encryptedResponse", GWMSG_ENCRYPTED_ANSWER, read_encrypted },
};

#define N_READERS (sizeof(readers) / sizeof(readers[0]))

/* A gateway says this after each packet, so the usual form of it is read and
 * written without a tree. */
static const char sent_head[] = "{\"type\":\"send\",\"remaining_bandwidth\":";
static const char sent_tail[2][sizeof(",\"upgrade_mode\":false}")] = {
	",\"upgrade_mode\":false}", ",\"upgrade_mode\":true}",
};
#define DIGITS_MAX 18			/* fewer than would overflow */

static bool
is_sent(struct gwmsg *m, const char *text, size_t n)
{
	const char *p = text + sizeof(sent_head) - 1, *end = text + n, *begin;
	int64_t v = 0;

	if (n < sizeof(sent_head) - 1 ||
	    memcmp(text, sent_head, sizeof(sent_head) - 1) != 0)
		return false;
	for (begin = p; p < end && p - begin < DIGITS_MAX && *p >= '0' &&
	    *p <= '9'; p++)
		v = 10 * v + (*p - '0');
	if (p == begin || (*begin == '0' && p - begin > 1))
		return false;
	for (int i = 0; i < 2; i++) {
		size_t len = strlen(sent_tail[i]);

		if ((size_t)(end - p) != len ||
		    memcmp(p, sent_tail[i], len) != 0)
			continue;
		m->type = GWMSG_SENT;
		m->available = v;
		m->unmetered = i == 1;
		return true;
	}
	return false;
}

static int
write_sent(const struct gwmsg *m, char *out, size_t cap, size_t *n)
{
	int len = snprintf(out, cap, "%s%lld%s", sent_head,
	    (long long)m->available, sent_tail[m->unmetered ? 1 : 0]);

	if (len < 0 || (size_t)len >= cap)
		return SW_ERR_TOO_LONG;
	*n = (size_t)len;
	return SW_OK;
}

int
gwmsg_read(struct gwmsg *m, const char *text, size_t n)
{
	const char *type;
	json_t *o;
	int r;

	memset(m, 0, sizeof(*m));
	if (is_sent(m, text, n))
		return SW_OK;
	o = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	type = json_string_value(json_object_get(o, "type"));
	r = type != NULL ? SW_OK : SW_ERR_FORMAT;
	for (size_t i = 0; type != NULL && i < N_READERS; i++) {
		if (strcmp(readers[i].name, type) != 0)
			continue;
		m->type = readers[i].type;
		r = readers[i].read(o, m);
		break;
	}
	if (r != SW_OK)
		memset(m, 0, sizeof(*m));
	json_decref(o);
	return r;
}

int
gwmsg_read_wish(enum gwmsg_wish *w, const char *text, size_t n)
{
	json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	const json_t *forget = json_object_get(o, "ForgetMe");
	const json_t *remember = json_object_get(o, "RememberMe");

	*w = json_is_true(json_object_get(forget, "client")) ?
	    GWMSG_FORGET_CLIENT : forget != NULL ? GWMSG_FORGET_NOTHING :
	    GWMSG_REMEMBER;
	n = json_object_size(o);
	json_decref(o);
	return n == 1 && (forget != NULL || remember != NULL) ? SW_OK :
	    SW_ERR_FORMAT;
}

size_t
gwmsg_write_wish(char out[static GWMSG_WISH_MAX], enum gwmsg_wish w)
{
	const char *text = w == GWMSG_REMEMBER ? "{\"RememberMeAck\":{}}" :
	    "{\"ForgetMeAck\":{}}";

	return (size_t)(stpcpy(out, text) - out);
}

static json_t *
array(const uint8_t *p, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, json_integer(p[i]));
	return a;
}

static json_t *
base64(const uint8_t *p, size_t n)
{
	char text[PRIM_BASE64_LEN(GWMSG_DATA_MAX)];

	prim_base64_encode(text, p, n);
	return json_string(text);
}

/* What a peer said goes back to it only as text, never as broken UTF-8. */
static json_t *
reason(const char *s)
{
	json_t *t = json_string(s);

	return t != NULL ? t : json_string("unreadable reason");
}

/* json_pack() consumes what "o" is given; NULL anywhere makes it fail. */
static json_t *
build(const struct gwmsg *m)
{
	const struct gwmsg_auth *a = &m->auth;

	switch (m->type) {
	case GWMSG_SUPPORTED:
		return m->version == 0 ?
		    json_pack("{ss}", "type", "supportedProtocol") :
		    json_pack("{sssi}", "type", "supportedProtocol",
		    "version", m->version);
	case GWMSG_HANDSHAKE:
		return json_pack("{sssiso}", "type", "handshakePayload",
		    "protocol_version", m->version, "data",
		    array(m->data, m->data_len));
	case GWMSG_HANDSHAKE_ERROR:
		return json_pack("{ssso}", "type", "handshakeError",
		    "message", reason(m->reason));
	case GWMSG_REGISTERED:
		return json_pack("{sssisbsb}", "type", "register",
		    "protocol_version", m->version, "status", m->status,
		    "upgrade_mode", m->unmetered);
	case GWMSG_AUTHENTICATE:
		return json_pack("{sssisosososIso}", "type", "authenticateV2",
		    "protocolVersion", m->version, "clientIdentity",
		    array(a->identity, sizeof(a->identity)),
		    "addressCiphertext", base64(a->address,
		    sizeof(a->address)), "nonce", base64(a->nonce,
		    sizeof(a->nonce)), "requestUnixTimestamp",
		    (json_int_t)a->timestamp, "requestSignature",
		    array(a->signature, sizeof(a->signature)));
	case GWMSG_AUTHENTICATED:
		return json_pack("{sssisbsIsb}", "type", "authenticate",
		    "protocol_version", m->version, "status", m->status,
		    "bandwidth_remaining", (json_int_t)m->available,
		    "upgrade_mode", m->unmetered);
	case GWMSG_CLAIM:
		return json_pack("{ss}", "type", "claimFreeTestnetBandwidth");
	case GWMSG_BANDWIDTH:
		return json_pack("{sssIsb}", "type", "bandwidth",
		    "available_total", (json_int_t)m->available,
		    "upgrade_mode", m->unmetered);
	case GWMSG_OUT_OF_BANDWIDTH:
		return json_pack("{sss{s{sIsI}}}", "type", "typedError",
		    "error", "out_of_bandwidth", "required",
		    (json_int_t)m->required, "available",
		    (json_int_t)m->available);
	case GWMSG_ERROR:
		return json_pack("{ssso}", "type", "error", "message",
		    reason(m->reason));
	case GWMSG_ENCRYPTED:
	case GWMSG_ENCRYPTED_ANSWER:
		return json_pack("{sssoso}", "type", m->type ==
		    GWMSG_ENCRYPTED ? "encryptedRequest" : "encryptedResponse",
		    "ciphertext", array(m->data, m->data_len), "nonce",
		    array(m->nonce, sizeof(m->nonce)));
	case GWMSG_SENT:		/* write_sent() */
	case GWMSG_OTHER:
	case GWMSG_LEGACY_AUTHENTICATE:
		break;
	}
	return NULL;
}

int
gwmsg_write(const struct gwmsg *m, char *out, size_t cap, size_t *n)
{
	size_t len;
	json_t *o;

	*n = 0;
	if (m->type == GWMSG_SENT)
		return write_sent(m, out, cap, n);
	if ((o = build(m)) == NULL)
		return SW_ERR_NOMEM;
	len = json_dumpb(o, out, cap, JSON_COMPACT);
	json_decref(o);
	if (len == 0 || len > cap)
		return SW_ERR_TOO_LONG;
	*n = len;
	return SW_OK;
}
