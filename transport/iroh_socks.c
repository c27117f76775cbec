#include "transport/iroh_socks.h"

#include <string.h>

#include "base/wire.h"

enum { ATYP_V4 = 1, ATYP_V6 = 4 };

size_t
socks_udp_put(uint8_t out[static SOCKS_UDP_HEAD_MAX], const struct sw_addr *to)
{
	size_t n = addr_is_v4(to) ? 4 : 16;

	memset(out, 0, 3);		/* reserved, and no fragment */
	out[3] = n == 4 ? ATYP_V4 : ATYP_V6;
	memcpy(out + 4, to->ip + 16 - n, n);
	out[4 + n] = (uint8_t)(to->port >> 8);
	out[5 + n] = (uint8_t)to->port;
	return 6 + n;
}

/* An address and port behind its type.  Names are not taken. */
static int
get_addr(struct rbuf *r, uint8_t type, struct sw_addr *a)
{
	int e;

	*a = (struct sw_addr){ .port = 0 };
	if (type == ATYP_V4) {
		a->ip[10] = a->ip[11] = 0xff;
		e = wire_get_bytes(r, a->ip + 12, 4);
	} else if (type == ATYP_V6)
		e = wire_get_bytes(r, a->ip, 16);
	else
		return SW_ERR_FORMAT;
	return e == SW_OK ? wire_get_u16be(r, &a->port) : e;
}

int
socks_udp_get(struct sw_addr *from, const uint8_t **p, size_t *n)
{
	struct rbuf r = { .p = *p, .left = *n };
	uint8_t head[4];

	if (wire_get_bytes(&r, head, sizeof(head)) != SW_OK || head[2] != 0 ||
	    get_addr(&r, head[3], from) != SW_OK)
		return SW_ERR_FORMAT;
	*p = r.p;
	*n = r.left;
	return SW_OK;
}
