#include "transport/socks_parse.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CMD_CONNECT 1
#define CMD_UDP 3
#define ATYP_V4 1
#define ATYP_NAME 3
#define ATYP_V6 4
#define METHOD_NONE 0
#define METHOD_PASSWORD 2
#define NO_METHOD 0xff

static void
say(struct socks_parser *p, const void *words, size_t len)
{
	memcpy(p->say, words, len);
	p->say_len = len;
}

static enum socks_step
refuse(struct socks_parser *p, const void *words, size_t len)
{
	say(p, words, len);
	return SOCKS_REFUSE;
}

static uint16_t
port_at(const uint8_t *b)
{
	return (uint16_t)(b[0] << 8 | b[1]);
}

/* A host name as it may stand in a request: no control byte, no blank, and so
 * nothing that could end a line further on. */
static bool
take_name(struct dial_target *to, const uint8_t *name, size_t len)
{
	if (len == 0 || len > DIAL_HOST_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] == 0x7f || name[i] == '/')
			return false;
	memcpy(to->host, name, len);
	to->host[len] = '\0';
	return true;
}

/*
 * ATYP, address and port (RFC 1928 section 5), at buf.  Its length, 0 when more
 * bytes are needed, -1 for what is none (-2: an unknown type).
 */
static int
take_address(struct dial_target *to, const uint8_t *buf, size_t len)
{
	size_t n;

	if (len < 2)
		return 0;
	switch (buf[0]) {
	case ATYP_V4: n = 1 + 4; break;
	case ATYP_V6: n = 1 + 16; break;
	case ATYP_NAME: n = 2 + (size_t)buf[1]; break;
	default: return -2;
	}
	if (len < n + 2)
		return 0;
	if (buf[0] == ATYP_NAME) {
		if (!take_name(to, buf + 2, n - 2))
			return -1;
	} else
		inet_ntop(buf[0] == ATYP_V4 ? AF_INET : AF_INET6, buf + 1,
		    to->host, sizeof(to->host));
	to->port = port_at(buf + n);
	return (int)n + 2;
}

/* --- SOCKS5 ---------------------------------------------------------------- */

static enum socks_step
five_greeting(struct socks_parser *p, const uint8_t *buf, size_t len,
    size_t *used)
{
	const uint8_t wanted = p->check != NULL ? METHOD_PASSWORD : METHOD_NONE;
	uint8_t words[2] = { 5, NO_METHOD };
	size_t n;

	if (len < 2 || len < (n = 2 + (size_t)buf[1]))
		return SOCKS_MORE;
	*used = n;
	if (memchr(buf + 2, wanted, n - 2) != NULL)
		words[1] = wanted;
	else if (memchr(buf + 2, METHOD_PASSWORD, n - 2) != NULL)
		words[1] = METHOD_PASSWORD;	/* whatever it says then */
	if (words[1] == NO_METHOD)
		return refuse(p, words, 2);
	p->state = words[1] == METHOD_PASSWORD ? SOCKS_LOGIN : SOCKS_ASK;
	say(p, words, 2);
	return SOCKS_SAY;
}

/* RFC 1929. */
static enum socks_step
five_login(struct socks_parser *p, const uint8_t *buf, size_t len,
    size_t *used)
{
	char user[256], password[256];
	size_t u, w;
	bool good;

	if (len < 2 || len < 2 + (u = buf[1]) + 1 ||
	    len < 2 + u + 1 + (w = buf[2 + u]))
		return SOCKS_MORE;
	*used = 3 + u + w;
	memcpy(user, buf + 2, u);
	user[u] = '\0';
	memcpy(password, buf + 3 + u, w);
	password[w] = '\0';
	good = buf[0] == 1 && (p->check == NULL ||
	    p->check(p->arg, user, password));
	explicit_bzero(password, sizeof(password));
	if (!good)
		return refuse(p, "\1\1", 2);
	p->state = SOCKS_ASK;
	say(p, "\1", 2);
	return SOCKS_SAY;
}

