#include "mix/iprmsg_priv.h"

#include <string.h>

#include "mix/bincode.h"

enum { SAY_CONNECT, SAY_DISCONNECT, SAY_DROPPED, SAY_PONG, SAY_HEALTH,
	SAY_INFO };
enum { REPLY_SUCCESS, REPLY_FAILURE };

static int
put_connected(struct wbuf *w, const struct iprmsg_response *a)
{
	int r;

	if (a->reason != IPRMSG_SUCCESS) {
		if ((r = wire_put_u8(w, REPLY_FAILURE)) != SW_OK)
			return r;
		if (a->reason == IPRMSG_ALREADY_CONNECTED)
			return wire_put_u8(w, 0);
		if (a->reason == IPRMSG_NO_ADDRESS)
			return wire_put_u8(w, 1);
		if ((r = wire_put_u8(w, 2)) != SW_OK)
			return r;
		return bincode_put_string(w, a->text, strlen(a->text));
	}
	if ((r = wire_put_u8(w, REPLY_SUCCESS)) != SW_OK ||
	    (r = wire_put_bytes(w, a->ip4, sizeof(a->ip4))) != SW_OK ||
	    (r = wire_put_bytes(w, a->ip6, sizeof(a->ip6))) != SW_OK)
		return r;
	return a->version >= IPRMSG_V10 ? bincode_put_varint(w, a->mtu) : SW_OK;
}

static int
put_disconnected(struct wbuf *w, const struct iprmsg_response *a)
{
	int r;

	if (a->reason == IPRMSG_SUCCESS)
		return wire_put_u8(w, REPLY_SUCCESS);
	if ((r = wire_put_u8(w, REPLY_FAILURE)) != SW_OK)
		return r;
	if (a->reason == IPRMSG_NOT_CONNECTED)
		return wire_put_u8(w, 0);
	if ((r = wire_put_u8(w, 1)) != SW_OK)
		return r;
	return bincode_put_string(w, a->text, strlen(a->text));
}

/* Ten strings about the build, of which we tell the first only, and whether
 * the exit can route, which nobody fills in. */
static int
put_health(struct wbuf *w)
{
	int r = bincode_put_string(w, "smolnode", sizeof("smolnode") - 1);

	for (int i = 0; r == SW_OK && i < 9; i++)
		r = bincode_put_string(w, "", 0);
	return r == SW_OK ? wire_put_u8(w, 0) : r;
}

static int
put_response(struct wbuf *w, const struct iprmsg_response *a)
{
	static const uint8_t tag[] = {
		[IPRMSG_CONNECT] = SAY_CONNECT,
		[IPRMSG_DISCONNECT] = SAY_DISCONNECT,
		[IPRMSG_DROPPED] = SAY_DROPPED,
		[IPRMSG_PING] = SAY_PONG,
		[IPRMSG_HEALTH] = SAY_HEALTH,
		[IPRMSG_INFO] = SAY_INFO,
	};
	int r;

	if ((r = wire_put_u8(w, a->version)) != SW_OK ||
	    (r = wire_put_u8(w, a->kind == IPRMSG_DATA ? IPRMSG_TOP_DATA :
	    IPRMSG_TOP_CONTROL)) != SW_OK)
		return r;
	if (a->kind == IPRMSG_DATA)
		return bincode_put_string(w, a->bundle, a->bundle_len);
	if ((r = wire_put_u8(w, tag[a->kind])) != SW_OK)
		return r;
	if (a->kind == IPRMSG_DROPPED)
		return wire_put_u8(w, a->reason == IPRMSG_TUN_TIMEOUT);
	if ((r = bincode_put_varint(w, a->id)) != SW_OK)
		return r;
	switch (a->kind) {
	case IPRMSG_CONNECT:
		return put_connected(w, a);
	case IPRMSG_DISCONNECT:
		return put_disconnected(w, a);
	case IPRMSG_HEALTH:
		return put_health(w);
	case IPRMSG_INFO:		/* refused by policy, a warning */
		if ((r = wire_put_u8(w, 2)) != SW_OK ||
		    (r = bincode_put_string(w, a->text, strlen(a->text))) !=
		    SW_OK)
			return r;
		return wire_put_u8(w, 1);
	default:
		return SW_OK;
	}
}

int
iprmsg_put_response(struct wbuf *w, const struct iprmsg_response *a)
{
	struct wbuf at = *w;
	int r = put_response(&at, a);

	if (r == SW_OK)
		*w = at;
	return r;
}

static int
get_text(struct rbuf *r, struct iprmsg_response *a)
{
	const uint8_t *p;
	size_t n;
	int err;

	if ((err = bincode_get_string(r, &p, &n)) != SW_OK)
		return err;
	if (n >= sizeof(a->text))
		n = sizeof(a->text) - 1;
	memcpy(a->text, p, n);
	a->text[n] = '\0';
	return SW_OK;
}

