#include "mix/nymmsg.h"

#include <assert.h>
#include <string.h>

#include "base/wipe.h"
#include "mix/nympkt.h"

enum { TYPE_PLAIN, TYPE_REPLIABLE, TYPE_REPLY };
enum { CONTENT_DATA_1, CONTENT_SURBS_1, CONTENT_BEAT_1,
	CONTENT_DATA_2, CONTENT_SURBS_2, CONTENT_BEAT_2 };
enum { REPLY_DATA, REPLY_SURB_REQUEST };

/* SURBs of the first form: four hops, full keys. */
#define OLD_SURB_LEN \
	(SURB_KEY_LEN + SURB_FIXED_LEN + 4 * SPHINX_PAYLOAD_KEY_LEN)
_Static_assert(OLD_SURB_LEN == 1164, "reply SURB, first form");
_Static_assert(REPLY_SURB_LEN(4) == 460, "reply SURB, second form");

int
nymmsg_put_repliable(struct wbuf *w, enum nymmsg_kind kind,
    const uint8_t tag[static NYMMSG_TAG_LEN], uint16_t n, uint8_t hops,
    uint8_t rotation)
{
	int r;

	assert(kind == NYMMSG_DATA || kind == NYMMSG_SURBS);
	if (w->left < NYMMSG_REPLIABLE_HEAD_LEN)
		return SW_ERR_TOO_LONG;
	if ((r = wire_put_u8(w, TYPE_REPLIABLE)) != SW_OK ||
	    (r = wire_put_bytes(w, tag, NYMMSG_TAG_LEN)) != SW_OK ||
	    (r = wire_put_u8(w, kind == NYMMSG_DATA ? CONTENT_DATA_2 :
	    CONTENT_SURBS_2)) != SW_OK ||
	    (r = wire_put_u16be(w, n)) != SW_OK ||
	    (r = wire_put_u8(w, n > 0 ? hops : 0)) != SW_OK)
		return r;
	return wire_put_u8(w, n > 0 ? rotation : 0);
}

int
nymmsg_put_surb(struct wbuf *w, const struct reply_surb *s)
{
	size_t n;
	int r;

	if (w->left < REPLY_SURB_LEN(s->surb.header.n))
		return SW_ERR_TOO_LONG;
	if ((r = wire_put_bytes(w, s->key, sizeof(s->key))) != SW_OK ||
	    (r = surb_put(&s->surb, w->p, w->left, &n)) != SW_OK)
		return r;
	w->p += n;
	w->left -= n;
	return SW_OK;
}

int
nymmsg_put_head(struct wbuf *w, enum nymmsg_kind kind)
{
	int r;

	assert(kind == NYMMSG_PLAIN || kind == NYMMSG_REPLY);
	if (kind == NYMMSG_PLAIN)
		return wire_put_u8(w, TYPE_PLAIN);
	if ((r = wire_put_u8(w, TYPE_REPLY)) == SW_OK)
		r = wire_put_u8(w, REPLY_DATA);
	return r;
}

int
nymmsg_put_surb_request(struct wbuf *w, const struct recipient *from,
    uint32_t amount)
{
	uint8_t bytes[RECIPIENT_LEN];
	int r;

	recipient_put(bytes, from);
	if ((r = wire_put_u8(w, TYPE_REPLY)) != SW_OK ||
	    (r = wire_put_u8(w, REPLY_SURB_REQUEST)) != SW_OK ||
	    (r = wire_put_bytes(w, bytes, sizeof(bytes))) != SW_OK)
		return r;
	return wire_put_u32be(w, amount);
}