static enum socks_step
five_refuse(struct socks_parser *p, uint8_t code)
{
	const uint8_t words[10] = { 5, code, 0, ATYP_V4 };

	return refuse(p, words, sizeof(words));
}

static enum socks_step
five_ask(struct socks_parser *p, const uint8_t *buf, size_t len, size_t *used)
{
	int n;

	if (len < 4)
		return SOCKS_MORE;
	if (buf[0] != 5)
		return five_refuse(p, 1);
	n = take_address(&p->to, buf + 3, len - 3);
	if (n == 0)
		return SOCKS_MORE;
	if (n < 0)
		return five_refuse(p, n == -2 ? 8 : 1);
	*used = 3 + (size_t)n;
	if (buf[1] == CMD_UDP)
		return SOCKS_UDP;
	if (buf[1] != CMD_CONNECT)
		return five_refuse(p, 7);
	return p->to.port != 0 ? SOCKS_CONNECT : five_refuse(p, 1);
}

/* --- SOCKS4 ---------------------------------------------------------------- */

static enum socks_step
four_refuse(struct socks_parser *p)
{
	return refuse(p, "\0\x5b\0\0\0\0\0", 8);
}

static enum socks_step
four_ask(struct socks_parser *p, const uint8_t *buf, size_t len, size_t *used)
{
	const uint8_t *user = buf + 8, *name, *end;

	if (len < 9 || (end = memchr(user, 0, len - 8)) == NULL)
		return SOCKS_MORE;
	/* It has no passwords, so it cannot be let in where one is asked. */
	if (buf[1] != CMD_CONNECT || p->check != NULL)
		return four_refuse(p);
	p->to.port = port_at(buf + 2);
	if (memcmp(buf + 4, "\0\0", 3) == 0 && buf[7] != 0) {
		name = end + 1;
		end = memchr(name, 0, len - (size_t)(name - buf));
		if (end == NULL)
			return SOCKS_MORE;
		if (!take_name(&p->to, name, (size_t)(end - name)))
			return four_refuse(p);
	} else
		inet_ntop(AF_INET, buf + 4, p->to.host, sizeof(p->to.host));
	*used = (size_t)(end - buf) + 1;
	return p->to.port != 0 ? SOCKS_CONNECT : four_refuse(p);
}

/* --- HTTP CONNECT ---------------------------------------------------------- */

static enum socks_step
http_refuse(struct socks_parser *p, const char *status, const char *more)
{
	char words[SOCKS_SAY_MAX];
	int n = snprintf(words, sizeof(words), "HTTP/1.1 %s\r\n%s"
	    "Content-Length: 0\r\nConnection: close\r\n\r\n", status, more);

	return refuse(p, words, (size_t)n);
}

/* host:port or [v6]:port, len bytes. */
static bool
take_authority(struct dial_target *to, const char *s, size_t len)
{
	const char *colon = memrchr(s, ':', len);
	const char *end = s + len, *name = s, *name_end = colon;
	unsigned port = 0;

	if (colon == NULL || colon + 1 == end || end - colon > 6)
		return false;
	for (const char *c = colon + 1; c < end; c++) {
		if (*c < '0' || *c > '9')
			return false;
		port = port * 10 + (unsigned)(*c - '0');
	}
	if (*name == '[') {
		name++;
		if (name_end == name || *--name_end != ']')
			return false;
	}
	to->port = (uint16_t)port;
	return port >= 1 && port <= 65535 &&
	    take_name(to, (const uint8_t *)name, (size_t)(name_end - name));
}

static int
base64_value(char c)
{
	static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr"
	    "stuvwxyz0123456789+/";
	const char *at = c == '\0' ? NULL : strchr(all, c);

	return at == NULL ? -1 : (int)(at - all);
}

