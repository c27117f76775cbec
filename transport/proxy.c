/*
 * The conversation with a proxy.
 *
 *   socks5  METHOD -> [PASSWORD ->] REPLY -> DONE
 *   http    HEAD -> DONE
 */
#include "transport/proxy.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/wipe.h"

enum { CMD_CONNECT = 1, CMD_UDP = 3 };
enum { ATYP_V4 = 1, ATYP_NAME = 3, ATYP_V6 = 4 };
enum { METHOD_NONE = 0, METHOD_PASSWORD = 2, METHOD_NO = 0xff };

static int
fail(struct proxy_talk *t, int err, const char *why)
{
	t->state = PROXY_FAILED;
	snprintf(t->why, sizeof(t->why), "%s", why);
	return err;
}

static void
put(struct proxy_talk *t, const void *bytes, size_t n)
{
	assert(n <= sizeof(t->out) - t->out_len);
	memcpy(t->out + t->out_len, bytes, n);
	t->out_len += n;
}

static void
put_text(struct proxy_talk *t, const char *text)
{
	put(t, text, strlen(text));
}

/* ---- SOCKS5 ---- */

/* Command, address by its own kind, port (RFC 1928, 4). */
static void
make_request(struct proxy_talk *t, uint8_t command, const char *host,
    uint16_t port)
{
	uint8_t *p = t->request;
	size_t n = strlen(host);

	*p++ = 5;
	*p++ = command;
	*p++ = 0;
	if (inet_pton(AF_INET, host, p + 1) == 1) {
		*p = ATYP_V4;
		p += 1 + 4;
	} else if (inet_pton(AF_INET6, host, p + 1) == 1) {
		*p = ATYP_V6;
		p += 1 + 16;
	} else {
		*p++ = ATYP_NAME;
		*p++ = (uint8_t)n;
		memcpy(p, host, n);
		p += n;
	}
	*p++ = (uint8_t)(port >> 8);
	*p++ = (uint8_t)port;
	t->request_len = (size_t)(p - t->request);
}

static void
greet(struct proxy_talk *t)
{
	static const uint8_t plain[] = { 5, 1, METHOD_NONE };
	static const uint8_t both[] = { 5, 2, METHOD_NONE, METHOD_PASSWORD };

	if (t->url->has_user)
		put(t, both, sizeof(both));
	else
		put(t, plain, sizeof(plain));
	t->state = PROXY_METHOD;
}

static int
on_method(struct proxy_talk *t)
{
	const char *user = t->url->user, *password = t->url->password;
	uint8_t n;

	if (t->in[0] != 5)
		return fail(t, SW_ERR_FORMAT, "what answered is not a SOCKS5 "
		    "proxy");
	if (t->in[1] == METHOD_NONE) {
		put(t, t->request, t->request_len);
		t->state = PROXY_REPLY;
		return SW_AGAIN;
	}
	if (t->in[1] == METHOD_PASSWORD && t->url->has_user) {
		put(t, "\1", 1);
		n = (uint8_t)strlen(user);
		put(t, &n, 1);
		put_text(t, user);
		n = (uint8_t)strlen(password);
		put(t, &n, 1);
		put_text(t, password);
		t->state = PROXY_PASSWORD;
		return SW_AGAIN;
	}
	if (t->in[1] != METHOD_NO && t->in[1] != METHOD_PASSWORD)
		return fail(t, SW_ERR_UNSUPPORTED, "the proxy wants an "
		    "authentication that is not supported");
	return fail(t, SW_ERR_AUTH, t->url->has_user ? "the proxy takes no "
	    "password" : "the proxy wants a user name and a password "
	    "(socks5://user:password@...)");
}

static int
on_password(struct proxy_talk *t)
{
	if (t->in[1] != 0)
		return fail(t, SW_ERR_AUTH, "the proxy does not take this user "
		    "name and password");
	put(t, t->request, t->request_len);
	t->state = PROXY_REPLY;
	return SW_AGAIN;
}

