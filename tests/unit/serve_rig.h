/*
 * serve_rig.h - a client for the server's SSH engine, in memory: as much of
 * RFC 4253 as tests need, and free to break any rule.
 */
#ifndef SW_TESTS_SERVE_RIG_H
#define SW_TESTS_SERVE_RIG_H

#include "tests/rig/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sodium.h>

#include "transport/serve_ssh_private.h"

#define RIG_CHANS 8

struct rig_chan {
	struct serve_chan *c;
	size_t got, told_eof, told_closed, told_writable;
	bool hold;			/* do not take what comes */
	uint8_t last[64];
};

struct rig {
	struct serve_ssh *s;
	struct serve_ssh_config cfg;
	struct serve_budget budget;
	uint8_t host_pk[32], host_sk[64];
	bool allow, later;		/* log-ins; channels answered by hand */
	struct rig_chan chan[RIG_CHANS];
	size_t nchan;
	struct serve_open asked;	/* the last */
	size_t step;			/* bytes fed at a time; 0: all */

	/* The client's side. */
	struct serve_cipher *out, *in;
	enum serve_cipher_kind kind;
	uint32_t out_seq, in_seq;
	uint8_t id[32];
	bool have_id, strict;
	uint8_t msg[70000];		/* the last message from the server */
	size_t msg_len;
	uint8_t stream[1 << 20];	/* of the server's, not read yet */
	size_t stream_at, stream_len;
	uint8_t their_init[2048], our_init[2048];
	size_t their_init_len, our_init_len;
};

/* ---- the engine's user ---- */

static bool
rig_login(void *arg, const char *user, const struct serve_key *key, bool proved,
    struct serve_touch touch)
{
	struct rig *r = arg;

	(void)user;
	(void)key;
	(void)proved;
	assert_true(touch.present);
	return r->allow;
}

static void
rig_open(void *arg, struct serve_chan *c, const struct serve_open *what)
{
	struct rig *r = arg;
	struct rig_chan *k = &r->chan[r->nchan++];

	assert_true(r->nchan <= RIG_CHANS);
	r->asked = *what;
	k->c = c;
	serve_chan_set_arg(c, k);
	if (!r->later)
		serve_chan_accept(c);
}

static void
rig_data(void *arg, const uint8_t *p, size_t len)
{
	struct rig_chan *k = arg;

	k->got += len;
	memcpy(k->last, p, len < sizeof(k->last) ? len : sizeof(k->last));
	if (!k->hold)
		serve_chan_took(k->c, len);
}

static void
rig_eof(void *arg)
{
	((struct rig_chan *)arg)->told_eof++;
}

static void
rig_writable(void *arg)
{
	((struct rig_chan *)arg)->told_writable++;
}

static void
rig_closed(void *arg, bool clean)
{
	(void)clean;
	((struct rig_chan *)arg)->told_closed++;
}

static int
rig_listen(void *arg, const char *bind, uint16_t port, uint16_t *bound)
{
	(void)arg;
	(void)bind;
	*bound = port != 0 ? port : 4711;
	return SW_OK;
}

static int
rig_unlisten(void *arg, const char *bind, uint16_t port)
{
	(void)arg;
	(void)bind;
	(void)port;
	return SW_ERR_NO_NAME;
}

static const struct serve_ssh_events rig_events = {
	.login = rig_login, .open = rig_open, .listen = rig_listen,
	.unlisten = rig_unlisten, .data = rig_data, .eof = rig_eof,
	.writable = rig_writable, .closed = rig_closed,
};

/* ---- bytes ---- */

/* Fetch what the server says. */
static void
rig_drain(struct rig *r)
{
	const uint8_t *p;
	size_t n;

	memmove(r->stream, r->stream + r->stream_at, r->stream_len - r->stream_at);
	r->stream_len -= r->stream_at;
	r->stream_at = 0;
	while (p = serve_ssh_output(r->s, &n), n > 0) {
		assert_true(n <= sizeof(r->stream) - r->stream_len);
		memcpy(r->stream + r->stream_len, p, n);
		r->stream_len += n;
		serve_ssh_sent(r->s, n);
	}
}

