/* What a proxy says.  The first byte chooses the kind; the rest is fed twice,
 * whole and in pieces: the outcome and what was used must be the same. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "transport/proxy.h"

static int
run(struct proxy_talk *t, const uint8_t *p, size_t n, size_t piece,
    size_t *used)
{
	int r = SW_AGAIN;

	*used = 0;
	while (*used < n && r == SW_AGAIN) {
		size_t take = n - *used < piece ? n - *used : piece, did, out;

		r = proxy_input(t, p + *used, take, &did);
		if (did > take || (r == SW_AGAIN && did != take))
			abort();
		*used += did;
		(void)proxy_output(t, &out);
		proxy_sent(t, out);
	}
	if (r < 0 && t->why[0] == '\0')
		abort();
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const urls[] = {
		"socks5://p", "socks5://u:p@p", "http://p", "http://u:p@p",
	};
	struct proxy_talk whole, pieces;
	struct proxy_url u;
	char why[128], text[512];
	size_t a, b;
	int r;

	if (len < 2 || len > 65536)
		return 0;
	if (data[0] == 'u') {		/* a URL, then */
		size_t n = len - 1 < sizeof(text) - 1 ? len - 1 :
		    sizeof(text) - 1;

		memcpy(text, data + 1, n);
		text[n] = '\0';
		if (proxy_url_parse(&u, text, why) == SW_OK &&
		    (u.host[0] == '\0' || u.port == 0))
			abort();
		return 0;
	}
	if (proxy_url_parse(&u, urls[data[0] % 4], why) != SW_OK)
		abort();
	if (data[0] % 8 == 4) {
		proxy_begin_udp(&whole, &u);
		proxy_begin_udp(&pieces, &u);
	} else if (proxy_begin(&whole, &u, "host.test", 22) != SW_OK ||
	    proxy_begin(&pieces, &u, "host.test", 22) != SW_OK) {
		abort();
	}
	r = run(&whole, data + 1, len - 1, len, &a);
	if (run(&pieces, data + 1, len - 1, 1 + data[1] % 7, &b) != r ||
	    a != b || strcmp(whole.why, pieces.why) != 0 ||
	    strcmp(whole.bound_host, pieces.bound_host) != 0)
		abort();
	return 0;
}
