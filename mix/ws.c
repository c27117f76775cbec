#include "mix/ws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wslay/wslay.h>

#include "base/wipe.h"
#include "mix/prim.h"
#include "mix/reserve.h"

#define HEAD_MAX 8192			/* of an HTTP request or answer */
#define KEY_LEN PRIM_BASE64_LEN(16)
#define ACCEPT_LEN PRIM_BASE64_LEN(20)
#define CONTROL_MAX 125			/* bytes in a ping, a pong, a close */

/* A message that arrives, in frames and those in pieces.  Its buffer stays for
 * the next. */
struct incoming {
	uint8_t opcode;			/* of its first frame; 0: none */
	uint8_t *data;
	size_t len, cap;
};

struct ws {
	const struct ws_events *events;
	void *arg;
	struct rng *rng;
	wslay_frame_context_ptr ctx;
	bool server, open, closed;
	char accept[ACCEPT_LEN];	/* what a client waits for */
	struct rbuf *in;		/* while feeding */
	bool inside;			/* of a frame; more of it follows */
	uint64_t frame_left;
	struct incoming message;
	uint8_t control[CONTROL_MAX];
	size_t control_len;
	uint8_t *out;
	size_t out_at, out_len, out_cap;
};

static int
put_out(struct ws *w, const void *p, size_t n)
{
	if (w->out_at > 0 && w->out_at == w->out_len)
		w->out_at = w->out_len = 0;
	if (w->out_cap - w->out_len < n && w->out_at > 0) {
		memmove(w->out, w->out + w->out_at, w->out_len - w->out_at);
		w->out_len -= w->out_at;
		w->out_at = 0;
	}
	if (reserve(&w->out, &w->out_cap, w->out_len + n) != SW_OK)
		return SW_ERR_NOMEM;
	memcpy(w->out + w->out_len, p, n);
	w->out_len += n;
	return SW_OK;
}

/* wslay's callbacks. */

static ssize_t
take_bytes(uint8_t *buf, size_t len, int flags, void *arg)
{
	struct ws *w = arg;

	(void)flags;
	if (w->in->left == 0)
		return -1;
	if (len > w->in->left)
		len = w->in->left;
	memcpy(buf, w->in->p, len);
	w->in->p += len;
	w->in->left -= len;
	return (ssize_t)len;
}

static ssize_t
give_bytes(const uint8_t *data, size_t len, int flags, void *arg)
{
	(void)flags;
	return put_out(arg, data, len) == SW_OK ? (ssize_t)len : -1;
}

static int
give_mask(uint8_t *buf, size_t len, void *arg)
{
	struct ws *w = arg;

	rng_fill(w->rng, buf, len);
	return 0;
}

static int
put_frame(struct ws *w, uint8_t opcode, const void *data, size_t n)
{
	struct wslay_frame_iocb f = { .fin = 1, .opcode = opcode,
	    .payload_length = n, .mask = !w->server, .data = data,
	    .data_length = n };
	ssize_t sent;

	do {
		if ((sent = wslay_frame_send(w->ctx, &f)) < 0)
			return SW_ERR_NOMEM;
		f.data += sent;
		f.data_length -= (size_t)sent;
	} while (f.data_length > 0);
	return SW_OK;
}

/* Frames. */

static bool
is_control(uint8_t opcode)
{
	return opcode >= WSLAY_CONNECTION_CLOSE;
}

/* May this frame come now? */
static bool
is_in_place(const struct ws *w, const struct wslay_frame_iocb *f)
{
	if (f->rsv != WSLAY_RSV_NONE || (f->mask != 0) != w->server)
		return false;
	switch (f->opcode) {
	case WSLAY_CONNECTION_CLOSE:
	case WSLAY_PING:
	case WSLAY_PONG:
		return f->fin && f->payload_length <= CONTROL_MAX;
	case WSLAY_TEXT_FRAME:
	case WSLAY_BINARY_FRAME:
		return w->message.opcode == 0 &&
		    f->payload_length <= WS_MESSAGE_MAX;
	case WSLAY_CONTINUATION_FRAME:
		return w->message.opcode != 0 &&
		    f->payload_length <= WS_MESSAGE_MAX - w->message.len;
	default:
		return false;
	}
}

