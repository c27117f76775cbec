/* authorized_keys, files of authorities, and host key files: no crash, and what
 * was taken is a key that parses. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "transport/serve_authkeys.h"
#include "transport/serve_hostkey.h"

static void
say(void *arg, unsigned line, bool is_error, const char *words)
{
	(void)is_error;
	*(unsigned *)arg = line;
	if (line == 0 || words[0] == '\0')
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct sw_addr peer = addr_v4(0x0a000001, 0);
	struct serve_keys *k = serve_keys_new();
	struct serve_hostkey host;
	struct serve_login in;
	struct serve_key key;
	unsigned line = 0;

	if (k == NULL || len < 1)
		goto out;
	if (serve_keys_add(k, (const char *)data + 1, len - 1,
	    (enum serve_keys_kind)(data[0] % 3), say, &line) != SW_OK && line == 0)
		abort();		/* an error has a line */
	for (size_t i = 0; i < k->n; i++) {
		const struct serve_grant *g = &k->grant[i];

		if (serve_key_parse(&key, g->blob, g->len) != SW_OK ||
		    key.is_cert)
			abort();
		if (serve_login_check(k, "user", &key, &peer, 1000, &in) ==
		    SW_OK && in.grant->is_ca)
			abort();	/* an authority's key is no log-in */
		(void)serve_permits_has(&g->open, "host", 80);
	}
	(void)!serve_hostkey_parse(&host, (const char *)data, len);
out:
	serve_keys_unref(k);
	return 0;
}
