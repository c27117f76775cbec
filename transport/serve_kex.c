/*
 * Key exchange: curve25519-sha256 (RFC 8731) with an Ed25519 host key.
 *
 *   NONE --start()--> SENT --their KEXINIT--> BOTH --their key--> KEYS
 *                                          our reply and NEWKEYS --'
 *   KEYS --their NEWKEYS--> NONE
 *
 * Their KEXINIT may come first when they want new keys: then ours answers it.
 * Strict key exchange (OpenSSH's PROTOCOL, section 1.10) makes every NEWKEYS
 * start the count of packets again, and lets nothing stand between the first.
 */
#include "transport/serve_ssh_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/wipe.h"

#define REKEY_BYTES ((uint64_t)1 << 32)
#define REKEY_PACKETS ((uint64_t)1 << 30)
/* A client in good faith answers our KEXINIT within what is on its way. */
#define ANSWER_BYTES ((uint64_t)64 << 20)

#define KEX_NAMES "curve25519-sha256,curve25519-sha256@libssh.org"
#define MAC_NAMES "hmac-sha2-256-etm@openssh.com"
#define COOKIE_LEN 16

static const struct {
	const char *name;
	enum serve_cipher_kind kind;
} ciphers[] = {
	{ "aes256-gcm@openssh.com", SERVE_CIPHER_GCM },
	{ "chacha20-poly1305@openssh.com", SERVE_CIPHER_CHACHA },
	{ "aes256-ctr", SERVE_CIPHER_CTR },
};
#define NCIPHERS (sizeof(ciphers) / sizeof(ciphers[0]))

void
serve_kex_wipe(struct serve_ssh *s)
{
	free(s->kex.theirs);
	serve_cipher_free(s->kex.next_in);
	memset(&s->kex, 0, sizeof(s->kex));
}

bool
serve_kex_is_due(const struct serve_ssh *s)
{
	return s->kex.phase == KEX_NONE && s->in_now &&
	    (s->in.bytes + s->out.bytes >= REKEY_BYTES ||
	    s->in.packets + s->out.packets >= REKEY_PACKETS);
}

bool
serve_kex_is_late(const struct serve_ssh *s)
{
	return s->kex.phase == KEX_SENT && !s->kex.first &&
	    s->in.bytes - s->kex.since_bytes > ANSWER_BYTES;
}

static void
add_ciphers(char *list, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < NCIPHERS; i++) {
		size_t len = strlen(ciphers[i].name);

		if (!serve_cipher_has(ciphers[i].kind))
			continue;
		assert(n + len + 2 <= cap);
		if (n > 0)
			list[n++] = ',';
		memcpy(list + n, ciphers[i].name, len + 1);
		n += len;
	}
}

/* Our KEXINIT, kept whole: it is hashed. */
static void
write_kexinit(struct serve_ssh *s)
{
	struct serve_kex *k = &s->kex;
	struct wbuf w = { k->ours, sizeof(k->ours) };
	uint8_t cookie[COOKIE_LEN];
	char names[128] = "";

	add_ciphers(names, sizeof(names));
	serve_random(cookie, sizeof(cookie));
	add_u8(&w, MSG_KEXINIT);
	add_bytes(&w, cookie, sizeof(cookie));
	add_text(&w, k->first ? KEX_NAMES ",kex-strict-s-v00@openssh.com" :
	    KEX_NAMES);
	add_text(&w, serve_key_name(SERVE_KEY_ED25519));
	for (int i = 0; i < 2; i++)
		add_text(&w, names);
	for (int i = 0; i < 2; i++)
		add_text(&w, MAC_NAMES);
	for (int i = 0; i < 2; i++)
		add_text(&w, "none");
	for (int i = 0; i < 2; i++)
		add_text(&w, "");
	add_u8(&w, 0);			/* no guess follows */
	add_u32(&w, 0);
	k->ours_len = (size_t)(w.p - k->ours);
}

void
serve_kex_start(struct serve_ssh *s)
{
	struct serve_kex *k = &s->kex;
	struct wbuf w;

	k->first = !s->has_id;
	k->since_bytes = s->in.bytes;
	write_kexinit(s);
	w = serve_packet_begin(s, MSG_KEXINIT, k->ours_len);
	add_bytes(&w, k->ours + 1, k->ours_len - 1);
	serve_packet_end(s, &w);
	k->phase = KEX_SENT;
}

