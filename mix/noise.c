#include "mix/noise.h"

#include <assert.h>
#include <string.h>

#include "base/wipe.h"

enum { VERSION = 1, PATTERN_XKPSK3 = 1, TYPE_HANDSHAKE = 0, TYPE_DATA = 1 };
enum { MESSAGES = 3 };

static const char protocol[] = "Noise_XKpsk3_25519_AESGCM_SHA256";
static const char psk_salt[] = "NYMTECH_NOISE_dQw4w9WgXcQ";

_Static_assert(sizeof(protocol) - 1 == SHA256_LEN, "h begins with the name");

static void
mix_hash(struct noise *n, const void *data, size_t len)
{
	prim_sha256_pair(n->h, n->h, sizeof(n->h), data, len);
}

/* Two outputs: the chaining key, and a key to encrypt with. */
static void
mix_key(struct noise *n, const uint8_t ikm[static 32])
{
	uint8_t out[2 * SHA256_LEN];

	prim_hkdf_sha256(out, sizeof(out), n->ck, sizeof(n->ck), ikm, 32,
	    "", 0);
	memcpy(n->ck, out, sizeof(n->ck));
	memcpy(n->k, out + SHA256_LEN, sizeof(n->k));
	n->n = 0;
	sw_wipe(out, sizeof(out));
}

static int
mix_dh(struct noise *n, const uint8_t sk[static 32],
    const uint8_t pk[static 32])
{
	uint8_t shared[X25519_KEY_LEN];
	int r;

	if ((r = prim_x25519(shared, sk, pk)) == SW_OK)
		mix_key(n, shared);
	sw_wipe(shared, sizeof(shared));
	return r;
}

static void
mix_psk(struct noise *n)
{
	uint8_t psk[SHA256_LEN], out[3 * SHA256_LEN];

	prim_sha256_pair(psk, psk_salt, sizeof(psk_salt) - 1, n->responder,
	    sizeof(n->responder));
	prim_hkdf_sha256(out, sizeof(out), n->ck, sizeof(n->ck), psk,
	    sizeof(psk), "", 0);
	memcpy(n->ck, out, sizeof(n->ck));
	mix_hash(n, out + SHA256_LEN, SHA256_LEN);
	memcpy(n->k, out + sizeof(out) - SHA256_LEN, sizeof(n->k));
	n->n = 0;
	sw_wipe(out, sizeof(out));
}

/* Under the present key, with h as what is authenticated besides; p is
 * followed by room for the tag. */
static int
encrypt_and_hash(struct noise *n, uint8_t *p, size_t len)
{
	struct noise_aead *a = noise_aead_new(n->k);
	int r = SW_ERR_NOMEM;

	if (a != NULL)
		r = noise_aead_seal(a, n->n++, n->h, sizeof(n->h), p, len,
		    p + len);
	noise_aead_free(a);
	if (r == SW_OK)
		mix_hash(n, p, len + NOISE_TAG_LEN);
	return r;
}

static int
decrypt_and_hash(struct noise *n, uint8_t *p, size_t len)
{
	uint8_t h[SHA256_LEN];
	struct noise_aead *a = noise_aead_new(n->k);
	int r = SW_ERR_NOMEM;

	prim_sha256_pair(h, n->h, sizeof(n->h), p, len + NOISE_TAG_LEN);
	if (a != NULL)
		r = noise_aead_open(a, n->n++, n->h, sizeof(n->h), p, len,
		    p + len);
	noise_aead_free(a);
	if (r == SW_OK)
		memcpy(n->h, h, sizeof(h));
	return r;
}

void
noise_init(struct noise *n, bool initiator,
    const uint8_t sk[static X25519_KEY_LEN],
    const uint8_t responder[static X25519_KEY_LEN], struct rng *rng)
{
	memset(n, 0, sizeof(*n));
	n->initiator = initiator;
	n->pattern = PATTERN_XKPSK3;
	n->rng = rng;
	memcpy(n->s, sk, sizeof(n->s));
	memcpy(n->responder, responder, sizeof(n->responder));
	memcpy(n->h, protocol, sizeof(n->h));
	memcpy(n->ck, n->h, sizeof(n->ck));
	mix_hash(n, "", 0);		/* the prologue is empty */
	mix_hash(n, n->responder, sizeof(n->responder));
}

