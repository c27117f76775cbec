/*
 * Sphinx at a node.  A MAC makes random input useless, so there are two ways
 * in: raw bytes, and bytes taken as the decrypted view of a hop that holds
 * the keys (an evil sender), with the MAC made right.
 */
#include <stdlib.h>
#include <string.h>

#include "mix/prim.h"
#include "mix/surb.h"
#include "tests/fuzz/fuzz.h"

#define PACKET_LEN 386

static void
as_evil_sender(const uint8_t *data, size_t len)
{
	uint8_t pkt[PACKET_LEN] = { 0 }, sk[32] = { 1 }, shared[32], mac[32];
	static const uint8_t zero[PACKET_LEN], iv[16];
	struct sphinx_hop_info info;
	struct sphinx_keys k, opened;

	prim_x25519_base(pkt, (const uint8_t[32]){ 2 });
	if (prim_x25519(shared, sk, pkt) != SW_OK)
		abort();
	sphinx_expand_keys(&k, shared);
	memcpy(pkt + 48, data, len < 338 ? len : 338);
	prim_aes128_ctr(pkt + 48, pkt + 48, 300, k.rho, iv);
	prim_hmac_sha256(mac, k.mu, 16, pkt + 48, 300);
	memcpy(pkt + 32, mac, 16);
	if (sphinx_open(&opened, pkt, sizeof(pkt), sk) != SW_OK)
		abort();
	if (sphinx_peel(&opened, pkt, sizeof(pkt), &info) != SW_OK &&
	    memcmp(pkt, zero, sizeof(pkt)) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct sphinx_keys none;
	uint8_t sk[32] = { 1 }, out[SURB_MAX_LEN];
	struct sphinx_keys k;
	struct surb s;
	size_t n;

	if (prim_init() != SW_OK)
		abort();
	if (sphinx_open(&k, data, len, sk) != SW_OK &&
	    memcmp(&k, &none, sizeof(k)) != 0)
		abort();
	as_evil_sender(data, len);
	if (surb_get(&s, data, len) == SW_OK &&
	    (surb_put(&s, out, sizeof(out), &n) != SW_OK || n != len ||
	    memcmp(out, data, n) != 0))
		abort();
	return 0;
}
