/* Packets out, packets in, and what an exit says that it refused, in any
 * order: two bits choose, six are the length. */
#include <stdlib.h>
#include <string.h>

#include "base/wire.h"
#include "mix/iprsent.h"
#include "tests/fuzz/fuzz.h"

static void
refuse(struct iprsent *s, const uint8_t *p, size_t n)
{
	uint8_t out[IPFLOW_ERROR_MAX];
	struct ipflow f;
	char text[64];

	memcpy(text, p, n);
	text[n] = '\0';
	n = iprsent_refuse(s, text, out);
	if (n > sizeof(out) || (n > 0 && ipflow_read(&f, out, n) != SW_OK))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct iprsent s;
	struct rbuf in = { data, len };
	const uint8_t *p;
	uint8_t op;

	memset(&s, 0, sizeof(s));
	while (wire_get_u8(&in, &op) == SW_OK) {
		if (wire_get_ref(&in, op & 63, &p) != SW_OK)
			break;
		if (op >> 6 == 0)
			iprsent_note(&s, p, op & 63);
		else if (op >> 6 == 1)
			(void)!iprsent_is_told(&s, p, op & 63);
		else
			refuse(&s, p, op & 63);
	}
	return 0;
}
