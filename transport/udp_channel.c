#include "transport/udp_channel.h"

#include <string.h>

#include "base/wire.h"

#define FORM_NAME 0
#define FORM_V4 4
#define FORM_V6 6

static const int reasons[] = {
	[UDP_CHANNEL_REFUSED] = SW_ERR_REFUSED,
	[UDP_CHANNEL_UNREACH_HOST] = SW_ERR_UNREACH_HOST,
	[UDP_CHANNEL_UNREACH_NET] = SW_ERR_UNREACH_NET,
	[UDP_CHANNEL_NO_NAME] = SW_ERR_NO_NAME,
	[UDP_CHANNEL_DENIED] = SW_ERR_DENIED,
	[UDP_CHANNEL_TOO_LONG] = SW_ERR_TOO_LONG,
	[UDP_CHANNEL_TIMEOUT] = SW_ERR_TIMEOUT,
};
#define NREASONS (sizeof(reasons) / sizeof(reasons[0]))

static int
put_peer(struct wbuf *w, const struct datagram_peer *peer)
{
	size_t n = peer->name != NULL ? strlen(peer->name) : 0;
	bool v4 = addr_is_v4(&peer->addr);
	int r;

	if (peer->name == NULL) {
		if ((r = wire_put_u8(w, v4 ? FORM_V4 : FORM_V6)) != SW_OK ||
		    (r = wire_put_bytes(w, peer->addr.ip + (v4 ? 12 : 0),
		    v4 ? 4 : 16)) != SW_OK)
			return r;
	} else {
		if (n == 0 || n > 255)
			return SW_ERR_FORMAT;
		if ((r = wire_put_u8(w, FORM_NAME)) != SW_OK ||
		    (r = wire_put_u8(w, (uint8_t)n)) != SW_OK ||
		    (r = wire_put_bytes(w, peer->name, n)) != SW_OK)
			return r;
	}
	return wire_put_u16be(w, peer->addr.port);
}

static size_t
put_head(uint8_t *out, uint8_t kind, const struct datagram_peer *peer,
    size_t data_len)
{
	struct wbuf w = { out + 2, UDP_CHANNEL_HEAD_MAX - 2 };
	size_t n;

	if (wire_put_u8(&w, kind) != SW_OK || put_peer(&w, peer) != SW_OK)
		return 0;
	n = UDP_CHANNEL_HEAD_MAX - 2 - w.left;
	if (data_len > UDP_CHANNEL_FRAME_MAX - n)
		return 0;
	out[0] = (uint8_t)((n + data_len) >> 8);
	out[1] = (uint8_t)(n + data_len);
	return n + 2;
}

size_t
udp_channel_put_head(uint8_t out[static UDP_CHANNEL_HEAD_MAX],
    const struct datagram_peer *peer, size_t data_len)
{
	return put_head(out, UDP_CHANNEL_DATA, peer, data_len);
}

size_t
udp_channel_put_error(uint8_t out[static UDP_CHANNEL_HEAD_MAX + 1],
    const struct datagram_peer *peer, int err)
{
	size_t n = put_head(out, UDP_CHANNEL_ERROR, peer, 1);

	if (n == 0)
		return 0;
	out[n] = UDP_CHANNEL_UNREACH_HOST;
	for (size_t i = 1; i < NREASONS; i++)
		if (reasons[i] == err)
			out[n] = (uint8_t)i;
	return n + 1;
}

static int
get_name(struct rbuf *r, char name[static 256])
{
	uint8_t n;

	if (wire_get_u8(r, &n) != SW_OK || n == 0 ||
	    wire_get_bytes(r, name, n) != SW_OK || memchr(name, 0, n) != NULL) {
		name[0] = '\0';
		return SW_ERR_FORMAT;
	}
	name[n] = '\0';
	return SW_OK;
}

static int
get_peer(struct rbuf *r, struct udp_channel_frame *f)
{
	uint8_t form, v4[4];

	if (wire_get_u8(r, &form) != SW_OK)
		return SW_ERR_FORMAT;
	switch (form) {
	case FORM_NAME:
		if (get_name(r, f->name) != SW_OK)
			return SW_ERR_FORMAT;
		break;
	case FORM_V4:
		if (wire_get_bytes(r, v4, 4) != SW_OK)
			return SW_ERR_FORMAT;
		f->addr = addr_v4((uint32_t)v4[0] << 24 | (uint32_t)v4[1] << 16 |
		    (uint32_t)v4[2] << 8 | v4[3], 0);
		break;
	case FORM_V6:
		if (wire_get_bytes(r, f->addr.ip, 16) != SW_OK)
			return SW_ERR_FORMAT;
		break;
	default:
		return SW_ERR_FORMAT;
	}
	return wire_get_u16be(r, &f->addr.port) == SW_OK ? SW_OK : SW_ERR_FORMAT;
}

int
udp_channel_take(struct udp_channel_frame *f, const uint8_t *p, size_t len,
    size_t *used)
{
	struct rbuf r = { p, len };
	uint16_t n;
	uint8_t kind, reason;

	*used = 0;
	memset(f, 0, sizeof(*f));
	if (wire_get_u16be(&r, &n) != SW_OK || r.left < n)
		return SW_AGAIN;
	r.left = n;
	if (wire_get_u8(&r, &kind) != SW_OK || kind > UDP_CHANNEL_ERROR ||
	    get_peer(&r, f) != SW_OK)
		goto bad;
	f->kind = (enum udp_channel_kind)kind;
	if (f->kind == UDP_CHANNEL_ERROR) {
		if (wire_get_u8(&r, &reason) != SW_OK)
			goto bad;
		f->err = reason > 0 && reason < NREASONS ? reasons[reason] :
		    SW_ERR_UNREACH_HOST;
	} else {
		f->data = r.p;
		f->len = r.left;
	}
	*used = 2 + (size_t)n;
	return SW_OK;
bad:
	memset(f, 0, sizeof(*f));
	return SW_ERR_FORMAT;
}
