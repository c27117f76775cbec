/*
 * What a relay and a SOCKS5 proxy may send: no crash, nothing outside of the
 * message is pointed at, and a batch is cut without end or gap.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "transport/iroh_frame.h"
#include "transport/iroh_socks.h"

static void
check_frame(const uint8_t *data, size_t len)
{
	static const struct relay_frame none;
	struct relay_frame f;
	size_t at = 0;

	if (relay_frame_parse(&f, data, len) != SW_OK) {
		if (memcmp(&f, &none, sizeof(f)) != 0)
			abort();
		return;
	}
	if (f.len > 0 && (f.bytes < data || f.bytes + f.len > data + len))
		abort();
	if (f.kind != RELAY_DATAGRAMS)
		return;
	if (f.segment == 0 || f.segment > f.len)
		abort();
	while (at < f.len)
		at += f.len - at < f.segment ? f.len - at : f.segment;
	if (at != f.len)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len + 1), head[SOCKS_UDP_HEAD_MAX];
	const uint8_t *p = copy;
	struct sw_addr from;
	size_t n = len;

	if (copy == NULL)
		return 0;
	memcpy(copy, data, len);	/* so that ASan sees its end */
	check_frame(copy, len);
	if (socks_udp_get(&from, &p, &n) == SW_OK &&
	    (p + n != copy + len || (socks_udp_put(head, &from) == len - n &&
	    memcmp(head + 3, copy + 3, len - n - 3) != 0)))
		abort();
	free(copy);
	return 0;
}
