/* A node's side: one hop's layer of a packet. */
#include <assert.h>
#include <string.h>

#include "base/wipe.h"
#include "base/wire.h"
#include "mix/lioness.h"
#include "mix/sphinx_internal.h"

/* The keys are good if the MAC is. */
static int
check_mac(struct sphinx_keys *k, const uint8_t *pkt)
{
	uint8_t mac[SPHINX_MAC_LEN];
	int r = SW_OK;

	sphinx_mac(k, mac, pkt + BETA_AT);
	if (!sw_equal_ct(mac, pkt + GAMMA_AT, sizeof(mac))) {
		sw_wipe(k, sizeof(*k));
		r = SW_ERR_MAC;
	}
	sw_wipe(mac, sizeof(mac));
	return r;
}

void
sphinx_open_many(struct sphinx_work *const *w, size_t n,
    const uint8_t sk[static X25519_KEY_LEN])
{
	size_t lane[SPHINX_BATCH], lanes = 0;
	struct prim_lanes l = { .k = { { 0 } } };
	unsigned refused;

	assert(n <= SPHINX_BATCH);
	for (size_t i = 0; i < n; i++) {
		memset(&w[i]->keys, 0, sizeof(w[i]->keys));
		w[i]->r = SW_ERR_TRUNCATED;
		if (w[i]->len < SPHINX_HEADER_LEN + SPHINX_MIN_PAYLOAD)
			continue;
		memcpy(l.k[lanes], sk, X25519_KEY_LEN);
		memcpy(l.u[lanes], w[i]->pkt, X25519_KEY_LEN);
		lane[lanes++] = i;
	}
	refused = prim_x25519_many(&l, lanes);
	for (size_t k = 0; k < lanes; k++) {
		struct sphinx_work *p = w[lane[k]];

		p->r = SW_ERR_FORMAT;
		if ((refused >> k & 1) != 0)
			continue;
		sphinx_expand_keys(&p->keys, l.out[k]);
		p->r = check_mac(&p->keys, p->pkt);
	}
	sw_wipe(&l, sizeof(l));
}

int
sphinx_open(struct sphinx_keys *k, const uint8_t *pkt, size_t len,
    const uint8_t sk[static X25519_KEY_LEN])
{
	/* Opening does not change it. */
	struct sphinx_work w = { .pkt = (uint8_t *)(uintptr_t)pkt,
	    .len = len }, *one = &w;

	sphinx_open_many(&one, 1, sk);
	*k = w.keys;
	sw_wipe(&w.keys, sizeof(w.keys));
	return w.r;
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

/* All but alpha.  Forward hop: the header for the next one. */
static int
peel_layer(struct sphinx_work *w)
{
	uint8_t t[STREAM_LEN], key[SPHINX_PAYLOAD_KEY_LEN];
	uint8_t *delta = w->pkt + SPHINX_HEADER_LEN;
	struct rbuf in = { t, sizeof(t) };
	int r;

	memset(&w->info, 0, sizeof(w->info));
	if (w->len < SPHINX_HEADER_LEN + SPHINX_MIN_PAYLOAD)
		return SW_ERR_TRUNCATED;
	sphinx_keystream(&w->keys, t);
	for (size_t i = 0; i < SPHINX_BETA_LEN; i++)
		t[i] ^= w->pkt[BETA_AT + i];
	if ((r = read_meta(&in, &w->info)) != SW_OK)
		goto out;
	sphinx_payload_key(key, w->keys.pi, w->info.version);
	lioness_decrypt(delta, w->len - SPHINX_HEADER_LEN, key);
	sw_wipe(key, sizeof(key));
	if (w->info.final)
		r = find_message(delta, w->len - SPHINX_HEADER_LEN, &w->info);
	else
		r = wire_get_bytes(&in, w->pkt + GAMMA_AT,
		    SPHINX_MAC_LEN + SPHINX_BETA_LEN);
out:
	sw_wipe(t, sizeof(t));
	return r;
}

void
sphinx_peel_many(struct sphinx_work *const *w, size_t n)
{
	size_t lane[SPHINX_BATCH], lanes = 0;
	struct prim_lanes l = { .k = { { 0 } } };
	unsigned refused;

	assert(n <= SPHINX_BATCH);
	for (size_t i = 0; i < n; i++) {
		w[i]->r = peel_layer(w[i]);
		if (w[i]->r != SW_OK || w[i]->info.final)
			continue;
		memcpy(l.k[lanes], w[i]->keys.blinding, X25519_KEY_LEN);
		memcpy(l.u[lanes], w[i]->pkt, X25519_KEY_LEN);
		lane[lanes++] = i;
	}
	refused = prim_x25519_many(&l, lanes);
	for (size_t k = 0; k < lanes; k++) {
		memcpy(w[lane[k]]->pkt, l.out[k], X25519_KEY_LEN);
		if ((refused >> k & 1) != 0)
			w[lane[k]]->r = SW_ERR_FORMAT;
	}
	for (size_t i = 0; i < n; i++)
		if (w[i]->r != SW_OK) {
			sw_wipe(w[i]->pkt, w[i]->len);
			memset(&w[i]->info, 0, sizeof(w[i]->info));
		}
	sw_wipe(&l, sizeof(l));
}

int
sphinx_peel(const struct sphinx_keys *k, uint8_t *pkt, size_t len,
    struct sphinx_hop_info *info)
{
	struct sphinx_work w = { .pkt = pkt, .len = len, .keys = *k };
	struct sphinx_work *one = &w;

	sphinx_peel_many(&one, 1);
	*info = w.info;
	sw_wipe(&w.keys, sizeof(w.keys));
	return w.r;
}
