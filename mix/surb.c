#include "mix/surb.h"

#include <string.h>

#include "base/wipe.h"
#include "base/wire.h"
#include "base/blake3.h"

static size_t
material_len(const struct sphinx_header *h)
{
	return h->version == SPHINX_V258 ? SPHINX_PAYLOAD_KEY_LEN :
	    SPHINX_SEED_LEN;
}

int
surb_create(struct surb *s, const struct sphinx_route *route,
    uint16_t version, struct rng *rng)
{
	int r;

	memset(s, 0, sizeof(*s));
	if ((r = sphinx_create_header(&s->header, route, version, rng)) ==
	    SW_OK)
		memcpy(s->first, route->hop[0].addr, sizeof(s->first));
	return r;
}

int
surb_put(const struct surb *s, uint8_t *out, size_t cap, size_t *n)
{
	size_t each = material_len(&s->header);
	struct wbuf w = { out, cap };
	int r;

	*n = 0;
	if ((r = wire_put_bytes(&w, s->header.bytes, SPHINX_HEADER_LEN)) !=
	    SW_OK ||
	    (r = wire_put_bytes(&w, s->first, sizeof(s->first))) != SW_OK)
		return r;
	for (size_t i = 0; i < s->header.n; i++)
		if ((r = wire_put_bytes(&w, s->header.pi[i], each)) != SW_OK)
			return r;
	*n = cap - w.left;
	return SW_OK;
}

int
surb_get(struct surb *s, const uint8_t *in, size_t n)
{
	struct rbuf b = { in, n };
	size_t each;
	int r;

	memset(s, 0, sizeof(*s));
	if ((r = wire_get_bytes(&b, s->header.bytes, SPHINX_HEADER_LEN)) !=
	    SW_OK ||
	    (r = wire_get_bytes(&b, s->first, sizeof(s->first))) != SW_OK)
		goto out;
	each = b.left < SPHINX_PAYLOAD_KEY_LEN ? SPHINX_SEED_LEN :
	    SPHINX_PAYLOAD_KEY_LEN;
	s->header.version = each == SPHINX_SEED_LEN ? SPHINX_V259 :
	    SPHINX_V258;
	if (b.left == 0 || b.left % each != 0 ||
	    b.left / each > SPHINX_MAX_HOPS) {
		r = SW_ERR_FORMAT;
		goto out;
	}
	s->header.n = b.left / each;
	for (size_t i = 0; i < s->header.n; i++)
		if ((r = wire_get_bytes(&b, s->header.pi[i], each)) != SW_OK)
			goto out;
out:
	if (r != SW_OK) {
		sw_wipe(s, sizeof(*s));
		r = SW_ERR_FORMAT;
	}
	return r;
}

int
surb_use(const struct surb *s, uint8_t *pkt, size_t pkt_len, const void *msg,
    size_t msg_len)
{
	int r = SW_ERR_TOO_LONG;

	if (pkt_len >= SPHINX_HEADER_LEN + SPHINX_MIN_PAYLOAD)
		r = sphinx_put_payload(&s->header, pkt + SPHINX_HEADER_LEN,
		    pkt_len - SPHINX_HEADER_LEN, msg, msg_len);
	if (r == SW_OK)
		memcpy(pkt, s->header.bytes, SPHINX_HEADER_LEN);
	else
		memset(pkt, 0, pkt_len);
	return r;
}

void
surb_digest(uint8_t out[static SURB_DIGEST_LEN],
    const uint8_t key[static SURB_KEY_LEN])
{
	blake3_hash(out, key, SURB_KEY_LEN);
}
