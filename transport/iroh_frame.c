#include "transport/iroh_frame.h"

#include <stdbool.h>
#include <string.h>

#include "base/wire.h"

/* Types on the wire that have no kind of their own. */
enum {
	TYPE_ANSWER = 1,
	TYPE_SEND = 4,
	TYPE_SEND_BATCH = 5,
	TYPE_RECV = 6,
	TYPE_RECV_BATCH = 7,
};

static int
get_datagrams(struct rbuf *r, struct relay_frame *f, bool batch)
{
	uint16_t segment = 0;
	uint8_t ecn;
	int e;

	f->kind = RELAY_DATAGRAMS;
	if ((e = wire_get_bytes(r, f->peer.key, IROH_ID_LEN)) != SW_OK ||
	    (e = wire_get_u8(r, &ecn)) != SW_OK ||
	    (batch && (e = wire_get_u16be(r, &segment)) != SW_OK))
		return e;
	if (r->left == 0)
		return SW_ERR_FORMAT;
	f->len = r->left;
	f->segment = segment == 0 || segment > f->len ? f->len : segment;
	return wire_get_ref(r, f->len, &f->bytes);
}

static int
get_fixed(struct rbuf *r, struct relay_frame *f, size_t n)
{
	f->len = n;
	return wire_get_ref(r, n, &f->bytes);
}

/* The denial's reason: a length (varint below 128 for any sane text) and it. */
static int
get_reason(struct rbuf *r, struct relay_frame *f)
{
	uint8_t n;

	if (wire_get_u8(r, &n) != SW_OK || n > r->left)
		n = 0;
	return get_fixed(r, f, n);
}

int
relay_frame_parse(struct relay_frame *f, const uint8_t *msg, size_t n)
{
	struct rbuf r = { .p = msg, .left = n };
	uint32_t try_for;
	uint8_t type;
	int e = SW_OK;

	memset(f, 0, sizeof(*f));
	if (n > RELAY_FRAME_MAX + 1 || wire_get_u8(&r, &type) != SW_OK)
		return SW_ERR_FORMAT;
	f->kind = (enum relay_kind)type;
	switch (type) {
	case RELAY_CHALLENGE:
		e = get_fixed(&r, f, RELAY_CHALLENGE_LEN);
		break;
	case RELAY_ACCEPTED:
		break;
	case RELAY_DENIED:
		e = get_reason(&r, f);
		break;
	case TYPE_RECV:
	case TYPE_RECV_BATCH:
		e = get_datagrams(&r, f, type == TYPE_RECV_BATCH);
		break;
	case RELAY_GONE:
		e = wire_get_bytes(&r, f->peer.key, IROH_ID_LEN);
		break;
	case RELAY_PING:
	case RELAY_PONG:
		e = get_fixed(&r, f, RELAY_PING_LEN);
		break;
	case RELAY_RESTART:
		if ((e = wire_get_u32be(&r, &f->wait_ms)) == SW_OK)
			e = wire_get_u32be(&r, &try_for);
		break;
	case RELAY_STATUS:
		e = wire_get_u8(&r, &f->status);
		break;
	default:
		f->kind = RELAY_OTHER;
	}
	if (e == SW_OK)
		return SW_OK;
	memset(f, 0, sizeof(*f));
	return SW_ERR_FORMAT;
}

size_t
relay_frame_head(uint8_t out[static RELAY_HEAD_MAX], const struct iroh_id *peer,
    size_t len, size_t segment)
{
	bool batch = segment < len;
	size_t n = 0;

	out[n++] = batch ? TYPE_SEND_BATCH : TYPE_SEND;
	memcpy(out + n, peer->key, IROH_ID_LEN);
	n += IROH_ID_LEN;
	out[n++] = 0;			/* no ECN mark */
	if (batch) {
		out[n++] = (uint8_t)(segment >> 8);
		out[n++] = (uint8_t)segment;
	}
	return n;
}

void
relay_frame_answer(uint8_t out[static RELAY_ANSWER_LEN],
    const struct iroh_id *id, const uint8_t signature[static 64])
{
	out[0] = TYPE_ANSWER;
	memcpy(out + 1, id->key, IROH_ID_LEN);
	out[1 + IROH_ID_LEN] = 64;	/* length of what follows */
	memcpy(out + 2 + IROH_ID_LEN, signature, 64);
}

void
relay_frame_echo(uint8_t out[static 1 + RELAY_PING_LEN], enum relay_kind kind,
    const uint8_t bytes[static RELAY_PING_LEN])
{
	out[0] = (uint8_t)kind;
	memcpy(out + 1, bytes, RELAY_PING_LEN);
}