/* Feed bytes, `step` at a time; whether the session goes on. */
static bool
rig_feed(struct rig *r, const uint8_t *p, size_t len)
{
	uint8_t *held = malloc(len + 1);
	size_t have = 0, used, step = r->step != 0 ? r->step : len;
	int err = SW_OK;

	for (size_t at = 0; at < len && err == SW_OK; at += step) {
		size_t n = len - at < step ? len - at : step;

		memcpy(held + have, p + at, n);
		have += n;
		err = serve_ssh_feed(r->s, held, have, &used);
		memmove(held, held + used, have - used);
		have -= used;
	}
	free(held);
	rig_drain(r);
	return err == SW_OK;
}

/* Frame a message; its length in out. */
static size_t
rig_frame(struct rig *r, const uint8_t *msg, size_t n, uint8_t *out)
{
	size_t block = r->out == NULL ? 8 : serve_cipher_block_len(r->kind);
	size_t pad = block - (1 + n + (r->out == NULL ? 4 : 0)) % block, len;

	if (pad < 4)
		pad += block;
	len = 1 + n + pad;
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(len >> (24 - 8 * i));
	out[4] = (uint8_t)pad;
	memcpy(out + 5, msg, n);
	memset(out + 5 + n, 0, pad);
	if (r->out != NULL)
		serve_cipher_seal(r->out, r->out_seq, out, len);
	r->out_seq++;
	return 4 + len + (r->out != NULL ? serve_cipher_tag_len(r->kind) : 0);
}

static bool
rig_send(struct rig *r, const struct wbuf *w, const uint8_t *start)
{
	uint8_t *out = malloc((size_t)(w->p - start) + 128);
	size_t n = rig_frame(r, start, (size_t)(w->p - start), out);
	bool on = rig_feed(r, out, n);

	free(out);
	return on;
}

/* The server's next message into r->msg; its number, 0: there is none. */
static int
rig_next(struct rig *r)
{
	uint8_t *p = r->stream + r->stream_at;
	size_t left = r->stream_len - r->stream_at, tag;
	uint32_t n;

	if (left < 4)
		return 0;
	tag = r->in == NULL ? 0 : serve_cipher_tag_len(r->kind);
	n = serve_cipher_peek(r->in, r->in_seq, p);
	assert_true(n >= 6 && n < sizeof(r->msg) && left >= 4 + n + tag);
	if (r->in != NULL)
		assert_int_equal(serve_cipher_open(r->in, r->in_seq, p, n), SW_OK);
	r->in_seq++;
	r->stream_at += 4 + n + tag;
	r->msg_len = n - 1 - p[4];
	memcpy(r->msg, p + 5, r->msg_len);
	return r->msg[0];
}

/* ---- key exchange ---- */

static const char *const rig_cipher[] = { "", "chacha20-poly1305@openssh.com",
	"aes256-gcm@openssh.com", "aes256-ctr" };

static void
rig_send_kexinit(struct rig *r, const char *kex)
{
	struct wbuf w = { r->our_init, sizeof(r->our_init) };
	const char *c = rig_cipher[r->kind];

	add_u8(&w, MSG_KEXINIT);
	add_bytes(&w, "0123456789abcdef", 16);
	add_text(&w, kex);
	add_text(&w, "ssh-ed25519");
	add_text(&w, c);
	add_text(&w, c);
	for (int i = 0; i < 2; i++)
		add_text(&w, "hmac-sha2-256-etm@openssh.com");
	for (int i = 0; i < 2; i++)
		add_text(&w, "none");
	add_text(&w, "");
	add_text(&w, "");
	add_u8(&w, 0);
	add_u32(&w, 0);
	r->our_init_len = (size_t)(w.p - r->our_init);
	assert_true(rig_send(r, &w, r->our_init));
}

