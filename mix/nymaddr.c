#include "mix/nymaddr.h"

#include <assert.h>
#include <string.h>

#include "mix/prim.h"

#define GATEWAY_AT ((size_t)2 * NYM_KEY_LEN)	/* in a recipient */

enum { FAMILY_V4 = 4, FAMILY_V6 = 6 };

int
nymaddr_put_node(struct wbuf *w, const struct sw_addr *a)
{
	bool v4 = addr_is_v4(a);
	size_t skip = v4 ? 12 : 0;
	int r;

	if (w->left < 3 + 16 - skip)
		return SW_ERR_TOO_LONG;
	if ((r = wire_put_u8(w, v4 ? FAMILY_V4 : FAMILY_V6)) == SW_OK &&
	    (r = wire_put_u16be(w, a->port)) == SW_OK)
		r = wire_put_bytes(w, a->ip + skip, 16 - skip);
	return r;
}

int
nymaddr_get_node(struct rbuf *r, struct sw_addr *a)
{
	struct rbuf at = *r;
	uint8_t family, v4[4];
	uint16_t port;
	int err;

	memset(a, 0, sizeof(*a));
	if ((err = wire_get_u8(&at, &family)) != SW_OK ||
	    (err = wire_get_u16be(&at, &port)) != SW_OK)
		return err;
	if (family == FAMILY_V4) {
		if ((err = wire_get_bytes(&at, v4, sizeof(v4))) != SW_OK)
			return err;
		*a = addr_v4((uint32_t)v4[0] << 24 | (uint32_t)v4[1] << 16 |
		    (uint32_t)v4[2] << 8 | v4[3], port);
	} else if (family == FAMILY_V6) {
		if ((err = wire_get_bytes(&at, a->ip, sizeof(a->ip))) != SW_OK)
			return err;
		a->port = port;
	} else {
		return SW_ERR_FORMAT;
	}
	*r = at;
	return SW_OK;
}

void
nymaddr_put_padded(uint8_t *out, size_t n, const struct sw_addr *a)
{
	struct wbuf w = { out, n };
	int r;

	assert(n >= NYMADDR_NODE_MAX_LEN);
	memset(out, 0, n);
	r = nymaddr_put_node(&w, a);
	assert(r == SW_OK);
}

int
nymaddr_get_padded(const uint8_t *in, size_t n, struct sw_addr *a)
{
	struct rbuf r = { in, n };

	return nymaddr_get_node(&r, a);
}

void
recipient_put(uint8_t out[static RECIPIENT_LEN], const struct recipient *r)
{
	memcpy(out, r->identity, NYM_KEY_LEN);
	memcpy(out + NYM_KEY_LEN, r->encryption, NYM_KEY_LEN);
	memcpy(out + GATEWAY_AT, r->gateway, NYM_KEY_LEN);
}

int
recipient_get(struct recipient *r, const uint8_t in[static RECIPIENT_LEN])
{
	memcpy(r->identity, in, NYM_KEY_LEN);
	memcpy(r->encryption, in + NYM_KEY_LEN, NYM_KEY_LEN);
	memcpy(r->gateway, in + GATEWAY_AT, NYM_KEY_LEN);
	if (prim_ed25519_is_point(r->identity) &&
	    prim_ed25519_is_point(r->gateway))
		return SW_OK;
	memset(r, 0, sizeof(*r));
	return SW_ERR_FORMAT;
}

void
recipient_format(char out[static RECIPIENT_TEXT_LEN],
    const struct recipient *r)
{
	size_t n = base58_encode(out, r->identity, NYM_KEY_LEN);

	out[n++] = '.';
	n += base58_encode(out + n, r->encryption, NYM_KEY_LEN);
	out[n++] = '@';
	base58_encode(out + n, r->gateway, NYM_KEY_LEN);
}

int
recipient_parse(struct recipient *r, const char *text)
{
	const char *at = strchr(text, '@'), *dot = strchr(text, '.');
	uint8_t bytes[RECIPIENT_LEN];
	int err;

	memset(r, 0, sizeof(*r));
	if (at == NULL || dot == NULL || dot > at)
		return SW_ERR_FORMAT;
	if ((err = base58_decode(bytes, NYM_KEY_LEN, text,
	    (size_t)(dot - text))) != SW_OK ||
	    (err = base58_decode(bytes + NYM_KEY_LEN, NYM_KEY_LEN, dot + 1,
	    (size_t)(at - dot - 1))) != SW_OK ||
	    (err = base58_decode(bytes + GATEWAY_AT, NYM_KEY_LEN, at + 1,
	    strlen(at + 1))) != SW_OK)
		return err;
	return recipient_get(r, bytes);
}
