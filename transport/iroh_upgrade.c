#include "transport/iroh_upgrade.h"

#include <gnutls/crypto.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "transport/iroh_crypto.h"
#include "transport/transport.h"

#define WS_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

int
relay_place_parse(struct relay_place *p, const char *url)
{
	const char *host, *end, *colon;
	unsigned long port;
	size_t n;

	memset(p, 0, sizeof(*p));
	p->tls = strncmp(url, "https://", 8) == 0;
	if (!p->tls && strncmp(url, "http://", 7) != 0)
		return SW_ERR_FORMAT;
	host = url + (p->tls ? 8 : 7);
	end = host + strcspn(host, "/");
	p->port = p->tls ? 443 : 80;
	if (*host == '[') {
		const char *close = memchr(host, ']', (size_t)(end - host));

		if (close == NULL)
			return SW_ERR_FORMAT;
		host++;
		n = (size_t)(close - host);
		colon = close + 1;
	} else {
		colon = memchr(host, ':', (size_t)(end - host));
		if (colon == NULL)
			colon = end;
		n = (size_t)(colon - host);
	}
	if (colon < end) {
		char *rest;

		port = *colon == ':' && colon[1] >= '0' && colon[1] <= '9' ?
		    strtoul(colon + 1, &rest, 10) : 0;
		if (port == 0 || port > UINT16_MAX || rest != end)
			return SW_ERR_FORMAT;
		p->port = (uint16_t)port;
	}
	/* n0's own relays are named with the root's dot, which no certificate
	 * has. */
	if (n > 1 && host[n - 1] == '.')
		n--;
	if (n == 0 || n >= sizeof(p->host))
		return SW_ERR_FORMAT;
	memcpy(p->host, host, n);
	return SW_OK;
}

static void
base64(char *out, const uint8_t *in, size_t n)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";

	for (; n > 0; in += 3, n = n > 3 ? n - 3 : 0) {
		uint32_t v = (uint32_t)in[0] << 16 |
		    (uint32_t)(n > 1 ? in[1] : 0) << 8 | (n > 2 ? in[2] : 0);

		*out++ = letters[v >> 18];
		*out++ = letters[v >> 12 & 63];
		*out++ = n > 1 ? letters[v >> 6 & 63] : '=';
		*out++ = n > 2 ? letters[v & 63] : '=';
	}
	*out = '\0';
}

/* The value of a header field, trimmed, in out[]; empty when there is none. */
static void
field(const char *answer, const char *name, char out[static 128])
{
	const char *at = answer;
	size_t len = strlen(name), n;

	out[0] = '\0';
	while ((at = strstr(at, "\r\n")) != NULL) {
		at += 2;
		if (strncasecmp(at, name, len) != 0 || at[len] != ':')
			continue;
		at += len + 1;
		at += strspn(at, " \t");
		n = strcspn(at, "\r\n");
		while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t'))
			n--;
		if (n < 128) {
			memcpy(out, at, n);
			out[n] = '\0';
		}
		return;
	}
}

int
relay_answer_check(const char *answer, size_t n, const char *key,
    char why[static 256])
{
	char text[UPGRADE_ANSWER_MAX + 1], value[128], want[32], proof[64];
	uint8_t hash[20];
	long status;

	if (n > UPGRADE_ANSWER_MAX || memchr(answer, '\0', n) != NULL)
		return SW_ERR_FORMAT;
	memcpy(text, answer, n);
	text[n] = '\0';
	if (strncmp(text, "HTTP/1.1 ", 9) != 0 || strlen(text) < 12) {
		snprintf(why, 256, "the relay does not speak HTTP");
		return SW_ERR_FORMAT;
	}
	status = strtol(text + 9, NULL, 10);
	if (status != 101) {
		snprintf(why, 256, "the relay answered with HTTP status %ld",
		    status);
		return SW_ERR_REFUSED;
	}
	snprintf(proof, sizeof(proof), "%.27s%s", key, WS_GUID);
	if (gnutls_hash_fast(GNUTLS_DIG_SHA1, proof, strlen(proof), hash) != 0)
		return SW_ERR_NOMEM;
	base64(want, hash, sizeof(hash));
	field(text, "Sec-WebSocket-Accept", value);
	if (strcmp(value, want) != 0) {
		snprintf(why, 256, "the relay's websocket is none");
		return SW_ERR_FORMAT;
	}
	field(text, "Sec-WebSocket-Protocol", value);
	if (strcmp(value, "iroh-relay-v2") != 0 &&
	    strcmp(value, "iroh-relay-v1") != 0) {
		snprintf(why, 256, "the server is no iroh relay of 1.x");
		return SW_ERR_REFUSED;
	}
	return SW_OK;
}

/* Read up to the empty line and no byte further: a byte at a time behind a
 * peek, for what follows belongs to the websocket. */
static int
read_answer(int fd, char *out, size_t cap, size_t *n, int64_t deadline_ms)
{
	*n = 0;
	while (*n < cap) {
		struct pollfd w = { .fd = fd, .events = POLLIN };
		int64_t left = deadline_ms - clock_now_ms();
		char *end;
		ssize_t got;
		size_t take, from = *n > 3 ? *n - 3 : 0;

		if (left <= 0 || poll(&w, 1, (int)left) <= 0)
			return SW_ERR_TIMEOUT;
		got = recv(fd, out + *n, cap - *n, MSG_PEEK);
		if (got <= 0)
			return SW_ERR_CLOSED;
		take = (size_t)got;
		end = memmem(out + from, *n + take - from, "\r\n\r\n", 4);
		if (end != NULL)
			take = (size_t)(end + 4 - (out + *n));
		if (recv(fd, out + *n, take, 0) != (ssize_t)take)
			return SW_ERR_CLOSED;
		*n += take;
		if (end != NULL)
			return SW_OK;
	}
	return SW_ERR_TOO_LONG;
}

static int
upgrade(int fd, const struct relay_place *p, int64_t deadline_ms,
    char why[static 256])
{
	const bool v6 = strchr(p->host, ':') != NULL;
	char ask[768], key[32], *answer;
	uint8_t nonce[16];
	size_t n;
	int len, r;

	iroh_random(nonce, sizeof(nonce));
	base64(key, nonce, sizeof(nonce));
	len = snprintf(ask, sizeof(ask), "GET /relay HTTP/1.1\r\n"
	    "Host: %s%s%s:%u\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
	    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
	    "Sec-WebSocket-Protocol: iroh-relay-v2, iroh-relay-v1\r\n\r\n",
	    v6 ? "[" : "", p->host, v6 ? "]" : "", p->port, key);
	if (send(fd, ask, (size_t)len, MSG_NOSIGNAL) != len) {
		snprintf(why, 256, "the relay closed the connection");
		return SW_ERR_DOWN;
	}
	if ((answer = malloc(UPGRADE_ANSWER_MAX)) == NULL)
		return SW_ERR_NOMEM;
	r = read_answer(fd, answer, UPGRADE_ANSWER_MAX, &n, deadline_ms);
	if (r != SW_OK)
		snprintf(why, 256, "the relay gave no answer: %s",
		    sw_strerror(r));
	else
		r = relay_answer_check(answer, n, key, why);
	free(answer);
	return r;
}

int
relay_connect(struct transport *net, const struct relay_place *p,
    int64_t deadline_ms, int *fd, char why[static TRANSPORT_WHY_LEN])
{
	int r = transport_connect(net, p->host, p->port, deadline_ms, fd, why);

	if (r == SW_OK && (r = upgrade(*fd, p, deadline_ms, why)) != SW_OK) {
		close(*fd);
		*fd = -1;
	}
	return r;
}