static int
begin_frame(struct ws *w, const struct wslay_frame_iocb *f)
{
	struct incoming *m = &w->message;

	if (!is_in_place(w, f))
		return SW_ERR_FORMAT;
	w->inside = true;
	w->frame_left = f->payload_length;
	w->control_len = 0;
	if (is_control(f->opcode))
		return SW_OK;
	if (f->opcode != WSLAY_CONTINUATION_FRAME) {
		m->opcode = f->opcode;
		m->len = 0;
	}
	return reserve(&m->data, &m->cap, m->len + (size_t)f->payload_length);
}

/* A whole frame is here. */
static int
end_frame(struct ws *w, const struct wslay_frame_iocb *f)
{
	struct incoming *m = &w->message;
	bool binary = m->opcode == WSLAY_BINARY_FRAME;

	w->inside = false;
	if (f->opcode == WSLAY_CONNECTION_CLOSE) {
		w->closed = true;
		return put_frame(w, f->opcode, w->control, w->control_len);
	}
	if (f->opcode == WSLAY_PING)
		return put_frame(w, WSLAY_PONG, w->control, w->control_len);
	if (is_control(f->opcode) || !f->fin)
		return SW_OK;
	m->opcode = 0;
	w->events->message(w->arg, binary, m->data, m->len);
	return SW_OK;
}

static int
take_piece(struct ws *w, const struct wslay_frame_iocb *f)
{
	struct incoming *m = &w->message;
	int r;

	if (!w->inside && (r = begin_frame(w, f)) != SW_OK)
		return r;
	/* wslay_frame_recv() gives no more than the frame has. */
	if (is_control(f->opcode)) {
		memcpy(w->control + w->control_len, f->data, f->data_length);
		w->control_len += f->data_length;
	} else {
		memcpy(m->data + m->len, f->data, f->data_length);
		m->len += f->data_length;
	}
	w->frame_left -= f->data_length;
	return w->frame_left == 0 ? end_frame(w, f) : SW_OK;
}

/* All that is whole.  Nothing after a close counts. */
static int
take_frames(struct ws *w)
{
	struct wslay_frame_iocb f;
	ssize_t n;
	int r = SW_OK;

	while (r == SW_OK && !w->closed) {
		memset(&f, 0, sizeof(f));
		n = wslay_frame_recv(w->ctx, &f);
		if (n == WSLAY_ERR_WANT_READ)
			return SW_OK;
		r = n < 0 ? SW_ERR_FORMAT : take_piece(w, &f);
	}
	return r;
}

/* The proof that the other side speaks websocket: RFC 6455 section 4.2.2. */
static void
make_accept(char out[static ACCEPT_LEN], const char *key)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char text[KEY_LEN + sizeof(guid)];
	uint8_t sum[20];
	int n = snprintf(text, sizeof(text), "%s%s", key, guid);

	prim_sha1(sum, text, (size_t)n);
	prim_base64_encode(out, sum, sizeof(sum));
}

static int
ask_upgrade(struct ws *w, const char *host)
{
	uint8_t nonce[16];
	char key[KEY_LEN], text[512];
	int n;

	rng_fill(w->rng, nonce, sizeof(nonce));
	prim_base64_encode(key, nonce, sizeof(nonce));
	make_accept(w->accept, key);
	n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n"
	    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n",
	    host, key);
	if (n < 0 || (size_t)n >= sizeof(text))
		return SW_ERR_TOO_LONG;
	return put_out(w, text, (size_t)n);
}

struct ws *
ws_new(const char *host, const struct ws_events *events, void *arg,
    struct rng *rng)
{
	static const struct wslay_frame_callbacks callbacks = {
		.recv_callback = take_bytes,
		.send_callback = give_bytes,
		.genmask_callback = give_mask,
	};
	struct ws *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->events = events;
	w->arg = arg;
	w->rng = rng;
	w->server = host == NULL;
	if (wslay_frame_context_init(&w->ctx, &callbacks, w) != 0 ||
	    (!w->server && ask_upgrade(w, host) != SW_OK)) {
		ws_free(w);
		return NULL;
	}
	return w;
}

