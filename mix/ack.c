#include "mix/ack.h"

#include <assert.h>
#include <string.h>

#include "base/wipe.h"
#include "mix/prim.h"

_Static_assert(NYMPKT_ACK_PLAIN_LEN == AES_BLOCK_LEN + FRAG_ID_LEN, "ack");

/* Encrypt a name as the 21 bytes that come back. */
static void
seal(uint8_t out[static NYMPKT_ACK_PLAIN_LEN],
    const uint8_t key[static ACK_KEY_LEN], const struct frag_id *id,
    struct rng *rng)
{
	uint8_t name[FRAG_ID_LEN];

	rng_fill(rng, out, AES_BLOCK_LEN);
	frag_put_id(name, id);
	prim_aes128_ctr(out + AES_BLOCK_LEN, name, sizeof(name), key, out);
}

int
ack_open(struct frag_id *id, const uint8_t in[static NYMPKT_ACK_PLAIN_LEN],
    const uint8_t key[static ACK_KEY_LEN])
{
	uint8_t name[FRAG_ID_LEN];

	prim_aes128_ctr(name, in + AES_BLOCK_LEN, sizeof(name), key, in);
	return frag_get_id(id, name);
}

void
ack_put(uint8_t out[static ACK_LEN], const struct sphinx_header *header,
    const uint8_t first[static SPHINX_ADDR_LEN],
    const uint8_t key[static ACK_KEY_LEN], const struct frag_id *id,
    struct rng *rng)
{
	uint8_t plain[NYMPKT_ACK_PLAIN_LEN], *pkt = out + NYMADDR_NODE_MAX_LEN;
	int r;

	seal(plain, key, id, rng);
	/* The 32-byte form of the address starts with the 19-byte one. */
	memcpy(out, first, NYMADDR_NODE_MAX_LEN);
	memcpy(pkt, header->bytes, SPHINX_HEADER_LEN);
	r = sphinx_put_payload(header, pkt + SPHINX_HEADER_LEN,
	    NYMPKT_ACK_LEN - SPHINX_HEADER_LEN, plain, sizeof(plain));
	assert(r == SW_OK);		/* it fits */
}

int
ack_get(const uint8_t in[static ACK_LEN], struct sw_addr *first,
    const uint8_t **pkt)
{
	*pkt = in + NYMADDR_NODE_MAX_LEN;
	return nymaddr_get_padded(in, NYMADDR_NODE_MAX_LEN, first);
}
