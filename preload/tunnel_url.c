#include "preload/tunnel_url.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *const foreign[] = { "mix", "ssh+tls", "ssh+iroh", NULL };

static int
refuse(char why[static 128], const char *text)
{
	snprintf(why, 128, "%s", text);
	return SW_ERR_CONFIG;
}

static bool
has_scheme(const char *text, const char *scheme)
{
	size_t n = strlen(scheme);

	return strncmp(text, scheme, n) == 0 && text[n] == ':';
}

/* Copy [from, to) as text; false when empty, too long or unprintable. */
static bool
take(char *dst, size_t max, const char *from, const char *to)
{
	size_t n = (size_t)(to - from);

	if (n == 0 || n > max)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)from[i] <= ' ' || from[i] == 0x7f)
			return false;
	memcpy(dst, from, n);
	dst[n] = '\0';
	return true;
}

static bool
take_port(uint16_t *port, const char *s)
{
	unsigned v = 0;

	if (*s == '\0' || strlen(s) > 5)
		return false;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return false;
		v = v * 10 + (unsigned)(*s - '0');
	}
	*port = (uint16_t)v;
	return v >= 1 && v <= 65535;
}

int
tunnel_url_parse(struct tunnel_url *out, const char *text,
    char why[static 128])
{
	const char *p, *at, *end, *rest;

	memset(out, 0, sizeof(*out));
	for (int i = 0; foreign[i] != NULL; i++)
		if (has_scheme(text, foreign[i])) {
			snprintf(why, 128, "this build has no %s: tunnel, "
			    "only ssh://", foreign[i]);
			return SW_ERR_UNSUPPORTED;
		}
	if (strncmp(text, "ssh://", 6) != 0)
		return refuse(why, "a tunnel is written ssh://[user@]host[:port]");
	p = text + 6;
	end = p + strlen(p);
	if (end > p && end[-1] == '/')
		end--;
	at = memchr(p, '@', (size_t)(end - p));
	if (at != NULL) {
		if (memchr(p, ':', (size_t)(at - p)) != NULL)
			return refuse(why, "a password cannot be part of a tunnel; "
			    "use a key or an agent");
		if (!take(out->user, TUNNEL_USER_MAX, p, at))
			return refuse(why, "the user name is empty or too long");
		p = at + 1;
	}
	if (p < end && *p == '[') {
		const char *close = memchr(p, ']', (size_t)(end - p));

		if (close == NULL)
			return refuse(why, "\"[\" without \"]\" in the host");
		if (!take(out->host, TUNNEL_HOST_MAX, p + 1, close))
			return refuse(why, "the host is empty or too long");
		rest = close + 1;
	} else {
		rest = memchr(p, ':', (size_t)(end - p));
		if (rest == NULL)
			rest = end;
		if (!take(out->host, TUNNEL_HOST_MAX, p, rest))
			return refuse(why, "the host is empty or too long");
	}
	/* A host that starts with '-' reads like an option further on. */
	if (out->host[0] == '-' || strchr(out->host, '/') != NULL)
		return refuse(why, "the host is not a host name");
	if (rest < end) {
		char port[8];

		if (*rest != ':' || !take(port, 5, rest + 1, end) ||
		    !take_port(&out->port, port))
			return refuse(why, "the port is not a number from 1 to 65535");
	}
	return SW_OK;
}
