#include "tests/rig/nowhere.h"

int
nowhere_transmit(void *arg, const struct sw_addr *first, uint8_t rotation,
    const uint8_t *pkt, size_t len)
{
	(void)arg;
	(void)first;
	(void)rotation;
	(void)pkt;
	(void)len;
	return SW_OK;
}

void
nowhere_message(void *arg, const struct nymmsg *m)
{
	(void)arg;
	(void)m;
}

const struct mixclient_events nowhere_mix = {
	.transmit = nowhere_transmit, .message = nowhere_message,
};

void
nowhere_gone(void *arg, const struct sw_addr *ip4, const struct sw_addr *ip6)
{
	(void)arg;
	(void)ip4;
	(void)ip6;
}

void
nowhere_writable(void *arg, const struct sw_addr *inner)
{
	(void)arg;
	(void)inner;
}
