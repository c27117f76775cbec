/* Any bytes as a packet: lengths hold, and what we build from it is a whole
 * packet of its own. */
#include <stdlib.h>

#include "stack/packet.h"
#include "tests/fuzz/fuzz.h"

static void
check_made(const uint8_t *p, size_t n)
{
	struct packet made;

	if (n == 0)
		return;
	if (packet_len(p, n) != n || packet_parse(&made, p, n) != SW_OK)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const int codes[] = {
		SW_ERR_REFUSED, SW_ERR_TIMEOUT, SW_ERR_DENIED, SW_ERR_NOMEM,
	};
	uint8_t out[PACKET_ICMP_LEN];
	struct packet p;
	size_t n = packet_len(data, len);

	if (n > len)
		abort();
	if (n == 0)
		n = len;
	if (packet_parse(&p, data, n) == SW_OK) {
		if (p.body + p.body_len != data + n)
			abort();
		check_made(out, packet_make_rst(out, &p));
	}
	for (int i = 0; i < 4; i++)
		check_made(out, packet_make_error(out, data, n, codes[i]));
	if (packet_parse_quoted(&p, data, n) == SW_OK &&
	    p.body + p.body_len != data + n)
		abort();
	return 0;
}
