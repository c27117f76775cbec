/*
 * ack.h - acknowledgements.
 *
 * The sender puts a ready-made packet to itself into every packet it sends;
 * the last gateway forwards it when it has the rest.  Its content is the name
 * of the fragment, encrypted for the sender alone.
 */
#ifndef SW_MIX_ACK_H
#define SW_MIX_ACK_H

#include <stdint.h>

#include "base/err.h"
#include "mix/frag.h"
#include "mix/nymaddr.h"
#include "mix/nympkt.h"
#include "mix/sphinx.h"

#define ACK_KEY_LEN 16
#define ACK_LEN (NYMADDR_NODE_MAX_LEN + NYMPKT_ACK_LEN)

_Static_assert(ACK_LEN == 405, "ack part of a packet");

/*
 * ack_put() - the ack part of one packet.
 *
 * header  to the sender itself by its own gateway; good for this one ack.
 * first   its first hop, to which the far gateway sends the ack.
 * key     the sender's, kept by it alone.
 * rng     16 bytes for the content.
 */
void ack_put(uint8_t out[static ACK_LEN], const struct sphinx_header *header,
    const uint8_t first[static SPHINX_ADDR_LEN],
    const uint8_t key[static ACK_KEY_LEN], const struct frag_id *id,
    struct rng *rng);

/* Read what came back.  SW_OK, also for the zero name of cover traffic;
 * SW_ERR_FORMAT for what cannot be a name. */
int ack_open(struct frag_id *id, const uint8_t in[static NYMPKT_ACK_PLAIN_LEN],
    const uint8_t key[static ACK_KEY_LEN]) SW_MUST_CHECK;

/* A gateway: find first hop and packet in the ack part of a payload. */
int ack_get(const uint8_t in[static ACK_LEN], struct sw_addr *first,
    const uint8_t **pkt) SW_MUST_CHECK;

#endif
