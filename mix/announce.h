/*
 * announce.h - what a node says of itself to its directory: signed text.
 *
 *	{"announcement":"TEXT","signature":"base58"}
 *
 * TEXT is a JSON object, signed as it stands by the identity it names: mix
 * host, role, keys.  Nym has its nodes bonded on a chain and probed by the
 * directory; a private network has neither.
 */
#ifndef SW_MIX_ANNOUNCE_H
#define SW_MIX_ANNOUNCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "mix/nymaddr.h"
#include "mix/topology.h"

#define ANNOUNCE_KEYS 2			/* the present rotation's, the next's */

struct announce {
	uint8_t identity[NYM_KEY_LEN];
	int64_t unix_s;			/* when it was made */
	struct sw_addr mix;
	bool mixnode, entry, exit;
	uint16_t ws_port, wss_port;	/* entry; 0: none */
	char host[TOPOLOGY_HOST_MAX + 1];
	bool has_noise;
	uint8_t noise[X25519_KEY_LEN];
	struct {
		uint32_t rotation_id;
		uint8_t key[X25519_KEY_LEN];
	} sphinx[ANNOUNCE_KEYS];
	size_t n_sphinx;		/* at least 1 */
	bool has_ipr;
	struct recipient ipr;
};

/* *text is malloced, NUL-terminated.  a->identity is not read: it is seed's. */
int announce_write(const struct announce *a, const uint8_t seed[static 32],
    char **text) SW_MUST_CHECK;

/* SW_OK: the signature is right, the keys are on their curves, the address is
 * one that can be connected to.  SW_ERR_FORMAT, SW_ERR_AUTH. */
int announce_read(struct announce *a, const char *text, size_t n)
    SW_MUST_CHECK;

#endif