static int
refuse(struct proxy_talk *t, uint8_t code)
{
	static const struct {
		int err;
		const char *why;
	} known[] = {
		[1] = { SW_ERR_DOWN, "the proxy failed" },
		[2] = { SW_ERR_DENIED, "the proxy's rules forbid it" },
		[3] = { SW_ERR_UNREACH_NET, "the proxy finds no way to its "
		    "network" },
		[4] = { SW_ERR_UNREACH_HOST, "the proxy does not reach the "
		    "host" },
		[5] = { SW_ERR_REFUSED, "the proxy was refused by the host" },
		[6] = { SW_ERR_TIMEOUT, "the proxy got no answer" },
		[7] = { SW_ERR_UNSUPPORTED, "the proxy does not do this" },
		[8] = { SW_ERR_UNSUPPORTED, "the proxy does not know this kind "
		    "of address" },
	};

	if (code >= sizeof(known) / sizeof(known[0]))
		return fail(t, SW_ERR_DOWN, "the proxy gave a reason that is "
		    "not known");
	return fail(t, known[code].err, known[code].why);
}

static int
on_reply(struct proxy_talk *t)
{
	const uint8_t *at = t->in + 4, *port;

	if (t->in[1] != 0)
		return refuse(t, t->in[1]);
	if (t->in[3] == ATYP_NAME) {
		memcpy(t->bound_host, at + 1, at[0]);
		t->bound_host[at[0]] = '\0';
		port = at + 1 + at[0];
	} else {
		const bool v4 = t->in[3] == ATYP_V4;

		(void)inet_ntop(v4 ? AF_INET : AF_INET6, at, t->bound_host,
		    sizeof(t->bound_host));
		port = at + (v4 ? 4 : 16);
	}
	t->bound_port = (uint16_t)(port[0] << 8 | port[1]);
	t->state = PROXY_DONE;
	return SW_OK;
}

/* How long the message is that has begun, as far as can be told; 0: it cannot
 * be one. */
static size_t
message_len(const struct proxy_talk *t)
{
	if (t->state != PROXY_REPLY || t->in_len < 2)
		return 2;
	/* A refusal is believed at once: some proxies say no more than that. */
	if (t->in[0] != 5)
		return 0;
	if (t->in[1] != 0)
		return 2;
	if (t->in_len < 5)
		return 5;
	switch (t->in[3]) {
	case ATYP_V4:
		return 4 + 4 + 2;
	case ATYP_V6:
		return 4 + 16 + 2;
	case ATYP_NAME:
		return 4 + 1 + (size_t)t->in[4] + 2;
	default:
		return 0;
	}
}

static int
socks_input(struct proxy_talk *t, uint8_t byte)
{
	size_t want;

	t->in[t->in_len++] = byte;
	want = message_len(t);
	if (want == 0)
		return fail(t, SW_ERR_FORMAT, "the proxy's answer is not "
		    "SOCKS5");
	if (t->in_len < want)
		return SW_AGAIN;
	t->in_len = 0;
	switch (t->state) {
	case PROXY_METHOD:
		return on_method(t);
	case PROXY_PASSWORD:
		return on_password(t);
	default:
		return on_reply(t);
	}
}

/* ---- HTTP CONNECT ---- */

static void
put_base64(struct proxy_talk *t, const char *text)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = strlen(text);
	const uint8_t *p = (const uint8_t *)text;

	for (; n > 0; p += 3, n -= n < 3 ? n : 3) {
		const uint32_t v = (uint32_t)p[0] << 16 |
		    (uint32_t)(n > 1 ? p[1] : 0) << 8 | (n > 2 ? p[2] : 0);
		const char four[4] = {
			digit[v >> 18], digit[v >> 12 & 63],
			n > 1 ? digit[v >> 6 & 63] : '=',
			n > 2 ? digit[v & 63] : '=',
		};

		put(t, four, 4);
	}
}

static void
ask_http(struct proxy_talk *t, const char *host, uint16_t port)
{
	const bool literal = strchr(host, ':') != NULL;
	char place[PROXY_HOST_MAX + 16], both[2 * PROXY_TEXT_MAX + 2];

	snprintf(place, sizeof(place), "%s%s%s:%u", literal ? "[" : "", host,
	    literal ? "]" : "", port);
	put_text(t, "CONNECT ");
	put_text(t, place);
	put_text(t, " HTTP/1.1\r\nHost: ");
	put_text(t, place);
	if (t->url->has_user) {
		put_text(t, "\r\nProxy-Authorization: Basic ");
		snprintf(both, sizeof(both), "%s:%s", t->url->user,
		    t->url->password);
		put_base64(t, both);
		sw_wipe(both, sizeof(both));
	}
	put_text(t, "\r\n\r\n");
	t->state = PROXY_HEAD;
	t->line_empty = true;
}

