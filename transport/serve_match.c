#include "transport/serve_match.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool
serve_match_glob(const char *text, const char *pattern, size_t len)
{
	size_t i = 0, star = SIZE_MAX;
	const char *mark = text;

	/* One mark to come back to: the last star takes one more each time. */
	for (const char *t = text; *t != '\0' || i < len;) {
		if (i < len && pattern[i] == '*') {
			star = i++;
			mark = t;
			continue;
		}
		if (i < len && *t != '\0' && (pattern[i] == '?' ||
		    tolower((unsigned char)pattern[i]) ==
		    tolower((unsigned char)*t))) {
			i++;
			t++;
			continue;
		}
		if (star == SIZE_MAX || *mark == '\0')
			return false;
		t = ++mark;
		i = star + 1;
	}
	return true;
}

int
serve_range_parse(struct serve_range *out, const char *text, size_t len)
{
	const char *slash = memchr(text, '/', len);
	size_t n = slash != NULL ? (size_t)(slash - text) : len;
	struct sw_addr all;
	char ip[SW_ADDR_TEXT_LEN];
	unsigned bits = 0, most;

	memset(out, 0, sizeof(*out));
	if (n == 0 || n >= sizeof(ip))
		return SW_ERR_FORMAT;
	memcpy(ip, text, n);
	ip[n] = '\0';
	if (addr_parse_ip(&all, ip) != SW_OK || all.scope != 0)
		return SW_ERR_FORMAT;
	most = addr_is_v4(&all) ? 32 : 128;
	if (slash == NULL) {
		bits = most;
	} else {
		if (len - n < 2 || len - n > 4)
			return SW_ERR_FORMAT;
		for (size_t i = n + 1; i < len; i++) {
			if (!isdigit((unsigned char)text[i]))
				return SW_ERR_FORMAT;
			bits = bits * 10 + (unsigned)(text[i] - '0');
		}
	}
	if (bits > most)
		return SW_ERR_FORMAT;
	out->bits = bits + (128 - most);
	for (unsigned i = out->bits; i < 128; i++)
		if ((all.ip[i / 8] & (0x80 >> i % 8)) != 0)
			return SW_ERR_FORMAT;
	out->net = all;
	return SW_OK;
}

bool
serve_range_has(const struct serve_range *g, const struct sw_addr *a)
{
	unsigned whole = g->bits / 8, rest = g->bits % 8;

	/* ::/0 is for IPv6; IPv4 has a range of its own. */
	if (addr_is_v4(a) != addr_is_v4(&g->net) ||
	    memcmp(a->ip, g->net.ip, whole) != 0)
		return false;
	return rest == 0 ||
	    ((a->ip[whole] ^ g->net.ip[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

int
serve_match_from(const char *list, const struct sw_addr *peer, bool ranges_only)
{
	char ip[SW_ADDR_TEXT_LEN];
	int r = SW_ERR_DENIED;

	(void)addr_ip_text(peer, ip);
	for (const char *p = list;; p++) {
		size_t n = strcspn(p, ",");
		bool negated = n > 0 && *p == '!' && !ranges_only;
		struct serve_range range;
		bool hit;

		if (negated) {
			p++;
			n--;
		}
		if (serve_range_parse(&range, p, n) == SW_OK)
			hit = serve_range_has(&range, peer);
		else if (ranges_only)
			return SW_ERR_FORMAT;
		else
			hit = n > 0 && serve_match_glob(ip, p, n);
		if (hit && negated)
			return SW_ERR_DENIED;
		if (hit)
			r = SW_OK;
		p += n;
		if (*p == '\0')
			return r;
	}
}

/* Ranges that base/addr.h does not call private: RFC 6890, RFC 3056, 6052. */
static bool
is_reserved(const struct sw_addr *a)
{
	static const char *const ranges[] = {
		"0.0.0.0/8", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4",
		"fec0::/10", "100::/64",
	};
	struct serve_range g;

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (serve_range_parse(&g, ranges[i], strlen(ranges[i])) == SW_OK &&
		    serve_range_has(&g, a))
			return true;
	return false;
}

/* The IPv4 address within an IPv6 one. */
static bool
embedded(const struct sw_addr *a, struct sw_addr *v4)
{
	static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
	static const uint8_t compatible[12] = { 0 };
	const uint8_t *p = NULL;

	if (memcmp(a->ip, nat64, 12) == 0 || memcmp(a->ip, compatible, 12) == 0)
		p = a->ip + 12;
	else if (a->ip[0] == 0x20 && a->ip[1] == 0x02)
		p = a->ip + 2;
	if (p == NULL)
		return false;
	*v4 = addr_v4((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3], a->port);
	return true;
}

bool
serve_match_inside(const struct sw_addr *a)
{
	struct sw_addr v4;

	if (addr_is_any(a) || addr_is_loopback(a) || addr_is_private(a) ||
	    addr_is_multicast(a) || is_reserved(a))
		return true;
	return embedded(a, &v4) && serve_match_inside(&v4);
}