static int
get_surbs(struct rbuf *r, struct nymmsg *m, bool first_form)
{
	uint32_t n32;
	uint16_t n16;
	uint8_t hops;
	int err;

	if (first_form) {
		if ((err = wire_get_u32be(r, &n32)) != SW_OK)
			return err;
		m->n_surbs = n32;
		m->surb_len = OLD_SURB_LEN;
	} else {
		if ((err = wire_get_u16be(r, &n16)) != SW_OK ||
		    (err = wire_get_u8(r, &hops)) != SW_OK ||
		    (err = wire_get_u8(r, &m->rotation)) != SW_OK)
			return err;
		if (m->rotation > NYMPKT_ROTATION_EVEN ||
		    hops > SPHINX_MAX_HOPS || (n16 > 0 && hops == 0))
			return SW_ERR_FORMAT;
		m->n_surbs = n16;
		m->surb_len = REPLY_SURB_LEN(hops);
	}
	if (m->n_surbs > NYMMSG_MAX_SURBS)
		return SW_ERR_TOO_LONG;
	return wire_get_ref(r, m->n_surbs * m->surb_len, &m->surbs);
}

static int
get_repliable(struct rbuf *r, struct nymmsg *m)
{
	uint8_t content;
	int err;

	if ((err = wire_get_ref(r, NYMMSG_TAG_LEN, &m->tag)) != SW_OK ||
	    (err = wire_get_u8(r, &content)) != SW_OK)
		return err;
	if (content > CONTENT_BEAT_2)
		return SW_ERR_FORMAT;
	if ((err = get_surbs(r, m, content <= CONTENT_BEAT_1)) != SW_OK)
		return err;
	m->kind = content == CONTENT_DATA_1 || content == CONTENT_DATA_2 ?
	    NYMMSG_DATA : NYMMSG_SURBS;
	if (m->kind == NYMMSG_DATA) {
		m->data = r->p;
		m->data_len = r->left;
	}
	return SW_OK;
}

static int
get_reply(struct rbuf *r, struct nymmsg *m)
{
	uint8_t content;
	const uint8_t *from;
	int err;

	if ((err = wire_get_u8(r, &content)) != SW_OK)
		return err;
	if (content == REPLY_DATA) {
		if (r->left == 0)
			return SW_ERR_FORMAT;
		m->kind = NYMMSG_REPLY;
		m->data = r->p;
		m->data_len = r->left;
		return SW_OK;
	}
	if (content != REPLY_SURB_REQUEST || r->left != RECIPIENT_LEN + 4)
		return SW_ERR_FORMAT;
	m->kind = NYMMSG_SURB_REQUEST;
	if ((err = wire_get_ref(r, RECIPIENT_LEN, &from)) != SW_OK ||
	    (err = recipient_get(&m->from, from)) != SW_OK)
		return err;
	return wire_get_u32be(r, &m->amount);
}

int
nymmsg_get(struct nymmsg *m, const uint8_t *in, size_t n)
{
	struct rbuf r = { in, n };
	uint8_t type;
	int err = SW_ERR_FORMAT;

	memset(m, 0, sizeof(*m));
	if (wire_get_u8(&r, &type) != SW_OK)
		return SW_ERR_FORMAT;
	if (type == TYPE_PLAIN) {
		m->kind = NYMMSG_PLAIN;
		m->data = r.p;
		m->data_len = r.left;
		return SW_OK;
	}
	if (type == TYPE_REPLIABLE)
		err = get_repliable(&r, m);
	else if (type == TYPE_REPLY)
		err = get_reply(&r, m);
	if (err == SW_OK)
		return SW_OK;
	memset(m, 0, sizeof(*m));
	return SW_ERR_FORMAT;
}

int
nymmsg_get_surb(const struct nymmsg *m, size_t i, struct reply_surb *s)
{
	const uint8_t *p = m->surbs + i * m->surb_len;
	struct sw_addr first;
	int r;

	assert(i < m->n_surbs);
	memcpy(s->key, p, sizeof(s->key));
	if ((r = surb_get(&s->surb, p + SURB_KEY_LEN,
	    m->surb_len - SURB_KEY_LEN)) == SW_OK)
		r = nymaddr_get_padded(s->surb.first, SPHINX_ADDR_LEN, &first);
	if (r != SW_OK)
		sw_wipe(s, sizeof(*s));
	return r;
}
