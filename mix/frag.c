#include "mix/frag.h"

#include <assert.h>
#include <string.h>

#define TOP_BIT 0x80000000u
#define LINK_COST (FRAG_LINKED_HEAD_LEN - FRAG_HEAD_LEN)

void
frag_put_id(uint8_t out[static FRAG_ID_LEN], const struct frag_id *id)
{
	struct wbuf w = { out, FRAG_ID_LEN };
	int r;

	if ((r = wire_put_u32be(&w, id->set)) == SW_OK)
		r = wire_put_u8(&w, id->pos);
	assert(r == SW_OK);
}

int
frag_get_id(struct frag_id *id, const uint8_t in[static FRAG_ID_LEN])
{
	struct rbuf b = { in, FRAG_ID_LEN };
	int r;

	memset(id, 0, sizeof(*id));
	if ((r = wire_get_u32be(&b, &id->set)) != SW_OK ||
	    (r = wire_get_u8(&b, &id->pos)) != SW_OK)
		return r;
	if (id->set < TOP_BIT)
		return SW_OK;
	memset(id, 0, sizeof(*id));
	return SW_ERR_FORMAT;
}

/* Positions at which a set may name its neighbour. */
static bool
may_link(const struct frag_head *h)
{
	return h->id.pos == 1 ||
	    (h->id.pos == FRAG_SET_MAX && h->total == FRAG_SET_MAX);
}

int
frag_put_head(struct wbuf *w, const struct frag_head *h)
{
	int r;

	if (w->left < (h->linked ? FRAG_LINKED_HEAD_LEN : FRAG_HEAD_LEN))
		return SW_ERR_TOO_LONG;
	if ((r = wire_put_u32be(w, TOP_BIT | h->id.set)) != SW_OK ||
	    (r = wire_put_u8(w, h->total)) != SW_OK ||
	    (r = wire_put_u8(w, h->id.pos)) != SW_OK)
		return r;
	return h->linked ? wire_put_u32be(w, TOP_BIT | h->link) :
	    wire_put_u8(w, 0);
}

static int
read_head(struct rbuf *r, struct frag_head *h)
{
	struct rbuf peek;
	uint8_t linked;
	int err;

	if ((err = wire_get_u32be(r, &h->id.set)) != SW_OK ||
	    (err = wire_get_u8(r, &h->total)) != SW_OK ||
	    (err = wire_get_u8(r, &h->id.pos)) != SW_OK)
		return err;
	if ((h->id.set & TOP_BIT) == 0)
		return SW_ERR_FORMAT;
	h->id.set &= ~TOP_BIT;
	if (h->id.set == 0 || h->id.pos == 0 || h->id.pos > h->total)
		return SW_ERR_FORMAT;
	peek = *r;
	if ((err = wire_get_u8(&peek, &linked)) != SW_OK)
		return err;
	if (linked == 0) {
		*r = peek;
		return SW_OK;
	}
	if ((err = wire_get_u32be(r, &h->link)) != SW_OK)
		return err;
	if ((h->link & TOP_BIT) == 0 || !may_link(h))
		return SW_ERR_FORMAT;
	h->link &= ~TOP_BIT;
	h->linked = true;
	return h->link == 0 || h->link == h->id.set ? SW_ERR_FORMAT : SW_OK;
}

int
frag_get_head(struct rbuf *r, struct frag_head *h)
{
	struct rbuf at = *r;
	int err;

	memset(h, 0, sizeof(*h));
	if ((err = read_head(&at, h)) != SW_OK) {
		memset(h, 0, sizeof(*h));
		return err;
	}
	*r = at;
	return SW_OK;
}

static uint32_t
draw_id(struct rng *rng)
{
	uint32_t id;

	do {
		id = rng_u32(rng) & ~TOP_BIT;
	} while (id == 0);
	return id;
}

static size_t
divide_up(size_t n, size_t by)
{
	return n / by + (n % by != 0);
}