static int
get_connected(struct rbuf *r, struct iprmsg_response *a)
{
	unsigned reply, reason;
	uint64_t mtu = 0;
	int err;

	if ((err = bincode_get_variant(r, REPLY_FAILURE, &reply)) != SW_OK)
		return err;
	if (reply == REPLY_SUCCESS) {
		if ((err = wire_get_bytes(r, a->ip4, sizeof(a->ip4))) !=
		    SW_OK ||
		    (err = wire_get_bytes(r, a->ip6, sizeof(a->ip6))) !=
		    SW_OK ||
		    (a->version >= IPRMSG_V10 && (err = bincode_get_varint(r,
		    UINT16_MAX, &mtu)) != SW_OK))
			return err;
		a->mtu = (uint16_t)mtu;
		return SW_OK;
	}
	if ((err = bincode_get_variant(r, 2, &reason)) != SW_OK)
		return err;
	a->reason = reason == 0 ? IPRMSG_ALREADY_CONNECTED :
	    reason == 1 ? IPRMSG_NO_ADDRESS : IPRMSG_OTHER;
	return reason == 2 ? get_text(r, a) : SW_OK;
}

static int
get_disconnected(struct rbuf *r, struct iprmsg_response *a)
{
	unsigned reply, reason;
	int err;

	if ((err = bincode_get_variant(r, REPLY_FAILURE, &reply)) != SW_OK ||
	    reply == REPLY_SUCCESS)
		return err;
	if ((err = bincode_get_variant(r, 1, &reason)) != SW_OK)
		return err;
	a->reason = reason == 0 ? IPRMSG_NOT_CONNECTED : IPRMSG_OTHER;
	return reason == 1 ? get_text(r, a) : SW_OK;
}

static int
get_dropped(struct rbuf *r, struct iprmsg_response *a)
{
	unsigned reason;
	int err;

	if ((err = bincode_get_variant(r, 2, &reason)) != SW_OK)
		return err;
	a->reason = reason == 0 ? IPRMSG_MIX_TIMEOUT :
	    reason == 1 ? IPRMSG_TUN_TIMEOUT : IPRMSG_OTHER;
	return reason == 2 ? get_text(r, a) : SW_OK;
}

static int
get_health(struct rbuf *r, struct iprmsg_response *a)
{
	const uint8_t *p;
	unsigned option, yes;
	size_t n;
	int err = get_text(r, a);

	for (int i = 0; err == SW_OK && i < 9; i++)
		err = bincode_get_string(r, &p, &n);
	if (err != SW_OK || (err = bincode_get_variant(r, 1, &option)) !=
	    SW_OK ||
	    option == 0)
		return err;
	return bincode_get_variant(r, 1, &yes);
}

static int
get_info(struct rbuf *r, struct iprmsg_response *a)
{
	unsigned what, level;
	uint8_t versions[2];
	int err;

	if ((err = bincode_get_variant(r, 2, &what)) != SW_OK)
		return err;
	err = what == 1 ? wire_get_bytes(r, versions, sizeof(versions)) :
	    get_text(r, a);
	a->reason = what == 2 ? IPRMSG_POLICY : IPRMSG_OTHER;
	return err == SW_OK ? bincode_get_variant(r, 2, &level) : err;
}

static const struct {
	enum iprmsg_kind kind;
	int (*get)(struct rbuf *, struct iprmsg_response *);
} says[] = {
	[SAY_CONNECT] = { IPRMSG_CONNECT, get_connected },
	[SAY_DISCONNECT] = { IPRMSG_DISCONNECT, get_disconnected },
	[SAY_DROPPED] = { IPRMSG_DROPPED, get_dropped },
	[SAY_PONG] = { IPRMSG_PING, NULL },
	[SAY_HEALTH] = { IPRMSG_HEALTH, get_health },
	[SAY_INFO] = { IPRMSG_INFO, get_info },
};

static int
get_response(struct iprmsg_response *a, struct rbuf *r)
{
	unsigned top, say;
	int err;

	if ((err = wire_get_u8(r, &a->version)) != SW_OK)
		return err;
	if (!iprmsg_is_version(a->version))
		return SW_ERR_UNSUPPORTED;
	if ((err = bincode_get_variant(r, IPRMSG_TOP_CONTROL, &top)) != SW_OK)
		return err;
	if (top == IPRMSG_TOP_DATA) {
		a->kind = IPRMSG_DATA;
		return bincode_get_string(r, &a->bundle, &a->bundle_len);
	}
	if ((err = bincode_get_variant(r, SAY_INFO, &say)) != SW_OK)
		return err;
	a->kind = says[say].kind;
	if (say != SAY_DROPPED &&
	    (err = bincode_get_varint(r, UINT64_MAX, &a->id)) != SW_OK)
		return err;
	return says[say].get != NULL ? says[say].get(r, a) : SW_OK;
}

int
iprmsg_get_response(struct iprmsg_response *a, const uint8_t *in, size_t n)
{
	struct rbuf r = { in, n };
	int err;

	memset(a, 0, sizeof(*a));
	if ((err = get_response(a, &r)) == SW_OK && r.left == 0)
		return SW_OK;
	memset(a, 0, sizeof(*a));
	return err == SW_ERR_UNSUPPORTED ? err : SW_ERR_FORMAT;
}
