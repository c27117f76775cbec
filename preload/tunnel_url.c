#include "preload/tunnel_url.h"

#include <stdio.h>
#include <string.h>

static int
refuse(char why[static 128], const char *text)
{
	snprintf(why, 128, "%s", text);
	return SW_ERR_CONFIG;
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

/* mix:, mix:local, mix:FILE.  A file called "local" is written "./local". */
static int
parse_mix(struct tunnel_url *out, const char *place, char why[static 128])
{
	size_t n = strlen(place);

	if (n == 0) {
		out->kind = TUNNEL_MIX;
		return SW_OK;
	}
	if (strcmp(place, "local") == 0) {
		out->kind = TUNNEL_MIX_LOCAL;
		return SW_OK;
	}
	out->kind = TUNNEL_MIX_FILE;
	if (n > TUNNEL_PLACE_MAX || strpbrk(place, "\n\r") != NULL)
		return refuse(why, "the file name of the network is too long or "
		    "holds a line break");
	memcpy(out->host, place, n + 1);
	return SW_OK;
}

/* host[:port], the host perhaps in brackets, in [p, end). */
static int
parse_host(struct tunnel_url *out, const char *p, const char *end,
    char why[static 128])
{
	const char *rest, *close;
	char port[8];

	if (p < end && *p == '[') {
		close = memchr(p, ']', (size_t)(end - p));
		if (close == NULL)
			return refuse(why, "\"[\" without \"]\" in the host");
		rest = close + 1;
		p++;
	} else {
		close = memchr(p, ':', (size_t)(end - p));
		if (close == NULL)
			close = end;
		rest = close;
	}
	if (!take(out->host, TUNNEL_HOST_MAX, p, close))
		return refuse(why, "the host is empty, too long or holds a space");
	if (rest < end && (*rest != ':' || !take(port, 5, rest + 1, end) ||
	    !take_port(&out->port, port)))
		return refuse(why, "the port is not a number from 1 to 65535");
	return SW_OK;
}

static int
parse_ssh(struct tunnel_url *out, const char *p, char why[static 128])
{
	const char *end = p + strlen(p);
	const char *at;
	int r;

	if (end > p && end[-1] == '/')
		end--;
	at = memchr(p, '@', (size_t)(end - p));
	if (at != NULL) {
		if (memchr(p, ':', (size_t)(at - p)) != NULL)
			return refuse(why, "a password cannot be part of a tunnel; "
			    "use a key or an agent");
		if (!take(out->user, TUNNEL_USER_MAX, p, at))
			return refuse(why, "the user name is empty, too long or holds a space");
		p = at + 1;
	}
	if (out->kind == TUNNEL_SSH_IROH) {
		if (!take(out->host, TUNNEL_PLACE_MAX, p, end))
			return refuse(why, "the endpoint is empty, too long or holds a space");
	} else if ((r = parse_host(out, p, end, why)) != SW_OK)
		return r;
	/* A host that starts with '-' reads like an option further on. */
	if (out->host[0] == '-' || strchr(out->host, '/') != NULL)
		return refuse(why, "the host is not a host name");
	return SW_OK;
}

int
tunnel_url_parse(struct tunnel_url *out, const char *text,
    char why[static 128])
{
	static const struct {
		const char *prefix;
		enum tunnel_kind kind;
	} schemes[] = {
		{ "ssh://", TUNNEL_SSH }, { "ssh+tls://", TUNNEL_SSH_TLS },
		{ "ssh+iroh://", TUNNEL_SSH_IROH }, { "mix:", TUNNEL_MIX },
	};

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t n = strlen(schemes[i].prefix);

		if (strncmp(text, schemes[i].prefix, n) != 0)
			continue;
		out->kind = schemes[i].kind;
		return out->kind == TUNNEL_MIX ? parse_mix(out, text + n, why) :
		    parse_ssh(out, text + n, why);
	}
	return refuse(why, "a tunnel is written ssh://[user@]host[:port], "
	    "ssh+tls://..., ssh+iroh://..., mix:, mix:FILE or mix:local");
}
