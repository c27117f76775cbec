/* A node's side: one hop's layer of a packet. */
#include <string.h>

#include "base/wipe.h"
#include "base/wire.h"
#include "mix/lioness.h"
#include "mix/sphinx_internal.h"

int
sphinx_open(struct sphinx_keys *k, const uint8_t *pkt, size_t len,
    const uint8_t sk[static X25519_KEY_LEN])
{
	uint8_t shared[X25519_KEY_LEN], mac[SPHINX_MAC_LEN];
	int r;

	memset(k, 0, sizeof(*k));
	if (len < SPHINX_HEADER_LEN + SPHINX_MIN_PAYLOAD)
		return SW_ERR_TRUNCATED;
	if ((r = prim_x25519(shared, sk, pkt)) != SW_OK)
		return r;
	sphinx_expand_keys(k, shared);
	sw_wipe(shared, sizeof(shared));
	sphinx_mac(k, mac, pkt + BETA_AT);
	if (!sw_equal_ct(mac, pkt + GAMMA_AT, sizeof(mac))) {
		sw_wipe(k, sizeof(*k));
		r = SW_ERR_MAC;
	}
	sw_wipe(mac, sizeof(mac));
	return r;
}

/* Find the message of a payload without layers.  The padding is a marker and
 * zeros, so the last byte that is not zero has to be the marker. */
static int
find_message(const uint8_t *delta, size_t len, struct sphinx_hop_info *info)
{
	uint8_t bits = 0;
	size_t end = len;

	for (size_t i = 0; i < LEADING_ZEROS; i++)
		bits |= delta[i];
	if (bits != 0)
		return SW_ERR_FORMAT;
	while (end > LEADING_ZEROS && delta[end - 1] == 0)
		end--;
	if (end == LEADING_ZEROS || delta[end - 1] != PAYLOAD_MARKER)
		return SW_ERR_FORMAT;
	info->msg = delta + LEADING_ZEROS;
	info->msg_len = end - 1 - LEADING_ZEROS;
	return SW_OK;
}

/* Read the block of this hop from the 360 bytes of T; the cursor is left at
 * what follows the metadata. */
static int
read_meta(struct rbuf *t, struct sphinx_hop_info *info)
{
	uint8_t flag, zero;
	int r;

	if ((r = wire_get_u8(t, &flag)) != SW_OK ||
	    (r = wire_get_u8(t, &zero)) != SW_OK ||
	    (r = wire_get_u16be(t, &info->version)) != SW_OK)
		return r;
	if (flag != FLAG_FORWARD && flag != FLAG_FINAL)
		return SW_ERR_FORMAT;
	if (info->version < SPHINX_V258)
		return SW_ERR_UNSUPPORTED;
	info->final = flag == FLAG_FINAL;
	if (info->final) {
		if ((r = wire_get_bytes(t, info->dest, SPHINX_DEST_LEN)) ==
		    SW_OK)
			r = wire_get_bytes(t, info->ident, SPHINX_IDENT_LEN);
		return r;
	}
	if ((r = wire_get_bytes(t, info->next, SPHINX_ADDR_LEN)) == SW_OK)
		r = wire_get_u64be(t, &info->delay_ns);
	return r;
}

int
sphinx_peel(const struct sphinx_keys *k, uint8_t *pkt, size_t len,
    struct sphinx_hop_info *info)
{
	uint8_t t[STREAM_LEN], key[SPHINX_PAYLOAD_KEY_LEN];
	uint8_t *delta = pkt + SPHINX_HEADER_LEN;
	struct rbuf in = { t, sizeof(t) };
	int r;

	memset(info, 0, sizeof(*info));
	if (len < SPHINX_HEADER_LEN + SPHINX_MIN_PAYLOAD)
		return SW_ERR_TRUNCATED;
	sphinx_keystream(k, t);
	for (size_t i = 0; i < SPHINX_BETA_LEN; i++)
		t[i] ^= pkt[BETA_AT + i];
	if ((r = read_meta(&in, info)) != SW_OK)
		goto out;

	sphinx_payload_key(key, k->pi, info->version);
	lioness_decrypt(delta, len - SPHINX_HEADER_LEN, key);
	if (info->final) {
		r = find_message(delta, len - SPHINX_HEADER_LEN, info);
		goto out;
	}
	if ((r = prim_x25519(pkt, k->blinding, pkt)) == SW_OK)
		r = wire_get_bytes(&in, pkt + GAMMA_AT,
		    SPHINX_MAC_LEN + SPHINX_BETA_LEN);
out:
	if (r != SW_OK) {
		sw_wipe(pkt, len);
		memset(info, 0, sizeof(*info));
	}
	sw_wipe(t, sizeof(t));
	sw_wipe(key, sizeof(key));
	return r;
}