/* ---- choosing ---- */

/* Is `name` a member of the comma-separated list? */
static bool
lists(struct serve_bytes list, const char *name, size_t n)
{
	const uint8_t *p = list.p, *end = p + list.len;

	while (p < end) {
		const uint8_t *comma = memchr(p, ',', (size_t)(end - p));
		size_t len = (size_t)((comma != NULL ? comma : end) - p);

		if (len == n && memcmp(p, name, n) == 0)
			return true;
		p += len + 1;
	}
	return false;
}

/* The first of the client's names that is in our list; its length. */
static size_t
choose(struct serve_bytes theirs, const char *ours, const char **name)
{
	const struct serve_bytes mine = { (const uint8_t *)ours, strlen(ours) };
	const uint8_t *p = theirs.p, *end = p + theirs.len;

	while (p < end) {
		const uint8_t *comma = memchr(p, ',', (size_t)(end - p));
		size_t n = (size_t)((comma != NULL ? comma : end) - p);

		if (n > 0 && lists(mine, (const char *)p, n)) {
			*name = (const char *)p;
			return n;
		}
		p += n + 1;
	}
	return 0;
}

static bool
choose_cipher(struct serve_bytes theirs, enum serve_cipher_kind *kind)
{
	char ours[128] = "";
	const char *name = "";
	size_t n;

	add_ciphers(ours, sizeof(ours));
	n = choose(theirs, ours, &name);
	for (size_t i = 0; i < NCIPHERS; i++)
		if (n == strlen(ciphers[i].name) &&
		    memcmp(name, ciphers[i].name, n) == 0) {
			*kind = ciphers[i].kind;
			return true;
		}
	return false;
}

/* Does the client's guess (its first names) differ from what was chosen? */
static bool
guessed_wrong(struct serve_bytes kex, struct serve_bytes key)
{
	return kex.len < 17 || memcmp(kex.p, "curve25519-sha256", 17) != 0 ||
	    key.len < 11 || memcmp(key.p, "ssh-ed25519", 11) != 0 ||
	    (key.len > 11 && key.p[11] != ',');
}

enum { KEX, HOSTKEY, CIPHER_IN, CIPHER_OUT, MAC_IN, MAC_OUT, ZIP_IN, ZIP_OUT,
	LANG_IN, LANG_OUT, LISTS };

static const char *
negotiate(struct serve_ssh *s, struct serve_bytes list[static LISTS], bool guess)
{
	struct serve_kex *k = &s->kex;
	const char *name;

	if (choose(list[KEX], KEX_NAMES, &name) == 0)
		return "no key exchange method in common (curve25519-sha256)";
	if (choose(list[HOSTKEY], "ssh-ed25519", &name) == 0)
		return "no host key type in common (ssh-ed25519)";
	if (!choose_cipher(list[CIPHER_IN], &k->in) ||
	    !choose_cipher(list[CIPHER_OUT], &k->out))
		return "no cipher in common";
	if ((k->in == SERVE_CIPHER_CTR &&
	    choose(list[MAC_IN], MAC_NAMES, &name) == 0) ||
	    (k->out == SERVE_CIPHER_CTR &&
	    choose(list[MAC_OUT], MAC_NAMES, &name) == 0))
		return "no MAC in common";
	if (choose(list[ZIP_IN], "none", &name) == 0 ||
	    choose(list[ZIP_OUT], "none", &name) == 0)
		return "compression is not offered here";
	k->skip_guess = guess && guessed_wrong(list[KEX], list[HOSTKEY]);
	if (k->first) {
		static const char strict[] = "kex-strict-c-v00@openssh.com";

		s->strict = lists(list[KEX], strict, sizeof(strict) - 1);
		s->ext_info = lists(list[KEX], "ext-info-c", 10);
	}
	return NULL;
}