static void
rig_derive(struct rig *r, const uint8_t *k, size_t k_len, const uint8_t *h)
{
	uint8_t iv[16], key[64], mac[32];
	struct serve_cipher *c[2];

	for (int i = 0; i < 2; i++) {	/* ours, theirs */
		serve_derive(iv, 16, i == 0 ? 'A' : 'B', k, k_len, h, r->id);
		serve_derive(key, 64, i == 0 ? 'C' : 'D', k, k_len, h, r->id);
		serve_derive(mac, 32, i == 0 ? 'E' : 'F', k, k_len, h, r->id);
		c[i] = serve_cipher_new(r->kind, key, iv, mac);
	}
	/* Theirs is in use since their NEWKEYS; ours after ours. */
	serve_cipher_free(r->in);
	r->in = c[1];
	{
		uint8_t msg[1] = { MSG_NEWKEYS };
		struct wbuf w = { msg + 1, 0 };

		assert_true(rig_send(r, &w, msg));
	}
	serve_cipher_free(r->out);
	r->out = c[0];
	if (r->strict)
		r->out_seq = r->in_seq = 0;
}

/* After both KEXINITs: their reply is checked, and the new keys used. */
static void
rig_exchange(struct rig *r)
{
	uint8_t sk[32], pk[32], shared[32], k[37], h[32], text[8192], msg[64];
	struct wbuf w = { msg, sizeof(msg) }, kw = { k, sizeof(k) },
	    t = { text, sizeof(text) };
	struct serve_bytes blob, theirs, sig;
	struct rbuf in;
	size_t skip = 0;

	randombytes_buf(sk, 32);
	crypto_scalarmult_base(pk, sk);
	add_u8(&w, MSG_KEX_ECDH_INIT);
	add_string(&w, pk, 32);
	assert_true(rig_send(r, &w, msg));
	assert_int_equal(rig_next(r), MSG_KEX_ECDH_REPLY);
	in = (struct rbuf){ r->msg + 1, r->msg_len - 1 };
	assert_int_equal(serve_get_string(&in, &blob), SW_OK);
	assert_int_equal(serve_get_string(&in, &theirs), SW_OK);
	assert_int_equal(serve_get_string(&in, &sig), SW_OK);
	assert_int_equal(crypto_scalarmult(shared, sk, theirs.p), 0);
	while (shared[skip] == 0)
		skip++;
	add_u32(&kw, (uint32_t)(32 - skip + (shared[skip] >> 7)));
	if ((shared[skip] & 0x80) != 0)
		add_u8(&kw, 0);
	add_bytes(&kw, shared + skip, 32 - skip);
	add_text(&t, "SSH-2.0-rig");
	add_text(&t, r->cfg.ident);
	add_string(&t, r->our_init, r->our_init_len);
	add_string(&t, r->their_init, r->their_init_len);
	add_string(&t, blob.p, blob.len);
	add_string(&t, pk, 32);
	add_string(&t, theirs.p, 32);
	add_bytes(&t, k, sizeof(k) - kw.left);
	serve_sha256(h, text, sizeof(text) - t.left);
	assert_int_equal(crypto_sign_verify_detached(sig.p + 19, h, 32,
	    r->host_pk), 0);
	if (!r->have_id)
		memcpy(r->id, h, 32);
	r->have_id = true;
	assert_int_equal(rig_next(r), MSG_NEWKEYS);
	rig_derive(r, k, sizeof(k) - kw.left, h);
}

static void
rig_take_their_init(struct rig *r)
{
	assert_int_equal(rig_next(r), MSG_KEXINIT);
	memcpy(r->their_init, r->msg, r->msg_len);
	r->their_init_len = r->msg_len;
}

/* ---- up to a state ---- */

