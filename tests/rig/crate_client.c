#include "tests/rig/crate_client.h"

#include <string.h>

#include "mix/prim.h"

static void
x_public(uint8_t pk[32], int byte)
{
	uint8_t sk[32];

	memset(sk, byte, 32);
	prim_x25519_base(pk, sk);
}

static void
ed_public(uint8_t pk[32], int byte)
{
	uint8_t seed[32];

	memset(seed, byte, 32);
	prim_ed25519_public(pk, seed);
}

struct recipient
crate_client(void)
{
	struct recipient r;

	ed_public(r.identity, 0x61);
	x_public(r.encryption, 0x62);
	ed_public(r.gateway, 0x44);
	return r;
}
