#include "base/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

bool
addr_is_v4(const struct sw_addr *a)
{
	return memcmp(a->ip, mapped, sizeof(mapped)) == 0;
}

static bool
all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

bool
addr_is_any(const struct sw_addr *a)
{
	return addr_is_v4(a) ? all_zero(a->ip + 12, 4) : all_zero(a->ip, 16);
}

bool
addr_is_loopback(const struct sw_addr *a)
{
	if (addr_is_v4(a))
		return a->ip[12] == 127;
	return all_zero(a->ip, 15) && a->ip[15] == 1;
}

bool
addr_is_private(const struct sw_addr *a)
{
	const uint8_t *v4 = a->ip + 12;

	if (!addr_is_v4(a))
		return (a->ip[0] & 0xfe) == 0xfc ||
		    (a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80);
	return v4[0] == 10 ||
	    (v4[0] == 172 && (v4[1] & 0xf0) == 16) ||
	    (v4[0] == 192 && v4[1] == 168) ||
	    (v4[0] == 169 && v4[1] == 254) ||
	    (v4[0] == 100 && (v4[1] & 0xc0) == 64);
}

bool
addr_is_multicast(const struct sw_addr *a)
{
	return addr_is_v4(a) ? a->ip[12] >= 224 : a->ip[0] == 0xff;
}

bool
addr_same_ip(const struct sw_addr *a, const struct sw_addr *b)
{
	return memcmp(a->ip, b->ip, 16) == 0;
}

struct sw_addr
addr_v4(uint32_t ip, uint16_t port)
{
	struct sw_addr a = { .port = port };

	memcpy(a.ip, mapped, sizeof(mapped));
	for (int i = 0; i < 4; i++)
		a.ip[12 + i] = (uint8_t)(ip >> (24 - 8 * i));
	return a;
}

int
addr_from_sockaddr(struct sw_addr *out, const struct sockaddr *sa,
    socklen_t len)
{
	memset(out, 0, sizeof(*out));
	if (len < sizeof(sa->sa_family))
		return SW_ERR_TRUNCATED;
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;

		if (len < sizeof(in))
			return SW_ERR_TRUNCATED;
		memcpy(&in, sa, sizeof(in));
		*out = addr_v4(ntohl(in.sin_addr.s_addr), ntohs(in.sin_port));
		return SW_OK;
	}
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6 = { 0 };

		if (len < 24)		/* RFC 2133's size, as Linux allows */
			return SW_ERR_TRUNCATED;
		memcpy(&in6, sa, len < sizeof(in6) ? len : sizeof(in6));
		memcpy(out->ip, &in6.sin6_addr, 16);
		out->port = ntohs(in6.sin6_port);
		out->scope = in6.sin6_scope_id;
		return SW_OK;
	}
	return SW_ERR_UNSUPPORTED;
}

void
addr_to_sockaddr(const struct sw_addr *a, int family, struct sockaddr *sa,
    socklen_t *len)
{
	union {
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u;
	socklen_t full, room = *len;

	memset(&u, 0, sizeof(u));
	if (family == AF_INET) {
		u.in.sin_family = AF_INET;
		u.in.sin_port = htons(a->port);
		memcpy(&u.in.sin_addr, a->ip + 12, 4);
		full = sizeof(u.in);
	} else {
		u.in6.sin6_family = AF_INET6;
		u.in6.sin6_port = htons(a->port);
		memcpy(&u.in6.sin6_addr, a->ip, 16);
		u.in6.sin6_scope_id = a->scope;
		full = sizeof(u.in6);
	}
	if (room > 0)			/* else there may be no `sa` */
		memcpy(sa, &u, room < full ? room : full);
	*len = full;
}

const char *
addr_ip_text(const struct sw_addr *a, char buf[static SW_ADDR_TEXT_LEN])
{
	if (addr_is_v4(a))
		inet_ntop(AF_INET, a->ip + 12, buf, SW_ADDR_TEXT_LEN);
	else
		inet_ntop(AF_INET6, a->ip, buf, SW_ADDR_TEXT_LEN);
	return buf;
}

int
addr_parse_ip(struct sw_addr *out, const char *text)
{
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, out->ip + 12) == 1) {
		memcpy(out->ip, mapped, sizeof(mapped));
		return SW_OK;
	}
	if (inet_pton(AF_INET6, text, out->ip) == 1)
		return SW_OK;
	memset(out, 0, sizeof(*out));
	return SW_ERR_FORMAT;
}
