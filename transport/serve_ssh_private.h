/*
 * serve_ssh_private.h - what the parts of the SSH engine share: serve_ssh.c
 * (life, dispatch), serve_packet.c (packets), serve_kex.c (keys), serve_auth.c
 * (log-in), serve_chan.c (channels), serve_chan_flow.c (their data),
 * serve_global.c (requests).  Nobody else includes it.
 */
#ifndef SW_TRANSPORT_SERVE_SSH_PRIVATE_H
#define SW_TRANSPORT_SERVE_SSH_PRIVATE_H

#include <assert.h>

#include "transport/list.h"
#include "transport/serve_cipher.h"
#include "transport/serve_ssh.h"
#include "transport/serve_wire.h"

/* Message numbers: RFC 4250 section 4.1, RFC 8308, RFC 5656. */
enum {
	MSG_DISCONNECT = 1, MSG_IGNORE, MSG_UNIMPLEMENTED, MSG_DEBUG,
	MSG_SERVICE_REQUEST, MSG_SERVICE_ACCEPT, MSG_EXT_INFO,
	MSG_KEXINIT = 20, MSG_NEWKEYS,
	MSG_KEX_ECDH_INIT = 30, MSG_KEX_ECDH_REPLY,
	MSG_USERAUTH_REQUEST = 50, MSG_USERAUTH_FAILURE, MSG_USERAUTH_SUCCESS,
	MSG_USERAUTH_PK_OK = 60,
	MSG_GLOBAL_REQUEST = 80, MSG_REQUEST_SUCCESS, MSG_REQUEST_FAILURE,
	MSG_CHANNEL_OPEN = 90, MSG_CHANNEL_OPEN_CONFIRMATION,
	MSG_CHANNEL_OPEN_FAILURE, MSG_CHANNEL_WINDOW_ADJUST, MSG_CHANNEL_DATA,
	MSG_CHANNEL_EXTENDED_DATA, MSG_CHANNEL_EOF, MSG_CHANNEL_CLOSE,
	MSG_CHANNEL_REQUEST, MSG_CHANNEL_SUCCESS, MSG_CHANNEL_FAILURE,
};

/* Where a key exchange stands.  Between SENT and KEYS nothing but its own
 * messages may be sent. */
enum serve_kex_phase {
	KEX_NONE,
	KEX_SENT,		/* our KEXINIT is out */
	KEX_BOTH,		/* theirs is here: their public key is next */
	KEX_KEYS,		/* our NEWKEYS is out: theirs is next */
};

#define KEXINIT_MAX 1024		/* ours */
#define SERVE_WINDOW_FIRST ((uint32_t)128 * 1024)	/* of a channel */

struct serve_kex {
	enum serve_kex_phase phase;
	bool first;			/* the session's first */
	bool skip_guess;		/* drop the next: they guessed wrong */
	enum serve_cipher_kind in, out;
	uint8_t ours[KEXINIT_MAX];
	size_t ours_len;
	uint8_t *theirs;
	size_t theirs_len;
	struct serve_cipher *next_in;
	uint64_t since_bytes;		/* input when it began */
};

struct serve_way {			/* one direction's packets */
	struct serve_cipher *cipher;	/* NULL: none yet */
	enum serve_cipher_kind kind;
	uint32_t seq;
	uint64_t bytes, packets;	/* under these keys */
};

struct serve_chan {
	struct serve_ssh *s;
	void *arg;			/* NULL: nobody is to be told */
	LIST_LINK(serve_chan) wait;
	uint32_t id, peer;		/* our number, theirs */
	uint32_t peer_window, peer_max;
	uint32_t window;		/* granted, and not used yet */
	uint32_t unread;		/* used, and not taken yet */
	uint32_t aim;			/* window + unread, as a rule */
	enum { CHAN_ASKED, CHAN_OFFERED, CHAN_OPEN } state;
	bool got_eof, sent_eof, sent_close, waiting;
};

struct serve_ssh {
	const struct serve_ssh_config *cfg;
	const struct serve_ssh_events *ev;
	void *arg;
	char ident[256];		/* the client's */
	bool has_ident, over, busy;
	char why[128];

	struct serve_way in, out;
	uint8_t *buf;			/* output: buf[at..len) */
	size_t buf_at, buf_len, buf_room;
	uint8_t *held;			/* packets that wait for new keys */
	size_t held_len, held_room;
	size_t build_at;		/* the packet being built, in either */
	bool build_held;
	uint64_t input;			/* packets */