void
noise_wipe(struct noise *n)
{
	noise_aead_free(n->out);
	noise_aead_free(n->in);
	sw_wipe(n, sizeof(*n));
}

/* The ephemeral is hashed, and, as in every pattern with a psk, mixed. */
static void
take_ephemeral(struct noise *n, const uint8_t pk[static 32])
{
	mix_hash(n, pk, X25519_KEY_LEN);
	mix_key(n, pk);
}

static void
put_ephemeral(struct noise *n, uint8_t *p)
{
	rng_fill(n->rng, n->e, sizeof(n->e));
	prim_x25519_base(p, n->e);
	take_ephemeral(n, p);
}

static int
split(struct noise *n)
{
	uint8_t out[2 * SHA256_LEN], *mine, *theirs;

	prim_hkdf_sha256(out, sizeof(out), n->ck, sizeof(n->ck), "", 0,
	    "", 0);
	mine = n->initiator ? out : out + SHA256_LEN;
	theirs = n->initiator ? out + SHA256_LEN : out;
	n->out = noise_aead_new(mine);
	n->in = noise_aead_new(theirs);
	n->done = n->out != NULL && n->in != NULL;
	sw_wipe(out, sizeof(out));
	sw_wipe(n->e, sizeof(n->e));
	sw_wipe(n->s, sizeof(n->s));
	sw_wipe(n->ck, sizeof(n->ck));
	sw_wipe(n->k, sizeof(n->k));
	return n->done ? SW_OK : SW_ERR_NOMEM;
}

static int
put_first(struct noise *n, uint8_t *p)
{
	int r;

	put_ephemeral(n, p);
	if ((r = mix_dh(n, n->e, n->responder)) != SW_OK)
		return r;
	return encrypt_and_hash(n, p + X25519_KEY_LEN, 0);
}

static int
get_first(struct noise *n, uint8_t *p)
{
	int r;

	memcpy(n->peer_e, p, X25519_KEY_LEN);
	take_ephemeral(n, p);
	if ((r = mix_dh(n, n->s, n->peer_e)) != SW_OK)
		return r;
	return decrypt_and_hash(n, p + X25519_KEY_LEN, 0);
}

static int
put_second(struct noise *n, uint8_t *p)
{
	int r;

	put_ephemeral(n, p);
	if ((r = mix_dh(n, n->e, n->peer_e)) != SW_OK)
		return r;
	return encrypt_and_hash(n, p + X25519_KEY_LEN, 0);
}

static int
get_second(struct noise *n, uint8_t *p)
{
	int r;

	memcpy(n->peer_e, p, X25519_KEY_LEN);
	take_ephemeral(n, p);
	if ((r = mix_dh(n, n->e, n->peer_e)) != SW_OK)
		return r;
	return decrypt_and_hash(n, p + X25519_KEY_LEN, 0);
}

static int
put_third(struct noise *n, uint8_t *p)
{
	int r;

	prim_x25519_base(p, n->s);
	if ((r = encrypt_and_hash(n, p, X25519_KEY_LEN)) != SW_OK ||
	    (r = mix_dh(n, n->s, n->peer_e)) != SW_OK)
		return r;
	mix_psk(n);
	return encrypt_and_hash(n, p + X25519_KEY_LEN + NOISE_TAG_LEN, 0);
}

static int
get_third(struct noise *n, uint8_t *p)
{
	int r;

	if ((r = decrypt_and_hash(n, p, X25519_KEY_LEN)) != SW_OK)
		return r;
	memcpy(n->peer_s, p, X25519_KEY_LEN);
	if ((r = mix_dh(n, n->e, n->peer_s)) != SW_OK)
		return r;
	mix_psk(n);
	return decrypt_and_hash(n, p + X25519_KEY_LEN + NOISE_TAG_LEN, 0);
}