static void
take_kexinit(struct serve_ssh *s, struct rbuf payload)
{
	struct serve_kex *k = &s->kex;
	struct rbuf r = payload;
	struct serve_bytes list[LISTS];
	const uint8_t *skipped;
	const char *why = "bad KEXINIT";
	uint8_t guess;
	uint32_t zero;

	if (k->phase == KEX_NONE)
		serve_kex_start(s);
	if (k->phase != KEX_SENT)
		goto bad;
	if (wire_get_ref(&r, 1 + COOKIE_LEN, &skipped) != SW_OK)
		goto bad;
	for (int i = 0; i < LISTS; i++)
		if (serve_get_string(&r, &list[i]) != SW_OK)
			goto bad;
	if (wire_get_u8(&r, &guess) != SW_OK ||
	    wire_get_u32be(&r, &zero) != SW_OK)
		goto bad;
	if ((why = negotiate(s, list, guess != 0)) != NULL)
		goto bad;
	why = "key exchange did not come first";
	if (k->first && s->strict && s->input != 1)
		goto bad;
	why = "out of memory";
	if ((k->theirs = malloc(payload.left)) == NULL)
		goto bad;
	memcpy(k->theirs, payload.p, payload.left);
	k->theirs_len = payload.left;
	k->phase = KEX_BOTH;
	return;
bad:
	serve_ssh_fail(s, SERVE_BYE_KEX, why);
}

/* ---- the exchange ---- */

/* The shared secret as a number: secret. */
static size_t
put_mpint(uint8_t out[static 37], const uint8_t v[static 32])
{
	struct wbuf w = { out, 37 };
	size_t skip = 0;

	while (skip < 32 && v[skip] == 0)
		skip++;
	if (skip < 32 && (v[skip] & 0x80) != 0) {
		add_u32(&w, (uint32_t)(33 - skip));
		add_u8(&w, 0);
	} else {
		add_u32(&w, (uint32_t)(32 - skip));
	}
	add_bytes(&w, v + skip, 32 - skip);
	return 37 - w.left;
}

#define HOSTKEY_LEN 51			/* of the blob */

static void
add_hostkey(struct wbuf *w, const struct serve_ssh *s)
{
	add_text(w, serve_key_name(SERVE_KEY_ED25519));
	add_string(w, s->cfg->host_pk, 32);
}

static bool
hash(struct serve_ssh *s, const uint8_t theirs[static 32],
    const uint8_t ours[static 32], const uint8_t *k_mpint, size_t k_len,
    uint8_t h[static SERVE_HASH_LEN])
{
	struct serve_kex *k = &s->kex;
	size_t room = strlen(s->ident) + strlen(s->cfg->ident) + k->ours_len +
	    k->theirs_len + HOSTKEY_LEN + 64 + k_len + (size_t)8 * 4;
	uint8_t *text = malloc(room);
	struct wbuf w = { text, room };

	if (text == NULL)
		return false;
	add_text(&w, s->ident);
	add_text(&w, s->cfg->ident);
	add_string(&w, k->theirs, k->theirs_len);
	add_string(&w, k->ours, k->ours_len);
	add_u32(&w, HOSTKEY_LEN);
	add_hostkey(&w, s);
	add_string(&w, theirs, 32);
	add_string(&w, ours, 32);
	add_bytes(&w, k_mpint, k_len);
	serve_sha256(h, text, room - w.left);
	sw_wipe_free(text, room);
	return true;
}

static struct serve_cipher *
make_cipher(const struct serve_ssh *s, enum serve_cipher_kind kind, bool in,
    const uint8_t *k_mpint, size_t k_len, const uint8_t h[static SERVE_HASH_LEN])
{
	uint8_t iv[16], key[64], mac[32];
	struct serve_cipher *c;

	serve_derive(iv, sizeof(iv), in ? 'A' : 'B', k_mpint, k_len, h, s->id);
	serve_derive(key, sizeof(key), in ? 'C' : 'D', k_mpint, k_len, h, s->id);
	serve_derive(mac, sizeof(mac), in ? 'E' : 'F', k_mpint, k_len, h, s->id);
	c = serve_cipher_new(kind, key, iv, mac);
	sw_wipe(key, sizeof(key));
	sw_wipe(mac, sizeof(mac));
	return c;
}

static void
send_reply(struct serve_ssh *s, const uint8_t ours[static 32],
    const uint8_t h[static SERVE_HASH_LEN])
{
	struct wbuf w;
	uint8_t sig[64];

	serve_sign(sig, h, SERVE_HASH_LEN, s->cfg->host_sk);
	w = serve_packet_begin(s, MSG_KEX_ECDH_REPLY, 4 + HOSTKEY_LEN + 36 + 87);
	add_u32(&w, HOSTKEY_LEN);
	add_hostkey(&w, s);
	add_string(&w, ours, 32);
	add_u32(&w, 83);
	add_text(&w, serve_key_name(SERVE_KEY_ED25519));
	add_string(&w, sig, sizeof(sig));
	serve_packet_end(s, &w);
	w = serve_packet_begin(s, MSG_NEWKEYS, 0);
	serve_packet_end(s, &w);
}

