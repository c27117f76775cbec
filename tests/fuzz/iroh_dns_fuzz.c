/* A DNS answer of any bytes: no crash, no more addresses than there is room for,
 * and nothing that would not be printed and read again. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "transport/iroh_dns.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct iroh_addr a = { .ndirect = 0 }, b;
	char text[IROH_TICKET_LEN];
	uint8_t *copy = malloc(len + 1);

	if (copy == NULL)
		return 0;
	memcpy(copy, data, len);
	if (iroh_dns_parse(&a, copy, len) == SW_OK) {
		iroh_addr_ticket(&a, text);
		if (a.ndirect > IROH_DIRECT_MAX ||
		    iroh_addr_parse(&b, text, strlen(text)) != SW_OK)
			abort();
	}
	free(copy);
	return 0;
}
