/* An identity file: what reads is written again as it was. */
#include <stdlib.h>
#include <string.h>

#include "mix/identity.h"
#include "mix/prim.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct identity none;
	static bool ready;
	struct identity id, back;
	char text[IDENTITY_TEXT_MAX];
	size_t n;

	if (!ready && prim_init() != SW_OK)
		abort();
	ready = true;
	if (identity_parse(&id, (const char *)data, len) != SW_OK) {
		if (memcmp(&id, &none, sizeof(id)) != 0)
			abort();
		return 0;
	}
	n = identity_format(&id, text);
	if (identity_parse(&back, text, n) != SW_OK ||
	    memcmp(&id, &back, sizeof(id)) != 0)
		abort();
	return 0;
}