static void
turn_output(struct serve_ssh *s, struct serve_cipher *c)
{
	serve_cipher_free(s->out.cipher);
	s->out.cipher = c;
	s->out.kind = s->kex.out;
	s->out.bytes = s->out.packets = 0;
	if (s->strict)
		s->out.seq = 0;
}

static void
send_ext_info(struct serve_ssh *s)
{
	static const char algorithms[] = "ssh-ed25519,"
	    "sk-ssh-ed25519@openssh.com,ecdsa-sha2-nistp256,"
	    "ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,"
	    "sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256";
	static const char bound[] = "publickey-hostbound@openssh.com";
	struct wbuf w = serve_packet_begin(s, MSG_EXT_INFO,
	    sizeof(algorithms) + sizeof(bound) + 64);

	add_u32(&w, 2);
	add_text(&w, "server-sig-algs");
	add_text(&w, algorithms);
	add_text(&w, bound);
	add_text(&w, "0");
	serve_packet_end(s, &w);
}

static void
take_ecdh_init(struct serve_ssh *s, struct rbuf payload)
{
	struct serve_kex *k = &s->kex;
	uint8_t ours[32], shared[32], k_mpint[37], h[SERVE_HASH_LEN];
	struct rbuf r = { payload.p + 1, payload.left - 1 };
	struct serve_cipher *out = NULL;
	struct serve_bytes theirs;
	const char *why = "bad key exchange";
	size_t k_len;

	if (k->phase != KEX_BOTH)
		goto bad;
	if (k->skip_guess) {
		k->skip_guess = false;
		return;
	}
	if (serve_get_string(&r, &theirs) != SW_OK || theirs.len != 32 ||
	    r.left != 0 || serve_agree(ours, shared, theirs.p) != SW_OK)
		goto bad;
	k_len = put_mpint(k_mpint, shared);
	sw_wipe(shared, sizeof(shared));
	why = "out of memory";
	if (!hash(s, theirs.p, ours, k_mpint, k_len, h))
		goto bad;
	if (!s->has_id)
		memcpy(s->id, h, sizeof(s->id));
	s->has_id = true;
	out = make_cipher(s, k->out, false, k_mpint, k_len, h);
	k->next_in = make_cipher(s, k->in, true, k_mpint, k_len, h);
	sw_wipe(k_mpint, sizeof(k_mpint));
	if (out == NULL || k->next_in == NULL)
		goto bad;
	send_reply(s, ours, h);
	turn_output(s, out);
	k->phase = KEX_KEYS;
	if (k->first && s->ext_info)
		send_ext_info(s);
	serve_packet_release(s);
	return;
bad:
	sw_wipe(k_mpint, sizeof(k_mpint));
	serve_cipher_free(out);
	serve_ssh_fail(s, SERVE_BYE_KEX, why);
}

static void
take_newkeys(struct serve_ssh *s)
{
	struct serve_kex *k = &s->kex;

	if (k->phase != KEX_KEYS) {
		serve_ssh_fail(s, SERVE_BYE_KEX, "NEWKEYS out of order");
		return;
	}
	serve_cipher_free(s->in.cipher);
	s->in.cipher = k->next_in;
	k->next_in = NULL;
	s->in.kind = k->in;
	s->in.bytes = s->in.packets = 0;
	if (s->strict)
		s->in.seq = 0;
	serve_kex_wipe(s);
	serve_chan_wake(s);
}

void
serve_kex_take(struct serve_ssh *s, uint8_t type, struct rbuf payload)
{
	switch (type) {
	case MSG_KEXINIT:
		take_kexinit(s, payload);
		break;
	case MSG_KEX_ECDH_INIT:
		take_ecdh_init(s, payload);
		break;
	case MSG_NEWKEYS:
		take_newkeys(s);
		break;
	default:
		serve_ssh_fail(s, SERVE_BYE_KEX, "unknown key exchange message");
		break;
	}
}