/* Base64 of at most `len` bytes to text; false when it is none or too long. */
static bool
from_base64(char *out, size_t cap, const char *s, size_t len)
{
	uint32_t bits = 0;
	size_t n = 0;
	int have = 0;

	while (len > 0 && s[len - 1] == '=')
		len--;
	for (size_t i = 0; i < len; i++) {
		int v = base64_value(s[i]);

		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		if ((have += 6) < 8)
			continue;
		have -= 8;
		if (n + 1 >= cap)
			return false;
		out[n++] = (char)(bits >> have);
	}
	out[n] = '\0';
	return true;
}

/* Does a header line say "Proxy-Authorization: Basic ..." and rightly so? */
static bool
is_login(struct socks_parser *p, const char *line, size_t len)
{
	static const char name[] = "proxy-authorization:";
	char text[512], *colon;
	bool good = false;

	if (len < sizeof(name) - 1 ||
	    strncasecmp(line, name, sizeof(name) - 1) != 0)
		return false;
	line += sizeof(name) - 1;
	len -= sizeof(name) - 1;
	while (len > 0 && *line == ' ') {
		line++;
		len--;
	}
	if (len < 6 || strncasecmp(line, "basic ", 6) != 0)
		return false;
	if (from_base64(text, sizeof(text), line + 6, len - 6) &&
	    (colon = strchr(text, ':')) != NULL) {
		*colon = '\0';
		good = p->check(p->arg, text, colon + 1);
	}
	explicit_bzero(text, sizeof(text));
	return good;
}

static enum socks_step
http_ask(struct socks_parser *p, const uint8_t *buf, size_t len, size_t *used)
{
	const char *text = (const char *)buf, *line = text, *end, *space;
	const char *all = memmem(buf, len, "\r\n\r\n", 4);
	bool may = p->check == NULL;

	if (all == NULL)
		return SOCKS_MORE;
	*used = (size_t)(all - text) + 4;
	end = memmem(line, *used, "\r\n", 2);
	if (end - line < 8 || memcmp(line, "CONNECT ", 8) != 0)
		return http_refuse(p, "405 Method Not Allowed",
		    "Allow: CONNECT\r\n");
	line += 8;
	space = memchr(line, ' ', (size_t)(end - line));
	if (space == NULL || end - space < 8 ||
	    memcmp(space, " HTTP/1.", 8) != 0 ||
	    !take_authority(&p->to, line, (size_t)(space - line)))
		return http_refuse(p, "400 Bad Request", "");
	while (!may && end < all) {
		line = end + 2;
		end = memmem(line, (size_t)(all + 2 - line), "\r\n", 2);
		may = is_login(p, line, (size_t)(end - line));
	}
	return may ? SOCKS_CONNECT : http_refuse(p,
	    "407 Proxy Authentication Required",
	    "Proxy-Authenticate: Basic realm=\"proxy\"\r\n");
}

/* --- all ------------------------------------------------------------------- */

static enum socks_step
step(struct socks_parser *p, const uint8_t *buf, size_t len, size_t *used)
{
	if (p->kind == SOCKS_UNKNOWN)
		p->kind = buf[0] == 5 ? SOCKS_5 : buf[0] == 4 ? SOCKS_4 :
		    buf[0] >= 'A' && buf[0] <= 'Z' ? SOCKS_HTTP : SOCKS_UNKNOWN;
	switch (p->kind) {
	case SOCKS_5:
		return p->state == SOCKS_FIRST ?
		    five_greeting(p, buf, len, used) : p->state == SOCKS_LOGIN ?
		    five_login(p, buf, len, used) : five_ask(p, buf, len, used);
	case SOCKS_4:
		return four_ask(p, buf, len, used);
	case SOCKS_HTTP:
		return http_ask(p, buf, len, used);
	case SOCKS_UNKNOWN:
		break;
	}
	return refuse(p, "", 0);
}

