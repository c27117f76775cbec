#include "mix/nympkt.h"

#include "mix/nymaddr.h"

#define FRAME_OLD 7
#define FRAME_LABELLED 8

static const struct {
	uint8_t size;
	size_t plain;
} sizes[] = {
	{ NYMPKT_REGULAR, 2048 },
	{ NYMPKT_ACK, NYMPKT_ACK_PLAIN_LEN },
	{ NYMPKT_EXTENDED32, 32768 },
	{ NYMPKT_EXTENDED8, 8192 },
	{ NYMPKT_EXTENDED16, 16384 },
};

#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

size_t
nympkt_plain_len(uint8_t size)
{
	for (size_t i = 0; i < N_SIZES; i++)
		if (sizes[i].size == size)
			return sizes[i].plain;
	return 0;
}

uint8_t
nympkt_size_of(size_t len)
{
	for (size_t i = 0; i < N_SIZES; i++)
		if (NYMPKT_LEN(sizes[i].plain) == len)
			return sizes[i].size;
	return 0;
}

uint8_t
nympkt_rotation_of(uint32_t id)
{
	if (id == 0 || id == UINT32_MAX)
		return NYMPKT_ROTATION_UNKNOWN;
	return id % 2 == 1 ? NYMPKT_ROTATION_ODD : NYMPKT_ROTATION_EVEN;
}

int
nympkt_put_frame(struct wbuf *w, const struct nympkt_frame *f)
{
	bool labelled = f->version >= FRAME_LABELLED;
	int r;

	if (w->left < (labelled ? 4u : 3u))
		return SW_ERR_TOO_LONG;
	if ((r = wire_put_u8(w, f->version)) != SW_OK ||
	    (r = wire_put_u8(w, f->size)) != SW_OK ||
	    (r = wire_put_u8(w, NYMPKT_TYPE_MIX)) != SW_OK)
		return r;
	return labelled ? wire_put_u8(w, f->rotation) : SW_OK;
}

int
nympkt_get_frame(struct rbuf *r, struct nympkt_frame *f, const uint8_t **pkt,
    size_t *pkt_len)
{
	struct rbuf at = *r;
	uint8_t type;

	*f = (struct nympkt_frame){ 0 };
	*pkt = NULL;
	*pkt_len = 0;
	/* Each field is judged as soon as it is there, so that nonsense is not
	 * waited for. */
	if (wire_get_u8(&at, &f->version) != SW_OK)
		return SW_AGAIN;
	if (f->version != FRAME_OLD && f->version != FRAME_LABELLED)
		return SW_ERR_FORMAT;
	if (wire_get_u8(&at, &f->size) != SW_OK)
		return SW_AGAIN;
	if (nympkt_plain_len(f->size) == 0)
		return SW_ERR_FORMAT;
	if (wire_get_u8(&at, &type) != SW_OK)
		return SW_AGAIN;
	if (type != NYMPKT_TYPE_MIX)
		return SW_ERR_FORMAT;
	if (f->version == FRAME_LABELLED) {
		if (wire_get_u8(&at, &f->rotation) != SW_OK)
			return SW_AGAIN;
		if (f->rotation > NYMPKT_ROTATION_EVEN)
			return SW_ERR_FORMAT;
	}
	if (wire_get_ref(&at, NYMPKT_LEN(nympkt_plain_len(f->size)), pkt) !=
	    SW_OK)
		return SW_AGAIN;
	*pkt_len = NYMPKT_LEN(nympkt_plain_len(f->size));
	*r = at;
	return SW_OK;
}

int
nympkt_put_mix(struct wbuf *w, bool labelled, uint8_t rotation,
    const struct sw_addr *first)
{
	int r;

	if ((r = wire_put_u8(w, NYMPKT_TYPE_MIX)) != SW_OK)
		return r;
	if (labelled && (r = wire_put_u8(w, rotation)) != SW_OK)
		return r;
	return nymaddr_put_node(w, first);
}

int
nympkt_get_mix(const uint8_t *in, size_t n, bool labelled, uint8_t *rotation,
    struct sw_addr *first, const uint8_t **pkt, size_t *pkt_len)
{
	struct rbuf r = { in, n };
	uint8_t type;
	int err;

	*rotation = NYMPKT_ROTATION_UNKNOWN;
	*pkt = NULL;
	*pkt_len = 0;
	if ((err = wire_get_u8(&r, &type)) != SW_OK)
		return err;
	if (labelled && (err = wire_get_u8(&r, rotation)) != SW_OK)
		return err;
	if (type != NYMPKT_TYPE_MIX || *rotation > NYMPKT_ROTATION_EVEN)
		return SW_ERR_FORMAT;
	if ((err = nymaddr_get_node(&r, first)) != SW_OK)
		return err;
	if (nympkt_size_of(r.left) == 0)
		return SW_ERR_FORMAT;
	*pkt = r.p;
	*pkt_len = r.left;
	return SW_OK;
}