static int
judge_status(struct proxy_talk *t)
{
	const uint8_t *s = t->in;
	char why[96];
	unsigned code;

	/* "HTTP/1.1 200 ..." */
	if (t->in_len < 12 || memcmp(s, "HTTP/1.", 7) != 0 || s[8] != ' ' ||
	    s[9] < '1' || s[9] > '5' || s[10] < '0' || s[10] > '9' ||
	    s[11] < '0' || s[11] > '9' ||
	    (t->in_len > 12 && s[12] != ' ' && s[12] != '\n'))
		return fail(t, SW_ERR_FORMAT, "what answered is not an HTTP "
		    "proxy");
	code = (s[9] - '0') * 100u + (s[10] - '0') * 10u + (s[11] - '0');
	if (code / 100 == 1) {		/* there is more to come */
		t->in_len = 0;
		return SW_AGAIN;
	}
	if (code / 100 == 2) {
		t->state = PROXY_DONE;
		return SW_OK;
	}
	switch (code) {
	case 401:
	case 407:
		return fail(t, SW_ERR_AUTH, t->url->has_user ? "the proxy does "
		    "not take this user name and password" : "the proxy wants "
		    "a user name and a password (http://user:password@...)");
	case 403:
	case 405:
		return fail(t, SW_ERR_DENIED, "the proxy's rules forbid it");
	case 502:
	case 503:
		return fail(t, SW_ERR_UNREACH_HOST, "the proxy does not reach "
		    "the host");
	case 504:
		return fail(t, SW_ERR_TIMEOUT, "the proxy got no answer");
	default:
		snprintf(why, sizeof(why), "the proxy refused with status %u",
		    code);
		return fail(t, SW_ERR_DOWN, why);
	}
}

static int
http_input(struct proxy_talk *t, uint8_t byte)
{
	if (++t->head_len > PROXY_HEAD_MAX)
		return fail(t, SW_ERR_TOO_LONG, "the proxy's answer has no end");
	if (byte == '\r')
		return SW_AGAIN;
	if (byte == '\n') {
		const bool over = t->line_empty;

		t->line_empty = true;
		if (over)
			return judge_status(t);
		if (t->in_len < sizeof(t->in))	/* the first line is over */
			t->in[t->in_len++] = '\n';
		return SW_AGAIN;
	}
	t->line_empty = false;
	if (t->in_len < sizeof(t->in))
		t->in[t->in_len++] = byte;
	return SW_AGAIN;
}

/* ---- both ---- */

static bool
is_sendable(const char *host)
{
	size_t n = strlen(host);

	if (n == 0 || n > PROXY_HOST_MAX)
		return false;
	for (; *host != '\0'; host++)
		if ((unsigned char)*host <= ' ' || (unsigned char)*host > '~')
			return false;
	return true;
}

int
proxy_begin(struct proxy_talk *t, const struct proxy_url *u, const char *host,
    uint16_t port)
{
	*t = (struct proxy_talk){ .url = u };
	if (!is_sendable(host))
		return fail(t, SW_ERR_CONFIG, "the host's name cannot be told "
		    "to a proxy");
	if (u->kind == PROXY_HTTP) {
		ask_http(t, host, port);
	} else {
		make_request(t, CMD_CONNECT, host, port);
		greet(t);
	}
	return SW_OK;
}

void
proxy_begin_udp(struct proxy_talk *t, const struct proxy_url *u)
{
	*t = (struct proxy_talk){ .url = u };
	make_request(t, CMD_UDP, "0.0.0.0", 0);
	greet(t);
}

const uint8_t *
proxy_output(const struct proxy_talk *t, size_t *len)
{
	*len = t->out_len - t->out_at;
	return t->out + t->out_at;
}

void
proxy_sent(struct proxy_talk *t, size_t n)
{
	assert(n <= t->out_len - t->out_at);
	t->out_at += n;
	if (t->out_at < t->out_len)
		return;
	sw_wipe(t->out, t->out_len);
	t->out_at = t->out_len = 0;
}

int
proxy_input(struct proxy_talk *t, const uint8_t *buf, size_t len, size_t *used)
{
	int r = SW_AGAIN;

	*used = 0;
	while (r == SW_AGAIN && *used < len) {
		if (t->state == PROXY_HEAD)
			r = http_input(t, buf[*used]);
		else if (t->state == PROXY_DONE || t->state == PROXY_FAILED)
			return SW_ERR_CLOSED;
		else
			r = socks_input(t, buf[*used]);
		++*used;
	}
	return r;
}

void
proxy_wipe(struct proxy_talk *t)
{
	sw_wipe(t, sizeof(*t));
}
