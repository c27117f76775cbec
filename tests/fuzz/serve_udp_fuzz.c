/* Frames of the UDP channel: no crash, and what parses can be written again. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "transport/udp_channel.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct udp_channel_frame f, g;
	size_t used, n;

	while (udp_channel_take(&f, data, len, &used) == SW_OK) {
		const struct datagram_peer peer = {
			.name = f.name[0] != '\0' ? f.name : NULL, .addr = f.addr,
		};
		uint8_t *again = malloc(UDP_CHANNEL_HEAD_MAX + 1 + f.len);

		if (again == NULL)
			return 0;
		if (used == 0 || used > len)
			abort();
		if (f.kind == UDP_CHANNEL_DATA) {
			n = udp_channel_put_head(again, &peer, f.len);
			memcpy(again + n, f.data, f.len);
			n += f.len;
		} else {
			n = udp_channel_put_error(again, &peer, f.err);
		}
		/* A mapped IPv6 address is written as IPv4: shorter. */
		if (n == 0 || n > used ||
		    udp_channel_take(&g, again, n, &n) != SW_OK ||
		    g.kind != f.kind || g.len != f.len || g.err != f.err ||
		    strcmp(g.name, f.name) != 0 ||
		    memcmp(&g.addr, &f.addr, sizeof(g.addr)) != 0)
			abort();
		free(again);
		data += used;
		len -= used;
	}
	return 0;
}
