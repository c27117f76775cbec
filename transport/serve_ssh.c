/*
 * The life of a session, and which message goes where.
 *
 *   RFC 4253 section 4.2: the client's identification is one line; what comes
 *   after it are packets.
 *   Before the log-in nothing but keys, the service request and log-in
 *   messages are read; everything else ends the session.
 */
#include "transport/serve_ssh_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/wipe.h"

#define IDENT_MAX 253			/* with CR LF 255, RFC 4253 */

static bool
put_ident(struct serve_ssh *s)
{
	const char *text = s->cfg->ident;
	size_t n = strlen(text);

	if ((s->buf = malloc(n + 2)) == NULL)
		return false;
	memcpy(s->buf, text, n);
	memcpy(s->buf + n, "\r\n", 2);
	s->buf_len = s->buf_room = n + 2;
	return true;
}

struct serve_ssh *
serve_ssh_new(const struct serve_ssh_config *cfg,
    const struct serve_ssh_events *ev, void *arg)
{
	struct serve_ssh *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->cfg = cfg;
	s->ev = ev;
	s->arg = arg;
	LIST_INIT(&s->waiting);
	if (!put_ident(s)) {
		free(s);
		return NULL;
	}
	serve_kex_start(s);
	return s;
}

void
serve_ssh_free(struct serve_ssh *s)
{
	if (s == NULL)
		return;
	serve_chan_free_all(s);
	serve_kex_wipe(s);
	serve_cipher_free(s->in.cipher);
	serve_cipher_free(s->out.cipher);
	free(s->buf);
	free(s->held);
	sw_wipe_free(s, sizeof(*s));
}

void
serve_ssh_end(struct serve_ssh *s, const char *why)
{
	if (!s->over)
		snprintf(s->why, sizeof(s->why), "%s", why);
	s->over = true;
}

void
serve_ssh_bye(struct serve_ssh *s, enum serve_goodbye code, const char *text)
{
	struct wbuf w;

	if (s->over)
		return;
	w = serve_packet_begin(s, MSG_DISCONNECT, 16 + strlen(text));
	add_u32(&w, (uint32_t)code);
	add_text(&w, text);
	add_text(&w, "");
	serve_packet_end(s, &w);
	serve_ssh_end(s, text);
}

void
serve_ssh_fail(struct serve_ssh *s, enum serve_goodbye code, const char *why)
{
	serve_ssh_bye(s, code, why);
}

bool
serve_ssh_is_over(const struct serve_ssh *s)
{
	return s->over;
}

bool
serve_ssh_is_in(const struct serve_ssh *s)
{
	return s->in_now;
}

const char *
serve_ssh_why(const struct serve_ssh *s)
{
	return s->why;
}

size_t
serve_ssh_channels(const struct serve_ssh *s)
{
	return s->nchan;
}

uint64_t
serve_ssh_input(const struct serve_ssh *s)
{
	return s->input;
}

void
serve_ssh_ping(struct serve_ssh *s)
{
	static const char name[] = "keepalive@openssh.com";
	struct wbuf w;

	if (!s->in_now)
		return;
	w = serve_packet_begin(s, MSG_GLOBAL_REQUEST, sizeof(name) + 8);
	add_text(&w, name);
	add_u8(&w, 1);
	serve_packet_end(s, &w);
}

/* ---- the greeting ---- */

static int
take_ident(struct serve_ssh *s, const uint8_t *p, size_t len, size_t *used)
{
	const uint8_t *end = memchr(p, '\n', len > IDENT_MAX + 2 ?
	    IDENT_MAX + 2 : len);
	size_t n;

	if (end == NULL && len < IDENT_MAX + 2)
		return SW_AGAIN;
	n = end == NULL ? 0 : (size_t)(end - p);
	*used = n + 1;
	if (n > 0 && p[n - 1] == '\r')
		n--;
	if (n < 9 || n > IDENT_MAX || memchr(p, 0, n) != NULL ||
	    (memcmp(p, "SSH-2.0-", 8) != 0 && memcmp(p, "SSH-1.99-", 9) != 0)) {
		/* No packet would be understood. */
		serve_ssh_end(s, "not an SSH client");
		return SW_ERR_CLOSED;
	}
	memcpy(s->ident, p, n);
	s->ident[n] = '\0';
	s->has_ident = true;
	return SW_OK;
}

/* ---- messages ---- */

static void
unimplemented(struct serve_ssh *s)
{
	struct wbuf w = serve_packet_begin(s, MSG_UNIMPLEMENTED, 4);

	add_u32(&w, s->in.seq - 1);
	serve_packet_end(s, &w);
}

static void
dispatch(struct serve_ssh *s, struct rbuf payload)
{
	uint8_t type = payload.p[0];
	bool first = s->kex.phase != KEX_NONE && s->kex.first;

	if (type == MSG_DISCONNECT) {
		serve_ssh_end(s, "the client said good-bye");
		return;
	}
	if (type >= MSG_KEXINIT && type <= MSG_KEX_ECDH_REPLY) {
		serve_kex_take(s, type, payload);
		return;
	}
	/* Terrapin: nothing slips in between while the first keys are made. */
	if ((first && (s->strict || type > MSG_DEBUG)) ||
	    ((s->kex.phase == KEX_BOTH || s->kex.phase == KEX_KEYS) &&
	    type > MSG_DEBUG)) {
		serve_ssh_fail(s, SERVE_BYE_PROTOCOL,
		    "a message out of order while keys are exchanged");
		return;
	}
	switch (type) {
	case MSG_IGNORE:
	case MSG_DEBUG:
	case MSG_UNIMPLEMENTED:
	case MSG_EXT_INFO:
		return;
	case MSG_SERVICE_REQUEST:
		serve_auth_service(s, payload);
		return;
	case MSG_USERAUTH_REQUEST:
		serve_auth_take(s, payload);
		return;
	default:
		break;
	}
	if (!s->in_now)
		serve_ssh_fail(s, SERVE_BYE_PROTOCOL, "not logged in");
	else if (type >= MSG_GLOBAL_REQUEST && type <= MSG_CHANNEL_FAILURE)
		serve_chan_take(s, type, payload);
	else
		unimplemented(s);
}

int
serve_ssh_feed(struct serve_ssh *s, uint8_t *p, size_t len, size_t *used)
{
	struct rbuf payload = { p, 0 };
	size_t n;
	int r = SW_OK;

	*used = 0;
	while (!s->over && *used < len) {
		if (!s->has_ident)
			r = take_ident(s, p + *used, len - *used, &n);
		else
			r = serve_packet_take(s, p + *used, len - *used,
			    &payload, &n);
		if (r != SW_OK)
			break;
		*used += n;
		if (s->input == 0)
			continue;	/* that was the identification */
		s->in.seq++;
		dispatch(s, payload);
	}
	if (serve_kex_is_late(s))
		serve_ssh_fail(s, SERVE_BYE_KEX, "no answer to new keys");
	if (!s->over && serve_kex_is_due(s))
		serve_kex_start(s);
	return s->over ? SW_ERR_CLOSED : SW_OK;
}
