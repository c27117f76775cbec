/* Names of the reverse zones (RFC 1035, 3.5; RFC 3596, 2.5). */
#include "stack/dns.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int
parse_arpa_v6(const char *p, struct sw_addr *out)
{
	for (int i = 31; i >= 0; i--, p += 2) {
		int d = hex_digit(p[0]);

		if (d < 0 || p[1] != '.')
			return SW_ERR_FORMAT;
		out->ip[i / 2] = (uint8_t)(out->ip[i / 2] |
		    (i % 2 == 0 ? d << 4 : d));
	}
	return strcasecmp(p, "ip6.arpa") == 0 ? SW_OK : SW_ERR_FORMAT;
}

static int
parse_arpa_v4(const char *p, struct sw_addr *out)
{
	uint32_t ip = 0;

	for (int i = 0; i < 4; i++) {
		unsigned v = 0;
		const char *s = p;

		for (; *p >= '0' && *p <= '9' && p - s < 3; p++)
			v = v * 10 + (unsigned)(*p - '0');
		if (p == s || v > 255 || *p++ != '.')
			return SW_ERR_FORMAT;
		ip |= v << (8 * i);
	}
	*out = addr_v4(ip, 0);
	return strcasecmp(p, "in-addr.arpa") == 0 ? SW_OK : SW_ERR_FORMAT;
}

int
dns_parse_arpa(const char *name, struct sw_addr *out)
{
	size_t n = strlen(name);
	int e = SW_ERR_FORMAT;

	memset(out, 0, sizeof(*out));
	if (n == 64 + 8)
		e = parse_arpa_v6(name, out);
	else if (n >= 8 + 12 && n <= 16 + 12)
		e = parse_arpa_v4(name, out);
	if (e != SW_OK)
		memset(out, 0, sizeof(*out));
	return e;
}

void
dns_arpa_name(const struct sw_addr *a, char out[static 80])
{
	static const char hex[] = "0123456789abcdef";

	if (addr_is_v4(a)) {
		snprintf(out, 80, "%u.%u.%u.%u.in-addr.arpa", a->ip[15],
		    a->ip[14], a->ip[13], a->ip[12]);
		return;
	}
	for (int i = 31; i >= 0; i--) {
		uint8_t b = a->ip[i / 2];

		*out++ = hex[i % 2 == 0 ? b >> 4 : b & 15];
		*out++ = '.';
	}
	memcpy(out, "ip6.arpa", 9);
}
