/* What administrators write: rules, listeners, ranges. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "transport/serve_options.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct sw_addr addr = addr_v4(0x08080808, 53);
	struct serve_policy p = { 0 };
	struct serve_listen listen;
	char *text = malloc(len + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, len);
	text[len] = '\0';
	if (serve_policy_add(&p, false, text) == SW_OK &&
	    p.rule[0].port_from > p.rule[0].port_to)
		abort();
	(void)serve_policy_allows(&p, text, &addr, 53);
	(void)!serve_match_from(text, &addr, false);
	if (serve_listen_parse(&listen, text) == SW_OK)
		free(listen.host);
	serve_policy_wipe(&p);
	free(text);
	return 0;
}
