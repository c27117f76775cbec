/* What smolnode reads besides what mix/ reads for it: its key file, and which
 * epoch its directory says it is.  The first byte chooses. */
#include <stdlib.h>
#include <string.h>

#include "mix/smolnode_keys.h"
#include "mix/smolnode_view.h"
#include "tests/fuzz/fuzz.h"

static void
fuzz_keys(const uint8_t *data, size_t len)
{
	static const struct smolnode_keys none;
	char text[SMOLNODE_KEYS_TEXT], again[SMOLNODE_KEYS_TEXT];
	struct smolnode_keys k, back;

	if (len >= sizeof(text))
		return;
	memcpy(text, data, len);
	text[len] = '\0';
	if (smolnode_keys_parse(&k, text, len) != SW_OK) {
		if (memcmp(&k, &none, sizeof(k)) != 0)
			abort();
		return;
	}
	len = smolnode_keys_format(&k, again);
	if (smolnode_keys_parse(&back, again, len) != SW_OK ||
	    memcmp(&k, &back, sizeof(k)) != 0)
		abort();
}

static void
fuzz_epoch(const char *text, size_t len)
{
	struct smolnode_epoch e;
	int64_t epoch_s;

	if (smolnode_read_epoch(&e, &epoch_s, text, len) == SW_OK &&
	    epoch_s <= 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	if (data[0] % 2 == 0)
		fuzz_keys(data + 1, len - 1);
	else
		fuzz_epoch((const char *)data + 1, len - 1);
	return 0;
}
