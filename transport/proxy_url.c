#include "transport/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/wipe.h"

void
proxy_url_wipe(struct proxy_url *u)
{
	sw_wipe(u, sizeof(*u));
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undo %xx.  False when it does not fit, is malformed, or holds a NUL. */
static bool
decode(char *out, size_t room, const char *in, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)in[i];

		if (c == '%') {
			if (len - i < 3 || hex_digit(in[i + 1]) < 0 ||
			    hex_digit(in[i + 2]) < 0)
				return false;
			c = hex_digit(in[i + 1]) * 16 + hex_digit(in[i + 2]);
			i += 2;
		}
		if (c == 0 || n + 1 >= room)
			return false;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return true;
}

static bool
take_scheme(struct proxy_url *u, const char **text)
{
	static const struct {
		const char *scheme;
		enum proxy_kind kind;
		uint16_t port;
	} known[] = {
		{ "socks5://", PROXY_SOCKS5, 1080 },
		{ "socks5h://", PROXY_SOCKS5, 1080 },
		{ "http://", PROXY_HTTP, 8080 },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t n = strlen(known[i].scheme);

		if (strncasecmp(*text, known[i].scheme, n) != 0)
			continue;
		u->kind = known[i].kind;
		u->port = known[i].port;
		*text += n;
		return true;
	}
	return false;
}

static bool
take_user(struct proxy_url *u, const char **text, size_t *len)
{
	const char *at = *text + *len, *colon;
	size_t n;

	while (at > *text && at[-1] != '@')
		at--;
	if (at == *text)
		return true;			/* there is none */
	n = (size_t)(at - 1 - *text);
	colon = memchr(*text, ':', n);
	u->has_user = true;
	if (!decode(u->user, sizeof(u->user), *text,
	    colon == NULL ? n : (size_t)(colon - *text)) ||
	    (colon != NULL && !decode(u->password, sizeof(u->password),
	    colon + 1, n - (size_t)(colon + 1 - *text))))
		return false;
	*len -= n + 1;
	*text = at;
	return u->user[0] != '\0';
}

static bool
take_port(struct proxy_url *u, const char *text)
{
	char *end;
	unsigned long port;

	if (*text < '0' || *text > '9')
		return false;
	port = strtoul(text, &end, 10);
	if (port == 0 || port > 65535 || (*end != '\0' && strcmp(end, "/") != 0))
		return false;
	u->port = (uint16_t)port;
	return true;
}

/* What a host may be made of; a literal in brackets is checked as such. */
static bool
take_host(struct proxy_url *u, const char *text, size_t len)
{
	const bool literal = len > 0 && text[0] == '[';
	struct in6_addr addr;
	const char *end;

	if (literal) {
		text++;
		len--;
	}
	end = memchr(text, literal ? ']' : ':', len);
	if (end == NULL && literal)
		return false;
	if (end == NULL)
		end = text + len - (len > 0 && text[len - 1] == '/');
	if (end == text || end - text > PROXY_HOST_MAX)
		return false;
	memcpy(u->host, text, (size_t)(end - text));
	if (literal && inet_pton(AF_INET6, u->host, &addr) != 1)
		return false;
	if (strpbrk(u->host, " \t\r\n/@") != NULL)
		return false;
	end += literal;
	return *end == '\0' || strcmp(end, "/") == 0 ||
	    (*end == ':' && take_port(u, end + 1));
}

int
proxy_url_parse(struct proxy_url *out, const char *text,
    char why[static 128])
{
	struct proxy_url u = { .has_user = false };
	size_t len;
	int r = SW_ERR_CONFIG;

	if (!take_scheme(&u, &text)) {
		snprintf(why, 128, "a proxy is named socks5://HOST:PORT or "
		    "http://HOST:PORT");
	} else if (len = strlen(text), !take_user(&u, &text, &len)) {
		snprintf(why, 128, "the proxy's user or password is too long or "
		    "not well written (%%xx stands for a special character)");
	} else if (!take_host(&u, text, len)) {
		snprintf(why, 128, "the proxy's host or port is not one");
	} else {
		r = SW_OK;
	}
	*out = (struct proxy_url){ .has_user = false };
	if (r == SW_OK)
		*out = u;
	proxy_url_wipe(&u);
	return r;
}