static void
rig_start(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	assert_true(serve_cipher_begin());
	serve_sign_keypair(r->host_pk, r->host_sk);
	r->budget.max = 64u << 20;
	r->cfg = (struct serve_ssh_config){
		.host_pk = r->host_pk, .host_sk = r->host_sk,
		.ident = "SSH-2.0-test", .tries_max = 3, .channels_max = 4,
		.opening_max = 2, .window_max = 4u << 20, .budget = &r->budget,
	};
	r->allow = true;
	r->kind = SERVE_CIPHER_CHACHA;
	r->s = serve_ssh_new(&r->cfg, &rig_events, r);
	assert_non_null(r->s);
	rig_drain(r);
	r->stream_at = strlen("SSH-2.0-test\r\n");
	rig_take_their_init(r);
}

static void
rig_greet(struct rig *r)
{
	static const char ident[] = "SSH-2.0-rig\r\n";

	assert_true(rig_feed(r, (const uint8_t *)ident, sizeof(ident) - 1));
}

static void
rig_keys(struct rig *r)
{
	rig_start(r);
	rig_greet(r);
	r->strict = true;
	rig_send_kexinit(r, "curve25519-sha256,kex-strict-c-v00@openssh.com");
	rig_exchange(r);
}

/* Ask to log in with a fresh key; whether the session goes on. */
static bool
rig_try_login(struct rig *r, bool spoil)
{
	uint8_t pk[32], sk[64], msg[512], text[1024], sig[64];
	struct wbuf w = { msg, sizeof(msg) }, t = { text, sizeof(text) };

	crypto_sign_keypair(pk, sk);
	add_u8(&w, MSG_USERAUTH_REQUEST);
	add_text(&w, "user");
	add_text(&w, "ssh-connection");
	add_text(&w, "publickey");
	add_u8(&w, 1);
	add_text(&w, "ssh-ed25519");
	add_u32(&w, 51);
	add_text(&w, "ssh-ed25519");
	add_string(&w, pk, 32);
	add_string(&t, r->id, 32);
	add_bytes(&t, msg, sizeof(msg) - w.left);
	crypto_sign_detached(sig, NULL, text, sizeof(text) - t.left, sk);
	if (spoil)
		sig[5] ^= 1;
	add_u32(&w, 83);
	add_text(&w, "ssh-ed25519");
	add_string(&w, sig, 64);
	return rig_send(r, &w, msg);
}

static void
rig_service(struct rig *r)
{
	uint8_t msg[64];
	struct wbuf w = { msg, sizeof(msg) };

	add_u8(&w, MSG_SERVICE_REQUEST);
	add_text(&w, "ssh-userauth");
	assert_true(rig_send(r, &w, msg));
	assert_int_equal(rig_next(r), MSG_SERVICE_ACCEPT);
}

static void
rig_in(struct rig *r)
{
	rig_keys(r);
	rig_service(r);
	assert_true(rig_try_login(r, false));
	assert_int_equal(rig_next(r), MSG_USERAUTH_SUCCESS);
	assert_true(serve_ssh_is_in(r->s));
}

static bool
rig_ask_channel(struct rig *r, uint32_t id, uint32_t window)
{
	uint8_t msg[256];
	struct wbuf w = { msg, sizeof(msg) };

	add_u8(&w, MSG_CHANNEL_OPEN);
	add_text(&w, "direct-tcpip");
	add_u32(&w, id);
	add_u32(&w, window);
	add_u32(&w, 32768);
	add_text(&w, "host.example");
	add_u32(&w, 80);
	add_text(&w, "127.0.0.1");
	add_u32(&w, 0);
	return rig_send(r, &w, msg);
}

/* A message of a channel: number, then perhaps a string. */
static bool
rig_say(struct rig *r, uint8_t type, uint32_t id, const void *p, size_t n)
{
	uint8_t *msg = malloc(16 + n);
	struct wbuf w = { msg, 16 + n };
	bool on;

	add_u8(&w, type);
	add_u32(&w, id);
	if (p != NULL)
		add_string(&w, p, n);
	on = rig_send(r, &w, msg);
	free(msg);
	return on;
}

static void
rig_end(struct rig *r)
{
	serve_ssh_free(r->s);
	serve_cipher_free(r->in);
	serve_cipher_free(r->out);
	assert_int_equal(r->budget.used, 0);
}

#endif
