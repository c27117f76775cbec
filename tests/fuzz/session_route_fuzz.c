/* Packets from an exit and from owners: any bytes.  What is delivered came
 * whole, and what waits is bounded. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "preload/session_route.h"
#include "stack/packet.h"

/* Where each byte is read to, for a sanitizer to see. */
static volatile uint8_t sink;

static void
deliver(void *arg, uint16_t port, const uint8_t *p, size_t len)
{
	(void)arg;
	(void)port;
	if (packet_len(p, len) != len)
		abort();
	for (size_t i = 0; i < len; i++)
		sink ^= p[i];
}

/* Many small packets: two bytes of length before each. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct route *r = calloc(1, sizeof(*r));
	struct route_source s = { .valid = false };
	uint32_t next = 1;
	int64_t now = 0;

	if (r == NULL)
		return 0;
	while (len > 2) {
		size_t n = (size_t)(data[0] << 8 | data[1]) % (len - 1);
		uint8_t *p = malloc(n + 1);
		uint16_t port;

		if (p == NULL)
			break;
		memcpy(p, data + 2, n);
		if (n > 0 && packet_len(p, n) == n) {
			route_input(r, p, n, now += p[n - 1] * 100,
			    deliver, NULL);
			if (r->held_bytes > ROUTE_HELD_MAX)
				abort();
		}
		(void)!route_source(&s, p, n, &next, &port);
		free(p);
		data += 2 + n;
		len -= 2 + n;
	}
	route_wipe(r);
	free(r);
	return 0;
}
