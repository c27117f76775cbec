/*
 * SSH's binary packets (RFC 4253 section 6): a length, the padding's length,
 * the payload, padding, a tag.
 *
 * A packet is built where it will be sent from and sealed in place.  A packet
 * that has to wait for new keys is kept as its bare payload, with its length in
 * front, in `held`.
 */
#include "transport/serve_ssh_private.h"

#include <stdlib.h>
#include <string.h>

#define PAD_MIN 4
#define HEAD_LEN 5			/* length, padding's length */
#define HELD_MAX ((size_t)256 * 1024)	/* a client may not make us hold more */
#define KEEP_ROOM ((size_t)16 * 1024)	/* an idle session's output buffer */

size_t
serve_packet_pending(const struct serve_ssh *s)
{
	return s->buf_len - s->buf_at + s->held_len;
}

/* Room for n more bytes behind `len`. */
static bool
reserve(uint8_t **p, size_t *room, size_t len, size_t n)
{
	size_t more = *room == 0 ? 4096 : *room;
	uint8_t *q;

	if (n <= *room - len)
		return true;
	while (more - len < n)
		more *= 2;
	if ((q = realloc(*p, more)) == NULL)
		return false;
	*p = q;
	*room = more;
	return true;
}

/* What was sent makes room, when that is cheap. */
static void
tidy(struct serve_ssh *s)
{
	size_t left = s->buf_len - s->buf_at;

	if (s->buf_at == 0 || left > s->buf_at)
		return;
	memmove(s->buf, s->buf + s->buf_at, left);
	s->buf_at = 0;
	s->buf_len = left;
}

static bool
is_of_kex(uint8_t type)
{
	return type == MSG_DISCONNECT || (type >= MSG_KEXINIT &&
	    type <= MSG_KEX_ECDH_REPLY);
}

struct wbuf
serve_packet_begin(struct serve_ssh *s, uint8_t type, size_t room)
{
	struct wbuf w = { NULL, 0 };

	if (s->over)
		return w;
	s->build_held = serve_kex_holds(s) && !is_of_kex(type);
	if (s->build_held) {
		if (s->held_len > HELD_MAX) {
			serve_ssh_fail(s, SERVE_BYE_KEX, "no answer to new keys");
			return w;
		}
		if (!reserve(&s->held, &s->held_room, s->held_len, room + 5))
			goto nomem;
		s->build_at = s->held_len;
		w.p = s->held + s->held_len + 4;
	} else {
		tidy(s);
		/* Padding is at most a block and PAD_MIN. */
		if (!reserve(&s->buf, &s->buf_room, s->buf_len, HEAD_LEN + 1 +
		    room + 32 + SERVE_TAG_MAX))
			goto nomem;
		s->build_at = s->buf_len;
		w.p = s->buf + s->buf_len + HEAD_LEN;
	}
	w.left = room + 1;
	add_u8(&w, type);
	return w;
nomem:
	serve_ssh_end(s, "out of memory");
	return w;
}

/* Pad, seal and queue the payload of n bytes that stands at build_at. */
static void
seal(struct serve_ssh *s, size_t n)
{
	struct serve_way *out = &s->out;
	size_t block = serve_cipher_block_len(out->kind);
	/* Without a cipher the length field counts in the padding. */
	size_t counted = 1 + n + (out->cipher == NULL ? 4 : 0);
	size_t pad = block - counted % block;
	uint8_t *p = s->buf + s->build_at;
	uint32_t len;

	if (pad < PAD_MIN)
		pad += block;
	len = (uint32_t)(1 + n + pad);
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(len >> (24 - 8 * i));
	p[4] = (uint8_t)pad;
	/* What pads a sealed packet need not be random. */
	memset(p + HEAD_LEN + n, 0, pad);
	if (out->cipher != NULL)
		serve_cipher_seal(out->cipher, out->seq, p, len);
	out->seq++;
	out->packets++;
	out->bytes += len;
	s->buf_len = s->build_at + 4 + len + serve_cipher_tag_len(out->kind);
}

void
serve_packet_end(struct serve_ssh *s, const struct wbuf *w)
{
	if (w->p == NULL || s->over)
		return;
	if (s->build_held) {
		uint32_t n = (uint32_t)(w->p - (s->held + s->build_at + 4));

		memcpy(s->held + s->build_at, &n, 4);
		s->held_len = s->build_at + 4 + n;
		return;
	}
	seal(s, (size_t)(w->p - (s->buf + s->build_at + HEAD_LEN)));
}

void
serve_packet_release(struct serve_ssh *s)
{
	uint8_t *held = s->held;
	size_t len = s->held_len, at = 0;

	s->held = NULL;
	s->held_len = s->held_room = 0;
	while (at < len && !s->over) {
		struct wbuf w;
		uint32_t n;

		memcpy(&n, held + at, 4);
		w = serve_packet_begin(s, held[at + 4], n);
		add_bytes(&w, held + at + 5, n - 1);
		serve_packet_end(s, &w);
		at += 4 + (size_t)n;
	}
	free(held);
}

const uint8_t *
serve_ssh_output(const struct serve_ssh *s, size_t *len)
{
	*len = s->buf_len - s->buf_at;
	return s->buf + s->buf_at;
}

bool
serve_ssh_is_full(const struct serve_ssh *s)
{
	return serve_packet_pending(s) >= SERVE_OUT_FULL;
}

void
serve_ssh_sent(struct serve_ssh *s, size_t n)
{
	bool was_full = serve_packet_pending(s) >= SERVE_OUT_FULL / 2;

	s->buf_at += n;
	if (s->buf_at == s->buf_len) {
		s->buf_at = s->buf_len = 0;
		if (s->buf_room > KEEP_ROOM) {
			free(s->buf);
			s->buf = NULL;
			s->buf_room = 0;
		}
	}
	if (was_full && serve_packet_pending(s) < SERVE_OUT_FULL / 2)
		serve_chan_wake(s);
}

int
serve_packet_take(struct serve_ssh *s, uint8_t *p, size_t len,
    struct rbuf *payload, size_t *used)
{
	struct serve_way *in = &s->in;
	size_t block = serve_cipher_block_len(in->kind);
	size_t tag = serve_cipher_tag_len(in->kind);
	uint32_t n;

	if (len < 4)
		return SW_AGAIN;
	n = serve_cipher_peek(in->cipher, in->seq, p);
	if (n < 2 + PAD_MIN || n > SERVE_PACKET_MAX ||
	    (n + (in->cipher == NULL ? 4 : 0)) % block != 0) {
		/* Either the length is a lie or the key is wrong. */
		serve_ssh_fail(s, SERVE_BYE_PROTOCOL, "bad packet length");
		return SW_ERR_CLOSED;
	}
	if (len < 4 + n + tag)
		return SW_AGAIN;
	if (in->cipher != NULL &&
	    serve_cipher_open(in->cipher, in->seq, p, n) != SW_OK) {
		serve_ssh_fail(s, SERVE_BYE_MAC, "a packet was not authentic");
		return SW_ERR_CLOSED;
	}
	if (p[4] < PAD_MIN || p[4] + 2u > n) {
		serve_ssh_fail(s, SERVE_BYE_PROTOCOL, "bad padding");
		return SW_ERR_CLOSED;
	}
	*payload = (struct rbuf){ p + HEAD_LEN, n - 1u - p[4] };
	*used = 4 + n + tag;
	in->packets++;
	in->bytes += n;
	s->input++;
	return SW_OK;
}