void
ws_free(struct ws *w)
{
	if (w == NULL)
		return;
	if (w->ctx != NULL)
		wslay_frame_context_free(w->ctx);
	sw_wipe_free(w->message.data, w->message.cap);
	free(w->out);
	free(w);
}

/* The value of a header line, its length in *n; NULL if it is absent. */
static const char *
header(const char *head, const char *name, size_t *n)
{
	size_t len = strlen(name);
	const char *line = strstr(head, "\r\n"), *end;

	for (; line != NULL; line = end) {
		line += 2;
		end = strstr(line, "\r\n");
		if (end == NULL)
			break;
		if (strncasecmp(line, name, len) != 0 || line[len] != ':')
			continue;
		line += len + 1;
		while (*line == ' ' || *line == '\t')
			line++;
		*n = (size_t)(end - line);
		while (*n > 0 && (line[*n - 1] == ' ' || line[*n - 1] == '\t'))
			(*n)--;
		return line;
	}
	*n = 0;
	return NULL;
}

static int
answer_upgrade(struct ws *w, const char *head)
{
	char key[KEY_LEN], accept[ACCEPT_LEN], text[256];
	const char *k;
	size_t n;
	int len;

	k = header(head, "Sec-WebSocket-Key", &n);
	if (strncmp(head, "GET ", 4) != 0 || k == NULL || n != KEY_LEN - 1)
		return SW_ERR_REFUSED;
	memcpy(key, k, n);
	key[n] = '\0';
	make_accept(accept, key);
	len = snprintf(text, sizeof(text), "HTTP/1.1 101 Switching Protocols"
	    "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
	return put_out(w, text, (size_t)len);
}

static int
check_upgrade(struct ws *w, const char *head)
{
	const char *a;
	size_t n;

	if (strncmp(head, "HTTP/1.1 101", 12) != 0)
		return SW_ERR_REFUSED;
	a = header(head, "Sec-WebSocket-Accept", &n);
	return a != NULL && n == strlen(w->accept) &&
	    memcmp(a, w->accept, n) == 0 ? SW_OK : SW_ERR_FORMAT;
}

/* Take the HTTP head off `in`, if all of it is there. */
static int
upgrade(struct ws *w, struct rbuf *in)
{
	char head[HEAD_MAX + 1];
	size_t n = in->left < HEAD_MAX ? in->left : HEAD_MAX;
	const uint8_t *end = memmem(in->p, n, "\r\n\r\n", 4);
	int r;

	if (end == NULL)
		return n == HEAD_MAX ? SW_ERR_FORMAT : SW_AGAIN;
	n = (size_t)(end - in->p) + 4;
	memcpy(head, in->p, n);
	head[n] = '\0';
	if (strlen(head) != n)
		return SW_ERR_FORMAT;
	in->p += n;
	in->left -= n;
	if ((r = w->server ? answer_upgrade(w, head) :
	    check_upgrade(w, head)) != SW_OK)
		return r;
	w->open = true;
	w->events->open(w->arg);
	return SW_OK;
}

int
ws_feed(struct ws *w, struct rbuf *in)
{
	int r;

	if (!w->open && (r = upgrade(w, in)) != SW_OK)
		return r == SW_AGAIN ? SW_OK : r;
	w->in = in;
	r = take_frames(w);
	w->in = NULL;
	return r == SW_OK && w->closed ? SW_ERR_CLOSED : r;
}

static int
send_frame(struct ws *w, uint8_t opcode, const void *data, size_t n)
{
	if (w->closed)
		return SW_ERR_CLOSED;
	if (w->out_len - w->out_at > WS_OUT_MAX)
		return SW_AGAIN;
	return put_frame(w, opcode, data, n);
}

int
ws_send(struct ws *w, bool binary, const void *data, size_t n)
{
	if (!w->open)
		return SW_ERR_CLOSED;
	return send_frame(w, binary ? WSLAY_BINARY_FRAME : WSLAY_TEXT_FRAME,
	    data, n);
}

const uint8_t *
ws_out(struct ws *w, size_t *n)
{
	*n = w->out_len - w->out_at;
	return *n > 0 ? w->out + w->out_at : NULL;
}

void
ws_sent(struct ws *w, size_t n)
{
	w->out_at += n;
}