/* Bytes of payload that set `i` of `sets` holds when it is full. */
static size_t
set_capacity(size_t room, size_t i, size_t sets)
{
	size_t links = (size_t)(i > 0) + (size_t)(i + 1 < sets);

	return FRAG_SET_MAX * (room - FRAG_HEAD_LEN) - links * LINK_COST;
}

int
frag_plan_init(struct frag_plan *p, size_t msg_len, size_t room,
    struct rng *rng)
{
	size_t unlinked = room - FRAG_HEAD_LEN, edge, middle, rest, len;

	assert(room > FRAG_LINKED_HEAD_LEN);
	memset(p, 0, sizeof(*p));
	if (msg_len > FRAG_MAX_SETS * set_capacity(room, 1, 3))
		return SW_ERR_TOO_LONG;
	p->msg_len = msg_len;
	p->room = room;
	len = msg_len + 1;			/* with the marker */
	edge = set_capacity(room, 0, 2);
	middle = set_capacity(room, 1, 3);
	if (len <= FRAG_SET_MAX * unlinked) {
		p->sets = 1;
		p->count = divide_up(len, unlinked);
	} else {
		p->sets = 2;
		if (len > 2 * edge)
			p->sets += divide_up(len - 2 * edge, middle);
		if (p->sets > FRAG_MAX_SETS) {
			memset(p, 0, sizeof(*p));
			return SW_ERR_TOO_LONG;
		}
		/* The last set: its first fragment is the linked one. */
		rest = len - edge - (p->sets - 2) * middle;
		p->count = (p->sets - 1) * FRAG_SET_MAX + 1;
		if (rest > unlinked - LINK_COST)
			p->count += divide_up(rest - (unlinked - LINK_COST),
			    unlinked);
	}
	for (size_t i = 0; i < p->sets; i++) {
		p->id[i] = draw_id(rng);
		if (i > 0 && p->id[i] == p->id[i - 1])
			i--;			/* a set may not name itself */
	}
	return SW_OK;
}

/* Where fragment `i` starts within the padded message. */
static size_t
start_of(const struct frag_plan *p, size_t i)
{
	size_t unlinked = p->room - FRAG_HEAD_LEN;
	size_t set = i / FRAG_SET_MAX, pos = i % FRAG_SET_MAX;
	size_t at = i * unlinked;

	/* Each seam costs two linked headers, the second of them that of the
	 * fragment right behind it. */
	at -= set * 2 * LINK_COST;
	if (set > 0 && pos == 0)
		at += LINK_COST;
	return at;
}

void
frag_cut(const struct frag_plan *p, size_t i, const uint8_t *msg,
    uint8_t *out, struct frag_id *id)
{
	size_t set = i / FRAG_SET_MAX, pos = i % FRAG_SET_MAX, at, n;
	struct frag_head h = { .id = { p->id[set], (uint8_t)(pos + 1) } };
	struct wbuf w = { out, p->room };
	int r;

	assert(i < p->count);
	h.total = (uint8_t)(set + 1 < p->sets ? FRAG_SET_MAX :
	    p->count - set * FRAG_SET_MAX);
	if (pos == 0 && set > 0) {
		h.linked = true;
		h.link = p->id[set - 1];
	} else if (pos == FRAG_SET_MAX - 1 && set + 1 < p->sets) {
		h.linked = true;
		h.link = p->id[set + 1];
	}
	r = frag_put_head(&w, &h);
	assert(r == SW_OK);

	at = start_of(p, i);
	n = at < p->msg_len ? p->msg_len - at : 0;
	if (n > w.left)
		n = w.left;
	r = wire_put_bytes(&w, msg + (n > 0 ? at : 0), n);
	assert(r == SW_OK);
	memset(w.p, 0, w.left);
	if (w.left > 0 && at + n == p->msg_len)
		w.p[0] = 1;
	*id = h.id;
}
