#include "mix/ws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wslay/wslay.h>

#include "mix/prim.h"

#define HEAD_MAX 8192			/* of an HTTP request or answer */
#define KEY_LEN PRIM_BASE64_LEN(16)
#define ACCEPT_LEN PRIM_BASE64_LEN(20)

struct ws {
	const struct ws_events *events;
	void *arg;
	struct rng *rng;
	wslay_event_context_ptr ctx;
	bool server, open, closed;
	char accept[ACCEPT_LEN];	/* what a client waits for */
	struct rbuf *in;		/* while feeding */
	uint8_t *out;
	size_t out_at, out_len, out_cap;
};

static int
put_out(struct ws *w, const void *p, size_t n)
{
	size_t cap = w->out_cap;
	uint8_t *q;

	if (w->out_at > 0 && w->out_at == w->out_len)
		w->out_at = w->out_len = 0;
	if (w->out_cap - w->out_len < n && w->out_at > 0) {
		memmove(w->out, w->out + w->out_at, w->out_len - w->out_at);
		w->out_len -= w->out_at;
		w->out_at = 0;
	}
	while (cap - w->out_len < n)
		cap = cap ? 2 * cap : 4096;
	if (cap != w->out_cap) {
		if ((q = realloc(w->out, cap)) == NULL)
			return SW_ERR_NOMEM;
		w->out = q;
		w->out_cap = cap;
	}
	memcpy(w->out + w->out_len, p, n);
	w->out_len += n;
	return SW_OK;
}

static ssize_t
take_bytes(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, int flags,
    void *arg)
{
	struct ws *w = arg;

	(void)flags;
	if (w->in->left == 0) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	if (len > w->in->left)
		len = w->in->left;
	memcpy(buf, w->in->p, len);
	w->in->p += len;
	w->in->left -= len;
	return (ssize_t)len;
}

static ssize_t
give_bytes(wslay_event_context_ptr ctx, const uint8_t *data, size_t len,
    int flags, void *arg)
{
	(void)flags;
	if (put_out(arg, data, len) == SW_OK)
		return (ssize_t)len;
	wslay_event_set_error(ctx, WSLAY_ERR_NOMEM);
	return -1;
}

static int
give_mask(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, void *arg)
{
	struct ws *w = arg;

	(void)ctx;
	rng_fill(w->rng, buf, len);
	return 0;
}

static void
take_message(wslay_event_context_ptr ctx,
    const struct wslay_event_on_msg_recv_arg *m, void *arg)
{
	struct ws *w = arg;

	(void)ctx;
	if (m->opcode == WSLAY_CONNECTION_CLOSE)
		w->closed = true;
	/* The message lies in wslay's own heap buffer, freed after this call:
	 * it may be decrypted in place. */
	if (m->opcode == WSLAY_TEXT_FRAME || m->opcode == WSLAY_BINARY_FRAME)
		w->events->message(w->arg, m->opcode == WSLAY_BINARY_FRAME,
		    (uint8_t *)(uintptr_t)m->msg, m->msg_length);
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
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = take_bytes,
		.send_callback = give_bytes,
		.genmask_callback = give_mask,
		.on_msg_recv_callback = take_message,
	};
	struct ws *w = calloc(1, sizeof(*w));
	int r;

	if (w == NULL)
		return NULL;
	w->events = events;
	w->arg = arg;
	w->rng = rng;
	w->server = host == NULL;
	r = w->server ? wslay_event_context_server_init(&w->ctx, &callbacks,
	    w) : wslay_event_context_client_init(&w->ctx, &callbacks, w);
	if (r != 0 || (!w->server && ask_upgrade(w, host) != SW_OK)) {
		ws_free(w);
		return NULL;
	}
	wslay_event_config_set_max_recv_msg_length(w->ctx, WS_MESSAGE_MAX);
	return w;
}

void
ws_free(struct ws *w)
{
	if (w == NULL)
		return;
	if (w->ctx != NULL)
		wslay_event_context_free(w->ctx);
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

/* Let wslay write what it has queued (pongs, closes) to our buffer. */
static int
flush(struct ws *w)
{
	return wslay_event_send(w->ctx) == 0 ? SW_OK : SW_ERR_NOMEM;
}

int
ws_feed(struct ws *w, struct rbuf *in)
{
	int r;

	if (!w->open && (r = upgrade(w, in)) != SW_OK)
		return r == SW_AGAIN ? SW_OK : r;
	w->in = in;
	r = wslay_event_recv(w->ctx) == 0 ? SW_OK : SW_ERR_FORMAT;
	w->in = NULL;
	if (r == SW_OK)
		r = flush(w);
	return r == SW_OK && w->closed ? SW_ERR_CLOSED : r;
}

static int
send_frame(struct ws *w, uint8_t opcode, const void *data, size_t n)
{
	struct wslay_event_msg m = { opcode, data, n };

	if (w->out_len - w->out_at > WS_OUT_MAX)
		return SW_AGAIN;
	if (wslay_event_queue_msg(w->ctx, &m) != 0)
		return SW_ERR_CLOSED;
	return flush(w);
}

int
ws_send(struct ws *w, bool binary, const void *data, size_t n)
{
	if (!w->open)
		return SW_ERR_CLOSED;
	return send_frame(w, binary ? WSLAY_BINARY_FRAME : WSLAY_TEXT_FRAME,
	    data, n);
}

void
ws_ping(struct ws *w)
{
	if (w->open)
		(void)!send_frame(w, WSLAY_PING, NULL, 0);
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