enum socks_step
socks_parse(struct socks_parser *p, const uint8_t *buf, size_t len,
    size_t *used)
{
	enum socks_step s;

	*used = 0;
	p->say_len = 0;
	if (len == 0)
		return SOCKS_MORE;
	s = step(p, buf, len, used);
	return s == SOCKS_MORE && len >= SOCKS_REQUEST_MAX ?
	    refuse(p, "", 0) : s;
}

static uint8_t
five_code(int err)
{
	switch (err) {
	case SW_OK: return 0;
	case SW_ERR_DENIED: return 2;
	case SW_ERR_UNREACH_NET:
	case SW_ERR_DOWN: return 3;
	case SW_ERR_UNREACH_HOST:
	case SW_ERR_NO_NAME: return 4;
	case SW_ERR_REFUSED: return 5;
	case SW_ERR_TIMEOUT: return 6;
	case SW_ERR_UNSUPPORTED: return 7;
	}
	return 1;
}

static const char *
http_status(int err)
{
	switch (err) {
	case SW_ERR_DENIED: return "403 Forbidden";
	case SW_ERR_TIMEOUT: return "504 Gateway Timeout";
	case SW_ERR_DOWN:
	case SW_ERR_LIMIT: return "503 Service Unavailable";
	}
	return "502 Bad Gateway";
}

void
socks_answer(struct socks_parser *p, int err, const struct sw_addr *bound)
{
	static const char established[] =
	    "HTTP/1.1 200 Connection established\r\n\r\n";
	uint8_t words[4 + 16 + 2] = { 5, five_code(err), 0, ATYP_V4 };
	bool v6 = bound != NULL && !addr_is_v4(bound);
	size_t n = v6 ? 16 : 4;

	switch (p->kind) {
	case SOCKS_HTTP:
		if (err != SW_OK)
			(void)http_refuse(p, http_status(err), "");
		else
			say(p, established, sizeof(established) - 1);
		return;
	case SOCKS_4:
		(void)four_refuse(p);
		if (err == SW_OK)
			p->say[1] = 0x5a;
		return;
	case SOCKS_5:
	case SOCKS_UNKNOWN:
		break;
	}
	if (bound != NULL) {
		words[3] = v6 ? ATYP_V6 : ATYP_V4;
		memcpy(words + 4, bound->ip + (v6 ? 0 : 12), n);
		words[4 + n] = (uint8_t)(bound->port >> 8);
		words[5 + n] = (uint8_t)bound->port;
	}
	say(p, words, 4 + n + 2);
}

int
socks_udp_parse(const uint8_t *buf, size_t len, struct dial_target *to,
    size_t *at)
{
	int n;

	if (len < 4 || buf[0] != 0 || buf[1] != 0)
		return SW_ERR_FORMAT;
	if (buf[2] != 0)
		return SW_ERR_UNSUPPORTED;
	n = take_address(to, buf + 3, len - 3);
	if (n <= 0 || to->port == 0)
		return SW_ERR_FORMAT;
	*at = 3 + (size_t)n;
	return SW_OK;
}

size_t
socks_udp_header(uint8_t out[static SOCKS_UDP_HEADER_MAX], const char *name,
    const struct sw_addr *addr)
{
	size_t n = name != NULL ? strnlen(name, 255) :
	    addr_is_v4(addr) ? 4 : 16;
	uint8_t *p = out + 4;

	memset(out, 0, 3);
	out[3] = name != NULL ? ATYP_NAME : n == 4 ? ATYP_V4 : ATYP_V6;
	if (name != NULL)
		*p++ = (uint8_t)n;
	memcpy(p, name != NULL ? (const void *)name :
	    addr->ip + (n == 4 ? 12 : 0), n);
	p += n;
	*p++ = (uint8_t)(addr->port >> 8);
	*p++ = (uint8_t)addr->port;
	return (size_t)(p - out);
}