	struct serve_kex kex;
	bool strict, ext_info;
	bool has_id;
	uint8_t id[SERVE_HASH_LEN];

	bool asked_auth, in_now;	/* service granted; logged in */
	unsigned tries, offers;

	struct serve_chan **chan;
	size_t chan_room, nchan, nopening;
	LIST_OF(serve_waiting, serve_chan) waiting;
};

/* ---- serve_packet.c ---- */

/*
 * Build a message of at most `room` bytes: add to the cursor, then end it.
 * While keys are exchanged it is held back, unless it belongs to that.  Without
 * memory the session is over and the cursor takes nothing.
 */
struct wbuf serve_packet_begin(struct serve_ssh *s, uint8_t type, size_t room);
void serve_packet_end(struct serve_ssh *s, const struct wbuf *w);
/* What was held back goes, under the new keys. */
void serve_packet_release(struct serve_ssh *s);
size_t serve_packet_pending(const struct serve_ssh *s);

/* One packet out of p[0..len): its payload and its whole length.  SW_AGAIN: not
 * all there.  SW_ERR_CLOSED: the session has ended. */
int serve_packet_take(struct serve_ssh *s, uint8_t *p, size_t len,
    struct rbuf *payload, size_t *used) SW_MUST_CHECK;

/* ---- serve_ssh.c ---- */

/* It is over, without a word to the peer. */
void serve_ssh_end(struct serve_ssh *s, const char *why);

/* The peer broke the rules: tell it, and end.  why: static or not, copied. */
void serve_ssh_fail(struct serve_ssh *s, enum serve_goodbye code,
    const char *why);

/* ---- serve_kex.c ---- */

/* Send our KEXINIT; take a message of the exchange; have so many bytes or packets
 * gone by that new keys are due? */
void serve_kex_start(struct serve_ssh *s);
void serve_kex_take(struct serve_ssh *s, uint8_t type, struct rbuf payload);
bool serve_kex_is_due(const struct serve_ssh *s);
/* The client goes on without answering our KEXINIT. */
bool serve_kex_is_late(const struct serve_ssh *s);
void serve_kex_wipe(struct serve_ssh *s);
/* Only messages of the exchange may be sent now. */
static inline bool
serve_kex_holds(const struct serve_ssh *s)
{
	return s->kex.phase == KEX_SENT || s->kex.phase == KEX_BOTH;
}

/* ---- serve_auth.c; payload begins with the message number ---- */

/* SERVICE_REQUEST; USERAUTH_REQUEST.  What breaks the rules ends the session. */
void serve_auth_service(struct serve_ssh *s, struct rbuf payload);
void serve_auth_take(struct serve_ssh *s, struct rbuf payload);

/* ---- serve_chan.c ---- */

/* A message of the connection protocol (RFC 4254), with its number; the end of
 * all channels. */
void serve_chan_take(struct serve_ssh *s, uint8_t type, struct rbuf payload);
void serve_chan_free_all(struct serve_ssh *s);

/* ---- serve_chan_flow.c; "take" answers false to what breaks the rules ---- */

bool serve_chan_take_data(struct serve_chan *c, struct rbuf *r, bool extended);
bool serve_chan_take_adjust(struct serve_chan *c, struct rbuf *r);
void serve_chan_wake(struct serve_ssh *s);	/* output has room again */
void serve_chan_stop_waiting(struct serve_chan *c);	/* for that */

/* ---- serve_global.c ---- */

bool serve_global_take(struct serve_ssh *s, struct rbuf *r);

/* ---- adding to a message: its room was computed, or memory was short ---- */

static inline void
add_bytes(struct wbuf *w, const void *p, size_t n)
{
	int r = wire_put_bytes(w, p, n);

	assert(r == SW_OK || w->p == NULL);
	(void)r;
}

static inline void
add_u8(struct wbuf *w, uint8_t v)
{
	add_bytes(w, &v, 1);
}

static inline void
add_u32(struct wbuf *w, uint32_t v)
{
	uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16),
	    (uint8_t)(v >> 8), (uint8_t)v };

	add_bytes(w, b, sizeof(b));
}

static inline void
add_string(struct wbuf *w, const void *p, size_t n)
{
	add_u32(w, (uint32_t)n);
	add_bytes(w, p, n);
}

static inline void
add_text(struct wbuf *w, const char *text)
{
	add_string(w, text, strlen(text));
}

#endif