/* The messages, in order; the initiator writes those with even numbers. */
static const struct {
	size_t len;
	int (*put)(struct noise *, uint8_t *);
	int (*get)(struct noise *, uint8_t *);
} messages[MESSAGES] = {
	{ 48, put_first, get_first },
	{ 48, put_second, get_second },
	{ 64, put_third, get_third },
};

static bool
is_our_turn(const struct noise *n)
{
	return n->step < MESSAGES && (n->step % 2 == 0) == n->initiator;
}

static void
put_head(uint8_t p[static NOISE_HEAD_LEN], const struct noise *n, uint8_t type,
    size_t len)
{
	const uint8_t head[NOISE_HEAD_LEN] = { VERSION, n->pattern, type,
	    (uint8_t)(len >> 8), (uint8_t)len };

	memcpy(p, head, sizeof(head));
}

static int
step(struct noise *n)
{
	return ++n->step == MESSAGES ? split(n) : SW_OK;
}

int
noise_say(struct noise *n, uint8_t out[static NOISE_HANDSHAKE_MAX],
    size_t *len)
{
	int r;

	*len = 0;
	if (!is_our_turn(n))
		return SW_OK;
	put_head(out, n, TYPE_HANDSHAKE, messages[n->step].len);
	if ((r = messages[n->step].put(n, out + NOISE_HEAD_LEN)) != SW_OK)
		return r;
	*len = NOISE_HEAD_LEN + messages[n->step].len;
	return step(n);
}

static int
take_data(struct noise *n, uint8_t *body, size_t len, uint8_t **plain,
    size_t *plain_len)
{
	int r;

	if (!n->done || len < NOISE_TAG_LEN)
		return SW_ERR_FORMAT;
	len -= NOISE_TAG_LEN;
	r = noise_aead_open(n->in, n->in_n++, NULL, 0, body, len, body + len);
	if (r != SW_OK)
		return r;
	*plain = body;
	*plain_len = len;
	return SW_OK;
}

int
noise_take(struct noise *n, struct rbuf *r, uint8_t **plain, size_t *len)
{
	/* The caller's buffer is its own to change: see noise.h. */
	uint8_t *p = (uint8_t *)(uintptr_t)r->p;
	size_t body;
	int err;

	*plain = NULL;
	*len = 0;
	if (r->left < NOISE_HEAD_LEN)
		return SW_AGAIN;
	body = (size_t)p[3] << 8 | p[4];
	if (p[0] != VERSION || p[1] != n->pattern || p[2] > TYPE_DATA)
		return SW_ERR_FORMAT;
	if (p[2] == TYPE_HANDSHAKE && (n->step == MESSAGES || is_our_turn(n) ||
	    body != messages[n->step].len))
		return SW_ERR_FORMAT;
	if (r->left - NOISE_HEAD_LEN < body)
		return SW_AGAIN;
	r->p += NOISE_HEAD_LEN + body;
	r->left -= NOISE_HEAD_LEN + body;
	if (p[2] == TYPE_DATA)
		return take_data(n, p + NOISE_HEAD_LEN, body, plain, len);
	if ((err = messages[n->step].get(n, p + NOISE_HEAD_LEN)) != SW_OK)
		return err;
	return step(n);
}

int
noise_seal(struct noise *n, struct wbuf *w, const void *data, size_t len)
{
	uint8_t *p = w->p;
	int r;

	assert(n->done && len <= NOISE_PLAIN_MAX);
	if (w->left < NOISE_HEAD_LEN + len + NOISE_TAG_LEN)
		return SW_ERR_TOO_LONG;
	put_head(p, n, TYPE_DATA, len + NOISE_TAG_LEN);
	memcpy(p + NOISE_HEAD_LEN, data, len);
	if ((r = noise_aead_seal(n->out, n->out_n++, NULL, 0,
	    p + NOISE_HEAD_LEN, len, p + NOISE_HEAD_LEN + len)) != SW_OK)
		return r;
	w->p += NOISE_HEAD_LEN + len + NOISE_TAG_LEN;
	w->left -= NOISE_HEAD_LEN + len + NOISE_TAG_LEN;
	return SW_OK;
}
